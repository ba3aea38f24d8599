//! What comes of a comparison.

use crate::{
    BuildName, Decision, NightFinding, RunRecord, Scenario, ServiceName, UnixTime, Verdict, night::headline,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A run and the verdict that follows from it.
#[derive(Debug, Clone, Copy)]
pub struct Gated<'a> {
    /// The run.
    pub record: &'a RunRecord,
    /// What it is judged as.
    pub verdict: &'a Verdict,
}

/// One of the two builds of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The build under release.
    Candidate,
    /// The build that is in production.
    Production,
}

/// The build that is in production, and what it comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Production {
    /// The candidate's service.
    pub service: ServiceName,
    /// The build of it; none where the scenario has but one.
    pub build: Option<BuildName>,
    /// `sha256:…` of its image, where that is known by its content.
    pub image_id: Option<String>,
    /// Its verdict.
    pub decision: Decision,
    /// Why, as one sentence without a final period.
    pub headline: String,
}

impl Production {
    /// What the build of `record` comes to.
    pub(super) fn of(Gated { record, verdict }: Gated<'_>) -> Self {
        let candidate = &record.scenario.candidate;
        let image = record.images.iter().find(|image| image.service == candidate.service);
        Self {
            service: candidate.service.clone(),
            build: candidate.build.as_ref().map(|build| build.name.clone()),
            image_id: image.and_then(|image| image.id.clone()),
            decision: verdict.decision,
            headline: headline(record, verdict),
        }
    }
}

/// Something that the two builds do not have in common, or one thing that they have. Whatever blocks is compared, and breaks
/// that a waiver lets pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Difference {
    /// The candidate breaks by what the build in production does not.
    New {
        /// What is wrong with the candidate.
        candidate: NightFinding,
    },
    /// Both break by it, the candidate sooner.
    Earlier {
        /// What is wrong with the candidate.
        candidate: NightFinding,
        /// What is wrong with the build in production.
        production: NightFinding,
        /// How much sooner, in seconds of simulated time; above 0.
        secs: i64,
    },
    /// The candidate breaks by it at an instant behind the first break of the build in production: whether that build
    /// would do so too, nobody has seen.
    UnseenInProduction {
        /// What is wrong with the candidate.
        candidate: NightFinding,
        /// First failing second of the build in production, on the candidate's clock.
        blind_from: UnixTime,
    },
    /// Both break by it, in the same second or for as long as anybody looked.
    Same {
        /// What is wrong with the candidate.
        candidate: NightFinding,
        /// What is wrong with the build in production.
        production: NightFinding,
    },
    /// Both break by it, the candidate at a later time.
    Later {
        /// What is wrong with the candidate.
        candidate: NightFinding,
        /// What is wrong with the build in production.
        production: NightFinding,
        /// How much later, in seconds of simulated time; above 0.
        secs: i64,
    },
    /// The build in production breaks by it at an instant behind the first break of the candidate: whether the candidate
    /// would do so too, nobody has seen.
    UnseenInCandidate {
        /// What is wrong with the build in production.
        production: NightFinding,
        /// First failing second of the candidate, on its clock.
        blind_from: UnixTime,
    },
    /// The build in production breaks by it, and the candidate does not.
    Defused {
        /// What is wrong with the build in production.
        production: NightFinding,
    },
}

impl Difference {
    /// The finding that it is about: the candidate's, where it has one.
    #[must_use]
    pub const fn finding(&self) -> &NightFinding {
        match self {
            Self::New { candidate }
            | Self::Earlier { candidate, .. }
            | Self::UnseenInProduction { candidate, .. }
            | Self::Same { candidate, .. }
            | Self::Later { candidate, .. } => candidate,
            Self::UnseenInCandidate { production, .. } | Self::Defused { production } => production,
        }
    }

    /// Worst first.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::New { .. } => 0,
            Self::Earlier { .. } => 1,
            Self::UnseenInProduction { .. } => 2,
            Self::Same { .. } => 3,
            Self::Later { .. } => 4,
            Self::UnseenInCandidate { .. } => 5,
            Self::Defused { .. } => 6,
        }
    }
}

/// A candidate beside the build that is in production. It changes nothing about the candidate's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The build that is in production.
    pub production: Production,
    /// Builds at which the gate could not look. Where there is one, nothing is compared.
    pub unjudged: Vec<Side>,
    /// Services beside the candidate that ran from one image here and from another there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_peers: Vec<ServiceName>,
    /// What is different and what is not, worst first, then by instant.
    pub differences: Vec<Difference>,
}

/// A build in production for which no gate came to a verdict, and why.
#[derive(Debug, Clone, Copy)]
pub struct Unjudged<'a> {
    /// The scenario with that build.
    pub scenario: &'a Scenario,
    /// Why, as one sentence without a final period.
    pub why: &'a str,
}

impl Unjudged<'_> {
    /// What there is to say of it beside `candidate`.
    #[must_use]
    pub fn beside(self, candidate: Gated<'_>) -> Comparison {
        let build = &self.scenario.candidate;
        let unseen = candidate.verdict.decision == Decision::Inconclusive;
        Comparison {
            production: Production {
                service: build.service.clone(),
                build: build.build.as_ref().map(|build| build.name.clone()),
                image_id: None,
                decision: Decision::Inconclusive,
                headline: self.why.to_owned(),
            },
            unjudged: unseen.then_some(Side::Candidate).into_iter().chain([Side::Production]).collect(),
            other_peers: Vec::new(),
            differences: Vec::new(),
        }
    }
}
