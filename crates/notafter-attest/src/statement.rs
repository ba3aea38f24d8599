//! in-toto statements (v1) about a gated image.

use notafter_core::{Decision, RunRecord, Severity, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(crate) const STATEMENT: &str = "https://in-toto.io/Statement/v1";
pub(crate) const TEST_RESULT: &str = "https://in-toto.io/attestation/test-result/v0.1";
pub(crate) const SUMMARY: &str = "https://slsa.dev/verification_summary/v1";

/// Who verifies.
const VERIFIER: &str = "https://github.com/notafter/notafter";

/// What is attested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The image as the scenario names it.
    pub name: String,
    /// SHA-256 of the image, as 64 lower-case hex digits.
    pub sha256: String,
    /// SHA-256 of the scenario file, likewise.
    pub scenario_sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Statement<P> {
    #[serde(rename = "_type")]
    pub(crate) kind: String,
    pub(crate) subject: Vec<Resource>,
    pub(crate) predicate_type: String,
    pub(crate) predicate: P,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) digest: BTreeMap<String, String>,
}

/// test-result v0.1.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TestResult {
    pub(crate) result: String,
    pub(crate) configuration: Vec<Resource>,
    pub(crate) passed_tests: Vec<String>,
    pub(crate) warned_tests: Vec<String>,
    pub(crate) failed_tests: Vec<String>,
}

/// Verification summary v1.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    pub(crate) verifier: Verifier,
    pub(crate) time_verified: String,
    pub(crate) resource_uri: String,
    pub(crate) policy: Policy,
    pub(crate) verification_result: String,
    pub(crate) verified_levels: Vec<String>,
    pub(crate) slsa_version: String,
    /// What the gate said, in its own word: the format knows passed and failed alone.
    #[serde(rename = "https://github.com/notafter/notafter/decision")]
    pub(crate) decision: Decision,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Verifier {
    pub(crate) id: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) uri: String,
    pub(crate) digest: BTreeMap<String, String>,
}

fn sha256(hex: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("sha256".to_owned(), hex.to_owned())])
}

fn statement<P>(subject: &Subject, predicate_type: &str, predicate: P) -> Statement<P> {
    Statement {
        kind: STATEMENT.to_owned(),
        subject: vec![Resource { name: subject.name.clone(), digest: sha256(&subject.sha256) }],
        predicate_type: predicate_type.to_owned(),
        predicate,
    }
}

/// Which checks passed. Where the gate did not allow, a check that no finding names is not called passed.
pub(crate) fn test_result(record: &RunRecord, verdict: &Verdict, subject: &Subject) -> Statement<TestResult> {
    let scenario = &record.scenario;
    let names: Vec<String> =
        scenario.checks.iter().map(|check| format!("{}::{}", scenario.name, check.name)).collect();
    let noted = verdict.findings.iter().any(|finding| finding.severity == Severity::Note);
    let none = Vec::new;
    let (result, passed_tests, warned_tests, failed_tests) = match (verdict.decision, noted) {
        (Decision::Allow, false) => ("PASSED", names, none(), none()),
        (Decision::Allow, true) => ("WARNED", none(), names, none()),
        (Decision::Block | Decision::Inconclusive, _) => ("FAILED", none(), none(), names),
    };
    let configuration =
        vec![Resource { name: scenario.name.to_string(), digest: sha256(&subject.scenario_sha256) }];
    let predicate =
        TestResult { result: result.to_owned(), configuration, passed_tests, warned_tests, failed_tests };
    statement(subject, TEST_RESULT, predicate)
}

/// The verdict in one word.
pub(crate) fn summary(record: &RunRecord, verdict: &Verdict, subject: &Subject) -> Statement<Summary> {
    let (result, levels) = match verdict.decision {
        Decision::Allow => ("PASSED", vec!["NOTAFTER_SUPPORT_WINDOW".to_owned()]),
        Decision::Block | Decision::Inconclusive => ("FAILED", vec!["FAILED".to_owned()]),
    };
    let predicate = Summary {
        verifier: Verifier { id: VERIFIER.to_owned() },
        time_verified: record.started.to_string(),
        resource_uri: format!("{}@sha256:{}", subject.name, subject.sha256),
        policy: Policy {
            uri: format!("scenario:{}", record.scenario.name),
            digest: sha256(&subject.scenario_sha256),
        },
        verification_result: result.to_owned(),
        verified_levels: levels,
        slsa_version: "1.0".to_owned(),
        decision: verdict.decision,
    };
    statement(subject, SUMMARY, predicate)
}
