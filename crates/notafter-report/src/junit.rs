//! JUnit XML: one suite for the scenario and build, one testcase for each check.

use crate::page::escape;
use crate::testcases::{TestOutcome, outcome, suite_name};
use crate::words::candidate;
use crate::{Detail, Error, StyleSheet, terminal};
use notafter_core::{Finding, RunRecord, Verdict};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// The testcases and what each came to; the report for people is the output of the suite.
///
/// # Errors
/// [`Error::Xml`].
pub fn junit(record: &RunRecord, verdict: &Verdict) -> Result<String, Error> {
    let took: Duration = record.cases.iter().map(|case| case.took).sum();
    let name = suite_name(record);
    let mut suite = TestSuite::new(name.as_str());
    suite.set_time(took);
    for (key, value) in [
        ("candidate", candidate(&record.scenario)),
        ("verdict", verdict.decision.to_string()),
        ("window-begin", record.scenario.start.instant().to_string()),
        ("window-end", record.scenario.horizon.to_string()),
        ("begun", record.started.to_string()),
    ] {
        suite.add_property(Property::new(key, value));
    }
    for check in &record.scenario.checks {
        let status = match outcome(verdict, &check.name) {
            TestOutcome::Errored(findings) => unsuccessful(NonSuccessKind::Error, &findings),
            TestOutcome::Failed(findings) => unsuccessful(NonSuccessKind::Failure, &findings),
            TestOutcome::Passed => TestCaseStatus::success(),
        };
        let mut case = TestCase::new(check.name.as_str(), status);
        case.set_classname(name.as_str());
        // One run serves all checks; what it took stands at the suite.
        case.set_time(Duration::ZERO);
        suite.add_test_case(case);
    }
    let mut page = String::new();
    terminal::write(&mut page, record, verdict, Detail::Brief, &StyleSheet::plain()).map_err(Error::Sink)?;
    suite.set_system_out(page);
    let mut report = Report::new("notafter");
    report.set_time(took);
    report.add_test_suite(suite);
    report.to_string().map_err(|error| Error::Xml(Box::new(error)))
}

fn unsuccessful(kind: NonSuccessKind, findings: &[&Finding]) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    match findings.first() {
        Some(first) => status.set_type(first.code.as_str()).set_message(escape(&first.summary)),
        None => status.set_type("unexplained").set_message("the record holds no finding that says why"),
    };
    let told: Vec<String> = findings
        .iter()
        .map(|finding| {
            let help =
                finding.help.as_ref().map_or_else(String::new, |help| format!("\nhelp: {}", escape(help)));
            let seen =
                finding.seen.as_ref().map_or_else(String::new, |seen| format!("\nseen: {}", escape(seen)));
            let at = finding
                .location
                .as_ref()
                .map_or_else(String::new, |at| format!("\nasked by: {}", escape(&at.to_string())));
            format!("{}: {}{seen}{at}{help}", finding.code, escape(&finding.summary))
        })
        .collect();
    status.set_description(told.join("\n\n"));
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn head(text: &str) -> &str {
        text.split_once("<system-out>").unwrap().0
    }

    #[test]
    fn a_block_fails_the_checks_that_fall() {
        let (record, verdict) = sample::held_works();
        insta::assert_snapshot!(head(&junit(&record, &verdict).unwrap()));
    }

    #[test]
    fn an_inconclusive_run_is_an_error_of_every_testcase() {
        let (record, verdict) = sample::unshifted();
        let text = junit(&record, &verdict).unwrap();
        assert!(text.contains("tests=\"4\"") && text.contains("errors=\"4\""), "{text}");
    }

    #[test]
    fn an_allow_passes_them_all() {
        let (record, verdict) = sample::allow();
        let text = junit(&record, &verdict).unwrap();
        assert!(
            text.contains("errors=\"0\" failures=\"0\"") || text.contains("failures=\"0\" errors=\"0\""),
            "{text}"
        );
    }
}
