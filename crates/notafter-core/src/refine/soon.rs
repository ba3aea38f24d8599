//! What fails minutes after each start, by a timer of its own. A look at a fresh start comes before that, and where the
//! engine starts crashed services anew, the next look of a walk finds them well again.

use super::boundary::Boundary;
use super::cold::{Repeat, Waiting, repeat};
use super::known::{Known, Ran, Wanted, believed};
use super::motion::MotionBreak;
use super::plan::{case_id, check_all, elapse, with_rotations};
use crate::checkpoint::{checkpoints, counts, fatal_ends, first_instant};
use crate::{
    Case, CaseClock, CaseId, CaseRecord, Pace, Purpose, Restart, RunRecord, Scenario, ServiceEnd, UnixTime,
};

/// When a fresh start is looked at again, in seconds from it.
const LOOKS_SECS: [i64; 3] = [60, 120, LAST_LOOK_SECS];
const LAST_LOOK_SECS: i64 = 600;
/// How often an interval is halved before the break is reported as it is known then.
const MAX_ROUNDS: usize = 24;

/// Since when fresh starts fail within minutes.
#[derive(Debug)]
pub(super) struct Soon {
    pub(super) last_pass: UnixTime,
    pub(super) first_fail: UnixTime,
    /// The case that shows it.
    pub(super) case: CaseId,
}

impl Soon {
    /// The last change at most some minutes before it.
    pub(super) fn behind(&self, boundaries: &[Boundary]) -> Option<UnixTime> {
        let changes = boundaries.iter().flat_map(Boundary::changes);
        changes.filter(|at| (-1..=LAST_LOOK_SECS).contains(&self.first_fail.secs_since(*at))).max()
    }
}

/// Whether one service ended in both, in the same way and within minutes: its timer need not stand as it did.
pub(super) fn ends_alike(one: &Ran<'_>, other: &Ran<'_>, scenario: &Scenario) -> bool {
    let end = |ran: &Ran<'_>| {
        let failure = ran.failure.as_ref()?;
        let end = *fatal_ends(ran.record, scenario, failure).first()?;
        Some((end.service.clone(), end.code, end.at.second))
    };
    match (end(one), end(other)) {
        (Some((service, code, at)), Some(other)) => {
            (service, code) == (other.0, other.1) && at.secs_since(other.2).abs() <= LAST_LOOK_SECS
        }
        _ => false,
    }
}

/// Whether a fresh start at `first_fail` fails within minutes, twice, and one some minutes before `last_pass`, where a
/// timer may not have looked yet, or at the start of the scenario does not: then neither a motion did that nor what lived
/// through the time before.
pub(super) fn search(
    known: &mut Known<'_>,
    walk: &CaseId,
    last_pass: UnixTime,
    first_fail: UnixTime,
) -> Result<Option<Soon>, Waiting> {
    let scenario = &known.record.scenario;
    let begin = last_pass.plus_secs(-2 * LAST_LOOK_SECS).max(scenario.start.instant());
    let low = begin.plus_secs(LAST_LOOK_SECS);
    if low >= first_fail {
        return Ok(None);
    }
    let behind = lives(case_id(&format!("{walk}-fresh")), first_fail, scenario);
    let before = lives(case_id(&format!("{walk}-fresh-before")), begin, scenario);
    let [behind, before] = match [behind, before].map(|case| known.want_to_search(case)) {
        [Wanted::Missing, _] | [_, Wanted::Missing] => return Err(Waiting),
        [Wanted::Ran(behind), Wanted::Ran(before)] => [behind, before],
        [Wanted::Lost, _] | [_, Wanted::Lost] => return Ok(None),
    };
    if behind.failure.is_none() || before.failure.is_some() {
        return Ok(None);
    }
    let again = repeat(known, behind.id())?;
    if again.is_none_or(|again| again.failure.is_none()) {
        return Ok(None);
    }
    let found = Soon { last_pass: low, first_fail, case: behind.id().clone() };
    narrow(known, walk, found).map(Some)
}

/// Halves the interval, until one start lives through the rest of it: what that one shows is the break.
fn narrow(known: &mut Known<'_>, walk: &CaseId, mut found: Soon) -> Result<Soon, Waiting> {
    for round in 1..=MAX_ROUNDS {
        let width = found.first_fail.secs_since(found.last_pass);
        let is_last = width < LAST_LOOK_SECS;
        let at = if is_last { found.last_pass } else { found.last_pass.plus_secs(width / 2) };
        let case = lives(case_id(&format!("{walk}-fresh-{round}")), at, &known.record.scenario);
        let ran = match known.want_to_search(case) {
            Wanted::Missing => return Err(Waiting),
            Wanted::Lost => return Ok(found),
            Wanted::Ran(ran) => ran,
        };
        match shown(&ran, &known.record.scenario) {
            Some((last_pass, first_fail)) if is_last => {
                return Ok(Soon { last_pass, first_fail, case: ran.id().clone() });
            }
            Some((_, first_fail)) => {
                found.first_fail = first_fail.min(found.first_fail);
                found.case = ran.id().clone();
            }
            None if is_last => return Ok(found),
            None => found.last_pass = at.plus_secs(LAST_LOOK_SECS).min(found.first_fail.plus_secs(-1)),
        }
    }
    Ok(found)
}

/// Between which instants a case fails. A process that ended has lived until then.
fn shown(ran: &Ran<'_>, scenario: &Scenario) -> Option<(UnixTime, UnixTime)> {
    let failure = ran.failure.as_ref()?;
    let end = fatal_ends(ran.record, scenario, failure).first().map(|end| end.at.second);
    let begin = first_instant(ran.record.case.clock, scenario);
    Some(match end {
        Some(end) => (end.plus_secs(-1), end),
        None => (failure.last_pass.unwrap_or(begin), failure.at),
    })
}

/// A fresh start at `at` that is looked at for some minutes.
fn lives(id: CaseId, at: UnixTime, scenario: &Scenario) -> Case {
    let looks =
        LOOKS_SECS.iter().flat_map(|secs| [elapse(Pace::Walk, at.plus_secs(*secs)), check_all(scenario)]);
    let steps = [check_all(scenario)].into_iter().chain(looks).collect();
    Case {
        id,
        purpose: Purpose::Walk,
        reason: format!(
            "a fresh start at {at} and looks at it for 10 min, to tell whether it fails by itself"
        ),
        clock: CaseClock::Shifted(at),
        steps: with_rotations(scenario, at, steps),
    }
}

/// A service that crashes, is started anew and works where it is looked at, and crashes again minutes later. None where
/// no walk that passed saw a crash, or where fresh starts live on.
pub(super) fn investigate(
    known: &mut Known<'_>,
    boundaries: &[Boundary],
) -> Result<Option<MotionBreak>, Waiting> {
    let record = known.record;
    let Some((walk, end)) = first_crash(record) else { return Ok(None) };
    let first_fail = end.at.second;
    let passed = checkpoints(walk.record, &record.scenario);
    let passed = passed.iter().rev().find(|point| point.at < first_fail && !point.looks.is_empty());
    let Some(last_pass) = passed.map(|point| point.at) else { return Ok(None) };
    let Some(soon) = search(known, walk.id(), last_pass, first_fail)? else { return Ok(None) };
    let behind = soon.behind(boundaries);
    Ok(Some(MotionBreak {
        last_pass: Some(soon.last_pass),
        first_fail: soon.first_fail,
        case: soon.case,
        walk: walk.id().clone(),
        repeat: Repeat::Failed,
        restarted: Vec::new(),
        behind,
        aged_fails: false,
        fails_soon: true,
        by_time_alone: false,
        by_date: false,
    }))
}

/// The first crash that a restart made good, of all walks through the window that passed.
fn first_crash(record: &RunRecord) -> Option<(Ran<'_>, &ServiceEnd)> {
    let scenario = &record.scenario;
    let whole = |case: &&CaseRecord| {
        case.case.purpose == Purpose::Walk
            && first_instant(case.case.clock, scenario) == scenario.start.instant()
    };
    let walks = record.cases.iter().filter(whole).filter_map(|case| believed(record, case));
    let crashes = walks.filter(|walk| walk.failure.is_none()).filter_map(|walk| {
        let mut ends = walk.record.ends.iter();
        let end = ends.find(|end| {
            let service = scenario.service(&end.service);
            let is_restarted = service.is_some_and(|service| service.restart == Restart::Always);
            is_restarted && end.code != Some(0) && !end.before_ready && !counts(end, walk.record, scenario)
        })?;
        Some((walk, end))
    });
    crashes.min_by_key(|(_, end)| end.at)
}
