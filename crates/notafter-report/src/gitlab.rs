//! A Code Quality report of GitLab: findings beside the lines of the scenario that asked.
//!
//! GitLab reads a list of issues with `description`, `check_name`, `fingerprint`, `severity` and `location`; paths are
//! relative to the repository and do not begin with `./`.

use crate::Error;
use crate::identity::{identity, location};
use crate::words::candidate;
use notafter_core::{RunRecord, Severity, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Place<'a>,
}

#[derive(Serialize)]
struct Place<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

/// One issue for each finding.
///
/// # Errors
/// [`Error::Unwritable`].
pub fn code_quality(record: &RunRecord, verdict: &Verdict) -> Result<String, Error> {
    let mut issues: BTreeMap<String, Issue<'_>> = BTreeMap::new();
    for finding in &verdict.findings {
        let place = location(record, finding);
        let path = place.map_or("scenario.yaml", |place| place.file.as_str());
        let fingerprint = identity(record, finding);
        let issue = Issue {
            description: format!(
                "{} ({}): {}",
                candidate(&record.scenario),
                verdict.decision,
                finding.summary
            ),
            check_name: finding.code.as_str(),
            fingerprint: fingerprint.clone(),
            severity: match finding.severity {
                Severity::Block => "blocker",
                Severity::Inconclusive => "critical",
                Severity::Note => "info",
            },
            location: Place {
                path: path.strip_prefix("./").unwrap_or(path),
                lines: Lines { begin: place.map_or(1, |place| place.line) },
            },
        };
        // GitLab drops the second of two issues with one fingerprint; the worse one stands first.
        issues.entry(fingerprint).or_insert(issue);
    }
    crate::json::safe(&issues.into_values().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn findings_become_issues() {
        let (record, verdict) = sample::block();
        insta::assert_snapshot!(code_quality(&record, &verdict).unwrap());
        let (record, mut verdict) = sample::allow();
        assert!(code_quality(&record, &verdict).unwrap().contains("\"severity\": \"info\""));
        verdict.findings.clear();
        assert_eq!(code_quality(&record, &verdict).unwrap(), "[]\n");
    }
}
