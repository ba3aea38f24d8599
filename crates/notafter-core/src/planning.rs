//! How far a plan goes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// After a boundary time elapses for at least so long, in seconds on the candidate's clock: every daily timer fires once.
pub(crate) const DWELL_SECS: i64 = 25 * 3_600;

/// How many instants are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// One walk through every known boundary and one fresh start at its end: for every release.
    #[default]
    Quick,
    /// Beside these a fresh start behind every boundary, and the days of the calendar on which software has failed
    /// before: for every night.
    Full,
}

/// What is restarted behind a boundary of the candidate's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RestartOrder {
    /// The candidate alone.
    #[default]
    Candidate,
    /// Every service, one after the other in start order, with a look after each: peers that know each other may fall
    /// only at the second.
    Rolling,
}

/// How a scenario is planned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Planning {
    /// How many instants are looked at.
    #[serde(default)]
    pub depth: Depth,
    /// How long time elapses after each boundary, where that is more than the 25 hours that a daily timer needs.
    #[serde(default)]
    pub dwell: Option<Duration>,
    /// What is restarted on the way.
    #[serde(default)]
    pub restart: RestartOrder,
}

impl Planning {
    /// How long time elapses after each boundary, in seconds on the candidate's clock; 25 hours at least.
    #[must_use]
    pub fn dwell_secs(&self) -> i64 {
        let dwell = self.dwell.map_or(0, |dwell| i64::try_from(dwell.as_secs()).unwrap_or(i64::MAX));
        dwell.max(DWELL_SECS)
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_dwell_is_too_short_for_a_daily_timer() {
        for (dwell, secs) in [(None, 90_000), (Some(3_600), 90_000), (Some(604_800), 604_800)] {
            let planning = Planning { dwell: dwell.map(Duration::from_secs), ..Planning::default() };
            assert_eq!(planning.dwell_secs(), secs);
        }
    }
}
