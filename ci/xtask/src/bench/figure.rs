//! One measured figure and what it may be at most.

use std::fmt;
use std::time::Duration;

/// What is asked of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Bound {
    Mebibytes(f64),
    Millis(f64),
    Ratio(f64),
    Seconds(f64),
}

/// A figure beside its bound, in the bound's unit.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    pub(super) what: &'static str,
    pub(super) measured: f64,
    pub(super) bound: Bound,
    /// What it was taken from, such as `28.1 ns against 26.0 ns`.
    pub(super) from: String,
}

impl Figure {
    pub(super) fn is_kept(&self) -> bool {
        self.measured <= self.bound.limit()
    }

    /// One row of the table.
    pub(super) fn row(&self) -> Vec<String> {
        let verdict = if self.is_kept() { "kept" } else { "missed" };
        vec![
            self.what.to_owned(),
            self.bound.show(self.bound.limit()),
            self.bound.show(self.measured),
            verdict.to_owned(),
            self.from.clone(),
        ]
    }
}

impl Bound {
    fn limit(self) -> f64 {
        match self {
            Self::Mebibytes(limit) | Self::Millis(limit) | Self::Ratio(limit) | Self::Seconds(limit) => limit,
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Mebibytes(_) => format!("{value:.0} MiB"),
            Self::Millis(_) => format!("{value:.1} ms"),
            Self::Ratio(_) => format!("× {value:.2}"),
            Self::Seconds(_) => format!("{value:.1} s"),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_kept() { "kept" } else { "MISSED" };
        let (measured, limit) = (self.bound.show(self.measured), self.bound.show(self.bound.limit()));
        write!(formatter, "{}: {measured}, at most {limit}: {verdict} ({})", self.what, self.from)
    }
}

/// The middle one of these durations; zero of none.
pub(super) fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort();
    durations.get(durations.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_above_its_bound_is_missed() {
        let figure =
            |measured| Figure { what: "x", measured, bound: Bound::Ratio(1.15), from: String::new() };
        assert!(figure(1.15).is_kept());
        assert!(!figure(1.16).is_kept());
        assert_eq!(figure(1.2).row()[3], "missed");
    }
}
