//! The types of the gate and the pure functions between them.
//!
//! Everything that flows through the pipeline is plain data defined here: a [`Scenario`] is refined into
//! [`Case`]s, running them yields [`Event`]s, events fold into a [`RunRecord`], and the record is judged into a
//! [`Verdict`]. All of it serialises, so that a saved record can be judged and rendered again anywhere.
//!
//! What must never happen here: I/O, async, reading a clock.
#![forbid(unsafe_code)]

mod case;
mod check;
mod credential;
mod event;
mod inventory;
mod names;
mod observation;
mod record;
mod scenario;
mod service;
mod time;
mod verdict;

pub use case::{Case, CaseClock, Motion, Pace, Purpose, Step};
pub use check::{
    Check, Connection, Expectation, ExpectedSpan, HttpMethod, Probe, TlsTerms, TlsTrust, Verify, Works,
};
pub use credential::{
    Container, Credential, CredentialSpec, Edge, EdgeKind, Fingerprint, GeneratedX509, KeyAlgorithm,
    KeyUsage, Origin, Place, X509Issuer,
};
pub use event::{Event, HostReading};
pub use inventory::{Inventory, OpaqueFile};
pub use names::{
    BuildName, CaseId, CheckName, CredentialName, NameError, ScenarioName, ServiceName, VolumeName,
};
pub use observation::{
    Alert, Answer, ClockWitness, Observation, Refusal, RefusalLayer, Seen, ServedCertificate, WitnessBasis,
};
pub use record::{CaseError, CaseRecord, Outcome, RECORD_VERSION, RunRecord, ServiceEnd};
pub use scenario::{
    Build, Candidate, Cause, Decision, ImageRef, Policy, PresentButUnused, ReplayEntry, Scenario,
    SourceLocation, Start, Waived, Waiver,
};
pub use service::{EnvValue, MountedFile, MountedSource, ReadyProbe, Restart, Service, Volume, VolumeState};
pub use time::{ClockReading, Span, TimeError, UnixTime};
pub use verdict::{
    Bracket, Coverage, CoverageEntry, Evidence, Finding, FindingCode, Severity, Touch, Verdict,
};
