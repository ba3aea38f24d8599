//! What is shipped: a static binary with its manual pages, completions and licences, as an archive for any distribution
//! and as a package for Debian.
//!
//! The same tree makes the same bytes: nothing depends on the time, the umask, the directory or the order of a listing.
//!
//! What must never happen here: a file of the package that the archive has not, or a licence that is left out.

mod archive;
mod build;
mod chore;
mod debian;
mod licences;
mod shipment;
#[cfg(test)]
mod tests;

pub use chore::{chore, pack};
pub use shipment::Shipment;
