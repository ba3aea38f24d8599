//! The embedded back end: sandboxes from namespaces, without a daemon, for root and plain users.

mod addresses;
mod backend;
mod instance;
mod keeper_link;
mod log;
mod maps;
mod refusal;
mod sandbox;
mod spawner;

pub use backend::Embedded;
