//! Policy: how strictly to judge, and what somebody answers for.

use crate::{CheckName, CredentialName, Fingerprint, ServiceName, SourceLocation, UnixTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What policy says of a credential that ends inside the window though nothing breaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PresentButUnused {
    /// The release is blocked.
    Block,
    /// The verdict is inconclusive, unless a TLS check was served it and lived through its end.
    Doubt,
    /// It is listed in the inventory only.
    Ignore,
    /// It is a finding that blocks nothing.
    #[default]
    Warn,
}

/// What a waiver lets pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Waived {
    /// Findings with this code.
    Code(String),
    /// Findings about the credential of this name, which is made anew in each run.
    Credential(CredentialName),
    /// Findings about this credential.
    Fingerprint(Fingerprint),
}

impl fmt::Display for Waived {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => formatter.write_str(code),
            Self::Credential(name) => write!(formatter, "{name}"),
            Self::Fingerprint(fingerprint) => formatter.write_str(&fingerprint.short()),
        }
    }
}

/// What of it a waiver lets pass; what is empty narrows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Narrowing {
    /// Findings with this code alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Findings whose first service is this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// Findings in which no check falls but these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckName>,
}

impl Narrowing {
    /// Whether it narrows nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A finding that somebody answers for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waiver {
    /// What it covers.
    pub waives: Waived,
    /// What of that.
    #[serde(default, skip_serializing_if = "Narrowing::is_empty")]
    pub only: Narrowing,
    /// Who answers for it.
    pub owner: String,
    /// Why it is acceptable.
    pub reason: String,
    /// Last second in which it holds, on the host's clock; afterwards it blocks.
    pub until: UnixTime,
    /// Whether it stands in a policy that several scenarios share and names none of them, so that one in which it lets
    /// nothing pass says nothing against it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// Where it stands.
    pub location: SourceLocation,
}

/// How strictly to judge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Policy {
    /// Share of the expiring credentials that checks must exercise, in percent.
    pub require_coverage: Option<u8>,
    /// What a credential that ends unused means.
    pub present_but_unused: PresentButUnused,
    /// Findings that may pass.
    pub waivers: Vec<Waiver>,
}

impl Policy {
    /// The waivers that have not run out at `now`, on the clock of the machine that gates.
    pub(crate) fn in_force(&self, now: UnixTime) -> impl Iterator<Item = &Waiver> {
        self.waivers.iter().filter(move |waiver| waiver.until >= now)
    }
}
