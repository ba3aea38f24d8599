//! What every report ends with: notes, coverage, what comes after the horizon, cases, remarks.

use super::cases::cases;
use super::report::Report;
use crate::page::{Page, clip};
use crate::words::{Unseen, boundaries, candidate, coverage_sum, credential, edge_word, end_of};
use notafter_core::{Coverage, Decision, Isolation, RunRecord, Severity, Span, Touch};
use std::fmt;

/// Rows of long tables; the JSON record holds the rest.
pub(super) const MAX_ROWS: usize = 64;

pub(super) fn write(page: &mut Page<'_>, report: &Report<'_>) -> fmt::Result {
    notes(page, report)?;
    if report.verdict.decision == Decision::Block {
        unknown_beside(page, report)?;
    }
    coverage(page, report)?;
    opaque(page, report.record)?;
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
    page.section_with("coverage", &coverage_sum(report.record, coverage))?;
    let inventory = &report.record.inventory;
    let edges = boundaries(report.record);
    for entry in coverage.entries.iter().take(MAX_ROWS) {
        let touch = match entry.touch {
            Touch::Exercised => "exercised",
            Touch::Loaded => "only loaded",
            Touch::Never => "never used",
            Touch::Served => "only served",
        };
        let boundary = edges.iter().find(|edge| edge.credential == entry.credential);
        let when = boundary
            .map_or_else(String::new, |edge| format!("{}, {} of ", edge.at, edge_word(inventory, edge)));
        page.field(touch, &format!("{when}{}", credential(inventory, entry.credential)))?;
    }
    more_rows(page, total)
}

pub(super) fn more_rows(page: &mut Page<'_>, total: usize) -> fmt::Result {
    match total.checked_sub(MAX_ROWS) {
        None | Some(0) => Ok(()),
        Some(more) => page.paragraph(2, 0, &format!("and {more} more; the JSON record lists them")),
    }
}

fn opaque(page: &mut Page<'_>, record: &RunRecord) -> fmt::Result {
    let unseen = Unseen::of(record);
    let total = unseen.lines().count();
    if total == 0 {
        return Ok(());
    }
    page.section_with("not looked into", &unseen.sum())?;
    unseen.lines().take(MAX_ROWS).try_for_each(|text| page.paragraph(2, 2, &format!("- {text}")))?;
    more_rows(page, total)
}

fn next_edge(page: &mut Page<'_>, report: &Report<'_>) -> fmt::Result {
    let horizon = report.record.scenario.horizon;
    let text = match &report.verdict.next_edge {
        Some(edge) => format!(
            "{}, {} after the window: {}",
            edge.at,
            Span::from_secs(edge.at.secs_since(horizon)),
            end_of(&report.record.inventory, edge)
        ),
        None => "none: no known credential ends after the window".to_owned(),
    };
    page.section_with("next edge", &text)
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
    let known = record.images.iter().filter_map(|image| Some((image, image.id.as_ref()?)));
    for (index, (image, id)) in known.enumerate() {
        let label = if index == 0 { "digests" } else { "" };
        page.field(label, &format!("{} {}", clip(id, 140), image.service))?;
    }
    page.field("window", &format!("{start} to {horizon} ({})", Span::from_secs(horizon.secs_since(start))))?;
    page.field("begun", &format!("{} by the host's clock", record.started))?;
    match record.isolation {
        Isolation::Containers => page.field("isolation", "containers of a container engine, without a way out"),
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
