//! Which package brought a file: what the package managers of the tree say of its path, and what archives and programs
//! say of themselves.

mod cargo;
mod files;
mod go;
mod label;
mod lookup;
mod managed;
mod rpm;
mod unmanaged;

pub(crate) use cargo::{MAX_PACKED, SECTION, crate_of};
pub(crate) use files::Files;
pub(crate) use go::{BUILD_INFO, go_module};
pub(crate) use label::{MAX_LABEL_LEN, is_label, label};
pub(crate) use lookup::{is_document, owners_of};
