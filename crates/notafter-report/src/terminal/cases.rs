//! The table of cases.

use super::report::Report;
use super::tail::{MAX_ROWS, more_rows};
use crate::Detail;
use crate::page::{Align, Column, Page, Row, Table};
use crate::words::{Search, case_error, checked_instants, is_point, purpose};
use notafter_core::{CaseClock, CaseId, CaseRecord, Decision, Outcome, Severity, UnixTime};
use std::collections::BTreeSet;
use std::fmt;

/// Points of a search that are still listed one by one.
const FEW_POINTS: usize = 6;

/// Every case; the points of a long search that nothing else refers to in one sentence, unless all is asked for.
pub(super) fn cases(page: &mut Page<'_>, report: &Report<'_>) -> fmt::Result {
    let cases = &report.record.cases;
    if cases.is_empty() {
        return page.section_with("cases", "none ran");
    }
    page.section("cases")?;
    let left = |title| Column { title, align: Align::Left };
    let right = |title| Column { title, align: Align::Right };
    let mut table =
        Table::new(&[left("case"), left("purpose"), left("instants"), left("outcome"), right("seconds")]);
    let folded = folded(report);
    let mut search = Search::default();
    for case in cases.iter().filter(|case| folded.contains(&case.case.id)) {
        search.add(&case.case, case.outcome, case.took);
    }
    let listed: Vec<&CaseRecord> = cases.iter().filter(|case| !folded.contains(&case.case.id)).collect();
    for case in listed.iter().take(MAX_ROWS) {
        table.push(Row { cells: cells(page, case), remark: remark(report, case) });
    }
    table.write(page)?;
    more_rows(page, listed.len())?;
    if search.len() > 0 {
        let (told, took) = (search.told(), search.took.as_secs_f64());
        page.paragraph(2, 2, &format!("and {told}, in {took:.2} s; -v lists them"))?;
    }
    Ok(())
}

/// The points of a search that are told together.
fn folded(report: &Report<'_>) -> BTreeSet<CaseId> {
    let referred: BTreeSet<&CaseId> =
        report.verdict.findings.iter().filter_map(|finding| finding.case.as_ref()).collect();
    let points: BTreeSet<CaseId> = report
        .record
        .cases
        .iter()
        .filter(|case| is_point(&case.case) && case.error.is_none() && !referred.contains(&case.case.id))
        .map(|case| case.case.id.clone())
        .collect();
    match report.detail {
        Detail::Brief if points.len() > FEW_POINTS => points,
        Detail::Brief | Detail::Full => BTreeSet::new(),
    }
}

fn remark(report: &Report<'_>, case: &CaseRecord) -> Option<String> {
    let told = report.verdict.decision == Decision::Inconclusive
        && report
            .findings(Severity::Inconclusive)
            .any(|finding| finding.case.as_ref() == Some(&case.case.id));
    case.error.as_ref().filter(|_| !told).map(case_error)
}

fn cells(page: &Page<'_>, record: &CaseRecord) -> Vec<(anstyle::Style, String)> {
    let plain = anstyle::Style::new();
    vec![
        (plain, record.case.id.to_string()),
        (plain, purpose(&record.case.purpose).to_owned()),
        (plain, instants(record)),
        (page.styles.outcome(record.outcome), outcome(record.outcome).to_owned()),
        (plain, format!("{:.2}", record.took.as_secs_f64())),
    ]
}

fn outcome(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Error) => "error",
        Some(Outcome::Fail) => "fail",
        Some(Outcome::Pass) => "pass",
        Some(Outcome::Skip) => "skip",
        None => "unfinished",
    }
}

/// `2018-11-02T00:00:00Z`, or `14, 2018-11-01 to 2020-11-01`.
fn instants(record: &CaseRecord) -> String {
    match (record.case.clock, checked_instants(&record.case).as_slice()) {
        (CaseClock::Native, _) => "the host's time".to_owned(),
        (CaseClock::Shifted(_), []) => "none".to_owned(),
        (CaseClock::Shifted(_), [only]) => only.to_string(),
        (CaseClock::Shifted(_), all @ [first, .., last]) => {
            let day = |instant: &UnixTime| instant.to_string().chars().take(10).collect::<String>();
            format!("{}, {} to {}", all.len(), day(first), day(last))
        }
    }
}
