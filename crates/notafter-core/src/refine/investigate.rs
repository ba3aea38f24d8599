//! The order of questions. [`investigate`] reads a record from its beginning and stops at the first question whose
//! answer is missing; refining takes what it asks for, judging what it knows.

use super::boundary::{Boundary, boundaries};
use super::cold::{self, ColdBreak, Hint, Points, Repeat, Waiting};
use super::full;
use super::known::{Known, Ran, Wanted, believed};
use super::mended;
use super::motion::{self, MotionBreak};
use super::outage::{self, Usual};
use super::past;
use super::plan::{case_id, check_all, cold_at_horizon, controls, walk};
use super::reissue::{self, Control};
use super::renewal::{self, Renewal};
use super::skewed;
use super::soon;
use super::unattended::without_restarts;
use crate::attribute::named;
use crate::checkpoint::{Checkpoint, Failure, Look, checkpoints, counts};
use crate::{
    Case, CaseClock, CaseError, CaseId, Expectation, FileTimes, Purpose, RunRecord, Seen, Span, UnixTime,
};
use std::collections::{BTreeMap, BTreeSet};

/// Ages of files by which services go are hours, or days.
const NEAR_SECS: i64 = 30 * 86_400;

/// What a record has shown so far.
#[derive(Debug, Default)]
pub(crate) struct Investigation {
    /// What to run next; empty when there is nothing left to know.
    pub(crate) next: Vec<Case>,
    /// Whether something is left to know that would take too many launches.
    pub(crate) capped: bool,
    /// The first case that fails though nothing changes before it.
    pub(crate) control_failure: Option<CaseId>,
    /// That control fails only in that it lets in whom it must refuse, and how its repetition came out.
    pub(crate) fails_open: Option<Repeat>,
    /// Whether controls, walk and the start at the horizon all ran and may be believed.
    pub(crate) complete: bool,
    /// The build broke before the scenario begins.
    pub(crate) past: Option<ColdBreak>,
    /// Edges before the start at which nobody tried whether it worked then.
    pub(crate) untried: usize,
    /// Fresh starts fail from some instant on.
    pub(crate) cold: Option<ColdBreak>,
    /// The walk fails where fresh starts work.
    pub(crate) motion: Option<MotionBreak>,
    /// Cases in which the candidate does not bear a clock that is a little off.
    pub(crate) skewed: Vec<CaseId>,
    /// The life of a certificate that services renew more often than a walk can stop.
    pub(crate) too_brief: Option<Span>,
    /// The walk that failed only because it did not stop where services renew.
    pub(crate) hurried: Option<CaseId>,
    /// Hours at which a walk failed as it does from the beginning on, and at which nothing was looked at therefore.
    pub(crate) usual: Option<Usual>,
    /// What reissuing showed of breaks, by the case that shows the break.
    pub(crate) controls: BTreeMap<CaseId, Control>,
}

/// Reads `record` and asks the next questions.
pub(crate) fn investigate(record: &RunRecord) -> Investigation {
    let mut known = Known::new(record);
    let mut found = Investigation::default();
    let stopped = record
        .cases
        .iter()
        .any(|case| matches!(case.error, Some(CaseError::BudgetExceeded { .. } | CaseError::Interrupted)));
    // A wait is no end: whatever it waits for is on the list.
    if ask(&mut known, &mut found).is_ok() {
        reissue::investigate(&mut known, &mut found);
        if known.next.is_empty() {
            mended::investigate(&mut known, &found);
        }
    }
    found.next = if stopped { Vec::new() } else { std::mem::take(&mut known.next) };
    found.capped = known.capped;
    found
}

fn ask(known: &mut Known<'_>, found: &mut Investigation) -> Result<(), Waiting> {
    let record = known.record;
    let Some(controls) = ran_all(known, controls(record))? else { return Ok(()) };
    let shifted = controls.iter().find_map(|ran| match ran.record.case.clock {
        CaseClock::Native => None,
        CaseClock::Shifted(at) => Some((at, ran)),
    });
    let Some((control_at, control)) = shifted else { return Ok(()) };
    if let Some(failing) = controls.iter().find(|ran| ran.failure.is_some()) {
        found.control_failure = Some(failing.id().clone());
        if fails_open(record, failing) {
            let again = cold::repeat(known, failing.id())?;
            found.fails_open = again.map(|again| match fails_open(record, &again) {
                true => Repeat::Failed,
                false => Repeat::Passed,
            });
            return Ok(());
        }
        if control.failure.is_some() {
            let works = failing.id() == control.id() && works_at_start(known, control_at)?;
            if works {
                found.control_failure = None;
                found.cold = first_day(known, control, control_at)?;
            } else {
                (found.past, found.untried) = past::investigate(known, control, control_at)?;
            }
        }
        return Ok(());
    }
    let Some(mut window) = ran_all(known, vec![walk(record, case_id("walk")), cold_at_horizon(record)])?
    else {
        return Ok(());
    };
    let (Some(cold), Some(walked)) = (window.pop(), window.pop()) else { return Ok(()) };
    let Some(mut walked) = unhampered(known, found, walked)? else { return Ok(()) };
    if walked.failure.is_none() && has_unvisited(record) {
        match known.want(renewal::served(record, &walked)) {
            Wanted::Missing => {
                known.next.iter_mut().for_each(|case| case.reason += ", those now that it served itself");
                return Err(Waiting);
            }
            Wanted::Lost => return Ok(()),
            Wanted::Ran(ran) => match unhampered(known, found, *ran)? {
                Some(ran) => walked = ran,
                None => return Ok(()),
            },
        }
    }
    let Some(mut walked) = both_ways(known, found, walked)? else { return Ok(()) };
    let Some(_) = ran_all(known, full::starts(record))? else { return Ok(()) };
    found.skewed = skewed::investigate(known)?;
    found.complete = true;
    let mut points = fresh_starts(record);
    points.extend([
        (control_at, (true, control.id().clone())),
        (record.scenario.horizon, (cold.failure.is_none(), cold.id().clone())),
    ]);
    for round in 1..=renewal::MAX_ROUNDS {
        match breaks(known, found, points.clone(), &walked, round)? {
            None => return Ok(()),
            Some(unhurried) => {
                found.hurried.get_or_insert(walked.id().clone());
                let unhurried = unhampered(known, found, unhurried)?;
                let read = unhurried.map(|walked| both_ways(known, found, walked)).transpose()?;
                let Some(read) = read.flatten() else {
                    found.complete = false;
                    return Ok(());
                };
                walked = read;
            }
        }
    }
    breaks(known, found, points, &walked, renewal::MAX_ROUNDS + 1).map(|_| ())
}

/// `walked` as it is to be believed, with restarts and without them. None where nobody knows how it goes without.
fn both_ways<'a>(
    known: &mut Known<'a>,
    found: &mut Investigation,
    walked: Ran<'a>,
) -> Result<Option<Ran<'a>>, Waiting> {
    match without_restarts(known, walked)? {
        None => Ok(None),
        Some(walked) => unhampered(known, found, walked),
    }
}

/// `walked` without looks at hours at which it fails from the beginning on. None where nobody knows how that goes.
fn unhampered<'a>(
    known: &mut Known<'a>,
    found: &mut Investigation,
    walked: Ran<'a>,
) -> Result<Option<Ran<'a>>, Waiting> {
    let Some(read) = outage::unhampered(known, walked)? else { return Ok(None) };
    found.usual = found.usual.take().or(read.usual);
    Ok(Some(read.walked))
}

/// Whether a fresh start works at the start of the scenario, from which the control stands off by up to a day. That shows
/// nothing where files bear the time of the machine and the start is not far from that: who goes by their age works there.
fn works_at_start(known: &mut Known<'_>, control: UnixTime) -> Result<bool, Waiting> {
    let record = known.record;
    let start = record.scenario.start.instant();
    let is_near = start.secs_since(record.started).abs() <= NEAR_SECS;
    if start == control || (is_near && record.scenario.file_times == FileTimes::Real) {
        return Ok(false);
    }
    match known.want(cold::at_start(known.record)) {
        Wanted::Missing => Err(Waiting),
        Wanted::Lost => Ok(false),
        Wanted::Ran(ran) => Ok(ran.failure.is_none()),
    }
}

/// The break between the start, where all works, and the control, where it does not.
fn first_day(
    known: &mut Known<'_>,
    control: &Ran<'_>,
    control_at: UnixTime,
) -> Result<Option<ColdBreak>, Waiting> {
    let record = known.record;
    let start = record.scenario.start.instant();
    let mut points = fresh_starts(record);
    points.insert(control_at, (false, control.id().clone()));
    let boundaries = boundaries(record, start, control_at);
    cold::investigate(known, &mut points, None, &boundaries)
}

/// Whether all that fails in a control are peers that are let in and must not be, beside valid ones that are let in as they
/// must.
fn fails_open(record: &RunRecord, ran: &Ran<'_>) -> bool {
    let points = checkpoints(ran.record, &record.scenario);
    let ended = ran.record.ends.iter().any(|end| counts(end, ran.record, &record.scenario));
    let mut looks = points.iter().flat_map(|point| point.looks.iter().map(move |look| (point, look)));
    let opens = |(point, look): (&Checkpoint<'_>, &Look<'_>)| {
        let span = look.check.expectation_at(look.observation.begin.second);
        let Some(Expectation::Rejected { control }) = span.map(|span| &span.expectation) else {
            return false;
        };
        let mut valid = point.looks.iter().filter(|other| other.check.name == *control).peekable();
        let is_let_in = matches!(look.observation.seen, Seen::Answered(_));
        if !look.check.stale.is_empty() {
            return is_let_in; // its control is the same check on a list in force, and has passed
        }
        is_let_in && valid.peek().is_some() && valid.all(|other| other.met == Some(true))
    };
    !ended
        && ran.failure.is_some()
        && looks.all(|(point, look)| look.met != Some(false) || opens((point, look)))
}

/// Every fresh start on record that may be believed. Edges that were learnt meanwhile would lead a search that begins
/// anew to other instants, and it would never end.
fn fresh_starts(record: &RunRecord) -> Points {
    let whole = [check_all(&record.scenario)];
    let cold = record.cases.iter().filter(|case| case.case.purpose == Purpose::Cold);
    cold.filter(|case| case.case.steps == whole)
        .filter_map(|case| match case.case.clock {
            CaseClock::Native => None,
            CaseClock::Shifted(at) => Some((at, believed(record, case)?)),
        })
        .map(|(at, ran)| (at, (ran.failure.is_none(), ran.id().clone())))
        .collect()
}

/// All of `cases` as they ran; none where one is not to be believed.
fn ran_all<'a>(known: &mut Known<'a>, cases: Vec<Case>) -> Result<Option<Vec<Ran<'a>>>, Waiting> {
    let wanted: Vec<Wanted<'a>> = cases.into_iter().map(|case| known.want(case)).collect();
    if wanted.iter().any(|wanted| matches!(wanted, Wanted::Missing)) {
        return Err(Waiting);
    }
    Ok(wanted
        .into_iter()
        .map(|wanted| match wanted {
            Wanted::Ran(ran) => Some(*ran),
            Wanted::Lost | Wanted::Missing => None,
        })
        .collect())
}

/// Everything that follows from a walk and from fresh starts at `points`. Returns another walk to read in place of
/// this one, where this one went too fast for services that renew.
fn breaks<'a>(
    known: &mut Known<'a>,
    found: &mut Investigation,
    mut points: Points,
    walked: &Ran<'a>,
    round: usize,
) -> Result<Option<Ran<'a>>, Waiting> {
    let record = known.record;
    let (start, horizon) = (record.scenario.start.instant(), record.scenario.horizon);
    let cold_passes_at_horizon = points.get(&horizon).is_some_and(|(passed, _)| *passed);
    // The first checkpoint of a walk is a fresh start at its instant.
    match walked.failure.as_ref().filter(|failure| failure.at == start && failure.last_pass.is_none()) {
        Some(_) => {
            found.control_failure = Some(walked.id().clone());
            return Ok(None);
        }
        None => {
            points.insert(start, (true, walked.id().clone()));
        }
    }
    let boundaries = boundaries(record, start, horizon);
    if let Some(since) = outage::since(known, walked, &boundaries)? {
        // Fresh starts fail in the same hours, and in no order that a search could follow.
        found.motion = Some(since);
        return Ok(None);
    }
    let hint = walked.failure.as_ref().map(|failure| {
        let (boundary, named) = suspect(record, walked, failure, &boundaries);
        Hint {
            at: failure.at,
            last_pass: failure.last_pass,
            boundary,
            dwell: record.scenario.planning.dwell_secs(),
            named,
        }
    });
    found.cold = cold::investigate(known, &mut points, hint.as_ref(), &boundaries)?;
    let (Some(hint), Some(failure)) = (hint, &walked.failure) else {
        if found.cold.is_none() {
            soon::investigate(known, found, &boundaries)?;
        }
        return Ok(None);
    };
    if found.cold.as_ref().is_some_and(|cold| cold.first_fail <= hint.at) {
        return Ok(None);
    }
    if round <= renewal::MAX_ROUNDS {
        match renewal::investigate(known, walked, failure, round)? {
            Renewal::Helps(unhurried) => return Ok(Some(*unhurried)),
            Renewal::Irrelevant => {}
            Renewal::TooBrief(life) => {
                found.too_brief = Some(life);
                return Ok(None);
            }
        }
    }
    found.motion = motion::investigate(known, walked, cold_passes_at_horizon, &boundaries)?;
    Ok(None)
}

/// The boundary most likely behind `failure`, and whether the failing case itself names it: else it is the
/// nearest before.
fn suspect(
    record: &RunRecord,
    walked: &Ran<'_>,
    failure: &Failure,
    boundaries: &[Boundary],
) -> (Option<Boundary>, bool) {
    let named = named(record, walked.record);
    // A restart belongs to a boundary that lies behind; the next one may be a second away.
    let is_past = |boundary: &&Boundary| match failure.restarted.is_empty() {
        true => boundary.before() <= failure.at,
        false => boundary.last <= failure.at,
    };
    let past: Vec<&Boundary> = boundaries.iter().filter(is_past).collect();
    let names = |boundary: &Boundary| boundary.edges.iter().any(|edge| named.contains(&edge.credential));
    match past.iter().rev().find(|boundary| names(boundary)) {
        Some(boundary) => (Some((*boundary).clone()), true),
        None => (past.last().map(|boundary| (*boundary).clone()), false),
    }
}

/// Whether a boundary became known after the walk was planned, and the walk did not happen to stop there.
fn has_unvisited(record: &RunRecord) -> bool {
    let visited: BTreeSet<UnixTime> = record
        .cases
        .iter()
        .filter(|case| case.case.id == case_id("walk"))
        .filter(|case| case.case.purpose == Purpose::Walk)
        .flat_map(|case| checkpoints(case, &record.scenario))
        .map(|point| point.at)
        .collect();
    let (start, horizon) = (record.scenario.start.instant(), record.scenario.horizon);
    super::boundary::grouped(boundaries(record, start, horizon))
        .iter()
        .any(|boundary| !visited.contains(&boundary.before()) || !visited.contains(&boundary.last))
}
