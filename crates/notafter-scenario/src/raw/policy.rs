//! Policy, waivers, and what a retold incident must come to.

use crate::decode::{Keyword, Located};
use notafter_core::{Decision, FindingCode, PresentButUnused};
use schemars::JsonSchema;
use serde::Deserialize;

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

/// A finding that somebody answers for; either `code` or `fingerprint` says which.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "waiver", deny_unknown_fields)]
pub(crate) struct RawWaiver {
    /// Every finding with this code.
    pub(crate) code: Option<Located<Keyword<FindingCode>>>,
    /// Every finding about the certificate with this SHA-256 fingerprint.
    pub(crate) fingerprint: Option<Located<String>>,
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
