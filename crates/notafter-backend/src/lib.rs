//! Where services run: sandboxes with one network and one clock.
//!
//! The runner asks a [`Backend`] for a [`Sandbox`], launches services into it, looks at them, moves their clock and
//! asks for the proofs that every process saw it. The embedded back end makes the sandbox from namespaces, the
//! docker one from containers; the
//! scripted one plays a table, for tests of everything above.
//!
//! What must never happen here: falling back to another back end, or going on where something cannot be enforced
//! without saying so.
#![forbid(unsafe_code)]

mod contract;
mod docker;
mod doctor;
mod embedded;
mod error;
mod init;
mod keeper;
mod owner;
pub mod scripted;
mod traces;
mod wire;

pub use contract::{
    Awaited, Backend, ClockSpec, ConnectFailure, ExecOutcome, FileLayout, FileSpec, KEPT_OUTPUT_BYTES,
    LaunchSpec, Log, MemoryFiles, Moved, ProcessMemory, Sandbox, SandboxSpec, ServiceState, Skew, StopReason,
    Unproven, VolumeContent, VolumeMount, WitnessReport,
};
pub use docker::{Deputy, Docker, Engine, EngineImages, Posting};
pub use doctor::{Ability, WITHOUT_NAMESPACES, probe_capabilities, unfit};
pub use embedded::Embedded;
pub use error::Error;
pub use keeper::run_if_sandbox;
pub use notafter_image::{Bind, RootTree};

/// The hidden first argument by which a program knows that it is to work as a deputy; `main` then serves what comes over
/// standard input.
pub const DEPUTY_ARGUMENT: &str = keeper::WORKER;
/// The directory in which a deputy keeps its files.
pub const DEPUTY_ROOM: &str = keeper::ROOM;

/// Tells the host's time. A plain function: the keeper of a sandbox is another process.
pub type HostClock = fn() -> notafter_core::ClockReading;
