//! What every report ends with: notes, coverage, what comes after the horizon, cases, remarks.

use super::report::Report;
use crate::page::{Align, Column, Page, Row, Table, clip};
use crate::words::{boundaries, candidate, case_error, checked_instants, count, credential, purpose};
use notafter_core::{
    CaseClock, CaseRecord, Coverage, Decision, Inventory, Isolation, Outcome, Severity, Span, Touch,
};
use std::fmt;

/// Rows of long tables; the JSON record holds the rest.
const MAX_ROWS: usize = 64;

pub(super) fn write(page: &mut Page<'_>, report: &Report<'_>) -> fmt::Result {
    notes(page, report)?;
    if report.verdict.decision == Decision::Block {
        unknown_beside(page, report)?;
    }
    coverage(page, report)?;
    opaque(page, &report.record.inventory)?;
    if report.verdict.decision == Decision::Allow {
        next_edge(page, report)?;
    }
    cases(page, report)?;
    run(page, report)?;
    remarks(page, report)
}

fn notes(page: &mut Page<'_>, report: &Report<'_>) -> fmt::Result {
    let notes: Vec<_> = report.findings(Severity::Note).collect();
    if notes.is_empty() {
        return Ok(());
    }
    page.section("notes, none of which blocks")?;
    for note in notes {
        let mut text = format!("- {}: {}", note.code, note.summary);
        if let Some(culprit) = note.culprit.and_then(|fingerprint| report.record.inventory.find(fingerprint))
        {
            let tag = culprit.fingerprint.short();
            if !text.contains(&tag) {
                text.push_str(&format!(" ({tag})"));
            }
        }
        if let Some(waived) = &note.waived {
            text.push_str(&format!("; waived by {}", clip(waived, 300)));
        }
        page.paragraph(2, 2, &text)?;
    }
    Ok(())
}

/// A block stands whatever else is unknown, and the reader should know of both.
fn unknown_beside(page: &mut Page<'_>, report: &Report<'_>) -> fmt::Result {
    let unknown: Vec<_> = report.findings(Severity::Inconclusive).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    page.section("what the gate could not look at")?;
    unknown
        .iter()
        .try_for_each(|finding| page.paragraph(2, 2, &format!("- {}: {}", finding.code, finding.summary)))
}

fn coverage(page: &mut Page<'_>, report: &Report<'_>) -> fmt::Result {
    let coverage: &Coverage = &report.verdict.coverage;
    let total = coverage.entries.len();
    if total == 0 {
        return page.section_with("coverage", "no known credential ends inside the support window");
    }
    let sum = format!("{} of {} exercised", coverage.exercised(), count(total, "expiring credential"));
    page.section_with("coverage", &sum)?;
    let inventory = &report.record.inventory;
    let edges = boundaries(report.record);
    for entry in coverage.entries.iter().take(MAX_ROWS) {
        let touch = match entry.touch {
            Touch::Exercised => "exercised",
            Touch::Never => "never used",
            Touch::Served => "only served",
        };
        let boundary = edges.iter().find(|edge| edge.credential == entry.credential);
        let when = boundary.map_or_else(String::new, |edge| format!("{}, {} of ", edge.at, edge.kind));
        page.field(touch, &format!("{when}{}", credential(inventory, entry.credential)))?;
    }
    more_rows(page, total)
}

fn more_rows(page: &mut Page<'_>, total: usize) -> fmt::Result {
    match total.checked_sub(MAX_ROWS) {
        None | Some(0) => Ok(()),
        Some(more) => page.paragraph(2, 0, &format!("and {more} more; the JSON record lists them")),
    }
}

fn opaque(page: &mut Page<'_>, inventory: &Inventory) -> fmt::Result {
    if inventory.opaque.is_empty() {
        return Ok(());
    }
    page.section_with("not looked into", &count(inventory.opaque.len(), "file"))?;
    for file in inventory.opaque.iter().take(MAX_ROWS) {
        let text = format!("- {}:{}: {}", file.service, clip(&file.path, 160), clip(&file.reason, 160));
        page.paragraph(2, 2, &text)?;
    }
    more_rows(page, inventory.opaque.len())
}

fn next_edge(page: &mut Page<'_>, report: &Report<'_>) -> fmt::Result {
    let horizon = report.record.scenario.horizon;
    let text = match &report.verdict.next_edge {
        Some(edge) => format!(
            "{}, {} after the window: {} of {}",
            edge.at,
            Span::from_secs(edge.at.secs_since(horizon)),
            edge.kind,
            credential(&report.record.inventory, edge.credential)
        ),
        None => "none: no known credential ends after the window".to_owned(),
    };
    page.section_with("next edge", &text)
}

fn cases(page: &mut Page<'_>, report: &Report<'_>) -> fmt::Result {
    let cases = &report.record.cases;
    if cases.is_empty() {
        return page.section_with("cases", "none ran");
    }
    page.section("cases")?;
    let left = |title| Column { title, align: Align::Left };
    let right = |title| Column { title, align: Align::Right };
    let mut table =
        Table::new(&[left("case"), left("purpose"), left("instants"), left("outcome"), right("seconds")]);
    for case in cases.iter().take(MAX_ROWS) {
        let told = report.verdict.decision == Decision::Inconclusive
            && report
                .findings(Severity::Inconclusive)
                .any(|finding| finding.case.as_ref() == Some(&case.case.id));
        let error = case.error.as_ref().filter(|_| !told);
        table.push(Row { cells: cells(page, case), remark: error.map(case_error) });
    }
    table.write(page)?;
    more_rows(page, cases.len())
}

fn cells(page: &Page<'_>, record: &CaseRecord) -> Vec<(anstyle::Style, String)> {
    let plain = anstyle::Style::new();
    let outcome = match record.outcome {
        Some(Outcome::Error) => "error",
        Some(Outcome::Fail) => "fail",
        Some(Outcome::Pass) => "pass",
        Some(Outcome::Skip) => "skip",
        None => "unfinished",
    };
    vec![
        (plain, record.case.id.to_string()),
        (plain, purpose(&record.case.purpose).to_owned()),
        (plain, instants(record)),
        (page.styles.outcome(record.outcome), outcome.to_owned()),
        (plain, format!("{:.2}", record.took.as_secs_f64())),
    ]
}

/// `2018-11-02T00:00:00Z`, or `14, 2018-11-01 to 2020-11-01`.
fn instants(record: &CaseRecord) -> String {
    let day = |instant: &notafter_core::UnixTime| instant.to_string().chars().take(10).collect::<String>();
    match (record.case.clock, checked_instants(&record.case).as_slice()) {
        (CaseClock::Native, _) => "the host's time".to_owned(),
        (CaseClock::Shifted(_), []) => "none".to_owned(),
        (CaseClock::Shifted(_), [only]) => only.to_string(),
        (CaseClock::Shifted(_), [first, .., last]) => {
            let number = checked_instants(&record.case).len();
            format!("{number}, {} to {}", day(first), day(last))
        }
    }
}

/// What was gated, for a reader who finds the report without the run.
fn run(page: &mut Page<'_>, report: &Report<'_>) -> fmt::Result {
    let record = report.record;
    let scenario = &record.scenario;
    let (start, horizon) = (scenario.start.instant(), scenario.horizon);
    let image = scenario.service(&scenario.candidate.service).and_then(|service| scenario.image_of(service));
    let image = image.map_or_else(String::new, |image| format!(", {}", clip(&image.to_string(), 200)));
    page.section("run")?;
    page.field("scenario", scenario.name.as_str())?;
    page.field("candidate", &format!("{}{image}", candidate(scenario)))?;
    page.field("window", &format!("{start} to {horizon} ({})", Span::from_secs(horizon.secs_since(start))))?;
    page.field("begun", &format!("{} by the host's clock", record.started))?;
    match record.isolation {
        Isolation::Namespaces => Ok(()),
        Isolation::None => page.field(
            "isolation",
            "none: services shared the machine's network, processes and users; that no other machine was reached is \
             not claimed",
        ),
    }
}

fn remarks(page: &mut Page<'_>, report: &Report<'_>) -> fmt::Result {
    if report.record.remarks.is_empty() {
        return Ok(());
    }
    page.section("remarks")?;
    report
        .record
        .remarks
        .iter()
        .try_for_each(|remark| page.paragraph(2, 2, &format!("- {}", clip(remark, 400))))
}
