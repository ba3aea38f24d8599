//! Restarts on the way: behind each boundary of its own a walk restarts the candidate. What it made or got by itself is
//! made anew there, and an end that would come later without the restart is never lived through.

use super::plan::walk;
use crate::checkpoint::first_instant;
use crate::{Case, CaseId, CaseRecord, Credential, Fingerprint, Origin, RunRecord, Step, UnixTime};

/// The walk without a restart before its end.
pub(super) fn unattended(record: &RunRecord, id: CaseId) -> Case {
    let mut case = walk(record, id);
    let last = case.steps.len().saturating_sub(2);
    let mut steps = Vec::new();
    for (index, step) in case.steps.into_iter().enumerate() {
        match (&step, steps.last()) {
            (Step::Restart { .. }, _) if index < last => {}
            // The look that followed the restart.
            (Step::Check { .. }, Some(Step::Check { .. })) => {}
            _ => steps.push(step),
        }
    }
    case.steps = steps;
    case.reason += ", with no restart, because those of the other walk made anew what ends later";
    case
}

/// Whether a restart on the way of `walk` made anew what would have ended later in the window: certificates that a
/// service made or got by itself and showed before.
pub(super) fn restarts_hide(record: &RunRecord, walk: &CaseRecord) -> bool {
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
    shown.iter().any(|(step, known)| {
        let known = record.inventory.find(*known).filter(|known| known.origin == Origin::Served);
        known.is_some_and(|known| hidden(*step, known))
    })
}
