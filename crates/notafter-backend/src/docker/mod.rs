//! The docker back end: every service in a container of an engine on this machine, with the network, the clock and
//! the proofs of the embedded one.
//!
//! What must never happen here: a container without the label of its owner, or one that outlives its keeper.

mod backend;
mod client;
mod images;
mod laid;
mod library;
mod limits;

pub use backend::Docker;
pub(crate) use client::{Client, Container};
pub(crate) use images::Images;
pub use library::EngineImages;
