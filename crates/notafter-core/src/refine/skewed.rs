//! Full depth tries whether a release bears a clock that is a little off.
//!
//! Machines are never quite of one mind about the time, and what has just been issued is not valid yet to who is behind.

use super::cold::Waiting;
use super::known::{Known, Wanted};
use super::plan::{case_id, check_all, control_instant};
use crate::{Case, CaseClock, CaseId, Depth, Purpose, RunRecord};

/// By how much: the most that Kerberos bears where nobody says otherwise (RFC 4120 §8.2), and many others after it.
const SKEW_SECS: i64 = 300;

/// The fresh starts with a skewed clock that full depth makes, where nothing changes.
pub(super) fn starts(record: &RunRecord) -> Vec<Case> {
    match record.scenario.planning.depth {
        Depth::Quick => Vec::new(),
        Depth::Full => vec![start(record, SKEW_SECS), start(record, -SKEW_SECS)],
    }
}

fn start(record: &RunRecord, ahead: i64) -> Case {
    let at = control_instant(record);
    let (id, words) = if ahead > 0 { ("skew-ahead", "ahead of") } else { ("skew-behind", "behind") };
    let (service, minutes) = (&record.scenario.candidate.service, ahead.abs() / 60);
    Case {
        id: case_id(id),
        purpose: Purpose::Skewed { ahead },
        reason: format!("a fresh start at {at} with the clock of {service} {minutes} min {words} all others"),
        clock: CaseClock::Shifted(at),
        steps: vec![check_all(&record.scenario)],
    }
}

/// Those in which something fails, twice.
pub(super) fn investigate(known: &mut Known<'_>) -> Result<Vec<CaseId>, Waiting> {
    let record = known.record;
    let mut failing = Vec::new();
    let mut is_waiting = false;
    for case in starts(record) {
        let again = Case {
            id: case_id(&format!("{}-again", case.id)),
            reason: format!("{} once more, to tell a failure from a fluke", case.id),
            ..case.clone()
        };
        let id = case.id.clone();
        match known.want(case) {
            Wanted::Missing => is_waiting = true,
            Wanted::Ran(ran) if ran.failure.is_some() => match known.want(again) {
                Wanted::Missing => is_waiting = true,
                Wanted::Ran(ran) if ran.failure.is_some() => failing.push(id),
                Wanted::Lost | Wanted::Ran(_) => {}
            },
            Wanted::Lost | Wanted::Ran(_) => {}
        }
    }
    if is_waiting { Err(Waiting) } else { Ok(failing) }
}
