//! What a guest says: one line each, fields divided by tabs.
//!
//! | kind     | then        | then                                                               |
//! | -------- | ----------- | ------------------------------------------------------------------ |
//! | `now`    | which clock | the seconds since the epoch that it showed                         |
//! | `same`   | what        | something that no shift of the clock may change                    |
//! | `took`   | which wait  | how many milliseconds it took, on a clock that is not shifted      |
//! | `polled` | which wait  | the same of a wait that the runtime may make of sleeps of 64 ms    |

use std::ops::RangeInclusive;

/// What every wait of the guests is for, in milliseconds.
const SPAN: i64 = 200;
/// How much later than its native twin a wait may end.
const TOLERANCE: i64 = 20;
/// The longest sleep between two looks of libstdc++, which polls where its first looks took more than 4 µs: then a wait
/// ends late by up to as much, natively as well (`bits/atomic_timed_wait.h`).
const POLLING: i64 = 64;
/// Spans are read in whole milliseconds, deadlines made of them.
const ROUNDING: i64 = 1;
/// What no wait takes, however busy the machine is.
const FOREVER: i64 = 5_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Now { what: String, second: i64 },
    Same(String),
    Took { what: String, millis: i64, slack: i64 },
}

/// Everything that a guest said; nothing else may stand between.
#[track_caller]
pub(super) fn parse(text: &str) -> Vec<Said> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let number = || fields[2].parse().unwrap_or_else(|_| panic!("{line:?} in\n{text}"));
        match fields[..] {
            ["now", what, _] => Said::Now { what: what.to_owned(), second: number() },
            ["same", ..] => Said::Same(line.to_owned()),
            ["took", what, _] => Said::Took { what: what.to_owned(), millis: number(), slack: 0 },
            ["polled", what, _] => Said::Took { what: what.to_owned(), millis: number(), slack: POLLING },
            _ => panic!("{line:?} in\n{text}"),
        }
    };
    text.lines().map(line).collect()
}

/// Two runs may differ in what the clocks showed, and by chance in how long waits took. Says so where they differ in
/// anything else, or where a clock showed a second outside `window`.
#[track_caller]
pub(super) fn differ_in_the_clock_alone(native: &[Said], shifted: &[Said], window: &RangeInclusive<i64>) {
    assert_eq!(native.len(), shifted.len(), "{native:?}\n{shifted:?}");
    for pair in native.iter().zip(shifted) {
        match pair {
            (Said::Now { what, .. }, Said::Now { what: shifted, second }) => {
                assert_eq!(what, shifted);
                assert!(window.contains(second), "{what}: {second} is not in {window:?}");
            }
            (Said::Took { what, .. }, Said::Took { what: shifted, millis, .. }) => {
                assert_eq!(what, shifted);
                assert!((SPAN - ROUNDING..FOREVER).contains(millis), "{what} took {millis} ms");
            }
            (native, shifted) => assert_eq!(native, shifted),
        }
    }
}

/// How long each wait took in the best of several runs: what else a machine does makes waits longer, never shorter.
#[derive(Debug, Default)]
pub(super) struct Best(Vec<Span>);

#[derive(Debug)]
struct Span {
    what: String,
    millis: i64,
    slack: i64,
}

impl Best {
    /// Takes in one more run.
    pub(super) fn take(&mut self, said: &[Said]) {
        let spans = said.iter().filter_map(|said| match said {
            Said::Took { what, millis, slack } => {
                Some(Span { what: what.clone(), millis: *millis, slack: *slack })
            }
            Said::Now { .. } | Said::Same(_) => None,
        });
        if self.0.is_empty() {
            self.0 = spans.collect();
        } else {
            for (best, span) in self.0.iter_mut().zip(spans) {
                best.millis = best.millis.min(span.millis);
            }
        }
    }

    /// The waits that ended late in every run, against the best native ones.
    pub(super) fn late(&self, native: &Self) -> Vec<String> {
        let pairs = self.0.iter().zip(&native.0);
        let late = pairs
            .filter(|(shifted, native)| shifted.millis > native.millis.max(SPAN) + TOLERANCE + shifted.slack);
        late.map(|(shifted, native)| {
            format!("{}: {} ms, natively {} ms", shifted.what, shifted.millis, native.millis)
        })
        .collect()
    }

    /// How many waits there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
