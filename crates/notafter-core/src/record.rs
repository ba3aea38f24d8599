//! The record of a run: everything that the verdict follows from, and nothing secret.

use crate::{
    Case, CaseId, ClockReading, ClockWitness, Event, ImageRef, Inventory, Isolation, MemoryRead, Observation,
    Restless, Rotated, Scenario, ServiceName, UnixTime, memory,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Version of the serialised form; raised when old readers could no longer read it.
pub const RECORD_VERSION: u32 = 2;

/// The outcome of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The gate could not look.
    Error,
    /// A check was not met, or a service did not start.
    Fail,
    /// Every check was met.
    Pass,
    /// It did not run; the record says why.
    Skip,
}

/// Why the gate could not look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CaseError {
    /// The whole run took longer than the scenario's budget.
    BudgetExceeded {
        /// The budget.
        budget: Duration,
    },
    /// The run was told to stop.
    Interrupted,
    /// The back end could not do what was asked.
    Harness {
        /// What failed, as a lower-case fragment with its causes.
        message: String,
    },
    /// A native control cannot run where simulated time does not begin now.
    NativeImpossible,
    /// A process ran without proof that it saw the shifted clock, or a time call was met that the engine does not
    /// handle.
    Unshifted {
        /// The service.
        service: ServiceName,
        /// Process id inside the service's pid namespace; none where it is not known.
        pid: Option<u32>,
        /// What is missing, as a lower-case fragment.
        reason: String,
    },
}

/// The end of a service's main process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceEnd {
    /// The service.
    pub service: ServiceName,
    /// Exit code; 128 + the signal's number where a signal ended it. None where it never ran.
    pub code: Option<i32>,
    /// When, on the candidate's clock.
    pub at: ClockReading,
    /// Whether it ended before it was ready.
    pub before_ready: bool,
    /// Why it counts as ended, where no exit code says it: it never got ready, its command could not start.
    pub reason: Option<String>,
    /// The end of its output, at most 4 KiB.
    pub log_tail: String,
}

/// What one case came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaseRecord {
    /// The case.
    pub case: Case,
    /// Its outcome; none while it runs.
    pub outcome: Option<Outcome>,
    /// Why the gate could not look.
    pub error: Option<CaseError>,
    /// Every look, in order.
    pub observations: Vec<Observation>,
    /// Ends of main processes that no step asked for, in order.
    pub ends: Vec<ServiceEnd>,
    /// Proofs of the shifted clock.
    pub witnesses: Vec<ClockWitness>,
    /// Services that got ready, with the instant on the candidate's clock, in order; restarts included.
    pub ready: Vec<(ServiceName, ClockReading)>,
    /// Processes that motions of the clock did not wait for, each once, in order. Records of version 1 do not tell.
    #[serde(default)]
    pub restless: Vec<Restless>,
    /// Rotations that it performed, in order.
    #[serde(default)]
    pub rotated: Vec<Rotated>,
    /// What processes held in their memory, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<MemoryRead>,
    /// How long it took, on the host's clock.
    pub took: Duration,
}

/// What a service ran from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunImage {
    /// The service.
    pub service: ServiceName,
    /// What it is called.
    pub image: ImageRef,
    /// `sha256:…` of its configuration, by which engines know it; of the bytes of a binary or of the tar of a root
    /// tree. None where the image is a tree that anybody may change.
    pub id: Option<String>,
    /// Digest of its manifest, by which registries know it.
    pub manifest: Option<String>,
}

/// Everything that a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    /// [`RECORD_VERSION`] of the writer.
    pub version: u32,
    /// The scenario with its chosen build.
    pub scenario: Scenario,
    /// The host's time when the run began.
    pub started: UnixTime,
    /// What kept its services apart from the machine.
    #[serde(default)]
    pub isolation: Isolation,
    /// What the services ran from, in the order of the scenario.
    #[serde(default)]
    pub images: Vec<RunImage>,
    /// What can expire.
    pub inventory: Inventory,
    /// The cases, in the order in which they began.
    pub cases: Vec<CaseRecord>,
    /// What the back end could not enforce, clean or see, as lower-case fragments.
    pub remarks: Vec<String>,
}

impl RunRecord {
    /// The record of a run in which nothing has happened yet.
    #[must_use]
    pub fn new(scenario: Scenario, started: UnixTime) -> Self {
        Self {
            version: RECORD_VERSION,
            scenario,
            started,
            isolation: Isolation::default(),
            images: Vec::new(),
            inventory: Inventory::default(),
            cases: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// The case of this id, where it began.
    #[must_use]
    pub fn case(&self, id: &CaseId) -> Option<&CaseRecord> {
        self.cases.iter().find(|record| record.case.id == *id)
    }

    /// Takes in what happened. Events of a case that never began are dropped.
    pub fn fold(&mut self, event: Event) {
        match event {
            Event::CaseStarted { case } => self.cases.push(CaseRecord {
                case,
                outcome: None,
                error: None,
                observations: Vec::new(),
                ends: Vec::new(),
                witnesses: Vec::new(),
                ready: Vec::new(),
                restless: Vec::new(),
                rotated: Vec::new(),
                memory: Vec::new(),
                took: Duration::ZERO,
            }),
            Event::CaseEnded { case, outcome, error, took } => self.on_case(&case, |record| {
                record.outcome = Some(outcome);
                record.error = error;
                record.took = took;
            }),
            // Merged, so that what a case was served meanwhile stays known.
            Event::InventoryLearnt { inventory } => {
                inventory.credentials.into_iter().for_each(|credential| self.inventory.add(credential));
                self.inventory.opaque.extend(inventory.opaque);
                self.inventory.opaque.sort();
                self.inventory.opaque.dedup();
            }
            Event::MemoryRead { case, read, found } => {
                let found = if self.is_reissued(&case) { Vec::new() } else { found };
                memory::learn(self, &case, read, found);
            }
            Event::Moved { case, restless, .. } => self.on_case(&case, |record| {
                for process in restless {
                    let is_it =
                        |known: &&Restless| known.service == process.service && known.pid == process.pid;
                    if !record.restless.iter().any(|known| is_it(&known)) {
                        record.restless.push(process);
                    }
                }
            }),
            Event::Observed { case, observation } => {
                // What was made for one case alone is nothing that the release has.
                let alone = self.is_reissued(&case);
                for served in observation.shown().filter(|_| !alone) {
                    memory::settle_served(self, &served.credential);
                    self.inventory.add(served.credential.clone());
                }
                self.on_case(&case, |record| record.observations.push(observation));
            }
            Event::Rotated { case, rotated } => self.on_case(&case, |record| record.rotated.push(rotated)),
            Event::ServiceEnded { case, end } => self.on_case(&case, |record| record.ends.push(end)),
            Event::ServiceReady { case, service, at, .. } => {
                self.on_case(&case, |record| record.ready.push((service, at)));
            }
            Event::Witnessed { case, witness } => self.on_case(&case, |record| {
                if !record.witnesses.contains(&witness) {
                    record.witnesses.push(witness);
                }
            }),
        }
    }

    fn is_reissued(&self, id: &CaseId) -> bool {
        let found = self.cases.iter().rev().find(|record| record.case.id == *id);
        found.is_some_and(|record| record.case.purpose.material().is_some())
    }

    pub(crate) fn on_case(&mut self, id: &CaseId, change: impl FnOnce(&mut CaseRecord)) {
        if let Some(record) = self.cases.iter_mut().rev().find(|record| record.case.id == *id) {
            change(record);
        }
    }
}
