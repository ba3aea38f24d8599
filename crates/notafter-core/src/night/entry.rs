//! What a night remembers.

use crate::{Decision, ServiceName, Severity, UnixTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// What one build of a scenario came to in a night.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Nothing breaks.
    Allow,
    /// The gate could not look.
    Inconclusive,
    /// Nothing ran: the scenario is wrong, or what it names is not there.
    Refused,
    /// Something breaks.
    Block,
}

impl Standing {
    /// Every standing, from best to worst.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Inconclusive, Self::Refused, Self::Block];

    /// Its word, such as `allow`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Inconclusive => "inconclusive",
            Self::Refused => "refused",
            Self::Block => "block",
        }
    }

    /// Whether the gate looked at everything that it has to, so that what is not found is not there.
    #[must_use]
    pub const fn is_sound(self) -> bool {
        matches!(self, Self::Allow | Self::Block)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl From<Decision> for Standing {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Allow => Self::Allow,
            Decision::Block => Self::Block,
            Decision::Inconclusive => Self::Inconclusive,
        }
    }
}

/// Which build of which scenario.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Judged {
    /// Path of the scenario below the folder of the night, with forward slashes; `.` for the folder itself.
    pub scenario: String,
    /// Its build; empty where the scenario has no builds to choose from, or could not be read so far.
    pub build: String,
}

impl fmt::Display for Judged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.build.as_str() {
            "" => formatter.pad(&self.scenario),
            build => formatter.pad(&format!("{} {build}", self.scenario)),
        }
    }
}

/// A finding, as far as nights and comparisons of builds look at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NightFinding {
    /// What it is known by in every run that finds it: its code with the credential behind it or, where none is known, the
    /// checks and services that fall. Instants, and what is made anew in each run, are no part of it.
    pub key: String,
    /// Its code, such as `breaks-in-window`.
    pub code: String,
    /// What it does to the verdict.
    pub severity: Severity,
    /// One sentence without a final period.
    pub summary: String,
    /// First failing second on the candidate's clock, where something breaks.
    pub breaks_at: Option<UnixTime>,
}

/// The end of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Last second in which it is valid.
    pub at: UnixTime,
    /// What it is and what it is known by, as in `certificate CN=hss`.
    pub what: String,
}

/// What lies ahead of a service, seen from the start of simulated time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// The service.
    pub service: ServiceName,
    /// The next end of what it holds, trust anchors not counted.
    pub end: Option<End>,
    /// First second, on the candidate's clock, in which it falls.
    pub breaks_at: Option<UnixTime>,
}

impl Outlook {
    /// The nearer of the two.
    #[must_use]
    pub fn nearest(&self) -> Option<UnixTime> {
        self.end.as_ref().map(|end| end.at).into_iter().chain(self.breaks_at).min()
    }
}

/// One build of one scenario, as a night judged it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NightEntry {
    /// Which.
    pub judged: Judged,
    /// What it came to.
    pub standing: Standing,
    /// Why, as one sentence without a final period.
    pub headline: String,
    /// The host's time when its gate began.
    pub at: UnixTime,
    /// Where simulated time began, on the candidate's clock; none where nothing ran.
    pub start: Option<UnixTime>,
    /// The end of the support window, on the candidate's clock, inclusive; none where nothing ran.
    pub horizon: Option<UnixTime>,
    /// How long its gate took, on the host's clock.
    pub took: Duration,
    /// SHA-256 of the text of the scenario, in lower-case hex; empty where it could not be read.
    pub text_sha256: String,
    /// What the verdict rests on, worst first; each key once.
    pub findings: Vec<NightFinding>,
    /// What lies ahead of its services, in the order of the scenario.
    pub outlooks: Vec<Outlook>,
}

impl NightEntry {
    /// Whether it is what `judged` came to by a text with this SHA-256.
    #[must_use]
    pub fn is_of(&self, judged: &Judged, text_sha256: &str) -> bool {
        self.judged == *judged && self.text_sha256 == text_sha256
    }
}

/// A night as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NightHead {
    /// Its number in the history, from 1.
    pub id: u64,
    /// Absolute path of the folder of scenarios.
    pub folder: String,
    /// The host's time when it began.
    pub began: UnixTime,
    /// The host's time when it was through; none where it was interrupted or still goes on.
    pub ended: Option<UnixTime>,
    /// Version of the gate.
    pub version: String,
    /// How many builds came to what; those alone that there are.
    pub standings: Vec<(Standing, u64)>,
}
