//! Files to credentials with their edges.
//!
//! The inventory looks into every regular file of a tree, and into archives in it as they are unpacked. It finds
//! certificates, revocation lists, OCSP responses, keys, tokens and documents that end, wherever they lie: in PEM text,
//! alone or inside anything else, and as DER carved from any bytes, such as a constant of an executable. It looks into
//! environment variables and arguments as well.
//!
//! What must never happen here: deciding whether a credential matters; leaving the tree through a symbolic link;
//! passing over a file that could not be read (it is [`notafter_core::OpaqueFile`]); counting what merely resembles a
//! certificate.
#![forbid(unsafe_code)]

mod buffer;
mod carve;
mod cbom;
mod collect;
mod error;
mod file;
mod image;
mod owners;
mod pattern;
mod process;
mod rpm_header;
mod scan;
mod settings;
#[cfg(test)]
mod tests;
mod tree;
mod unpack;

pub use cbom::read_cyclonedx;
pub use error::Error;
pub use file::SourceFile;
pub use image::{ImageForm, ScannedImage, scan_image};
pub use process::{Held, ProcessFiles, scan_memory, scan_process};
pub use scan::{
    Passwords, ScanOptions, scan_bytes, scan_file, scan_files, scan_paths, scan_reader, scan_tree,
};
pub use settings::{Setting, scan_settings};
pub use tree::Mounts;
