//! What fails minutes after each start, by a timer of its own. A look at a fresh start comes before that, and where the
//! engine starts crashed services anew, the next look of a walk finds them well again.

use super::boundary::Boundary;
use super::cold::{Repeat, Waiting, repeat};
use super::hours::{DAY, hours};
use super::investigate::Investigation;
use super::known::{Known, Ran, Wanted, believed};
use super::mended::is_whole_walk;
use super::motion::MotionBreak;
use super::plan::{check_all, elapse, instant_id, with_rotations};
use super::recurring;
use crate::checkpoint::{Checkpoint, LOOP_SECS, checkpoints, counts, fatal_ends, first_instant};
use crate::{
    Case, CaseClock, CaseId, CaseRecord, Pace, Purpose, Restart, RunRecord, Scenario, ServiceEnd,
    ServiceName, UnixTime,
};
use std::collections::{BTreeMap, BTreeSet};

/// When a fresh start is looked at again, in seconds from it.
const LOOKS_SECS: [i64; 4] = [60, 120, 600, LAST_LOOK_SECS];
/// Long enough for two crashes, each as long behind a start as a loop allows, and what starting takes.
const LAST_LOOK_SECS: i64 = 2 * LOOP_SECS + 60;
/// How often an interval is halved before the break is reported as it is known then.
const MAX_ROUNDS: usize = 24;

/// So many crashes that a restart made good are tried.
const MAX_CRASHES: usize = 6;

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

/// What fresh starts at and before some instant have shown.
pub(super) enum Answer {
    /// None fails there: whatever was seen there is over.
    LivesOn,
    /// They fail from an instant on.
    Since(Soon),
    /// They fail wherever the scenario begins; the case shows it.
    FromStart(CaseId),
    /// They fail there once and not again, or not in an order that a date explains; the case failed.
    Differs(CaseId),
    /// Not all ran, or they may not be believed.
    Unknown,
}

/// Whether a fresh start at `first_fail` fails within minutes, twice, and one some minutes before `last_pass`, where a
/// timer may not have looked yet, or at the start of the scenario does not: then neither a motion did that nor what lived
/// through the time before.
pub(super) fn search(
    known: &mut Known<'_>,
    last_pass: UnixTime,
    first_fail: UnixTime,
) -> Result<Answer, Waiting> {
    let scenario = &known.record.scenario;
    let start = scenario.start.instant();
    let begin = last_pass.plus_secs(-2 * LAST_LOOK_SECS).max(start);
    let Some([behind, before]) = lived(known, [first_fail, begin])? else { return Ok(Answer::Unknown) };
    if behind.failure.is_none() {
        return Ok(Answer::LivesOn);
    }
    match repeat(known, behind.id())? {
        None => return Ok(Answer::Unknown),
        Some(again) if again.failure.is_none() => return Ok(Answer::Differs(behind.id().clone())),
        Some(_) => {}
    }
    let (before, begin) = match before.failure {
        None => (before, begin),
        Some(_) => match lived(known, [start])? {
            None => return Ok(Answer::Unknown),
            Some([first]) => (first, start),
        },
    };
    if before.failure.is_some() {
        return Ok(Answer::FromStart(before.id().clone()));
    }
    let last_pass = begin.plus_secs(LAST_LOOK_SECS);
    // From here on it is known to crash again and again: its first crash tells when.
    let failure = behind.failure.as_ref();
    let crash = failure.and_then(|failure| fatal_ends(behind.record, scenario, failure).first().copied());
    let service = crash.map(|end| end.service.clone());
    let ends = shown(&behind, service.as_ref(), scenario).map(|(_, ends)| ends);
    let first_fail = ends.filter(|_| last_pass >= first_fail).unwrap_or(first_fail);
    if last_pass >= first_fail {
        return Ok(Answer::Differs(behind.id().clone()));
    }
    let found = Soon { last_pass, first_fail, case: behind.id().clone() };
    narrow(known, service.as_ref(), found).map(Answer::Since)
}

/// Fresh starts at these instants. None where one is not to be believed.
fn lived<'a, const N: usize>(
    known: &mut Known<'a>,
    at: [UnixTime; N],
) -> Result<Option<[Box<Ran<'a>>; N]>, Waiting> {
    let wanted = at.map(|at| known.want_to_search(lives(at, &known.record.scenario)));
    if wanted.iter().any(|wanted| matches!(wanted, Wanted::Missing)) {
        return Err(Waiting);
    }
    let ran = wanted.into_iter().filter_map(|wanted| match wanted {
        Wanted::Ran(ran) => Some(ran),
        Wanted::Lost | Wanted::Missing => None,
    });
    Ok(ran.collect::<Vec<_>>().try_into().ok())
}

/// Halves the interval, until one start lives up to the break: what that one shows is it.
fn narrow(known: &mut Known<'_>, service: Option<&ServiceName>, mut found: Soon) -> Result<Soon, Waiting> {
    for round in 1..=MAX_ROUNDS {
        let width = found.first_fail.secs_since(found.last_pass);
        let is_last = width < LAST_LOOK_SECS;
        let at = if is_last { found.last_pass } else { found.last_pass.plus_secs(width / 2) };
        let Some([ran]) = lived(known, [at])? else { return Ok(found) };
        match shown(&ran, service, &known.record.scenario) {
            // Behind the date nothing lives so long.
            Some((last_pass, first_fail)) if is_last || first_fail.secs_since(at) > LOOP_SECS => {
                let found = Soon { last_pass, first_fail, case: ran.id().clone() };
                return earliest(known, service, at, found, MAX_ROUNDS - round);
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

/// The same where a start at `from` fails as soon as its timer looks: one that comes so many seconds earlier looks so many
/// seconds earlier, and fails then unless the date lies behind that.
fn earliest(
    known: &mut Known<'_>,
    service: Option<&ServiceName>,
    from: UnixTime,
    found: Soon,
    rounds: usize,
) -> Result<Soon, Waiting> {
    let start = known.record.scenario.start.instant();
    let most = found.first_fail.secs_since(from).min(from.secs_since(start));
    let (mut shift, mut too_far) = (0_i64, None);
    let mut earliest = None;
    for _ in 0..rounds {
        let next = too_far.map_or_else(|| (2 * shift).max(1), |too_far| shift.midpoint(too_far));
        if next > most || next == shift {
            break;
        }
        let Some([ran]) = lived(known, [from.plus_secs(-next)])? else { break };
        match shown(&ran, service, &known.record.scenario) {
            Some((last_pass, first_fail)) if first_fail == found.first_fail.plus_secs(-next) => {
                (shift, earliest) = (next, Some(Soon { last_pass, first_fail, case: ran.id().clone() }));
            }
            _ => too_far = Some(next),
        }
    }
    Ok(earliest.unwrap_or(found))
}

/// The first crash of `service`, and where it has none between which instants the case fails. A process that ended has
/// lived until then.
fn shown(ran: &Ran<'_>, service: Option<&ServiceName>, scenario: &Scenario) -> Option<(UnixTime, UnixTime)> {
    let crash = ran
        .record
        .ends
        .iter()
        .find(|end| service == Some(&end.service) && end.code != Some(0) && !end.before_ready);
    if let Some(end) = crash {
        return Some((end.at.second.plus_secs(-1), end.at.second));
    }
    let failure = ran.failure.as_ref()?;
    Some((failure.last_pass.unwrap_or_else(|| first_instant(ran.record.case.clock, scenario)), failure.at))
}

/// A fresh start at `at` that is looked at for some minutes.
fn lives(at: UnixTime, scenario: &Scenario) -> Case {
    let looks =
        LOOKS_SECS.iter().flat_map(|secs| [elapse(Pace::Walk, at.plus_secs(*secs)), check_all(scenario)]);
    let steps = [check_all(scenario)].into_iter().chain(looks).collect();
    Case {
        id: instant_id("fresh", at),
        purpose: Purpose::Walk,
        reason: format!(
            "a fresh start at {at} and looks at it for {} min, to tell whether it fails by itself",
            LAST_LOOK_SECS / 60
        ),
        clock: CaseClock::Shifted(at),
        steps: with_rotations(scenario, at, steps),
    }
}

/// Services that crash, are started anew and work where they are looked at, and may crash again minutes later: fresh
/// starts where walks that passed saw a crash tell a recovery from that.
pub(super) fn investigate(
    known: &mut Known<'_>,
    found: &mut Investigation,
    boundaries: &[Boundary],
) -> Result<(), Waiting> {
    let record = known.record;
    let (crashes, departures): (Vec<Crash>, Vec<Crash>) =
        ends_made_good(record).into_iter().partition(Crash::is_crash);
    let crashes = some_of(crashes);
    for crash in &crashes {
        // All at once where parallel cases are to be had; the answers are read below.
        known.want_to_search(lives(crash.at, &record.scenario));
    }
    for crash in &crashes {
        let motion = |last_pass, first_fail, case, repeat| MotionBreak {
            last_pass,
            first_fail,
            case,
            walk: crash.walk.clone(),
            repeat,
            restarted: Vec::new(),
            behind: None,
            aged_fails: false,
            fails_soon: true,
            by_time_alone: false,
            by_date: false,
            comes_and_goes: false,
            crash: None,
        };
        match search(known, crash.last_pass, crash.at)? {
            Answer::LivesOn | Answer::Unknown => {}
            Answer::Since(soon) => {
                let behind = soon.behind(boundaries);
                let found_soon = motion(Some(soon.last_pass), soon.first_fail, soon.case, Repeat::Failed);
                found.motion = Some(MotionBreak { behind, ..found_soon });
                return Ok(());
            }
            Answer::Differs(case) => {
                let fluke = motion(None, crash.at, case.clone(), Repeat::Passed);
                found.motion = Some(MotionBreak { walk: case, ..fluke });
                return Ok(());
            }
            Answer::FromStart(case) => {
                found.control_failure = Some(case);
                return Ok(());
            }
        }
    }
    // Who exits with 0 may well do so all the time: its last exit tells whether it did.
    let recurring: Vec<Crash> = crashes.into_iter().chain(departures.into_iter().next_back()).collect();
    for crash in &recurring {
        known.want_to_search(recurring::first(crash, &record.scenario));
    }
    for crash in &recurring {
        found.motion = recurring::investigate(known, crash, boundaries)?;
        if found.motion.is_some() {
            break;
        }
    }
    Ok(())
}

/// The end of a process that a restart made good.
pub(super) struct Crash {
    pub(super) service: ServiceName,
    pub(super) code: Option<i32>,
    pub(super) at: UnixTime,
    /// The last look before it at which all was well.
    last_pass: UnixTime,
    walk: CaseId,
}

impl Crash {
    fn is_crash(&self) -> bool {
        self.code != Some(0)
    }

    /// Whether another end is like it: a crash, or of one that exits with 0 any.
    pub(super) fn is_like(&self, end: &ServiceEnd) -> bool {
        let is_as_bad = !self.is_crash() || end.code != Some(0);
        end.service == self.service && is_as_bad && !end.before_ready
    }
}

/// The ends that a restart made good, of all walks through the window that passed, by their instants.
fn ends_made_good(record: &RunRecord) -> Vec<Crash> {
    let scenario = &record.scenario;
    let hours: BTreeSet<UnixTime> = hours(record).into_iter().collect();
    let mut found = BTreeMap::new();
    for case in record.cases.iter().filter(|case| is_whole_walk(case, record)) {
        let Some(walk) = believed(record, case).filter(|walk| walk.failure.is_none()) else { continue };
        let points = checkpoints(case, scenario);
        for end in case.ends.iter().filter(|end| is_made_good(end, case, scenario)) {
            let at = end.at.second;
            let is_stop = |point: &&Checkpoint<'_>| !point.looks.is_empty() && !hours.contains(&point.at);
            let passed = points.iter().filter(is_stop).rfind(|point| point.at < at);
            if let Some(last_pass) = passed.map(|point| point.at) {
                let (service, code, walk) = (end.service.clone(), end.code, walk.id().clone());
                found.entry((at, service.clone())).or_insert(Crash { service, code, at, last_pass, walk });
            }
        }
    }
    // Whoever ends at one hour after the other is tried once.
    let last = |of: &ServiceName| found.keys().rfind(|(_, service)| service == of).map(|(at, _)| *at);
    let lasts: BTreeSet<UnixTime> = found.keys().filter_map(|(_, service)| last(service)).collect();
    let is_between = |at: UnixTime| hours.range(at..).next().is_some_and(|look| look.secs_since(at) <= DAY);
    found.into_values().filter(|crash| lasts.contains(&crash.at) || !is_between(crash.at)).collect()
}

fn is_made_good(end: &ServiceEnd, case: &CaseRecord, scenario: &Scenario) -> bool {
    let service = scenario.service(&end.service);
    let is_restarted = service.is_some_and(|service| service.restart == Restart::Always);
    is_restarted && !end.before_ready && !counts(end, case, scenario)
}

/// The first, the last and some between them. A loop that begins at an end and never heals shows in the last.
fn some_of(crashes: Vec<Crash>) -> Vec<Crash> {
    let last = crashes.len().saturating_sub(1);
    let taken: BTreeSet<usize> = (0..MAX_CRASHES).map(|nth| nth * last / (MAX_CRASHES - 1)).collect();
    crashes.into_iter().enumerate().filter(|(index, _)| taken.contains(index)).map(|(_, it)| it).collect()
}
