//! What proves that nothing breaks.

use super::report::Report;
use crate::page::Page;
use crate::words::{boundaries, candidate, checked_instants, count, distance, end_of, list, reservation};
use notafter_core::{
    CaseClock, ClockWitness, Coverage, Edge, Outcome, RunRecord, Touch, UnixTime, WitnessBasis,
};
use std::collections::BTreeSet;
use std::fmt;

/// Instants that are listed one by one; of more, the first and the last.
const INSTANTS: usize = 6;
/// Crossed edges that are listed one by one.
const CROSSED: usize = 8;

pub(super) fn write(page: &mut Page<'_>, report: &Report<'_>) -> fmt::Result {
    let record = report.record;
    let scenario = &record.scenario;
    let text = format!(
        "{} passes every check through {}, the end of its support window, {}{}",
        candidate(scenario),
        scenario.horizon,
        distance(scenario.start, scenario.horizon),
        reservation(report.verdict)
    );
    page.headline(page.styles.allow, "allow", &text)?;
    page.section("proved by")?;
    page.field("cases", &cases(record))?;
    page.field("looks", &looks(record))?;
    stood_on(page, record)?;
    page.field("processes", &processes(record))?;
    crossed(page, record, &report.verdict.coverage)
}

fn cases(record: &RunRecord) -> String {
    let of = |outcome| record.cases.iter().filter(|case| case.outcome == Some(outcome)).count();
    let mut parts = vec![format!("{} passed", of(Outcome::Pass))];
    for (outcome, word) in [
        (Outcome::Fail, "failed"),
        (Outcome::Error, "could not be looked at"),
        (Outcome::Skip, "skipped (the table says why)"),
    ] {
        if of(outcome) > 0 {
            parts.push(format!("{} {word}", of(outcome)));
        }
    }
    format!("{} ran, {}", count(record.cases.len(), "case"), list(&parts))
}

fn looks(record: &RunRecord) -> String {
    let looks: usize = record.cases.iter().map(|case| case.observations.len()).sum();
    let connections: BTreeSet<_> =
        record.cases.iter().flat_map(|case| &case.observations).map(|look| look.connection).collect();
    let kinds: Vec<String> = connections.iter().map(ToString::to_string).collect();
    let checks = count(record.scenario.checks.len(), "check");
    let over = if kinds.is_empty() { String::new() } else { format!(", over {} connections", list(&kinds)) };
    format!("{} by {checks}{over}", count(looks, "look"))
}

fn stood_on(page: &mut Page<'_>, record: &RunRecord) -> fmt::Result {
    let instants: BTreeSet<UnixTime> =
        record.cases.iter().flat_map(|case| checked_instants(&case.case)).collect();
    let instants: Vec<String> = instants.iter().map(ToString::to_string).collect();
    let shown = match instants.as_slice() {
        [] => vec!["no instant of simulated time".to_owned()],
        few if few.len() <= INSTANTS => few.to_vec(),
        [first, middle @ .., last] => {
            vec![first.clone(), format!("{} between them", count(middle.len(), "instant")), last.clone()]
        }
        [only] => vec![only.clone()],
    };
    shown
        .iter()
        .enumerate()
        .try_for_each(|(index, text)| page.field(if index == 0 { "stood on" } else { "" }, text))
}

fn processes(record: &RunRecord) -> String {
    let shifted = record.cases.iter().filter(|case| matches!(case.case.clock, CaseClock::Shifted(_)));
    let witnesses: Vec<(usize, &ClockWitness)> = shifted
        .enumerate()
        .flat_map(|(index, case)| case.witnesses.iter().map(move |witness| (index, witness)))
        .collect();
    let by = |basis| witnesses.iter().filter(|(_, witness)| witness.basis == basis).count();
    let processes: BTreeSet<_> = witnesses
        .iter()
        .filter(|(_, witness)| witness.basis != WitnessBasis::Canary)
        .map(|(case, witness)| (case, &witness.service, witness.pid, &witness.exe))
        .collect();
    format!(
        "{} proven to have seen the shifted clock ({} at their exec, {} in a sweep from the host); {} read the right time",
        processes.len(),
        by(WitnessBasis::Exec),
        by(WitnessBasis::Sweep),
        count(by(WitnessBasis::Canary), "canary"),
    )
}

fn crossed(page: &mut Page<'_>, record: &RunRecord, coverage: &Coverage) -> fmt::Result {
    let exercised = |edge: &Edge| {
        coverage
            .entries
            .iter()
            .any(|entry| entry.credential == edge.credential && entry.touch == Touch::Exercised)
    };
    let mut crossed = boundaries(record);
    crossed.retain(exercised);
    if crossed.is_empty() {
        return page.field("crossed", "no edge: nothing that a check uses begins or ends in the window");
    }
    for (index, edge) in crossed.iter().take(CROSSED).enumerate() {
        let text = format!("{}, {}", edge.at, end_of(&record.inventory, edge));
        page.field(if index == 0 { "crossed" } else { "" }, &text)?;
    }
    if crossed.len() > CROSSED {
        page.field("", &format!("and {}", count(crossed.len() - CROSSED, "more edge")))?;
    }
    Ok(())
}
