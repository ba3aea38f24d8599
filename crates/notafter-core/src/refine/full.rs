//! What full depth adds: stops on the way, and fresh starts behind every boundary and on the days that it knows.

use super::boundary::{Boundary, boundaries};
use super::calendar::{Moment, MomentKind, moments};
use super::plan::{check_all, cold, elapse, instant_id};
use crate::{Case, Depth, Motion, Origin, Pace, RunRecord, Scenario, Step, UnixTime, is_anchor};
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

/// An instant at which full depth makes a fresh start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    weight: Weight,
    at: UnixTime,
    reason: String,
}

/// What comes first where there are more fresh starts than a run makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Behind an end, or a change of what is expected.
    Edge,
    /// A day of the calendar.
    Calendar(MomentKind),
    /// Behind the end of nothing but trust anchors that nobody declared: stores carry such by the hundred.
    Anchor,
}

/// Every instant of a fresh start, the weightiest first, each once; none in quick depth.
fn wanted(record: &RunRecord) -> Vec<Wanted> {
    match record.scenario.planning.depth {
        Depth::Quick => return Vec::new(),
        Depth::Full => {}
    }
    let (start, horizon) = (record.scenario.start.instant(), record.scenario.horizon);
    let behind = boundaries(record, start, horizon).into_iter().map(|boundary| Wanted {
        weight: if is_of_anchors(record, &boundary) { Weight::Anchor } else { Weight::Edge },
        at: boundary.last,
        reason: format!("a fresh start at {}, the first second after an edge", boundary.last),
    });
    let special = moments(record).into_iter().filter(|moment| moment.kind.starts_afresh());
    let special = special.map(|moment| Wanted {
        weight: Weight::Calendar(moment.kind),
        at: moment.at,
        reason: format!("a fresh start at {}: {}", moment.at, moment.kind),
    });
    let mut all: Vec<Wanted> = behind.chain(special).filter(|wanted| wanted.at < horizon).collect();
    all.sort_unstable();
    let mut seen: BTreeSet<UnixTime> = BTreeSet::new();
    all.retain(|wanted| seen.insert(wanted.at));
    all
}

fn is_of_anchors(record: &RunRecord, boundary: &Boundary) -> bool {
    let is_anchor = |edge: &crate::Edge| {
        let credential = record.inventory.find(edge.credential);
        credential.is_some_and(|it| is_anchor(it) && !matches!(it.origin, Origin::Declared(_)))
    };
    !boundary.edges.is_empty() && boundary.edges.iter().all(is_anchor)
}

/// The fresh starts of full depth, in time order.
pub(super) fn starts(record: &RunRecord) -> Vec<Case> {
    let mut made = wanted(record);
    made.truncate(MAX_STARTS);
    made.sort_by_key(|wanted| wanted.at);
    made.into_iter()
        .map(|Wanted { at, reason, .. }| cold(record, instant_id("cold", at), at, reason))
        .collect()
}

/// Instants at which full depth would start everything afresh, and which are beyond what a run makes; in time order.
pub(super) fn left_out(record: &RunRecord) -> Vec<UnixTime> {
    let started = |at: UnixTime| record.case(&instant_id("cold", at)).is_some();
    let beyond = wanted(record).into_iter().skip(MAX_STARTS).map(|wanted| wanted.at);
    let mut left: Vec<UnixTime> = beyond.filter(|at| !started(*at)).collect();
    left.sort_unstable();
    left
}
