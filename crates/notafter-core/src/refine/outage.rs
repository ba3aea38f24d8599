//! Outages that come and go: a service that fails at certain hours of the day, or on certain days of the week, and works in
//! between. Where it does so in the first day too, no date is behind it; where it does so in every week from a date on and in
//! none before, that date is.
//!
//! What must never happen here: a failure that is excused by another one. Nothing but the looks at hours at which it fails in
//! the first day too, before anything ends, is left out. What fails in the first week alone may have begun in that week.

use super::boundary::{Boundary, boundaries};
use super::calendar::moments;
use super::cold::{Repeat, Waiting, repeat};
use super::hours::{DAY, HOUR, WEEK, every, hours, noons};
use super::known::{Known, Ran, Wanted};
use super::motion::{self, MotionBreak};
use super::plan::{case_id, check_all, elapse, instant_id};
use crate::checkpoint::{Checkpoint, checkpoints, counts};
use crate::{
    Case, CaseClock, CaseId, CaseRecord, CheckName, Pace, Purpose, RunRecord, Scenario, Step, UnixTime,
};
use std::collections::BTreeSet;

/// How often the nights in which it may have begun are split; enough for centuries.
const MAX_ROUNDS: usize = 8;
/// Looks of one round.
const POINTS: usize = 30;

/// A walk that fails at an hour or on a day for whose sake alone it looks then, and works again later with the same processes.
struct Outage {
    /// What fails.
    checks: BTreeSet<CheckName>,
    /// When it was seen; the first of them is where the walk fails.
    seen: Vec<UnixTime>,
    last_pass: UnixTime,
    /// Whether it is there at the end of the window too.
    at_horizon: bool,
}

/// A walk, and outages that it does not look at.
pub(super) struct Unhampered<'a> {
    pub(super) walked: Ran<'a>,
    /// What `walked` does not look at any more.
    pub(super) usual: Option<Usual>,
}

/// What a service does all the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Usual {
    /// The walk that did look then.
    pub(crate) walk: CaseId,
    /// The first instant at which that failed.
    pub(crate) at: UnixTime,
    /// The same hour in the first day.
    pub(crate) before: UnixTime,
}

/// `walked` as it is to be read: where it fails at hours at which it fails in the first day too, the same walk without looks
/// then. None where nobody knows how that goes.
pub(super) fn unhampered<'a>(
    known: &mut Known<'a>,
    walked: Ran<'a>,
) -> Result<Option<Unhampered<'a>>, Waiting> {
    let record = known.record;
    let Some(outage) = outage(record, &walked).filter(|outage| !outage.at_horizon) else {
        return Ok(Some(Unhampered { walked, usual: None }));
    };
    let Some(week) = first_week(known, &outage)? else {
        return Ok(Some(Unhampered { walked, usual: None }));
    };
    let looks: BTreeSet<UnixTime> = hours(record).into_iter().collect();
    let start = record.scenario.start.instant();
    let before = |at: &UnixTime| {
        let earlier = Some(earliest(*at, DAY, start)).filter(|earlier| earlier < at)?;
        let (now, then) = (failing_at(walked.record, record, *at), failing_at(week.record, record, earlier));
        (!now.is_empty() && now.is_subset(&then)).then_some(earlier)
    };
    let left_out: BTreeSet<UnixTime> =
        outage.seen.iter().copied().filter(|at| looks.contains(at) && before(at).is_some()).collect();
    let Some((at, before)) = left_out.first().and_then(|at| Some((*at, before(at)?))) else {
        return Ok(Some(Unhampered { walked, usual: None }));
    };
    let usual = Usual { walk: walked.id().clone(), at, before };
    match known.want(without(&walked.record.case, &left_out, record)) {
        Wanted::Missing => Err(Waiting),
        Wanted::Lost => Ok(None),
        Wanted::Ran(ran) => Ok(Some(Unhampered { walked: *ran, usual: Some(usual) })),
    }
}

/// Since when an outage of `walked` comes again and again. None where it shows none, or one that did not come twice.
pub(super) fn since(
    known: &mut Known<'_>,
    walked: &Ran<'_>,
    boundaries: &[Boundary],
) -> Result<Option<MotionBreak>, Waiting> {
    let record = known.record;
    let Some(outage) = outage(record, walked) else { return Ok(None) };
    let Some(week) = first_week(known, &outage)? else { return Ok(None) };
    let mut found = MotionBreak {
        last_pass: Some(outage.last_pass),
        first_fail: outage.seen[0],
        case: walked.id().clone(),
        walk: walked.id().clone(),
        repeat: Repeat::Failed,
        restarted: Vec::new(),
        behind: None,
        aged_fails: false,
        fails_soon: false,
        by_time_alone: false,
        by_date: false,
        comes_and_goes: true,
        crash: None,
    };
    if week.failure.is_some() {
        return Ok(Some(found));
    }
    let Some(nights) = nights(known, walked, &outage)? else { return Ok(None) };
    let Some(first) = nights.first else { return Ok(Some(found)) };
    if nights.times < 2 {
        return Ok(None);
    }
    // At the hour before, it may have begun behind the outage of that day.
    (found.last_pass, found.first_fail) = (nights.last_pass.or(Some(record.scenario.start.instant())), first);
    let short = until(&walked.record.case, first, &record.scenario);
    let step = short.steps.len().saturating_sub(1);
    motion::narrow(known, &short, step, &mut found, boundaries)?;
    let same = |ran: &Ran<'_>| ran.failure.as_ref().is_some_and(|again| again.at == found.first_fail);
    found.repeat = match repeat(known, &found.case)? {
        None => Repeat::Unknown,
        Some(ran) if same(&ran) => Repeat::Failed,
        Some(_) => Repeat::Passed,
    };
    let changes = boundaries.iter().flat_map(Boundary::changes);
    let lately = changes.filter(|at| nights.last_pass.is_none_or(|passed| *at > passed));
    found.behind = lately.filter(|at| *at <= found.first_fail).max();
    found.by_date = true;
    Ok(Some(found))
}

fn outage(record: &RunRecord, walked: &Ran<'_>) -> Option<Outage> {
    let scenario = &record.scenario;
    let failure = walked.failure.as_ref().filter(|failure| failure.restarted.is_empty())?;
    let last_pass = failure.last_pass?;
    let looks: BTreeSet<UnixTime> = hours(record).into_iter().collect();
    let mut days = moments(record).into_iter().map(|moment| moment.at);
    let between =
        looks.contains(&failure.at) || days.any(|at| at == failure.at || at.plus_secs(-1) == failure.at);
    // Who ends is no outage that passes by itself.
    let ended = walked.record.ends.iter().any(|end| counts(end, walked.record, scenario));
    if ended || !between {
        return None;
    }
    let points = checkpoints(walked.record, scenario);
    let mut behind = points.iter().skip_while(|point| point.step <= failure.step);
    let works_again = behind
        .by_ref()
        .take_while(|point| point.restarted.is_empty())
        .any(|point| !point.looks.is_empty() && point.looks.iter().all(|look| look.met == Some(true)));
    let failing = points.iter().find(|point| point.step == failure.step)?;
    let checks: BTreeSet<CheckName> = failing_checks(failing).cloned().collect();
    let is_seen = |at: UnixTime| at == failure.at || looks.contains(&at);
    let seen = points.iter().filter(|point| is_seen(point.at) && point.restarted.is_empty());
    let seen = seen.filter(|point| failing_checks(point).any(|check| checks.contains(check)));
    let seen: Vec<UnixTime> = seen.map(|point| point.at).collect();
    let mut last = points.iter().filter(|point| point.at == scenario.horizon && point.restarted.is_empty());
    let at_horizon = last.any(|point| failing_checks(point).any(|check| checks.contains(check)));
    (works_again && !checks.is_empty()).then_some(Outage { checks, seen, last_pass, at_horizon })
}

fn failing_checks<'a>(point: &'a Checkpoint<'_>) -> impl Iterator<Item = &'a CheckName> {
    let failing = point.looks.iter().filter(|look| look.met == Some(false) && look.observation.tries > 0);
    failing.map(|look| &look.check.name)
}

/// What fails in `case` at `at`; nothing where it does not look then.
fn failing_at(case: &CaseRecord, record: &RunRecord, at: UnixTime) -> BTreeSet<CheckName> {
    let points = checkpoints(case, &record.scenario);
    let point = points.iter().find(|point| point.at == at && !point.looks.is_empty());
    point.into_iter().flat_map(failing_checks).cloned().collect()
}

/// The first instant behind `start` from which `at` is whole periods away.
fn earliest(at: UnixTime, period: i64, start: UnixTime) -> UnixTime {
    start.plus_secs((at.secs_since(start) - 1).rem_euclid(period) + 1)
}

/// The first day of the window hour by hour and the first week day by day, as far as nothing has ended by then. None where
/// it is not to be believed.
fn first_week<'a>(known: &mut Known<'a>, outage: &Outage) -> Result<Option<Box<Ran<'a>>>, Waiting> {
    let record = known.record;
    let scenario = &record.scenario;
    let (start, horizon) = (scenario.start.instant(), scenario.horizon);
    let limit = boundaries(record, start, horizon).first().map_or(horizon, Boundary::before);
    let (day, week) = (start.plus_secs(DAY), start.plus_secs(WEEK));
    let same = outage.seen.iter().flat_map(|at| [DAY, WEEK].map(|period| earliest(*at, period, start)));
    let all: BTreeSet<UnixTime> = every(HOUR, start, day).chain(noons(day, week)).chain(same).collect();
    let looks = all.into_iter().filter(|at| *at > start && *at < limit.min(outage.seen[0]));
    let looks = looks.flat_map(|at| [elapse(Pace::Leap, at), check_all(scenario)]);
    let case = Case {
        id: instant_id("first-week", outage.seen[0]),
        purpose: Purpose::Walk,
        reason: "the hours of the first day and the days of the first week, to tell whether it fails at some of them from \
                 the beginning on"
            .to_owned(),
        clock: CaseClock::Shifted(start),
        steps: [check_all(scenario)].into_iter().chain(looks).collect(),
    };
    Ok(match known.want_to_search(case) {
        Wanted::Missing => return Err(Waiting),
        Wanted::Lost => None,
        Wanted::Ran(ran) => Some(ran),
    })
}

/// `walk` without looks at these instants.
fn without(walk: &Case, left_out: &BTreeSet<UnixTime>, record: &RunRecord) -> Case {
    let mut now = record.scenario.start.instant();
    let mut steps = Vec::with_capacity(walk.steps.len());
    for step in &walk.steps {
        if let Step::Move { to, .. } = step {
            now = *to;
        }
        if !(matches!(step, Step::Check { .. }) && left_out.contains(&now)) {
            steps.push(step.clone());
        }
    }
    let reason = format!("{}, but for hours at which it fails in the first day too", walk.reason);
    Case { id: case_id(&format!("{}-other-hours", walk.id)), reason, steps, ..walk.clone() }
}

/// On which nights an outage comes; the word is for whatever it is that comes again.
struct Nights {
    /// The last on which it did not come, at the same hour.
    last_pass: Option<UnixTime>,
    /// The first; none where it comes on some and not on later ones.
    first: Option<UnixTime>,
    /// On how many it was seen.
    times: usize,
}

/// Lives through `walked` up to its failure with looks at the same hour of earlier weeks and days. None where it goes
/// otherwise than `walked` then.
fn nights(known: &mut Known<'_>, walked: &Ran<'_>, outage: &Outage) -> Result<Option<Nights>, Waiting> {
    let record = known.record;
    let Some(step) = walked.failure.as_ref().map(|failure| failure.step) else { return Ok(None) };
    let (start, at) = (record.scenario.start.instant(), outage.seen[0]);
    let (mut last_pass, mut first, mut times) = (None, at, 1);
    for round in 1..=MAX_ROUNDS {
        let points = between(last_pass.unwrap_or(start), first, at);
        if points.is_empty() {
            break;
        }
        let mut case = motion::in_parts(&walked.record.case, round, step, &points, &record.scenario);
        case.id = case_id(&format!("{}-nights-{round}", walked.id()));
        case.reason = format!(
            "{} with {} looks at the hour of {at} on other days, to tell since when it fails then",
            walked.id(),
            points.len()
        );
        let ran = match known.want_to_search(case) {
            Wanted::Missing => return Err(Waiting),
            Wanted::Lost => return Ok(None),
            Wanted::Ran(ran) => ran,
        };
        let fails = |at: UnixTime| !outage.checks.is_disjoint(&failing_at(ran.record, record, at));
        if !fails(at) {
            return Ok(None);
        }
        let begins = points.iter().position(|at| fails(*at)).unwrap_or(points.len());
        let (before, behind) = points.split_at(begins);
        if !behind.iter().all(|at| fails(*at)) {
            return Ok(Some(Nights { last_pass, first: None, times }));
        }
        times += behind.len();
        last_pass = before.last().copied().or(last_pass);
        first = behind.first().copied().unwrap_or(first);
    }
    Ok(Some(Nights { last_pass, first: Some(first), times }))
}

/// Instants in (`low`, `high`) that are whole weeks before `at`; days where there is none. Some of them, evenly spread.
fn between(low: UnixTime, high: UnixTime, at: UnixTime) -> Vec<UnixTime> {
    let apart = |period: i64| every(period, earliest(at, period, low), high).collect::<Vec<_>>();
    let all = Some(apart(WEEK)).filter(|weeks| !weeks.is_empty()).unwrap_or_else(|| apart(DAY));
    let count = all.len().min(POINTS);
    (0..count).filter_map(|nth| all.get((nth + 1) * all.len() / (count + 1)).copied()).collect()
}

/// `walk` up to `end`, with a look there.
fn until(walk: &Case, end: UnixTime, scenario: &Scenario) -> Case {
    let mut steps = Vec::new();
    for step in &walk.steps {
        match step {
            Step::Move { motion, to } if *to >= end => {
                steps.extend([Step::Move { motion: *motion, to: end }, check_all(scenario)]);
                break;
            }
            Step::Check { .. } | Step::Move { .. } | Step::Restart { .. } | Step::Rotate { .. } => {
                steps.push(step.clone());
            }
        }
    }
    Case { id: case_id(&format!("{}-first", walk.id)), steps, ..walk.clone() }
}
