//! The order of the report.

use super::{against, allow, block, inconclusive, tail};
use crate::page::Page;
use crate::{Detail, StyleSheet};
use notafter_core::{Comparison, Decision, Finding, Gated, RunRecord, Severity, Verdict};
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
    write_beside(sink, Gated { record, verdict }, None, detail, styles)
}

/// The same with what there is to say of the build in production, where the candidate was held against one.
///
/// # Errors
/// Where the sink fails.
pub fn write_beside(
    sink: &mut impl fmt::Write,
    gated: Gated<'_>,
    comparison: Option<&Comparison>,
    detail: Detail,
    styles: &StyleSheet,
) -> fmt::Result {
    let Gated { record, verdict } = gated;
    let report = Report { record, verdict, detail };
    let page = &mut Page::new(sink, styles);
    match verdict.decision {
        Decision::Allow => allow::write(page, &report)?,
        Decision::Block => block::write(page, &report)?,
        Decision::Inconclusive => inconclusive::write(page, &report)?,
    }
    comparison.map_or(Ok(()), |comparison| against::write(page, record, comparison))?;
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
