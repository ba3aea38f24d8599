//! How long a failure may last before it counts: shorter where it is nothing new.

use notafter_core::{Check, CheckName, Connection, UnixTime};
use std::collections::BTreeMap;
use std::time::Duration;

/// After so many checkpoints in a row a failure is nothing new.
const ROW: u32 = 2;
/// What is left then of the time that a failure may last. The case has failed by then; what is seen later only tells
/// for how long, and of a check that waits long a walk would do little but wait.
const SHARE: u32 = 8;

/// Checks that failed at their latest checkpoints.
#[derive(Debug, Default)]
pub(super) struct Failing {
    rows: BTreeMap<(CheckName, Connection), Row>,
}

/// Failures in a row that missed the same expectation.
#[derive(Debug)]
struct Row {
    /// The end of the span of time for which it is expected.
    through: Option<UnixTime>,
    length: u32,
}

impl Failing {
    /// How long a failure of `check` at `now` may last, on the host's clock.
    pub(super) fn settle(&self, check: &Check, connection: Connection, now: UnixTime) -> Duration {
        let row = self.rows.get(&(check.name.clone(), connection));
        match row.filter(|row| row.length >= ROW && Some(row.through) == through(check, now)) {
            Some(_) => check.settle / SHARE,
            None => check.settle,
        }
    }

    /// Notes whether what the check expects at `now` was seen.
    pub(super) fn note(&mut self, check: &Check, connection: Connection, now: UnixTime, is_met: bool) {
        let key = (check.name.clone(), connection);
        match through(check, now).filter(|_| !is_met) {
            Some(through) => {
                let row = self.rows.entry(key).or_insert(Row { through, length: 0 });
                let before = if row.through == through { row.length } else { 0 };
                *row = Row { through, length: before.saturating_add(1) };
            }
            None => _ = self.rows.remove(&key),
        }
    }

    /// After a restart or a rotation every failure is new.
    pub(super) fn forget(&mut self) {
        self.rows.clear();
    }
}

/// The end of the span that says what is expected at `now`; outside of all spans nothing is.
fn through(check: &Check, now: UnixTime) -> Option<Option<UnixTime>> {
    check.expectation_at(now).map(|span| span.through)
}
