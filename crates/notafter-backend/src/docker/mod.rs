//! The docker back end: every service in a container of an engine that sees our files, with the network, the clock and
//! the proofs of the embedded one. Beside an engine that does not see them stands a deputy, which has an engine that does.
//!
//! What must never happen here: a container without the label of its owner, or one that outlives its keeper.

mod address;
mod backend;
mod client;
mod deputy;
mod evidence;
mod exchanged;
mod images;
mod laid;
mod library;
mod limits;
mod view;

pub(crate) use address::Address;
pub use backend::{Docker, Engine};
pub(crate) use client::{Client, Container};
pub(crate) use deputy::ENGINE;
pub use deputy::{Deputy, Posting};
pub(crate) use exchanged::in_memory;
pub(crate) use images::Images;
pub use library::EngineImages;
pub(crate) use view::View;
