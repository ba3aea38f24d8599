//! Bisection by fresh starts: where does a build begin to fail when everything starts anew?

use super::boundary::Boundary;
use super::known::{Known, Wanted};
use super::plan::{case_id, cold, instant_id};
use crate::{Case, CaseId, Purpose, RunRecord, UnixTime};
use std::collections::BTreeMap;

/// Fresh starts by instant: whether they passed, and which case that was.
pub(crate) type Points = BTreeMap<UnixTime, (bool, CaseId)>;

/// What is known of a failing fresh start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColdBreak {
    /// The latest fresh start before it that passed.
    pub(crate) last_pass: Option<UnixTime>,
    pub(crate) first_fail: UnixTime,
    /// The case that failed at `first_fail`.
    pub(crate) case: CaseId,
    pub(crate) repeat: Repeat,
}

/// Whether a failure came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// The same again.
    Failed,
    /// Another result; the case of that id shows it.
    Passed,
    /// It has not run, or may not be believed.
    Unknown,
}

/// Where to look first: a failure of the walk.
#[derive(Debug, Clone)]
pub(crate) struct Hint {
    /// When it failed.
    pub(crate) at: UnixTime,
    /// When it had passed before.
    pub(crate) last_pass: Option<UnixTime>,
    /// The boundary most likely behind it.
    pub(crate) boundary: Option<Boundary>,
    /// How long time elapses behind a boundary, in seconds.
    pub(crate) dwell: i64,
    /// Whether the failing case itself names a credential of that boundary.
    pub(crate) named: bool,
}

impl Hint {
    /// Fresh starts that tell most about it; what is known already is left out.
    fn instants(&self, points: &Points) -> Vec<UnixTime> {
        let earliest = points.keys().next().copied();
        let open = |at: &UnixTime| !points.contains_key(at) && earliest.is_none_or(|first| *at > first);
        let dwells = |b: &Boundary| b.first <= self.at && self.at <= b.last.plus_secs(self.dwell);
        // The later of two instants tells something only where the earlier one passes.
        let pair = |earlier: UnixTime, later: UnixTime| match points.get(&earlier) {
            None if open(&earlier) => Some(earlier),
            Some((false, _)) => None,
            None | Some((true, _)) => Some(later),
        };
        match &self.boundary {
            Some(boundary) if self.named || dwells(boundary) => {
                pair(boundary.before(), boundary.last).into_iter().filter(open).collect()
            }
            Some(boundary) if boundary.before() == self.at => {
                // The last valid second: OpenSSL refuses in it, and nothing does so one second earlier.
                let next = pair(self.at.plus_secs(-1), self.at).or(self.last_pass);
                next.into_iter().filter(open).collect()
            }
            Some(_) | None => self.last_pass.into_iter().chain([self.at]).filter(open).collect(),
        }
    }
}

/// The failing instant nearest the beginning and the passing one nearest before it.
fn bracket(points: &Points) -> Option<(Option<UnixTime>, UnixTime)> {
    let first_fail = points.iter().find(|(_, (passed, _))| !passed).map(|(at, _)| *at)?;
    let last_pass = points.range(..first_fail).next_back().map(|(at, _)| *at);
    Some((last_pass, first_fail))
}

/// What to try next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Search {
    /// The break is known to the second, or there is none.
    Done,
    /// Instants that the walk or known edges suggest.
    Suggested(Vec<UnixTime>),
    /// The middle of an interval in which nothing is known to change.
    Seconds(UnixTime),
}

pub(super) fn search(points: &Points, hint: Option<&Hint>, boundaries: &[Boundary]) -> Search {
    if let Some(hint) = hint {
        let instants = hint.instants(points);
        if !instants.is_empty() {
            return Search::Suggested(instants);
        }
        let explained = bracket(points).is_some_and(|(_, first_fail)| first_fail <= hint.at);
        if !explained && !points.contains_key(&hint.at) {
            return Search::Suggested(vec![hint.at]);
        }
    }
    match bracket(points) {
        Some((Some(low), high)) if high.secs_since(low) > 1 => between(low, high, boundaries),
        Some(_) | None => Search::Done,
    }
}

/// One instant inside (`low`, `high`), the most telling first: the second before a known edge that fails, then the
/// middle of the known edges, then the middle of the seconds. Assumes one transition inside.
fn between(low: UnixTime, high: UnixTime, boundaries: &[Boundary]) -> Search {
    let changes: Vec<UnixTime> = boundaries.iter().flat_map(Boundary::changes).collect();
    // OpenSSL refuses in the last valid second already.
    if changes.iter().any(|at| high == *at || high == at.plus_secs(-1)) {
        return Search::Suggested(vec![high.plus_secs(-1)]);
    }
    let inside: Vec<UnixTime> =
        boundaries.iter().map(|b| b.first).filter(|at| *at > low && *at < high).collect();
    match inside.get(inside.len() / 2) {
        Some(at) => Search::Suggested(vec![*at]),
        None => Search::Seconds(low.plus_secs(high.secs_since(low) / 2)),
    }
}

fn cold_at(record: &RunRecord, at: UnixTime, boundaries: &[Boundary]) -> Case {
    if at == record.scenario.horizon {
        return super::plan::cold_at_horizon(record);
    }
    let edge = boundaries.iter().find(|b| b.before() == at || b.first == at || b.last == at);
    let reason = match edge {
        Some(boundary) if at < boundary.first => format!("a fresh start at {at}, the second before an edge"),
        Some(_) => format!("a fresh start at {at}, the first second after an edge"),
        None => format!("a fresh start at {at}, to halve the interval in which it breaks"),
    };
    cold(record, instant_id("cold", at), at, reason)
}

/// A fresh start where the scenario begins.
pub(super) fn at_start(record: &RunRecord) -> Case {
    let at = record.scenario.start.instant();
    cold(record, instant_id("cold", at), at, format!("a fresh start at {at}, where the scenario begins"))
}

/// Asks for fresh starts until the break is known to the second and has been seen twice. None where all fresh
/// starts passed. `Err` while answers are missing.
pub(super) fn investigate(
    known: &mut Known<'_>,
    points: &mut Points,
    hint: Option<&Hint>,
    boundaries: &[Boundary],
) -> Result<Option<ColdBreak>, Waiting> {
    loop {
        let instants = match search(points, hint, boundaries) {
            Search::Done => break,
            Search::Suggested(instants) => instants,
            Search::Seconds(at) => {
                // A long search for what was a fluke would be a waste; two failing starts are none.
                let alone = points.values().filter(|(passed, _)| !passed).count() < 2;
                if alone && !matches!(last_repeat(known, points)?, Some((_, Repeat::Failed))) {
                    break;
                }
                vec![at]
            }
        };
        let wanted: Vec<(UnixTime, Wanted<'_>)> = instants
            .into_iter()
            .map(|at| (at, known.want_to_search(cold_at(known.record, at, boundaries))))
            .collect();
        if wanted.iter().any(|(_, wanted)| matches!(wanted, Wanted::Missing)) {
            return Err(Waiting);
        }
        if wanted.iter().any(|(_, wanted)| matches!(wanted, Wanted::Lost)) {
            break;
        }
        for (at, wanted) in wanted {
            if let Wanted::Ran(ran) = wanted {
                points.insert(at, (ran.failure.is_none(), ran.id().clone()));
            }
        }
    }
    let Some((last_pass, first_fail)) = bracket(points) else { return Ok(None) };
    let case = points[&first_fail].1.clone();
    let repeat = match last_repeat(known, points)? {
        Some((id, Repeat::Passed)) if id != case => {
            return Ok(Some(ColdBreak { last_pass, first_fail, case: id, repeat: Repeat::Passed }));
        }
        _ => repeat_of(known, &case)?,
    };
    Ok(Some(ColdBreak { last_pass, first_fail, case, repeat }))
}

/// How the repetition of a failing fresh start came out: of one that was repeated already, else of the earliest.
fn last_repeat(known: &mut Known<'_>, points: &Points) -> Result<Option<(CaseId, Repeat)>, Waiting> {
    let failing: Vec<CaseId> =
        points.values().filter(|(passed, _)| !passed).map(|(_, id)| id.clone()).collect();
    let repeated = failing.iter().rev().find(|id| known.record.case(&again(id)).is_some());
    match repeated.or(failing.first()).cloned() {
        None => Ok(None),
        Some(id) => repeat_of(known, &id).map(|repeat| Some((id, repeat))),
    }
}

fn repeat_of(known: &mut Known<'_>, id: &CaseId) -> Result<Repeat, Waiting> {
    Ok(match repeat(known, id)? {
        None => Repeat::Unknown,
        Some(ran) if ran.failure.is_some() => Repeat::Failed,
        Some(_) => Repeat::Passed,
    })
}

fn again(id: &CaseId) -> CaseId {
    case_id(&format!("{id}-again"))
}

/// Answers are missing; the next cases bring them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting;

/// Runs a failing case once more. None where that cannot be believed.
pub(super) fn repeat<'a>(
    known: &mut Known<'a>,
    id: &CaseId,
) -> Result<Option<Box<super::known::Ran<'a>>>, Waiting> {
    let Some(first) = known.record.case(id) else { return Ok(None) };
    let case = Case {
        id: again(id),
        purpose: Purpose::Repeat(id.clone()),
        reason: format!("{id} once more, to tell a failure from a fluke"),
        clock: first.case.clock,
        steps: first.case.steps.clone(),
    };
    match known.want(case) {
        Wanted::Missing => Err(Waiting),
        Wanted::Lost => Ok(None),
        Wanted::Ran(ran) => Ok(Some(ran)),
    }
}
