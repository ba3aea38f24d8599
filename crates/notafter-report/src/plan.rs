//! The plan for people: which cases run, why, and on which instants their clocks stand.

use crate::StyleSheet;
use crate::page::{Align, Column, Page, Row, Table};
use crate::words::{
    Stop, boundaries, candidate, checked_instants, count, distance, edges_changing, end_of, list, motion,
    purpose, stops,
};
use notafter_core::{
    Case, CaseClock, Inventory, Moment, Purpose, RunRecord, Step, UnixTime, hours, moments, reductions,
};
use std::collections::BTreeSet;
use std::fmt;

/// Edges between two stops that are listed one by one.
const EDGES: usize = 6;
/// Where the text beside an instant begins.
const STOP_COLUMN: usize = 24;

/// Writes `cases` as a table with their reasons, then every stop of each of them. `record` is the one that they
/// were refined from: its scenario gives the window, its inventory the edges that they cross.
///
/// # Errors
/// Where the sink fails.
pub fn write(
    sink: &mut impl fmt::Write,
    record: &RunRecord,
    cases: &[Case],
    styles: &StyleSheet,
) -> fmt::Result {
    let page = &mut Page::new(sink, styles);
    let scenario = &record.scenario;
    let instants: BTreeSet<UnixTime> = cases.iter().flat_map(checked_instants).collect();
    let start = scenario.start.instant();

    let text = format!(
        "{} on {} for {}; {} between {} and {} ({})",
        count(cases.len(), "case"),
        count(instants.len(), "instant"),
        candidate(scenario),
        count(boundaries(record).len(), "known boundary"),
        start,
        scenario.horizon,
        distance(scenario.start, scenario.horizon),
    );
    page.headline(styles.heading, "plan", &text)?;
    if cases.is_empty() {
        page.blank()?;
        return page.paragraph(2, 0, "nothing is left to run");
    }
    page.section("cases")?;
    table(page, cases)?;
    let reduced = reductions(record);
    if !reduced.is_empty() {
        page.section("what the plan does not look at")?;
        reduced.iter().try_for_each(|text| page.paragraph(2, 2, &format!("- {text}")))?;
    }
    let why = Why { inventory: &record.inventory, moments: moments(record), hours: hours(record) };
    cases.iter().try_for_each(|case| stops_of(page, &why, case))
}

/// Why a case stops where it does.
struct Why<'a> {
    inventory: &'a Inventory,
    moments: Vec<Moment>,
    hours: Vec<UnixTime>,
}

impl Why<'_> {
    /// Whether nothing but the hour or the day is what a stop is for.
    fn is_hour(&self, stop: &Stop<'_>) -> bool {
        let is_at = |at: &UnixTime| Some(*at) == stop.at;
        let only_looks = stop.steps.iter().all(|step| matches!(step, Step::Check { .. }));
        only_looks && self.hours.iter().any(is_at) && !self.moments.iter().any(|moment| is_at(&moment.at))
    }
}

fn table(page: &mut Page<'_>, cases: &[Case]) -> fmt::Result {
    let plain = anstyle::Style::new();
    let column = |title, align| Column { title, align };
    let mut table = Table::new(&[
        column("case", Align::Left),
        column("purpose", Align::Left),
        column("services start at", Align::Left),
        column("stops", Align::Right),
        column("restarts", Align::Right),
    ]);
    for case in cases {
        let begins = match case.clock {
            CaseClock::Native => "the host's time".to_owned(),
            CaseClock::Shifted(at) => at.to_string(),
        };
        let restarts = case.steps.iter().filter(|step| matches!(step, Step::Restart { .. })).count();
        let why = match &case.purpose {
            Purpose::Repeat(of) => format!("why: {} (the same as {of})", case.reason),
            Purpose::Cold
            | Purpose::Control
            | Purpose::PastControl
            | Purpose::Reissued { .. }
            | Purpose::Skewed { .. }
            | Purpose::Stale { .. }
            | Purpose::Walk => {
                format!("why: {}", case.reason)
            }
        };
        table.push(Row {
            cells: [
                case.id.to_string(),
                purpose(&case.purpose).to_owned(),
                begins,
                stops(case).len().to_string(),
                restarts.to_string(),
            ]
            .map(|cell| (plain, cell))
            .to_vec(),
            remark: Some(why),
        });
    }
    table.write(page)
}

fn stops_of(page: &mut Page<'_>, why: &Why<'_>, case: &Case) -> fmt::Result {
    page.section(case.id.as_str())?;
    let inventory = why.inventory;
    let mut before: Option<UnixTime> = None;
    let all = stops(case);
    let mut left = all.as_slice();
    while let Some(stop) = left.first() {
        let hours = left.iter().take_while(|stop| why.is_hour(stop)).count();
        let (now, behind) = left.split_at(hours.max(1));
        left = behind;
        let last = now.last().and_then(|stop| stop.at);
        let at = stop.at.map_or_else(|| "the host's time".to_owned(), |at| at.to_string());
        let mut label = at.as_str();
        let edges = match (before, last) {
            (Some(from), Some(to)) => edges_changing(inventory, from, to),
            _ => Vec::new(),
        };
        for edge in edges.iter().take(EDGES) {
            let text = format!("beyond {}", end_of(inventory, edge));
            page.item(STOP_COLUMN, label, 2, &text)?;
            label = "";
        }
        if edges.len() > EDGES {
            page.item(STOP_COLUMN, "", 2, &format!("and {}", count(edges.len() - EDGES, "more edge")))?;
        }
        for moment in why.moments.iter().filter(|moment| Some(moment.at) == stop.at) {
            page.item(STOP_COLUMN, label, 2, &moment.kind.to_string())?;
            label = "";
        }
        let through = last.filter(|_| hours > 0).map(|last| {
            format!("{} at other hours and on other days, through {last}, at each: ", count(hours, "stop"))
        });
        page.item(STOP_COLUMN, label, 2, &format!("{}{}", through.unwrap_or_default(), actions(stop)))?;
        before = last;
    }
    Ok(())
}

fn actions(stop: &Stop<'_>) -> String {
    let mut words: Vec<String> = vec![stop.arrived.map_or("services start", motion).to_owned()];
    words.extend(stop.steps.iter().map(|step| match step {
        Step::Check { checks } => count(checks.len(), "check"),
        Step::Move { .. } => String::new(),
        Step::Restart { services } => {
            let names: Vec<&str> = services.iter().map(|service| service.as_str()).collect();
            format!("restart {}", list(&names))
        }
        Step::Rotate { rotation } => format!("rotation {rotation}"),
    }));
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use notafter_core::Depth;

    fn rendered(record: &RunRecord, cases: &[Case]) -> String {
        let mut text = String::new();
        write(&mut text, record, cases, &StyleSheet::plain()).unwrap();
        text
    }

    #[test]
    fn a_plan_says_why_and_where_its_clocks_stand() {
        let (record, _) = sample::block();
        let cases: Vec<Case> = record.cases.iter().map(|record| record.case.clone()).collect();
        insta::assert_snapshot!(rendered(&record, &cases));
    }

    #[test]
    fn an_empty_plan_says_so() {
        let (record, _) = sample::block();
        assert!(rendered(&record, &[]).ends_with("\n  nothing is left to run\n"));
    }

    #[test]
    fn a_plan_tells_what_it_leaves_out() {
        let (mut record, _) = sample::block();
        record.scenario.planning.depth = Depth::Full;
        let (start, horizon) = (record.scenario.start.instant(), record.scenario.horizon);
        let part = horizon.secs_since(start) / 100;
        for index in 1_u8..=60 {
            record.inventory.add(sample::software(index, start.plus_secs(part * i64::from(index))));
        }
        let text = rendered(&record, &notafter_core::plan(&record));
        let told = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            told.contains("what the plan does not look at: - full depth makes at most 24 fresh starts"),
            "{text}"
        );
    }
}
