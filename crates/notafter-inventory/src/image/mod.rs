//! Images with layers: each layer on its own, then what of it a container of the image still sees.
//!
//! What must never happen here: unpacking to disk; a find in a layer that a later one does not hide being left out;
//! trusting that a blob is what its name says.

mod cache;
mod layer;
mod manifest;
mod merge;
mod scanned;
mod store;
#[cfg(test)]
mod tests;

pub use scanned::{ImageForm, ScannedImage, scan_image};
