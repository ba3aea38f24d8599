//! Restarts on the way: behind each boundary of its own a walk restarts the candidate. What a process made or got at its
//! start is made anew there, and an end that would come without the restart is lived through later, or never. Some of
//! that can be seen, as a certificate; of a token or a session in memory nobody else knows.

use super::cold::Waiting;
use super::known::{Known, Ran, Wanted};
use super::plan::case_id;
use crate::checkpoint::{Failure, first_instant};
use crate::holder::relevant_edges;
use crate::{Case, Edge, RunRecord, Step, UnixTime};

/// The looks around an end lie within this: those on both sides of it, and those of others that come in the same moment.
const AROUND_SECS: i64 = 60;

/// `walked` as it is to be believed: where it restarted something on the way, also made without that, unless it fails
/// across an end that is known or behind one, which needs no other to be believed. Of the two the one that fails counts, and where both
/// do the one that fails earlier. None where `walked` passed and nobody knows how it goes without restarts.
pub(super) fn without_restarts<'a>(
    known: &mut Known<'a>,
    walked: Ran<'a>,
) -> Result<Option<Ran<'a>>, Waiting> {
    let Some(restarted) = first_restart(known.record, &walked.record.case) else { return Ok(Some(walked)) };
    // Up to the first restart both are the same.
    if walked.failure.as_ref().is_some_and(|it| it.at <= restarted || is_across_an_end(known.record, it)) {
        return Ok(Some(walked));
    }
    match known.want(unattended(walked.record.case.clone())) {
        Wanted::Missing => Err(Waiting),
        Wanted::Lost => Ok(walked.failure.is_some().then_some(walked)),
        Wanted::Ran(alone) => Ok(Some(match (&walked.failure, &alone.failure) {
            (Some(_), None) => walked,
            (Some(attended), Some(unattended)) if attended.at < unattended.at => walked,
            (None | Some(_), _) => *alone,
        })),
    }
}

/// Whether it fails across a known edge, or in the time that elapses behind one. In the last second of a certificate some
/// refuse it already.
fn is_across_an_end(record: &RunRecord, failure: &Failure) -> bool {
    let most = record.scenario.planning.dwell_secs().saturating_add(AROUND_SECS);
    failure.last_pass.is_some_and(|passed| {
        let around = passed.plus_secs(-AROUND_SECS)..=failure.at.plus_secs(1);
        let lies_there = |edge: &Edge| around.contains(&edge.changed_at());
        failure.at.secs_since(passed) <= most && relevant_edges(record).iter().any(lies_there)
    })
}

/// `walk` with no restart but the last.
pub(super) fn unattended(walk: Case) -> Case {
    let last = walk.steps.len().saturating_sub(2);
    let mut steps = Vec::new();
    for (index, step) in walk.steps.into_iter().enumerate() {
        match (&step, steps.last()) {
            (Step::Restart { .. }, _) if index < last => {}
            // The look that followed the restart.
            (Step::Check { .. }, Some(Step::Check { .. })) => {}
            _ => steps.push(step),
        }
    }
    let reason = format!(
        "{}, with no restart, because those of {} make anew what would end without them",
        walk.reason, walk.id
    );
    Case { id: case_id(&format!("{}-unattended", walk.id)), reason, steps, ..walk }
}

/// When `walk` first restarts something short of the horizon, where everything has been lived through.
pub(super) fn first_restart(record: &RunRecord, walk: &Case) -> Option<UnixTime> {
    let mut now = first_instant(walk.clock, &record.scenario);
    for step in &walk.steps {
        match step {
            Step::Move { to, .. } => now = *to,
            Step::Restart { .. } if now < record.scenario.horizon => return Some(now),
            Step::Restart { .. } | Step::Check { .. } | Step::Rotate { .. } => {}
        }
    }
    None
}
