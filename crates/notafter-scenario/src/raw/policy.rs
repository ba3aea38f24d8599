//! Policy, waivers, and what a retold incident must come to.

use crate::decode::{Entries, Keyword, Located};
use notafter_core::{Decision, FindingCode, PresentButUnused};
use schemars::JsonSchema;
use serde::Deserialize;

/// The policy that scenarios share; `notafter.toml` beside them or above.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "shared policy", deny_unknown_fields)]
pub(crate) struct RawShared {
    /// The version of this format: 1.
    #[schemars(required)]
    pub(crate) notafter: Option<Located<i64>>,
    /// What holds for all of them.
    pub(crate) policy: Option<Located<RawPolicy>>,
    /// What holds for single ones, by their names.
    pub(crate) scenarios: Option<Located<Entries<RawPolicy>>>,
}

/// How strictly to judge.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "policy", deny_unknown_fields)]
pub(crate) struct RawPolicy {
    /// Share of the expiring credentials that checks must exercise, as in `100%`.
    pub(crate) require_coverage: Option<Located<String>>,
    /// What a credential means that ends inside the window though nothing breaks; `warn` where nothing is said.
    pub(crate) present_but_unused: Option<Located<Keyword<PresentButUnused>>>,
    /// Findings that may pass.
    pub(crate) waivers: Option<Located<Vec<Located<RawWaiver>>>>,
}

/// A finding that somebody answers for; `credential`, `fingerprint` or `code` says which, and the rest narrows it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "waiver", deny_unknown_fields)]
pub(crate) struct RawWaiver {
    /// Findings with this code; alone it is enough for those that are about a service or the whole run.
    pub(crate) code: Option<Located<Keyword<FindingCode>>>,
    /// Findings about this credential of the scenario.
    pub(crate) credential: Option<Located<String>>,
    /// Findings about the certificate with this SHA-256 fingerprint.
    pub(crate) fingerprint: Option<Located<String>>,
    /// Those alone in which this service is the first to fall.
    pub(crate) service: Option<Located<String>>,
    /// Those alone in which no check falls but these.
    pub(crate) checks: Option<Located<Vec<Located<String>>>>,
    /// Who answers for it.
    #[schemars(required)]
    pub(crate) owner: Option<Located<String>>,
    /// Why it is acceptable.
    pub(crate) reason: Located<String>,
    /// Its last second in real time; afterwards it blocks.
    pub(crate) until: Located<String>,
}

/// What one build of a retold incident must come to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "replay entry", deny_unknown_fields)]
pub(crate) struct RawReplay {
    /// The build.
    pub(crate) build: Located<String>,
    /// Its verdict.
    pub(crate) verdict: Located<Keyword<Decision>>,
    /// The first failing second.
    pub(crate) breaks_at: Option<Located<String>>,
    /// The culprit.
    pub(crate) cause: Option<Located<RawCause>>,
    /// The checks that fall with it, all of them.
    pub(crate) falls: Option<Located<Vec<Located<String>>>>,
    /// Codes of findings that must stand in the report.
    pub(crate) notes: Option<Located<Vec<Located<Keyword<FindingCode>>>>>,
}

/// A culprit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "cause", rename_all = "kebab-case")]
pub(crate) enum RawCause {
    /// A credential that the scenario declares.
    Declared(Located<String>),
    /// A credential inside the files of a service.
    Embedded(RawEmbedded),
}

/// A credential inside the files of a service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "embedded credential", deny_unknown_fields)]
pub(crate) struct RawEmbedded {
    /// The service whose files hold it.
    pub(crate) service: Located<String>,
    /// Its subject.
    pub(crate) subject: Located<String>,
    /// The last second of its validity.
    pub(crate) not_after: Located<String>,
}
