//! Failures that a fresh start does not show: only processes or state that lived through the time before do.

use super::boundary::Boundary;
use super::cold::{Repeat, Waiting, repeat};
use super::known::{Known, Ran, Wanted};
use super::plan::{case_id, check_all, elapse, every_service, one_by_one, with_rotations};
use super::soon::{self, Answer};
use crate::attribute::coincides;
use crate::checkpoint::{checkpoints, first_failure, first_instant};
use crate::holder::relevant_edges;
use crate::{
    Bracket, Case, CaseClock, CaseId, Pace, Purpose, RestartOrder, RunRecord, Scenario, ServiceEnd,
    ServiceName, Step, UnixTime,
};
use std::collections::BTreeSet;

/// A weekly timer notices an end so late, and a day later where time elapses behind it.
const LATELY_SECS: i64 = 9 * 86_400;
/// How often an interval is split before the break is reported as it is known then.
const MAX_ROUNDS: usize = 7;
/// Points of one round while time elapses, and where each point restarts services.
const POINTS: usize = 30;
const RESTART_POINTS: usize = 20;
/// By how much the instant may move from one launch to the next at which a timer of the service's own fires: no two starts
/// take equally long.
const JITTER_SECS: i64 = 5;
/// Known edges that one round looks at to the second.
const EDGES_PER_ROUND: usize = 8;

/// What is known of a failure in the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MotionBreak {
    pub(crate) last_pass: Option<UnixTime>,
    pub(crate) first_fail: UnixTime,
    /// The case that shows it most precisely.
    pub(crate) case: CaseId,
    /// The walk in which it was seen first.
    pub(crate) walk: CaseId,
    pub(crate) repeat: Repeat,
    /// What was restarted in the second of the failure; empty where it came while time elapsed.
    pub(crate) restarted: Vec<ServiceName>,
    /// The change of the boundary at or behind which it broke, where the same motions did no harm before that
    /// boundary. It may lie one second after the break: a verifier may refuse in the last valid second.
    pub(crate) behind: Option<UnixTime>,
    /// Whether everything restarted at the horizon, on the state that the walk left behind, fails too.
    pub(crate) aged_fails: bool,
    /// Whether a fresh start fails within minutes there, and one before does not: by a timer of its own, which no look at
    /// a start waits for.
    pub(crate) fails_soon: bool,
    /// Whether it broke in the same second again, after a second of time, though the time before came in other parts.
    /// No motion did that, whatever ends there.
    pub(crate) by_time_alone: bool,
    /// Whether the same motions, made so much earlier that they end before the break, do no harm: then the date does it,
    /// though no two walks need show it in the same second.
    pub(crate) by_date: bool,
    /// Whether it works in between, and fails again and again: `by_date` tells whether in an order that a date explains.
    pub(crate) comes_and_goes: bool,
    /// The first of the crashes that come again and again from there on, where a restart makes each good.
    pub(crate) crash: Option<ServiceEnd>,
}

impl MotionBreak {
    /// Whether state, an edge or time itself explains it; else the motion may be what the service cannot bear.
    pub(crate) fn is_break(&self, record: &RunRecord) -> bool {
        if self.comes_and_goes {
            return self.by_date;
        }
        let bracket = Bracket::around(self.last_pass, self.first_fail, record);
        let at_edge = relevant_edges(record).iter().any(|edge| coincides(edge, &bracket));
        let rotates = record.scenario.rotations.iter().any(|rotation| rotation.at == self.first_fail);
        let by_itself = self.fails_soon || self.by_time_alone || self.by_date;
        at_edge || rotates || self.is_aged() || self.behind.is_some() || by_itself
    }

    /// Whether it takes a restart on the state that time left behind.
    pub(crate) fn is_aged(&self) -> bool {
        !self.restarted.is_empty() || self.aged_fails
    }
}

/// Repeats the failure, then splits the interval until the break is known to the second.
pub(super) fn investigate(
    known: &mut Known<'_>,
    walk: &Ran<'_>,
    cold_passes_at_horizon: bool,
    boundaries: &[Boundary],
) -> Result<Option<MotionBreak>, Waiting> {
    let Some(failure) = walk.failure.clone() else { return Ok(None) };
    let again = repeat(known, walk.id())?;
    let same = |ran: &Ran<'_>| {
        let at_once = ran.failure.as_ref().is_some_and(|other| other.at == failure.at);
        at_once || soon::ends_alike(walk, ran, &known.record.scenario)
    };
    let mut found = MotionBreak {
        last_pass: failure.last_pass,
        first_fail: failure.at,
        case: walk.id().clone(),
        walk: walk.id().clone(),
        repeat: match again {
            None => Repeat::Unknown,
            Some(ran) if same(&ran) => Repeat::Failed,
            Some(_) => Repeat::Passed,
        },
        restarted: failure.restarted.clone(),
        behind: None,
        aged_fails: cold_passes_at_horizon && aged_fails(walk, &known.record.scenario),
        fails_soon: false,
        by_time_alone: false,
        by_date: false,
        comes_and_goes: false,
        crash: None,
    };
    if found.repeat != Repeat::Failed {
        return Ok(Some(found));
    }
    if !found.restarted.is_empty() {
        // The clock stood while it broke: the break came somewhere since the last start of what was restarted.
        found.last_pass = Some(known.record.scenario.start.instant());
    }
    narrow(known, &walk.record.case, failure.step, &mut found, boundaries)?;
    let at_edge = boundaries.iter().flat_map(Boundary::changes).any(|change| {
        found.last_pass.is_some_and(|low| found.first_fail.secs_since(low) <= 1)
            && found.first_fail.secs_since(change).abs() <= 1
    });
    if !at_edge && !found.aged_fails && found.restarted.is_empty() {
        found.behind = behind(known, walk, &found, boundaries)?;
        if found.behind.is_none() {
            found.by_time_alone = breaks_evenly(known, walk, failure.step, &found)?;
            let low = found.last_pass.filter(|_| !found.by_time_alone);
            let soon = low.map(|low| soon::search(known, low, found.first_fail)).transpose()?;
            if let Some(Answer::Since(soon)) = soon {
                found.behind = soon.behind(boundaries);
                (found.last_pass, found.first_fail) = (Some(soon.last_pass), soon.first_fail);
                (found.case, found.fails_soon) = (soon.case, true);
            }
            if !found.by_time_alone && !found.fails_soon {
                found.by_date = passes_earlier(known, &found, boundaries)?;
            }
        }
    }
    Ok(Some(found))
}

/// Whether the break comes in the same second where the time before it is cut into even parts. What a leap broke breaks
/// elsewhere then or not at all, what breaks after so many looks elsewhere, and what renews itself in time is renewed.
fn breaks_evenly(
    known: &mut Known<'_>,
    walk: &Ran<'_>,
    step: usize,
    found: &MotionBreak,
) -> Result<bool, Waiting> {
    let Some(low) = found.last_pass.filter(|low| found.first_fail.secs_since(*low) == 1) else {
        return Ok(false);
    };
    let scenario = &known.record.scenario;
    let first = first_instant(walk.record.case.clock, scenario);
    let mut stops = points(first, low, &[], POINTS);
    stops.push(found.first_fail);
    let mut case = in_parts(&walk.record.case, 0, step, &stops, scenario);
    case.id = case_id(&format!("{}-evenly", walk.id()));
    case.reason = format!(
        "{} again with {} stops on the way to {}, to tell whether time itself breaks it or the motion",
        walk.id(),
        stops.len(),
        found.first_fail
    );
    match known.want_to_search(case) {
        Wanted::Missing => Err(Waiting),
        Wanted::Lost => Ok(false),
        Wanted::Ran(ran) => Ok(ran
            .failure
            .is_some_and(|failure| failure.at == found.first_fail && failure.last_pass == Some(low))),
    }
}

/// Whether the motions that break do no harm where they end before the break. Where something of the scenario is exchanged
/// on the way that cannot be told.
fn passes_earlier(
    known: &mut Known<'_>,
    found: &MotionBreak,
    boundaries: &[Boundary],
) -> Result<bool, Waiting> {
    let record = known.record;
    let scenario = &record.scenario;
    let Some((case, low)) = record.case(&found.case).zip(found.last_pass) else { return Ok(false) };
    let Some(failure) = first_failure(case, scenario) else { return Ok(false) };
    // What ended a while before may be what a slow timer noticed.
    let ended = boundaries
        .iter()
        .map(Boundary::before)
        .filter(|at| (0..=LATELY_SECS).contains(&found.first_fail.secs_since(*at)));
    let shift = ended.max().map_or(low, |ended| ended.min(low)).secs_since(found.first_fail);
    let first = first_instant(case.case.clock, scenario);
    let declared = scenario.credentials.iter().map(|spec| spec.x509.not_before);
    let declared = declared.chain(scenario.crls.iter().map(|spec| spec.this_update));
    let mut declared = declared.chain(scenario.tokens.iter().map(|spec| spec.not_before));
    if !scenario.rotations.is_empty() {
        return Ok(false);
    }
    // What is not in force yet keeps the start where it is: then the first of the motions is so much shorter.
    let begin = first.plus_secs(shift);
    let begin = if declared.any(|not_before| not_before > begin) { first } else { begin };
    let steps: Vec<Step> = (case.case.steps.iter().take(failure.step + 1))
        .map(|step| match step {
            Step::Move { motion, to } => Step::Move { motion: *motion, to: to.plus_secs(shift) },
            Step::Check { .. } | Step::Restart { .. } | Step::Rotate { .. } => step.clone(),
        })
        .filter(|step| !matches!(step, Step::Move { to, .. } if *to <= begin))
        .collect();
    if !steps.iter().any(|step| matches!(step, Step::Move { .. })) {
        return Ok(false);
    }
    let earlier = Case {
        id: case_id(&format!("{}-earlier", found.walk)),
        purpose: Purpose::Walk,
        reason: format!(
            "the motions of {} from {begin} on, to tell whether the date breaks it or the motions do",
            found.case
        ),
        clock: CaseClock::Shifted(begin),
        steps,
    };
    match known.want_to_search(earlier) {
        Wanted::Missing => Err(Waiting),
        Wanted::Lost => Ok(false),
        Wanted::Ran(ran) => Ok(ran.failure.is_none()),
    }
}

/// A daily timer notices an edge up to a day late, and only time that elapses makes it fire. That looks like a
/// service that cannot bear the motions; so the same ones are made once more, on this side of the edge. A leap up to
/// the edge wakes what waits there whenever it would be due, so the failure may lie at the edge itself and still not
/// come when the same time is split.
fn behind(
    known: &mut Known<'_>,
    walk: &Ran<'_>,
    found: &MotionBreak,
    boundaries: &[Boundary],
) -> Result<Option<UnixTime>, Waiting> {
    let dwell = known.record.scenario.planning.dwell_secs();
    let late = |b: &&Boundary| b.before() <= found.first_fail && found.first_fail <= b.last.plus_secs(dwell);
    let Some(boundary) = boundaries.iter().rev().find(late) else { return Ok(None) };
    let short = boundary.before().min(found.first_fail.plus_secs(-1));
    let changes = boundary.changes();
    let changed = changes.iter().rfind(|at| found.first_fail.secs_since(**at) >= -1).copied();
    match known.want_to_search(short_of(&walk.record.case, short, &known.record.scenario)) {
        Wanted::Missing => Err(Waiting),
        Wanted::Lost => Ok(None),
        Wanted::Ran(ran) => Ok(changed.filter(|_| ran.failure.is_none())),
    }
}

/// The walk up to `end`, just before its last boundary, the last stretch of it as it is walked behind a boundary.
fn short_of(walk: &Case, end: UnixTime, scenario: &Scenario) -> Case {
    let mut now = first_instant(walk.clock, scenario);
    let mut steps = Vec::new();
    for original in &walk.steps {
        match original {
            Step::Move { to, .. } if *to >= end => break,
            Step::Move { to, .. } => now = *to,
            Step::Check { .. } | Step::Restart { .. } | Step::Rotate { .. } => {}
        }
        steps.push(original.clone());
    }
    let stretch = end.plus_secs(-scenario.planning.dwell_secs());
    let mut last = Vec::new();
    if stretch > now {
        last.extend([elapse(Pace::Leap, stretch), check_all(scenario)]);
    }
    last.extend([elapse(Pace::Walk, end), check_all(scenario)]);
    steps.extend(with_rotations(scenario, now, last));
    let reason =
        format!("the motions of {} without its last boundary, to tell its effect from theirs", walk.id);
    Case {
        id: case_id(&format!("{}-short", walk.id)),
        purpose: Purpose::Walk,
        reason,
        clock: walk.clock,
        steps,
    }
}

/// Whether the last checkpoint of a walk, after the restart of everything, fails.
fn aged_fails(walk: &Ran<'_>, scenario: &Scenario) -> bool {
    checkpoints(walk.record, scenario)
        .last()
        .is_some_and(|last| last.failed() && last.restarted.len() == scenario.services.len())
}

/// Splits the interval of a break that the look at `step` of `walk` shows.
pub(super) fn narrow(
    known: &mut Known<'_>,
    walk: &Case,
    step: usize,
    found: &mut MotionBreak,
    boundaries: &[Boundary],
) -> Result<(), Waiting> {
    let mut room = 0;
    for round in 2..2 + MAX_ROUNDS {
        let Some(low) = found.last_pass else { return Ok(()) };
        let high = found.first_fail;
        let width = high.secs_since(low);
        if width <= 1 {
            return Ok(());
        }
        let (low, high) = (low.plus_secs(-room), high.plus_secs(room));
        let scenario = &known.record.scenario;
        let case = match found.restarted.is_empty() {
            true => {
                let points = points(low, high, boundaries, POINTS);
                in_parts(walk, round, step, &points, scenario)
            }
            false => {
                let points = points(low, high, boundaries, RESTART_POINTS);
                restarting(walk, round, &found.restarted, &points, scenario)
            }
        };
        match known.want_to_search(case) {
            Wanted::Missing => return Err(Waiting),
            Wanted::Lost => return Ok(()),
            Wanted::Ran(ran) => match &ran.failure {
                Some(failure) if failure.at <= high => {
                    found.first_fail = failure.at;
                    found.last_pass = failure.last_pass;
                    found.case = ran.id().clone();
                }
                // Another launch broke a little later.
                _ if room == 0 && width <= JITTER_SECS => room = JITTER_SECS,
                // In smaller parts the same motions do no harm: the bracket stays wide, and so no edge coincides.
                _ => return Ok(()),
            },
        }
    }
    Ok(())
}

/// Both ends, so that each launch sees it pass and fail by itself, and instants between them: around the known edges nearest its end, then evenly spread.
fn points(low: UnixTime, high: UnixTime, boundaries: &[Boundary], count: usize) -> Vec<UnixTime> {
    let inside = |at: &UnixTime| *at > low && *at < high;
    let changes: BTreeSet<UnixTime> = boundaries.iter().flat_map(Boundary::changes).collect();
    let near = changes.iter().rev().filter(|at| at.secs_since(low) > 0 && at.secs_since(high) <= 1);
    let mut found: BTreeSet<UnixTime> = near
        .take(EDGES_PER_ROUND)
        .flat_map(|at| [at.plus_secs(-2), at.plus_secs(-1), *at])
        .filter(inside)
        .collect();
    let parts = i64::try_from(count).unwrap_or(i64::MAX - 1) + 1;
    let width = high.secs_since(low);
    let even = (1..parts).map(|part| {
        low.plus_secs(
            i64::try_from(i128::from(width) * i128::from(part) / i128::from(parts)).unwrap_or(width),
        )
    });
    found.extend(even.filter(inside));
    found.extend([low, high]);
    found.into_iter().collect()
}

/// The same motions as in `walk` up to its failing step, with a checkpoint at each of `points` on the way.
pub(super) fn in_parts(
    walk: &Case,
    round: usize,
    step: usize,
    points: &[UnixTime],
    scenario: &Scenario,
) -> Case {
    let mut now = first_instant(walk.clock, scenario);
    let mut steps = Vec::new();
    for original in walk.steps.iter().take(step + 1) {
        if let Step::Move { motion, to } = original {
            for at in points.iter().filter(|at| **at > now && *at < to) {
                steps.extend([Step::Move { motion: *motion, to: *at }, check_all(scenario)]);
            }
            now = *to;
        }
        steps.push(original.clone());
    }
    let reason =
        format!("{} again with {} looks inside the interval in which it broke", walk.id, points.len());
    Case {
        id: case_id(&format!("{}-{round}", walk.id)),
        purpose: Purpose::Walk,
        reason,
        clock: walk.clock,
        steps,
    }
}

/// One launch that restarts `services` on its aged state at each of `points`.
fn restarting(
    walk: &Case,
    round: usize,
    services: &[ServiceName],
    points: &[UnixTime],
    scenario: &Scenario,
) -> Case {
    let first = first_instant(walk.clock, scenario);
    let mut steps = vec![check_all(scenario)];
    for at in points.iter().copied().filter(|at| *at > first) {
        steps.push(elapse(Pace::Leap, at));
        match scenario.planning.restart {
            RestartOrder::Candidate => {
                let services = services.to_vec();
                steps.extend([Step::Restart { services }, check_all(scenario)]);
            }
            RestartOrder::Rolling => steps.extend(one_by_one(every_service(scenario), scenario)),
        }
    }
    let steps = with_rotations(scenario, first, steps);
    let reason =
        format!("restarts on aged state at {} instants, to find where they begin to fail", points.len());
    Case { id: case_id(&format!("aged-{round}")), purpose: Purpose::Walk, reason, clock: walk.clock, steps }
}
