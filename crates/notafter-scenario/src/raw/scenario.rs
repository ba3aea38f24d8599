//! The whole file.

use super::{RawBuild, RawCheck, RawCredential, RawPolicy, RawReplay, RawRotation, RawService};
use crate::decode::{Entries, Keyword, Located, OneOrMany, TextOr};
use notafter_core::{BackendKind, Depth, FileTimes, RestartOrder};
use schemars::JsonSchema;
use serde::Deserialize;

/// A release-gate scenario: services, credentials, checks and the time that a release must live.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "scenario", deny_unknown_fields)]
pub(crate) struct RawScenario {
    /// Version of the format: 1.
    #[schemars(required, range(min = 1, max = 1))]
    pub(crate) notafter: Option<Located<i64>>,
    /// Name of the scenario.
    #[schemars(required)]
    pub(crate) name: Option<Located<String>>,
    /// Where simulated time begins: an instant; `now` where none is given.
    pub(crate) start: Option<Located<String>>,
    /// How long the release must run unattended, such as `2y`, or the instant until which it must.
    #[schemars(required)]
    pub(crate) support: Option<Located<String>>,
    /// The service whose build is under release.
    #[schemars(required)]
    pub(crate) candidate: Option<Located<String>>,
    /// Where its services run, unless the command line says otherwise; `embedded` where nothing is said.
    pub(crate) backend: Option<Located<Keyword<BackendKind>>>,
    /// What services see when they ask when a file was written: `real`, the default, or `shifted`, which shows what their
    /// own clock showed then. Looks at files are slower.
    pub(crate) file_times: Option<Located<Keyword<FileTimes>>>,
    /// How many instants are looked at: `quick`, the default, or `full`, which also starts afresh behind every boundary and
    /// on the days of the calendar on which software has failed before.
    pub(crate) depth: Option<Located<Keyword<Depth>>>,
    /// How long time elapses behind each boundary, such as `7d`; 25 hours where nothing is said, and never less.
    pub(crate) dwell: Option<Located<String>>,
    /// What is restarted behind a boundary of the candidate's own: the `candidate`, the default, or `rolling`: every
    /// service, one after the other.
    pub(crate) restart: Option<Located<Keyword<RestartOrder>>>,
    /// Limit for the whole run in real time, such as `60s`; beyond it the verdict is inconclusive.
    pub(crate) budget: Option<Located<String>>,
    /// Builds of the candidate by name: an image, or what of the service changes with the build.
    pub(crate) builds: Option<Located<Entries<TextOr<RawBuild>>>>,
    /// Credentials to make for this scenario.
    pub(crate) credentials: Option<Located<Entries<RawCredential>>>,
    /// Compose files that services come from: a path, or several of which the later say over the earlier.
    pub(crate) compose: Option<Located<OneOrMany<String>>>,
    /// What runs; of a service that Compose files name, what is said here holds in place of what they say.
    pub(crate) services: Option<Located<Entries<RawService>>>,
    /// What is asked of it at every planned instant.
    #[schemars(required)]
    pub(crate) checks: Option<Located<Entries<RawCheck>>>,
    /// Material that is replaced while services run.
    pub(crate) rotations: Option<Located<Entries<RawRotation>>>,
    /// How strictly to judge.
    pub(crate) policy: Option<Located<RawPolicy>>,
    /// For scenarios that retell an incident: what each build must come to. `gate` ignores it.
    pub(crate) replay: Option<Located<Vec<Located<RawReplay>>>>,
}
