//! What the runner, the keeper of a sandbox and the inits of its services say to each other.
//!
//! ```text
//! runner ── keeper (the sandbox process: namespaces, volumes, connections)
//!    │         ├── init of service a (pid 1 of its own pid namespace)
//!    └─────────┴── init of service b …
//! ```
//!
//! The runner talks to the keeper and to each init over a socket of its own; every request gets exactly one answer.

mod channel;
mod deadline;
mod failure;
mod luggage;
mod messages;

pub(crate) use channel::Channel;
pub(crate) use deadline::{Deadline, LONGEST};
pub(crate) use failure::{Attempt, Failure};
pub(crate) use luggage::Luggage;
pub(crate) use messages::{
    Blueprint, Errand, Farewell, FileHead, Host, InitReply, InitRequest, KeeperReply, KeeperRequest, Lease,
    Machine, MainState, NoConnection, Post, Premises, ProcessHead, Tree, VolumeHead,
};
