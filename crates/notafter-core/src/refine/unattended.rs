//! Restarts on the way: behind each boundary of its own a walk restarts the candidate. What a process made or got at its
//! start is made anew there, and an end that would come without the restart is lived through later, or never. Some of
//! that can be seen, as a certificate; of a token or a session in memory nobody else knows.

use super::cold::Waiting;
use super::known::{Known, Ran, Wanted};
use super::plan::case_id;
use crate::checkpoint::first_instant;
use crate::{Case, RunRecord, Step, UnixTime};

/// `walked` as it is to be believed: where it restarted something on the way, also made without that. Of the two the
/// one that fails counts, and where both do the one that fails earlier. None where `walked` passed and nobody knows how
/// it goes without restarts.
pub(super) fn without_restarts<'a>(
    known: &mut Known<'a>,
    walked: Ran<'a>,
) -> Result<Option<Ran<'a>>, Waiting> {
    let Some(restarted) = first_restart(known.record, &walked.record.case) else { return Ok(Some(walked)) };
    // Up to the first restart both are the same.
    if walked.failure.as_ref().is_some_and(|failure| failure.at <= restarted) {
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
