//! Cases: what runs, on which clock, in which motions, and why.

use crate::{CaseId, CheckName, CredentialName, RotationName, ServiceName, UnixTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// On which clock a case runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CaseClock {
    /// The host's, with no engine at all.
    Native,
    /// A shifted one whose wall time stands at this instant while the services start.
    Shifted(UnixTime),
}

/// How far elapsing time looks for waits that are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// One jump; every wait that is due completes once.
    Leap,
    /// From one due wait to the next, so that every timer fires as often as it would.
    Walk,
}

/// A motion of the candidate's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Motion {
    /// Time passes: wall, monotonic and boot time together.
    Elapse(Pace),
    /// Wall time alone jumps, as after `date -s`.
    Step,
}

/// One step of a case. Between motions wall time stands still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Runs checks, each over all of its connections.
    Check {
        /// Which, in this order.
        checks: Vec<CheckName>,
    },
    /// Moves the clock until wall time shows `to`.
    Move {
        /// How.
        motion: Motion,
        /// The instant to arrive at, on the candidate's clock; never earlier than where the clock stands.
        to: UnixTime,
    },
    /// Stops services and starts them again where the clock stands, with their carried volumes.
    Restart {
        /// Which; they stop in reverse start order and start in start order.
        services: Vec<ServiceName>,
    },
    /// Replaces mounted material where the clock stands, and reloads.
    Rotate {
        /// Which rotation; the clock has just come to its instant.
        rotation: RotationName,
    },
}

/// Why a case is in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Everything starts fresh at an instant beyond boundaries.
    Cold,
    /// No boundary crossed: the scenario itself works, and so does the engine under it.
    Control,
    /// Everything starts just before an edge that lies before `start`: shows a build that is broken already.
    PastControl,
    /// The same as another case up to where that one fails, with declared credentials issued anew: does it break all the
    /// same? Decides nothing but what is named as the cause.
    Reissued {
        /// The other case.
        of: CaseId,
        /// Which credentials, as the scenario names them; those that stand for others after a rotation too.
        credentials: Vec<CredentialName>,
        /// Their last second now, beyond the horizon. Names, keys and first seconds are what they were.
        until: UnixTime,
    },
    /// The same as another case, to tell a failure from a fluke.
    Repeat(CaseId),
    /// No boundary crossed, while the clock of the candidate differs from that of everybody else. Decides nothing.
    Skewed {
        /// By how many seconds it is ahead; negative where it is behind.
        ahead: i64,
    },
    /// No boundary crossed, with declared revocation lists that have ended: who looks into them must let nobody in.
    Stale {
        /// Which lists, as the scenario names them.
        credentials: Vec<CredentialName>,
        /// Their last second now, before the start.
        until: UnixTime,
    },
    /// The same processes live through every boundary, then restart aged.
    Walk,
}

impl Purpose {
    /// What is issued otherwise for the case, and to end when; none where it runs on what the scenario declares.
    #[must_use]
    pub fn material(&self) -> Option<(&[CredentialName], UnixTime)> {
        match self {
            Self::Reissued { credentials, until, .. } | Self::Stale { credentials, until } => {
                Some((credentials, *until))
            }
            Self::Cold
            | Self::Control
            | Self::PastControl
            | Self::Repeat(_)
            | Self::Skewed { .. }
            | Self::Walk => None,
        }
    }

    /// By how many seconds the candidate's clock is ahead of the others'; none where all are one.
    #[must_use]
    pub fn skew(&self) -> Option<i64> {
        match self {
            Self::Skewed { ahead } => Some(*ahead),
            Self::Cold
            | Self::Control
            | Self::PastControl
            | Self::Reissued { .. }
            | Self::Repeat(_)
            | Self::Stale { .. }
            | Self::Walk => None,
        }
    }
}

/// One unit that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Case {
    /// Unique within its record.
    pub id: CaseId,
    /// Why it runs.
    pub purpose: Purpose,
    /// The same for a reader, as a sentence fragment.
    pub reason: String,
    /// On which clock.
    pub clock: CaseClock,
    /// What happens once all services are ready, in order.
    pub steps: Vec<Step>,
}
