//! Root trees of images: cargo builds, stored images with layers, unpacked trees and tars, the host.
//!
//! Images come from files, from a container engine and from registries.
//!
//! The runner resolves every image of a scenario once, before any case; back ends and the inventory take it from
//! there.
//!
//! What must never happen here: running anything but cargo; writing outside the cache while an archive is
//! unpacked; a tree that lacks something without a remark.
#![forbid(unsafe_code)]

mod assemble;
mod cache;
mod cargo;
mod config;
mod content;
mod digest;
mod documents;
mod elf;
mod engine;
mod error;
mod image;
mod inside;
mod packed;
mod recognised;
mod registry;
mod resolver;
mod store;
mod stored;
mod stream;
#[cfg(test)]
mod tests;
mod unpacking;

pub use assemble::{Assembly, Compression, Layer};
pub use cargo::cargo_binaries;
pub use config::{HealthCheck, ImageConfig};
pub use content::sha256;
pub use engine::Engine;
pub use error::Error;
pub use image::{Bind, Identity, Image, RootTree};
pub use packed::{pack, unpack};
pub use recognised::{Recognised, recognise};
pub use registry::{Failure, Registries};
pub use resolver::Resolver;
pub use stored::identity;
