//! Restarts on the way: behind each boundary of its own a walk restarts the candidate. What it made or got by itself is
//! made anew there, and an end that would come later without the restart is never lived through.

use super::cold::Waiting;
use super::known::{Known, Ran, Wanted};
use super::plan::case_id;
use crate::checkpoint::first_instant;
use crate::{Case, CaseRecord, Credential, Fingerprint, Origin, RunRecord, Step, UnixTime, memory};

/// `walked` as it is to be believed where it passed: made again without a restart before its end, where its restarts made
/// anew what would have ended later. None where that walk is lost.
pub(super) fn without_restarts<'a>(
    known: &mut Known<'a>,
    walked: Ran<'a>,
) -> Result<Option<Ran<'a>>, Waiting> {
    if walked.failure.is_some() || !restarts_hide(known.record, walked.record) {
        return Ok(Some(walked));
    }
    match known.want(unattended(walked.record.case.clone())) {
        Wanted::Missing => Err(Waiting),
        Wanted::Lost => Ok(None),
        Wanted::Ran(ran) => Ok(Some(*ran)),
    }
}

fn unattended(walk: Case) -> Case {
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
    let reason =
        format!("{}, with no restart, because those of {} made anew what ends later", walk.reason, walk.id);
    Case { id: case_id(&format!("{}-unattended", walk.id)), reason, steps, ..walk }
}

/// Whether a restart on the way of `walk` made anew what would have ended later in the window: certificates that a
/// service made or got by itself and showed, or held in memory alone, before.
fn restarts_hide(record: &RunRecord, walk: &CaseRecord) -> bool {
    let horizon = record.scenario.horizon;
    let mut now = first_instant(walk.case.clock, &record.scenario);
    let mut restarts: Vec<(usize, UnixTime)> = Vec::new();
    for (index, step) in walk.case.steps.iter().enumerate() {
        match step {
            Step::Move { to, .. } => now = *to,
            // The last restart comes when everything has been lived through.
            Step::Restart { .. } if now < horizon => restarts.push((index, now)),
            Step::Restart { .. } | Step::Check { .. } | Step::Rotate { .. } => {}
        }
    }
    let looks = walk.observations.iter();
    let shown: Vec<(usize, Fingerprint)> = looks
        .flat_map(|look| look.served.iter().map(move |served| (look.step, served.credential.fingerprint)))
        .collect();
    // What is still there behind a restart was not made anew by it.
    let lasts = |restart, known| shown.iter().any(|(step, other)| *step > restart && *other == known);
    let hidden = |step: usize, credential: &Credential| {
        let end = credential.not_after;
        restarts.iter().any(|(restart, at)| {
            *restart > step && *at <= end && end < horizon && !lasts(*restart, credential.fingerprint)
        })
    };
    let served_hides = shown.iter().any(|(step, known)| {
        let known = record.inventory.find(*known).filter(|known| known.origin == Origin::Served);
        known.is_some_and(|known| hidden(*step, known))
    });
    served_hides || memory::is_hidden(record, walk, &restarts)
}
