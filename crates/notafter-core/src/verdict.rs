//! Verdicts and the findings that they rest on.

use crate::{
    CaseId, CheckName, Connection, Decision, Edge, Fingerprint, RotationName, RotationProblem, RunRecord,
    ServiceName, SourceLocation, UnixTime,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a finding is about. The code is stable: policies and tickets refer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FindingCode {
    /// The build is broken today: what fails worked just before an edge that lies before `start`.
    AlreadyBroken,
    /// A check that worked in control fails from an instant inside the window on.
    BreaksInWindow,
    /// The run took longer than its budget.
    BudgetExceeded,
    /// A check or a service fails where no boundary was crossed.
    ControlFails,
    /// Fewer expiring credentials were exercised than policy demands.
    CoverageBelowPolicy,
    /// A declared or served credential ends inside the window and no check crossed that end.
    CredentialNotCrossed,
    /// A credential in the files of the candidate ends inside the window, and nothing fails.
    ExpiredEmbeddedCredential,
    /// The release lets in whom it must refuse, from the beginning on.
    FailOpen,
    /// The same case came out differently when it ran again.
    Flaky,
    /// The gate itself failed.
    HarnessError,
    /// The run was told to stop.
    Interrupted,
    /// Failing in the walk, while starts at and after that instant work and no wait explains it.
    JumpIntolerant,
    /// A process never slept while time elapsed, so that the clock went on without waiting for it.
    NeverIdle,
    /// There was nothing to look at.
    NothingChecked,
    /// A planned case has not run.
    PlanIncomplete,
    /// There is more to look at than a plan holds, and the rest was not looked at by itself.
    PlanReduced,
    /// A service works through the window only because it renews what it shows.
    RenewalNeeded,
    /// A service works through the window only because somebody rotates what it shows.
    RotationNeeded,
    /// A service goes on showing what a rotation has replaced.
    RotationNotPickedUp,
    /// Something fails where the candidate's clock is a little off, and nothing else changes.
    SkewIntolerant,
    /// A process ran without proof that it saw the shifted clock.
    Unshifted,
    /// A waiver has run out.
    WaiverExpired,
    /// A waiver does not name what it lets pass, and lets nothing pass.
    WaiverTooBroad,
    /// A waiver covers nothing that was found.
    WaiverUnmatched,
}

impl FindingCode {
    /// The code as it stands in reports, such as `breaks-in-window`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyBroken => "already-broken",
            Self::BreaksInWindow => "breaks-in-window",
            Self::BudgetExceeded => "budget-exceeded",
            Self::ControlFails => "control-fails",
            Self::CoverageBelowPolicy => "coverage-below-policy",
            Self::CredentialNotCrossed => "credential-not-crossed",
            Self::ExpiredEmbeddedCredential => "expired-embedded-credential",
            Self::FailOpen => "fail-open",
            Self::Flaky => "flaky",
            Self::HarnessError => "harness-error",
            Self::Interrupted => "interrupted",
            Self::JumpIntolerant => "jump-intolerant",
            Self::NeverIdle => "never-idle",
            Self::NothingChecked => "nothing-checked",
            Self::PlanIncomplete => "plan-incomplete",
            Self::PlanReduced => "plan-reduced",
            Self::RenewalNeeded => "renewal-needed",
            Self::RotationNeeded => "rotation-needed",
            Self::RotationNotPickedUp => "rotation-not-picked-up",
            Self::SkewIntolerant => "skew-intolerant",
            Self::Unshifted => "unshifted",
            Self::WaiverExpired => "waiver-expired",
            Self::WaiverTooBroad => "waiver-too-broad",
            Self::WaiverUnmatched => "waiver-unmatched",
        }
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// What a finding does to the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing; worth knowing.
    Note,
    /// The gate could not look.
    Inconclusive,
    /// It blocks.
    Block,
}

/// Between which instants something broke, on the candidate's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bracket {
    /// The last second in which it was seen to work.
    pub last_pass: UnixTime,
    /// The first second in which it was seen to fail; the name of the break.
    pub first_fail: UnixTime,
}

impl Bracket {
    /// Around a break for which `last_pass` may be unknown: then it worked at the start of the scenario at best.
    pub(crate) fn around(last_pass: Option<UnixTime>, first_fail: UnixTime, record: &RunRecord) -> Self {
        let start = record.scenario.start.instant();
        Self { last_pass: last_pass.unwrap_or(start).min(first_fail), first_fail }
    }

    /// Whether the break is known to the second.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.first_fail.secs_since(self.last_pass) <= 1
    }
}

/// What comes of a break when credentials are issued anew with a later end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// All works there that had failed.
    Mends,
    /// Some of it works.
    MendsPart,
    /// It breaks all the same.
    MendsNothing,
}

/// Why the gate believes that a credential is the cause, strongest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The case that broke ran again with these credentials issued anew and nothing else changed.
    CausalControl {
        /// What came of the break.
        effect: Effect,
        /// The credentials as they were, the most likely cause first; more than one were issued anew together.
        credentials: Vec<Fingerprint>,
        /// Their last second in that case.
        until: UnixTime,
        /// The case.
        case: CaseId,
    },
    /// The break coincides with this edge to the second, or comes behind it by a leeway that verifiers grant.
    Coincidence {
        /// The edge.
        edge: Edge,
    },
    /// The break comes some time after this edge, and the same motions short of the edge do no harm.
    Delayed {
        /// The edge.
        edge: Edge,
    },
    /// A rotation falls into the time of the break, or comes too late for it.
    Rotation {
        /// Which.
        rotation: RotationName,
        /// Its instant, on the candidate's clock.
        at: UnixTime,
        /// What is wrong with it by its scenario.
        problems: Vec<RotationProblem>,
    },
    /// The failing look names it.
    SeenOnTheWire {
        /// What the verifier said, or the line of what came back.
        reason: String,
    },
    /// A process of a service that falls held it in its memory.
    InMemory {
        /// The service.
        service: ServiceName,
        /// Process id inside the service's pid namespace.
        pid: u32,
        /// The executable of the process, as the service sees it.
        exe: String,
        /// The credential.
        credential: Fingerprint,
    },
    /// The failing process wrote a line that names it.
    NamedInLog {
        /// The service that wrote it.
        service: ServiceName,
        /// The line.
        line: String,
    },
}

/// One thing wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What it is about.
    pub code: FindingCode,
    /// What it does to the verdict, after policy and waivers.
    pub severity: Severity,
    /// Who let it pass and until when, where a waiver did.
    pub waived: Option<String>,
    /// One sentence without a final period, for a headline.
    pub summary: String,
    /// When it breaks.
    pub bracket: Option<Bracket>,
    /// The credential behind it.
    pub culprit: Option<Fingerprint>,
    /// Why the gate believes so, strongest first.
    pub evidence: Vec<Evidence>,
    /// What of the causal control is missing and why, as a lower-case fragment; none where it is complete, and where the
    /// cause is nothing that the gate could issue anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncontrolled: Option<String>,
    /// What the scenario expected.
    pub expected: Option<String>,
    /// What was seen instead.
    pub seen: Option<String>,
    /// At which instant, on the candidate's clock.
    pub seen_at: Option<UnixTime>,
    /// The services that fall: the one that breaks first, then those that depend on it.
    pub services: Vec<ServiceName>,
    /// The checks that fall, with the connections over which they fail.
    pub checks: Vec<(CheckName, Vec<Connection>)>,
    /// Connections that still worked at the break while others of the same check failed. One that is also among
    /// `checks` worked for processes that had lived through the break, and not after a fresh start.
    pub still_working: Vec<(CheckName, Connection)>,
    /// The scenario line that asked.
    pub location: Option<SourceLocation>,
    /// The case that shows it best; running it alone shows it again.
    pub case: Option<CaseId>,
    /// The last lines of the log of the service that breaks first.
    pub log_tail: Option<String>,
    /// What to do about it, as a sentence without a final period.
    pub help: Option<String>,
}

/// How closely the run looked at an expiring credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Touch {
    /// It lies there and nothing more is known.
    Never,
    /// A process held it in its memory.
    Loaded,
    /// A service showed it to a probe.
    Served,
    /// Checks ran on both sides of its end against the service that holds it, while that service ran.
    Exercised,
}

/// One credential with a boundary inside the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CoverageEntry {
    /// The credential.
    pub credential: Fingerprint,
    /// How closely the run looked.
    pub touch: Touch,
}

/// How much of what expires the run looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// One entry for each credential with a boundary inside the window, in time order.
    pub entries: Vec<CoverageEntry>,
}

impl Coverage {
    /// How many of them were exercised.
    #[must_use]
    pub fn exercised(&self) -> usize {
        self.entries.iter().filter(|entry| entry.touch == Touch::Exercised).count()
    }
}

/// May this release ship?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The answer.
    pub decision: Decision,
    /// What it rests on, worst first, then by instant.
    pub findings: Vec<Finding>,
    /// Expiry coverage.
    pub coverage: Coverage,
    /// The nearest edge beyond the horizon.
    pub next_edge: Option<Edge>,
}
