//! How long a failure may last before it counts, and a look may take: shorter where it is nothing new.

use notafter_core::{Check, CheckName, Connection, UnixTime};
use std::collections::BTreeMap;
use std::time::Duration;

/// After so many checkpoints in a row a failure is nothing new.
const ROW: u32 = 2;
/// What is left then of the time that a failure may last. The case has failed by then; what is seen later only tells
/// for how long, and of a check that waits long a walk would do little but wait.
const SHARE: u32 = 8;
/// The least that a look has, where the check leaves it so much.
const LEAST_LOOK: Duration = Duration::from_secs(1);

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
    /// `check` as it is asked at `now`: where its failure is nothing new, a failure may last less long and a look take
    /// less time, on the host's clock.
    pub(super) fn hurried(&self, check: &Check, connection: Connection, now: UnixTime) -> Check {
        let row = self.rows.get(&(check.name.clone(), connection));
        let is_new = row.is_none_or(|row| row.length < ROW || Some(row.through) != through(check, now));
        let mut hurried = check.clone();
        if !is_new {
            hurried.settle /= SHARE;
            hurried.within = hurried.within.min(LEAST_LOOK.max(hurried.within / SHARE));
        }
        hurried
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::scene::{check, start};
    use notafter_core::Probe;

    #[test]
    fn what_keeps_failing_is_hurried_until_it_is_met() {
        let probe = Probe::Alive { service: notafter_core::ServiceName::new("node").unwrap() };
        let mut asked = check("alive", probe);
        let mut failing = Failing::default();
        let mut note = |met: bool| failing.note(&asked, Connection::Fresh, start(), met);
        note(false);
        note(false);
        for (within, left) in [(300, 300), (2_000, 1_000), (16_000, 2_000)]
            .map(|(within, left)| (Duration::from_millis(within), Duration::from_millis(left)))
        {
            asked.within = within;
            asked.settle = within;
            let hurried = failing.hurried(&asked, Connection::Fresh, start());
            assert_eq!((hurried.within, hurried.settle), (left, within / SHARE));
            assert_eq!(failing.hurried(&asked, Connection::Held, start()), asked);
        }
        failing.note(&asked, Connection::Fresh, start(), true);
        assert_eq!(failing.hurried(&asked, Connection::Fresh, start()), asked);
    }
}
