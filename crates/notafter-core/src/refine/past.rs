//! A control that fails: is the scenario wrong, or has the build been broken since before it began?

use super::boundary::{Boundary, boundaries};
use super::cold::{self, ColdBreak, Points, Waiting};
use super::known::{Known, Ran, Wanted};
use super::plan::{check_all, instant_id};
use crate::attribute::named;
use crate::{Case, CaseClock, Edge, EdgeKind, Purpose, RunRecord, UnixTime};

/// How many edges before the start are tried.
const MAX_TRIES: usize = 2;

/// Edges before the control, the most suspect first: those that the failing control names, the candidate's own, the
/// nearest.
fn suspects(record: &RunRecord, failing: &Ran<'_>, control: UnixTime) -> Vec<Edge> {
    let named = named(record, failing.record);
    let mut ranked: Vec<(bool, bool, Edge)> = until(record, UnixTime::MIN, control)
        .into_iter()
        .flat_map(|boundary| boundary.edges.into_iter().map(move |edge| (boundary.own, edge)))
        .filter(|(_, edge)| edge.kind == EdgeKind::NotAfter)
        .map(|(own, edge)| (named.contains(&edge.credential), own, edge))
        .collect();
    ranked.sort_by_key(|(named, own, edge)| std::cmp::Reverse((*named, *own, edge.at, *edge)));
    let mut edges: Vec<Edge> = ranked.into_iter().map(|(_, _, edge)| edge).collect();
    edges.dedup_by_key(|edge| edge.at);
    edges
}

/// Boundaries in (`after`, `control`], and one whose last valid second the control stands in: OpenSSL refuses in it already.
fn until(record: &RunRecord, after: UnixTime, control: UnixTime) -> Vec<Boundary> {
    boundaries(record, after, control.plus_secs(1))
}

/// Starts everything just before an edge that lies before the control. Where that passes, finds the second in which
/// the build broke. None where nothing shows that it ever worked; beside it the number of edges that were not tried.
pub(super) fn investigate(
    known: &mut Known<'_>,
    failing: &Ran<'_>,
    control: UnixTime,
) -> Result<(Option<ColdBreak>, usize), Waiting> {
    let suspects = suspects(known.record, failing, control);
    let untried = suspects.len().saturating_sub(MAX_TRIES);
    for edge in suspects.into_iter().take(MAX_TRIES) {
        // Not in its last second, in which OpenSSL refuses already.
        let at = edge.at.plus_secs(-1);
        let case = Case {
            id: instant_id("past", at),
            purpose: Purpose::PastControl,
            reason: format!(
                "at {at}, just before an edge that lies before the start, to show whether it worked then"
            ),
            clock: CaseClock::Shifted(at),
            steps: vec![check_all(&known.record.scenario)],
        };
        match known.want(case) {
            Wanted::Missing => return Err(Waiting),
            Wanted::Lost => return Ok((None, untried)),
            Wanted::Ran(ran) if ran.failure.is_some() => {}
            Wanted::Ran(ran) => {
                let mut points =
                    Points::from([(at, (true, ran.id().clone())), (control, (false, failing.id().clone()))]);
                let edges: Vec<Boundary> = until(known.record, at, control);
                return cold::investigate(known, &mut points, None, &edges).map(|found| (found, untried));
            }
        }
    }
    Ok((None, untried))
}
