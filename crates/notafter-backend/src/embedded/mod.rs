//! The embedded back end: sandboxes from namespaces, without a daemon, for root and plain users.

mod addresses;
mod arbiter;
mod backend;
mod control_groups;
mod instance;
mod keeper_link;
mod log;
mod maps;
mod neighbours;
mod place;
pub(crate) mod refusal;
mod sandbox;
mod spawner;
mod tenancy;
mod timepiece;

pub use backend::Embedded;
pub(crate) use place::Place;
pub(crate) use sandbox::EmbeddedSandbox;
pub(crate) use spawner::{Spawner, farewell};
