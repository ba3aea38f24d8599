//! Root trees of images: cargo builds, unpacked trees and tars, the host.
//!
//! The runner resolves every image of a scenario once, before any case; back ends and the inventory take it from
//! there.
//!
//! What must never happen here: running anything but `cargo build`; writing outside the cache while an archive is
//! unpacked; a tree that lacks something without a remark.
#![forbid(unsafe_code)]

mod archive;
mod cache;
mod cargo;
mod elf;
mod error;
mod image;
mod resolver;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use image::{Bind, Image, RootTree};
pub use resolver::Resolver;
