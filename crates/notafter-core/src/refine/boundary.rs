//! Boundaries: where the walk stops.

use crate::holder::{Holders, edges_in, is_in_use};
use crate::{CredentialKind, Edge, Expectation, ExpectedSpan, Origin, RunRecord, UnixTime, memory};

/// More stops than this in one walk are grouped.
pub(crate) const MAX_STOPS: usize = 64;

/// Edges that lie so close together that one stop before and one behind them serves all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Boundary {
    /// First second of the changed state of the first edge.
    pub(crate) first: UnixTime,
    /// First second of the changed state of the last edge.
    pub(crate) last: UnixTime,
    pub(crate) edges: Vec<Edge>,
    /// Whether one of them belongs to the candidate and is no mere trust anchor or list of leap seconds.
    pub(crate) own: bool,
    /// Whether a check expects something else from here on.
    pub(crate) expected: bool,
}

impl Boundary {
    /// Last second of the old state.
    pub(crate) fn before(&self) -> UnixTime {
        self.first.plus_secs(-1)
    }

    /// Every instant inside it at which a new state begins.
    pub(crate) fn changes(&self) -> Vec<UnixTime> {
        let mut changes: Vec<UnixTime> = self.edges.iter().map(Edge::changed_at).collect();
        changes.extend([self.first, self.last]);
        changes.sort();
        changes.dedup();
        changes
    }

    fn absorb(&mut self, other: Self) {
        self.last = other.last;
        self.edges.extend(other.edges);
        self.own |= other.own;
        self.expected |= other.expected;
    }
}

/// Every boundary in (`after`, `through`], in time order; edges less than 2 s apart are one. Where a check expects
/// something else from an instant on, that instant is one too; for a walk that has not run, so are those that what the
/// control held in memory foretells.
pub(crate) fn boundaries(record: &RunRecord, after: UnixTime, through: UnixTime) -> Vec<Boundary> {
    let holders = Holders::new(record);
    let edges = edges_in(record, after, through).into_iter().map(|edge| {
        let at = edge.changed_at();
        let credential = record.inventory.find(edge.credential);
        let own = credential.is_some_and(|credential| {
            // What every launch makes anew a restart makes anew too: it would show nothing and hide the rest.
            let made_anew = credential.origin == Origin::Memory
                && memory::is_of_one_launch(record, credential.fingerprint);
            // Nearly every image has one, of tzdata.
            let is_list = credential.kind == CredentialKind::LeapSeconds;
            holders.is_own(credential)
                && is_in_use(&record.scenario, credential, at)
                && !(made_anew || is_list)
        });
        Boundary { first: at, last: at, edges: vec![edge], own, expected: false }
    });
    let spans = record.scenario.checks.iter().flat_map(|check| &check.expect);
    let changes = spans
        .filter_map(|span| span.after.map(|after| (after.plus_secs(1), expects_an_answer(span))))
        .filter(|(at, _)| *at > after && *at <= through)
        .map(|(at, expected)| Boundary { first: at, last: at, edges: Vec::new(), own: false, expected });
    let rotations = record.scenario.rotations.iter().map(|rotation| rotation.at);
    let memory = memory::predicted(record).into_iter();
    let bare = rotations.chain(memory).filter(|at| *at > after && *at <= through).map(|at| Boundary {
        first: at,
        last: at,
        edges: Vec::new(),
        own: false,
        expected: false,
    });
    let mut all: Vec<Boundary> = edges.chain(changes).chain(bare).collect();
    all.sort_by_key(|boundary| boundary.first);
    let mut found: Vec<Boundary> = Vec::new();
    for next in all {
        match found.last_mut() {
            Some(last) if next.first.secs_since(last.last) < 2 => last.absorb(next),
            _ => found.push(next),
        }
    }
    found
}

/// Whether a span is about what a service answers, and so may be answered early in its last second.
fn expects_an_answer(span: &ExpectedSpan) -> bool {
    match span.expectation {
        Expectation::Rejected { .. } | Expectation::Works(_) => true,
        Expectation::Serves { .. } => false,
    }
}

/// The same in at most [`MAX_STOPS`] groups. The smallest gaps close first, those beside the candidate's own
/// boundaries last; nothing is dropped.
pub(crate) fn grouped(boundaries: Vec<Boundary>) -> Vec<Boundary> {
    let surplus = boundaries.len().saturating_sub(MAX_STOPS);
    let mut gaps: Vec<(bool, i64, usize)> = boundaries
        .windows(2)
        .enumerate()
        .map(|(index, pair)| (pair[0].own || pair[1].own, pair[1].first.secs_since(pair[0].last), index + 1))
        .collect();
    gaps.sort_unstable();
    let closed: std::collections::BTreeSet<usize> =
        gaps.into_iter().take(surplus).map(|(_, _, index)| index).collect();
    let mut groups: Vec<Boundary> = Vec::new();
    for (index, boundary) in boundaries.into_iter().enumerate() {
        match groups.last_mut() {
            Some(group) if closed.contains(&index) => group.absorb(boundary),
            _ => groups.push(boundary),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boundary(at: i64, own: bool) -> Boundary {
        let at = UnixTime::clamped(at);
        Boundary { first: at, last: at, edges: Vec::new(), own, expected: false }
    }

    #[test]
    fn grouping_keeps_every_boundary_and_closes_the_smallest_gaps() {
        let many: Vec<Boundary> = (0..100).map(|n| boundary(n * n * 100, n == 1)).collect();
        let groups = grouped(many);
        assert_eq!(groups.len(), MAX_STOPS);
        assert_eq!(groups[0].first.as_secs(), 0);
        assert_eq!(groups[63].last.as_secs(), 99 * 99 * 100);
        let own = groups.iter().find(|group| group.own).unwrap();
        assert_eq!((own.first, own.last), (own.first, own.first), "the candidate's own stays alone");
    }
}
