//! Bytes that may be an archive: what lies in it is looked into as it is decoded, archives in archives too.
//!
//! What must never happen here: writing anything; unpacking beyond the limits; giving up on the rest of an archive
//! without saying so.

mod ar;
mod attached;
mod cpio;
mod directory;
mod executable;
mod firmware;
#[cfg(test)]
mod forms;
mod gaps;
mod keybox;
mod leaf;
mod look;
mod lzip;
mod members;
mod rpm;
mod sniff;
pub(crate) mod store;
mod tar;
#[cfg(test)]
mod tests;
mod xz;
mod zip;

pub(crate) use leaf::stream as carve_stream;
pub(crate) use look::{Input, Metered, look_behind, look_into};
pub(crate) use members::{Form, Members};
