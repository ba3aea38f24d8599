//! The keeper: the one process of a sandbox that stands between the runner and the inits. It holds the namespaces,
//! the volumes and the connections' way in, with one thread and no clock of its own.
//!
//! What must never happen here: outliving the runner, or leaving an init behind.

mod connect;
mod containers;
mod datagrams;
mod deputy;
mod evidence;
mod ground;
mod guard;
mod inside;
mod machine_ground;
mod own_ground;
mod serve;
mod strays;

pub(crate) use guard::{ARGUMENT as GUARD_ARGUMENT, ROOM, WORKER};
pub use serve::run_if_sandbox;
pub(crate) use serve::{ARGUMENT, CANARY};
