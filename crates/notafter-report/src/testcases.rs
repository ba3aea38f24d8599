//! Testcases: scenario × build × check, known before anything runs. What a verdict means for each of them.
//!
//! What must never happen here: every testcase passing though the verdict is not *allow*.

use notafter_core::{CheckName, Decision, Finding, RunRecord, Severity, Verdict};

/// What one testcase came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestOutcome<'a> {
    /// The gate could not look, because of these.
    Errored(Vec<&'a Finding>),
    /// It falls, with these.
    Failed(Vec<&'a Finding>),
    /// It works through the whole window, as far as another check's break lets see.
    Passed,
}

/// What the testcase of `check` came to. A blocking finding fails the checks that fall with it, or all of them where it
/// names none; what the gate could not look at is an error of all.
#[must_use]
pub fn outcome<'a>(verdict: &'a Verdict, check: &CheckName) -> TestOutcome<'a> {
    let of = |severity| verdict.findings.iter().filter(move |finding| finding.severity == severity);
    match verdict.decision {
        Decision::Allow => TestOutcome::Passed,
        Decision::Inconclusive => TestOutcome::Errored(of(Severity::Inconclusive).collect()),
        Decision::Block => {
            let concerns = |finding: &&Finding| {
                finding.checks.is_empty() || finding.checks.iter().any(|(fallen, _)| fallen == check)
            };
            let blocking: Vec<&Finding> = of(Severity::Block).filter(concerns).collect();
            let unknown: Vec<&Finding> = of(Severity::Inconclusive).collect();
            // Findings without any check are no reason to pass.
            let silent = of(Severity::Block).next().is_none();
            match (blocking.is_empty(), unknown.is_empty()) {
                (false, _) => TestOutcome::Failed(blocking),
                (true, true) if silent => TestOutcome::Failed(Vec::new()),
                (true, true) => TestOutcome::Passed,
                (true, false) => TestOutcome::Errored(unknown),
            }
        }
    }
}

/// `o2-ericsson-2018::1.14`, or the scenario's name alone where its candidate has no named builds.
#[must_use]
pub fn suite_name(record: &RunRecord) -> String {
    let scenario = &record.scenario;
    match &scenario.candidate.build {
        Some(build) => format!("{}::{}", scenario.name, build.name),
        None => scenario.name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use notafter_core::FindingCode;

    fn passed((record, verdict): &(RunRecord, Verdict)) -> usize {
        let checks = record.scenario.checks.iter();
        checks.filter(|check| outcome(verdict, &check.name) == TestOutcome::Passed).count()
    }

    #[test]
    fn not_every_testcase_passes_where_the_verdict_is_no_allow() {
        assert_eq!(passed(&sample::allow()), 4);
        assert_eq!(passed(&sample::block()), 0, "all four fall");
        assert_eq!(passed(&sample::held_works()), 3, "one falls");
        assert_eq!(passed(&sample::unshifted()), 0);
        let (record, mut verdict) = sample::held_works();
        verdict.findings.push(sample::finding(FindingCode::BudgetExceeded, Severity::Inconclusive, "late"));
        assert_eq!(
            passed(&(record.clone(), verdict.clone())),
            0,
            "what was not looked at is not known to work"
        );
        verdict.findings =
            vec![sample::finding(FindingCode::WaiverExpired, Severity::Block, "a waiver ran out")];
        assert_eq!(passed(&(record.clone(), verdict.clone())), 0, "a finding without checks concerns all");
        verdict.findings.clear();
        assert_eq!(passed(&(record, verdict)), 0);
    }
}
