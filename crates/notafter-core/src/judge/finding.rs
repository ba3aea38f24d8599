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
        // What a run has not looked at that was cut short, or could not look, is no news.
        let explains = matches!(
            finding.code,
            FindingCode::BudgetExceeded
                | FindingCode::HarnessError
                | FindingCode::Interrupted
                | FindingCode::Unshifted
        );
        (std::cmp::Reverse(finding.severity), !explains, at.is_none(), at, finding.code)
    });
}
