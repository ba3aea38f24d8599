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

/// Where to look first: a failure that something else has shown.
#[derive(Debug, Clone)]
pub(crate) struct Hint {
    /// When it failed.
    pub(crate) at: UnixTime,
    /// The boundary most likely behind it.
    pub(crate) boundary: Option<Boundary>,
}

/// The failing instant nearest the beginning and the passing one nearest before it.
fn bracket(points: &Points) -> Option<(Option<UnixTime>, UnixTime)> {
    let first_fail = points.iter().find(|(_, (passed, _))| !passed).map(|(at, _)| *at)?;
    let last_pass = points.range(..first_fail).next_back().map(|(at, _)| *at);
    Some((last_pass, first_fail))
}

/// The instants to try next, none when the break is known to the second or there is none.
pub(super) fn next_instants(points: &Points, hint: Option<&Hint>, boundaries: &[Boundary]) -> Vec<UnixTime> {
    let unknown = |at: &UnixTime| !points.contains_key(at);
    if let Some(hint) = hint {
        let earliest = points.keys().next().copied();
        let pair: Vec<UnixTime> = hint
            .boundary
            .iter()
            .flat_map(|boundary| [boundary.before(), boundary.last])
            .filter(|at| unknown(at) && earliest.is_none_or(|earliest| *at > earliest))
            .collect();
        if !pair.is_empty() {
            return pair;
        }
        let explained = bracket(points).is_some_and(|(_, first_fail)| first_fail <= hint.at);
        if !explained && unknown(&hint.at) {
            return vec![hint.at];
        }
    }
    let Some((Some(low), high)) = bracket(points) else { return Vec::new() };
    if high.secs_since(low) <= 1 { Vec::new() } else { vec![between(low, high, boundaries)] }
}

/// One instant inside (`low`, `high`), the most telling first: the second before a known edge that fails, then the
/// middle of the known edges, then the middle of the seconds.
fn between(low: UnixTime, high: UnixTime, boundaries: &[Boundary]) -> UnixTime {
    let changes: Vec<UnixTime> =
        boundaries.iter().flat_map(|b| b.edges.iter().map(|edge| edge.changed_at())).collect();
    // OpenSSL refuses in the last valid second already.
    if changes.iter().any(|at| high == *at || high == at.plus_secs(-1)) {
        return high.plus_secs(-1);
    }
    let inside: Vec<UnixTime> = changes.into_iter().filter(|at| *at > low && *at < high).collect();
    match inside.get(inside.len() / 2) {
        Some(at) => *at,
        None => low.plus_secs(high.secs_since(low) / 2),
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

/// Asks for fresh starts until the break is known to the second and has been seen twice. None where all fresh
/// starts passed. `Err` while answers are missing.
pub(super) fn investigate(
    known: &mut Known<'_>,
    points: &mut Points,
    hint: Option<&Hint>,
    boundaries: &[Boundary],
) -> Result<Option<ColdBreak>, Waiting> {
    loop {
        let instants = next_instants(points, hint, boundaries);
        if instants.is_empty() {
            break;
        }
        let mut waiting = false;
        let mut lost = false;
        for at in instants {
            match known.want_to_search(cold_at(known.record, at, boundaries)) {
                Wanted::Missing => waiting = true,
                Wanted::Lost => lost = true,
                Wanted::Ran(ran) => {
                    points.insert(at, (ran.failure.is_none(), ran.id().clone()));
                }
            }
        }
        if waiting {
            return Err(Waiting);
        }
        if lost {
            break;
        }
    }
    let Some((last_pass, first_fail)) = bracket(points) else { return Ok(None) };
    let case = points[&first_fail].1.clone();
    let repeat = repeat(known, &case)?;
    let repeat = match repeat {
        None => Repeat::Unknown,
        Some(ran) if ran.failure.is_some() => Repeat::Failed,
        Some(_) => Repeat::Passed,
    };
    Ok(Some(ColdBreak { last_pass, first_fail, case, repeat }))
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
        id: case_id(&format!("{id}-again")),
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
