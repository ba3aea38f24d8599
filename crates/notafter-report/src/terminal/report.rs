//! The order of the report.

use super::{allow, block, inconclusive, tail};
use crate::page::Page;
use crate::{Detail, StyleSheet};
use notafter_core::{Decision, Finding, RunRecord, Severity, Verdict};
use std::fmt;

/// Writes the report for people: 80 columns, readable without colour, safe to show whatever the record holds.
///
/// # Errors
/// Where the sink fails.
pub fn write(
    sink: &mut impl fmt::Write,
    record: &RunRecord,
    verdict: &Verdict,
    detail: Detail,
    styles: &StyleSheet,
) -> fmt::Result {
    let report = Report { record, verdict, detail };
    let page = &mut Page::new(sink, styles);
    match verdict.decision {
        Decision::Allow => allow::write(page, &report)?,
        Decision::Block => block::write(page, &report)?,
        Decision::Inconclusive => inconclusive::write(page, &report)?,
    }
    tail::write(page, &report)
}

/// What the parts of a report are made from.
pub(super) struct Report<'a> {
    pub(super) record: &'a RunRecord,
    pub(super) verdict: &'a Verdict,
    pub(super) detail: Detail,
}

impl<'a> Report<'a> {
    /// Findings of this severity, in the verdict's order.
    pub(super) fn findings(&self, severity: Severity) -> impl Iterator<Item = &'a Finding> + use<'a> {
        self.verdict.findings.iter().filter(move |finding| finding.severity == severity)
    }
}
