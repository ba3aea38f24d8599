//! The support window as a picture: the life of every credential as a bar, the instants that were looked at, the breaks.

use crate::page::{clip, escape};
use crate::words::{count, subject};
use notafter_core::{Credential, Outcome, RunRecord, Severity, UnixTime, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;

/// Where the chart begins, behind the names, and how wide it is, in units of the picture.
const LEFT: i64 = 250;
const WIDTH: i64 = 960;
const ROW: i64 = 24;
/// How wide the label of a day is.
const LABEL: i64 = 80;
/// Where the first bar stands, below the axis and the instants.
const TOP: i64 = 78;
/// Bars of one picture; the table of coverage holds the rest.
const ROWS: usize = 40;

#[derive(Serialize)]
pub(super) struct Timeline {
    pub(super) width: i64,
    pub(super) height: i64,
    ticks: Vec<Tick>,
    window: Bar,
    points: Vec<Point>,
    bars: Vec<Bar>,
    breaks: Vec<Tick>,
    pub(super) hidden: Option<String>,
}

#[derive(Serialize)]
struct Tick {
    x: i64,
    label: String,
}

#[derive(Serialize)]
struct Point {
    x: i64,
    class: &'static str,
    title: String,
}

#[derive(Serialize)]
struct Bar {
    x: i64,
    y: i64,
    width: i64,
    class: &'static str,
    label: String,
    title: String,
    /// Whether the bar ends inside the picture.
    ends: bool,
}

/// A stretch of time and where it lies in the picture.
struct Scale {
    from: UnixTime,
    to: UnixTime,
}

impl Scale {
    fn x(&self, at: UnixTime) -> i64 {
        let whole = i128::from(self.to.secs_since(self.from).max(1));
        let part = i128::from(at.clamp(self.from, self.to).secs_since(self.from));
        LEFT + i64::try_from(part * i128::from(WIDTH) / whole).unwrap_or(WIDTH)
    }
}

impl Timeline {
    pub(super) fn new(record: &RunRecord, verdict: &Verdict) -> Self {
        let (start, horizon) = (record.scenario.start.instant(), record.scenario.horizon);
        let margin = horizon.secs_since(start) / 12;
        let scale = Scale { from: start.plus_secs(-margin), to: horizon.plus_secs(margin) };
        let shown = credentials(record, verdict, &scale);
        let hidden = shown.len().saturating_sub(ROWS);
        let bars: Vec<Bar> = (0_i64..)
            .zip(shown.iter().take(ROWS))
            .map(|(row, known)| bar(&scale, row, known, verdict))
            .collect();
        let breaks = breaks(verdict, &scale);
        let height = TOP + ROW * i64::try_from(bars.len()).unwrap_or(0) + 8;
        Self {
            width: LEFT + WIDTH + 10,
            height,
            ticks: ticks(&scale, &breaks),
            window: Bar {
                x: scale.x(start),
                y: 30,
                width: scale.x(horizon) - scale.x(start),
                class: "window",
                label: String::new(),
                title: format!("support window, {start} to {horizon}"),
                ends: true,
            },
            points: points(record, &scale),
            bars,
            breaks,
            hidden: (hidden > 0).then(|| count(hidden, "more credential")),
        }
    }
}

/// Credentials whose life meets the picture: what ends inside the window first, then the others, by their end.
fn credentials<'a>(record: &'a RunRecord, verdict: &Verdict, scale: &Scale) -> Vec<&'a Credential> {
    let horizon = record.scenario.horizon;
    let mut known: Vec<&Credential> = record
        .inventory
        .credentials
        .iter()
        .filter(|known| known.not_before <= scale.to && known.not_after >= scale.from)
        .collect();
    known.sort_by_key(|known| {
        (!is_culprit(known, verdict), known.not_after > horizon, known.not_after, known.fingerprint)
    });
    known
}

fn is_culprit(known: &Credential, verdict: &Verdict) -> bool {
    let blocking = verdict.findings.iter().filter(|finding| finding.severity == Severity::Block);
    blocking.filter_map(|finding| finding.culprit).any(|culprit| culprit == known.fingerprint)
}

fn bar(scale: &Scale, row: i64, known: &Credential, verdict: &Verdict) -> Bar {
    let (from, to) = (scale.x(known.not_before), scale.x(known.not_after));
    let ends_inside = known.not_after <= scale.to;
    let class = match (is_culprit(known, verdict), ends_inside) {
        (true, _) => "bar culprit",
        (false, true) => "bar ends",
        (false, false) => "bar",
    };
    let end = known
        .written_end()
        .map_or_else(|| "never ends".to_owned(), |end| format!("{} {end}", known.kind.end_word()));
    let name = subject(&known.subject);
    Bar {
        x: from,
        y: TOP + ROW * row,
        width: (to - from).max(3),
        class,
        label: escape(&clip_short(&name)).into_owned(),
        title: escape(&format!("{name} ({}), {end}", known.fingerprint.short())).into_owned(),
        ends: ends_inside,
    }
}

/// What fits beside a bar.
fn clip_short(text: &str) -> String {
    const FITS: usize = 34;
    match text.chars().count() {
        len if len <= FITS => text.to_owned(),
        _ => text.chars().take(FITS - 1).chain(['…']).collect(),
    }
}

/// Days that divide the picture into some ten parts; where a break stands, it has the place to itself.
fn ticks(scale: &Scale, breaks: &[Tick]) -> Vec<Tick> {
    let whole = scale.to.secs_since(scale.from).max(10);
    (1..10)
        .map(|part| {
            let at = scale.from.plus_secs(whole / 10 * part);
            let full = at.to_string();
            let label = match whole {
                0..=1_728_000 => full.chars().skip(5).take(11).collect::<String>().replace('T', " "),
                _ => full.chars().take(10).collect(),
            };
            Tick { x: scale.x(at), label }
        })
        .filter(|tick| breaks.iter().all(|broken| (broken.x - tick.x).abs() > LABEL / 2))
        .collect()
}

/// The instants at which checks were made, the worst outcome of each; what falls on one place of the picture is one.
fn points(record: &RunRecord, scale: &Scale) -> Vec<Point> {
    let mut found: BTreeMap<i64, (Option<bool>, UnixTime, usize)> = BTreeMap::new();
    for case in record.cases.iter().filter(|case| case.outcome != Some(Outcome::Skip)) {
        for (look, met) in case.looks(&record.scenario) {
            let entry = found.entry(scale.x(look.planned)).or_insert((None, look.planned, 0));
            entry.2 += 1;
            match (entry.0, met) {
                (Some(false), _) | (_, None) => {}
                (_, Some(false)) => (entry.0, entry.1) = (met, look.planned),
                (None | Some(true), Some(true)) => entry.0 = met,
            }
        }
    }
    found
        .into_iter()
        .map(|(x, (met, at, looks))| {
            let (class, word) = match met {
                Some(true) => ("point pass", "all as expected"),
                Some(false) => ("point fail", "not as expected"),
                None => ("point unknown", "decides nothing"),
            };
            Point { x, class, title: format!("{at}: {}, {word}", count(looks, "look")) }
        })
        .collect()
}

fn breaks(verdict: &Verdict, scale: &Scale) -> Vec<Tick> {
    let blocking = verdict.findings.iter().filter(|finding| finding.severity == Severity::Block);
    blocking
        .filter_map(|finding| finding.bracket)
        .map(|bracket| Tick {
            x: scale.x(bracket.first_fail),
            label: clip(&format!("breaks {}", bracket.first_fail), 60).into_owned(),
        })
        .collect()
}
