//! Fresh starts at instants in between, by which the second of a break is searched: many, and each of little interest.

use super::plural::count;
use notafter_core::{Case, CaseClock, Outcome, Purpose, UnixTime};
use std::time::Duration;

/// Whether a case is one point of such a search, and not the fresh start that every plan holds.
pub(crate) fn is_point(case: &Case) -> bool {
    case.purpose == Purpose::Cold && case.id.as_str() != "cold"
}

/// What several points came to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search {
    passed: usize,
    failed: usize,
    other: usize,
    first: Option<UnixTime>,
    last: Option<UnixTime>,
    /// How long they took together, on the host's clock.
    pub(crate) took: Duration,
}

impl Search {
    pub(crate) fn add(&mut self, case: &Case, outcome: Option<Outcome>, took: Duration) {
        match outcome {
            Some(Outcome::Pass) => self.passed += 1,
            Some(Outcome::Fail) => self.failed += 1,
            Some(Outcome::Error | Outcome::Skip) | None => self.other += 1,
        }
        if let CaseClock::Shifted(at) = case.clock {
            self.first = Some(self.first.map_or(at, |first| first.min(at)));
            self.last = Some(self.last.map_or(at, |last| last.max(at)));
        }
        self.took += took;
    }

    pub(crate) fn len(&self) -> usize {
        self.passed + self.failed + self.other
    }

    /// `11 pass, 13 fail`.
    fn outcomes(&self) -> String {
        let parts = [(self.passed, "pass"), (self.failed, "fail"), (self.other, "unknown")];
        let told: Vec<String> = parts
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{number} {word}"))
            .collect();
        told.join(", ")
    }

    /// `24 fresh starts between 2018-11-02T00:00:00Z and 2020-11-01T00:00:00Z: 11 pass, 13 fail`.
    pub(crate) fn told(&self) -> String {
        let starts = count(self.len(), "fresh start");
        let between = match self.first.zip(self.last) {
            Some((first, last)) if first != last => format!(" between {first} and {last}"),
            Some((at, _)) => format!(" at {at}"),
            None => String::new(),
        };
        format!("{starts}{between}: {}", self.outcomes())
    }
}
