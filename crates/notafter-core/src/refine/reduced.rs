//! What a plan does not look at by itself, because there is too much of it.
//!
//! What must never happen here: a limit that nobody is told of.

use super::boundary::{MAX_STOPS, boundaries, grouped};
use super::full::{self, MAX_STARTS};
use crate::{RunRecord, UnixTime};

/// So many of what is left out are named one by one.
const NAMED: usize = 4;

/// Where the plan of `record` looks at less than there is to look at, as clauses without a final period; empty where it
/// looks at all. Nothing of it is left out of the walk, which lives through every end.
#[must_use]
pub fn reductions(record: &RunRecord) -> Vec<String> {
    fewer_starts(record).into_iter().chain(fewer_stops(record)).collect()
}

fn fewer_starts(record: &RunRecord) -> Option<String> {
    let left = full::left_out(record);
    let named = some_of(left.iter().map(UnixTime::to_string).collect())?;
    Some(format!(
        "full depth makes at most {MAX_STARTS} fresh starts, so that there is none at {named}, which the walk alone lives through"
    ))
}

fn fewer_stops(record: &RunRecord) -> Option<String> {
    let (start, horizon) = (record.scenario.start.instant(), record.scenario.horizon);
    let all = boundaries(record, start, horizon);
    let count = all.len();
    let firsts: Vec<UnixTime> = all.iter().map(|boundary| boundary.first).collect();
    let together = grouped(all).into_iter().filter_map(|group| {
        let inside = firsts.iter().filter(|at| **at >= group.first && **at <= group.last).count();
        (inside > 1).then(|| format!("{inside} from {} to {}", group.first, group.last))
    });
    let named = some_of(together.collect())?;
    Some(format!(
        "the walk makes at most {MAX_STOPS} stops for {count} boundaries; no check looks between those that share one: {named}"
    ))
}

fn some_of(all: Vec<String>) -> Option<String> {
    let more = all.len().saturating_sub(NAMED);
    let named = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match (all.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(named),
        (false, more) => Some(format!("{named} and {more} more")),
    }
}
