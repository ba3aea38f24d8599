//! One look into the memory of a service.

use crate::{ClockReading, Fingerprint, ServiceName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the processes of a service held at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryRead {
    /// The service.
    pub service: ServiceName,
    /// Index of the step before which it was read; the number of steps where that was at the end of the case.
    pub step: usize,
    /// When, on the candidate's clock.
    pub at: ClockReading,
    /// Its processes.
    pub processes: Vec<ProcessRead>,
}

/// What one process held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessRead {
    /// Process id inside the service's pid namespace.
    pub pid: u32,
    /// Its executable, as the service sees it.
    pub exe: String,
    /// How much of it was read.
    pub read_bytes: u64,
    /// What was not read and why, as in `could not be read: permission denied`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
    /// Credentials of the inventory that it held, sorted: those that end inside the window, and those that were found
    /// in memory alone.
    pub held: Vec<Fingerprint>,
}
