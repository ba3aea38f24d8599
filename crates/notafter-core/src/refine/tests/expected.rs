//! What worlds must come to, and the ones that most tests share.

use super::world::{Ill, World, at, certificate};
use crate::*;

pub(super) const END: &str = "2018-12-06T04:29:59Z";
pub(super) const BROKEN: &str = "2018-12-06T04:30:00Z";

pub(super) fn dies(from: &str) -> Ill {
    Ill::Dies { from: at(from), at_start: true, watchdog: Some(3_600), log: "my certificate has ended" }
}

pub(super) fn embedded() -> Credential {
    certificate(1, "CN=node software", at(END))
}

/// What a world must come to.
pub(super) struct Expected {
    pub(super) decision: Decision,
    pub(super) code: Option<FindingCode>,
    pub(super) breaks_at: Option<&'static str>,
    pub(super) exact: bool,
    pub(super) culprit: Option<u8>,
    pub(super) launches: usize,
}

pub(super) fn allow(launches: usize) -> Expected {
    Expected { decision: Decision::Allow, code: None, breaks_at: None, exact: false, culprit: None, launches }
}

pub(super) fn block(breaks_at: &'static str, culprit: Option<u8>, launches: usize) -> Expected {
    Expected {
        decision: Decision::Block,
        code: Some(FindingCode::BreaksInWindow),
        breaks_at: Some(breaks_at),
        exact: true,
        culprit,
        launches,
    }
}

pub(super) fn inconclusive(code: FindingCode, launches: usize) -> Expected {
    Expected {
        decision: Decision::Inconclusive,
        code: Some(code),
        breaks_at: None,
        exact: false,
        culprit: None,
        launches,
    }
}

pub(super) fn ids(record: &RunRecord) -> Vec<&str> {
    record.cases.iter().map(|case| case.case.id.as_str()).collect()
}

#[track_caller]
pub(super) fn check(what: &str, world: &World, expected: &Expected) -> (RunRecord, Verdict) {
    let (record, verdict) = world.gate();
    let shown = format!("{what}: {:?}\n{:#?}", ids(&record), verdict.findings);
    assert_eq!(verdict.decision, expected.decision, "{shown}");
    let worst = verdict.findings.first().filter(|finding| finding.severity > Severity::Note);
    assert_eq!(worst.map(|finding| finding.code), expected.code, "{shown}");
    if let Some(breaks_at) = expected.breaks_at {
        let bracket = worst.unwrap().bracket.unwrap();
        assert_eq!(bracket.first_fail, at(breaks_at), "{shown}");
        assert_eq!(bracket.is_exact(), expected.exact, "{shown}");
        let culprit = expected.culprit.map(|seed| Fingerprint::from_bytes([seed; 32]));
        assert_eq!(worst.unwrap().culprit, culprit, "{shown}");
    }
    assert!(record.cases.len() <= expected.launches, "{} launches, {shown}", record.cases.len());
    assert!(refine(&record).is_empty());
    (record, verdict)
}
