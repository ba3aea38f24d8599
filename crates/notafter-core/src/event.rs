//! What a run reports while it happens. Renderers of progress and the fold into a record read the same events.

use crate::{
    Case, CaseError, CaseId, ClockReading, ClockWitness, Credential, Inventory, MemoryRead, Observation,
    Outcome, Restless, Rotated, ServiceEnd, ServiceName,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Time since the run began, on the host's monotonic clock.
pub type HostReading = Duration;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A case ended.
    CaseEnded {
        /// Which.
        case: CaseId,
        /// How.
        outcome: Outcome,
        /// Why the gate could not look, for [`Outcome::Error`].
        error: Option<CaseError>,
        /// How long it took, on the host's clock.
        took: Duration,
    },
    /// A case began.
    CaseStarted {
        /// The case.
        case: Case,
    },
    /// What the images and the scenario hold is known, or more of it.
    InventoryLearnt {
        /// The whole of it so far.
        inventory: Inventory,
    },
    /// The memory of a service was read.
    MemoryRead {
        /// In which case.
        case: CaseId,
        /// What was read; it holds all of `found`.
        read: MemoryRead,
        /// Every credential in it.
        found: Vec<Credential>,
    },
    /// A motion of the clock ended.
    Moved {
        /// In which case.
        case: CaseId,
        /// Where wall time stands now, on the candidate's clock.
        now: ClockReading,
        /// Jumps that the motion took.
        jumps: u32,
        /// Waits and timers that completed because they were due.
        woken: u32,
        /// Processes that it did not wait for.
        #[serde(default)]
        restless: Vec<Restless>,
    },
    /// A look at a service.
    Observed {
        /// In which case.
        case: CaseId,
        /// What was seen.
        observation: Observation,
    },
    /// A rotation was performed.
    Rotated {
        /// In which case.
        case: CaseId,
        /// What it came to.
        rotated: Rotated,
    },
    /// The main process of a service ended.
    ServiceEnded {
        /// In which case.
        case: CaseId,
        /// How.
        end: ServiceEnd,
    },
    /// A service is ready.
    ServiceReady {
        /// In which case.
        case: CaseId,
        /// Which.
        service: ServiceName,
        /// When, on the candidate's clock.
        at: ClockReading,
        /// How long it took, on the host's clock.
        took: Duration,
    },
    /// A process is proven to have seen the shifted clock.
    Witnessed {
        /// In which case.
        case: CaseId,
        /// The proof.
        witness: ClockWitness,
    },
}
