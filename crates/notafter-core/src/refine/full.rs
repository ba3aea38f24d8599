//! What full depth adds: stops on the way, and fresh starts behind every boundary and on the days that it knows.

use super::boundary::boundaries;
use super::calendar::{Moment, moments};
use super::plan::{check_all, cold, elapse, instant_id};
use crate::{Case, Depth, Motion, Pace, RunRecord, Scenario, Step, UnixTime};
use std::collections::BTreeSet;

/// Fresh starts that full depth adds at most. Where there are more instants, the walk still stops at each.
pub(super) const MAX_STARTS: usize = 24;

/// Whether services are restarted behind every boundary, and not just behind those of the candidate's own.
pub(super) fn restarts_everywhere(scenario: &Scenario) -> bool {
    scenario.planning.depth == Depth::Full
}

/// `steps` with a look in the second before each moment and in it.
pub(super) fn with_moments(steps: Vec<Step>, moments: &[Moment], scenario: &Scenario) -> Vec<Step> {
    let mut now = scenario.start.instant();
    let mut found = Vec::with_capacity(steps.len());
    for step in steps {
        if let Step::Move { motion: Motion::Elapse(pace), to } = step {
            let from = now;
            for moment in moments.iter().filter(|moment| moment.at > from && moment.at < to) {
                let before = moment.at.plus_secs(-1);
                if before > now {
                    found.extend([elapse(pace, before), check_all(scenario)]);
                }
                found.extend([elapse(Pace::Walk, moment.at), check_all(scenario)]);
                now = moment.at;
            }
            now = to;
        }
        found.push(step);
    }
    found
}

/// The fresh starts of full depth, the weightiest first where there are too many; none in quick depth.
pub(super) fn starts(record: &RunRecord) -> Vec<Case> {
    match record.scenario.planning.depth {
        Depth::Quick => return Vec::new(),
        Depth::Full => {}
    }
    let (start, horizon) = (record.scenario.start.instant(), record.scenario.horizon);
    let mut special: Vec<Moment> =
        moments(record).into_iter().filter(|moment| moment.kind.starts_afresh()).collect();
    special.sort_by_key(|moment| (moment.kind, moment.at));
    let behind = boundaries(record, start, horizon).into_iter().map(|boundary| {
        let reason = format!("a fresh start at {}, the first second after an edge", boundary.last);
        (boundary.last, reason)
    });
    let special = special.into_iter().map(|moment| {
        let reason = format!("a fresh start at {}: {}", moment.at, moment.kind);
        (moment.at, reason)
    });
    let mut seen: BTreeSet<UnixTime> = BTreeSet::new();
    let distinct = behind.chain(special).filter(|(at, _)| *at < horizon && seen.insert(*at));
    let mut instants: Vec<(UnixTime, String)> = distinct.take(MAX_STARTS).collect();
    instants.sort();
    instants.into_iter().map(|(at, reason)| cold(record, instant_id("cold", at), at, reason)).collect()
}
