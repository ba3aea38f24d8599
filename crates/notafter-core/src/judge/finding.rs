//! An empty finding to start from, and the order of findings.

use crate::{Finding, FindingCode, Severity};

/// A finding with nothing but its headline.
pub(super) fn finding(code: FindingCode, severity: Severity, summary: String) -> Finding {
    Finding {
        code,
        severity,
        waived: None,
        summary,
        bracket: None,
        culprit: None,
        evidence: Vec::new(),
        uncontrolled: None,
        expected: None,
        seen: None,
        seen_at: None,
        services: Vec::new(),
        checks: Vec::new(),
        still_working: Vec::new(),
        location: None,
        case: None,
        log_tail: None,
        help: None,
    }
}

/// Worst first, then what explains why others are there, then by instant, then by code; equal ones keep their order.
pub(super) fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| {
        let at = finding.bracket.map(|bracket| bracket.first_fail).or(finding.seen_at);
        // What a run that was cut short has not looked at is no news.
        let cuts_short = matches!(finding.code, FindingCode::BudgetExceeded | FindingCode::Interrupted);
        (std::cmp::Reverse(finding.severity), !cuts_short, at.is_none(), at, finding.code)
    });
}
