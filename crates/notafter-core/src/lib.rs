//! The types of the gate and the pure functions between them.
//!
//! Everything that flows through the pipeline is plain data defined here: a [`Scenario`] is refined into
//! [`Case`]s, running them yields [`Event`]s, events fold into a [`RunRecord`], and the record is judged into a
//! [`Verdict`]. All of it serialises, so that a saved record can be judged and rendered again anywhere.
//!
//! What must never happen here: I/O, async, reading a clock.
#![forbid(unsafe_code)]

mod assertion;
mod attribute;
mod case;
mod check;
mod checkpoint;
mod comparison;
mod credential;
mod credential_verdict;
mod draft;
mod event;
mod file_times;
mod holder;
mod inventory;
mod isolation;
mod judge;
mod memory;
mod names;
mod night;
mod observation;
mod place;
mod planning;
mod policy;
mod probe;
mod record;
mod reference;
mod refine;
mod renewal;
mod restrictions;
mod rotation;
mod scenario;
mod sequence;
mod service;
mod soundness;
mod time;
mod verdict;

pub use assertion::{Assertion, Reading, Subject, Test};
pub use attribute::attribute;
pub use case::{Case, CaseClock, Motion, Pace, Purpose, Step};
pub use check::{Check, Connection, Expectation, ExpectedSpan, Works};
pub use comparison::{
    Comparison, Difference, Gated, Incomparable, Production, Side, Unjudged, compare, is_comparable,
};
pub use credential::{
    Credential, CredentialKind, CredentialSpec, CrlSpec, Edge, EdgeKind, Fingerprint, GeneratedX509,
    KeyAlgorithm, KeyUsage, Origin, PublicKey, TokenSpec, X509Issuer,
};
pub use credential_verdict::{CredentialVerdict, of_credential};
pub use draft::{Draft, DraftedCheck};
pub use event::{Event, HostReading};
pub use file_times::FileTimes;
pub use holder::is_anchor;
pub use inventory::{Inventory, OpaqueFile};
pub use isolation::Isolation;
pub use judge::{is_waivable, judge};
pub use memory::{MemoryRead, ProcessRead};
pub use names::{
    BuildName, CaseId, CheckName, CredentialName, NameError, RotationName, ScenarioName, ServiceName,
    VolumeName,
};
pub use night::{
    Change, Earlier, End, Forecast, Judged, Movement, NightEntry, NightFinding, NightHead, Outlook, Standing,
    Told, Turn, changes,
};
pub use observation::{
    Alert, Answer, ClockWitness, Observation, Refusal, RefusalLayer, Restless, Seen, ServedCertificate,
    StepTaken, WitnessBasis,
};
pub use place::{CompiledIn, Container, Layer, Package, PackageSystem, Place};
pub use planning::{Depth, Planning, RestartOrder};
pub use policy::{Narrowing, Policy, PresentButUnused, Waived, Waiver};
pub use probe::{
    AmqpTerms, Greeting, HttpContent, HttpMethod, Probe, SqlServer, SqlTerms, StartTls, TlsTerms, TlsTrust,
    Verify,
};
pub use record::{CaseError, CaseRecord, Outcome, RECORD_VERSION, RunImage, RunRecord, ServiceEnd};
pub use reference::{ImageName, ImageNameError};
pub use refine::{Moment, MomentKind, hours, moments, plan, reductions, refine};
pub use restrictions::{Capability, Restrictions, RootAccess};
pub use rotation::{Reload, Replacement, Rotated, Rotation, RotationProblem, Served};
pub use scenario::{
    BackendKind, Build, Candidate, Cause, Decision, ImageRef, ReplayEntry, Scenario, SourceLocation, Start,
    Transport,
};
pub use sequence::{AskedIn, Captured, CheckStep, MOST_STEPS, is_capture_name, names_in};
pub use service::{
    EnvValue, Hidden, MountedFile, MountedSource, ReadyProbe, Restart, Service, Volume, VolumeState,
};
pub use time::{ClockReading, Span, TimeError, UnixTime};
pub use verdict::{
    Bracket, Coverage, CoverageEntry, Effect, Evidence, Finding, FindingCode, Severity, Touch, Verdict,
};
