//! What the gate could not look at, why, and what to do next.

use super::block::{asked, log};
use super::command::see_again;
use super::report::Report;
use crate::explain::explain;
use crate::page::Page;
use crate::words::{candidate, case_error, list};
use notafter_core::{CaseError, Finding, RunRecord, Severity};
use std::fmt;

pub(super) fn write(page: &mut Page<'_>, report: &Report<'_>) -> fmt::Result {
    let mut findings = report.findings(Severity::Inconclusive);
    let record = report.record;
    let who = candidate(&record.scenario);
    let Some(first) = findings.next() else {
        let text = format!("{who} is not cleared for release: the record holds no finding that says why");
        return page.headline(page.styles.inconclusive, "inconclusive", &text);
    };
    let text = format!("{who} is not cleared for release: {}", first.summary);
    page.headline(page.styles.inconclusive, "inconclusive", &text)?;
    details(page, record, first)?;
    for finding in findings {
        page.blank()?;
        page.headline(page.styles.inconclusive, "also unknown", &finding.summary)?;
        details(page, record, finding)?;
    }
    Ok(())
}

fn details(page: &mut Page<'_>, record: &RunRecord, finding: &Finding) -> fmt::Result {
    let explanation = explain(finding.code);
    let case = finding.case.as_ref().and_then(|id| record.case(id));
    if case.is_some() || !finding.services.is_empty() {
        page.section("what the gate could not look at")?;
    }
    if let Some(case) = case {
        page.field("case", &format!("{}: {}", case.case.id, case.case.reason))?;
    }
    if !finding.services.is_empty() {
        let services: Vec<&str> = finding.services.iter().map(|service| service.as_str()).collect();
        page.field("services", &list(&services))?;
    }
    if let Some(error) = case.and_then(|case| case.error.as_ref())
        && !says(&finding.summary, error)
    {
        page.field("reason", &case_error(error))?;
    }
    asked(page, finding)?;
    log(page, finding)?;
    page.section(&format!("what {} means", finding.code))?;
    page.paragraph(2, 0, &format!("{} {}", explanation.meaning, explanation.why))?;
    page.section("what to do next")?;
    if let Some(help) = &finding.help {
        page.paragraph(2, 0, &sentence(help))?;
    }
    page.paragraph(2, 0, explanation.mend)?;
    page.paragraph(2, 0, "Until then treat this as a block; exit code 3 tells CI so.")?;
    see_again(page, &record.scenario, finding)
}

/// A fragment as a sentence among others.
fn sentence(fragment: &str) -> String {
    let mut chars = fragment.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", chars.as_str())
}

/// Whether the headline has told already why the gate could not look.
fn says(summary: &str, error: &CaseError) -> bool {
    match error {
        CaseError::Harness { message: reason } | CaseError::Unshifted { reason, .. } => {
            summary.contains(reason.as_str())
        }
        CaseError::BudgetExceeded { .. } | CaseError::Interrupted => true,
        CaseError::NativeImpossible => false,
    }
}
