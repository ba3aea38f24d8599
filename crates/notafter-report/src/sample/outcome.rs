//! Records with their verdicts.

use super::run::{LOG, control, record, walk};
use super::scenario::{
    CHECKS, breaks, case_id, check_name, fingerprint, instant, location, not_after, service_name,
};
use notafter_core::{
    CaseError, Connection, Coverage, CoverageEntry, CredentialName, Decision, Edge, EdgeKind, Effect,
    Evidence, Finding, FindingCode, Outcome, Purpose, RunRecord, Severity, Touch, Verdict,
};

const FALLEN: [&str; 4] = ["sgsn-mme", "phone", "mvno-portal", "bus-times"];

pub(crate) fn finding(code: FindingCode, severity: Severity, summary: &str) -> Finding {
    Finding {
        code,
        severity,
        waived: None,
        summary: summary.to_owned(),
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

pub(super) fn verdict(decision: Decision, findings: Vec<Finding>) -> Verdict {
    Verdict { decision, findings, coverage: Coverage::default(), next_edge: None }
}

pub(super) fn exercised(first: u8, touch: Touch) -> CoverageEntry {
    CoverageEntry { credential: fingerprint(first), touch }
}

/// Build 1.14, as told by history.
pub(crate) fn block() -> (RunRecord, Verdict) {
    let cases = vec![
        control(),
        walk("walk", Purpose::Walk, false),
        walk("repeat-walk", Purpose::Repeat(case_id("walk")), false),
    ];
    let record = record("1.14", cases, 0x47, not_after());
    let culprit = fingerprint(0x47);
    let edge = Edge { at: not_after(), kind: EdgeKind::NotAfter, credential: culprit };
    let line = LOG.lines().last().unwrap().to_owned();
    let mut checks: Vec<_> = CHECKS.iter().map(|name| (check_name(name), vec![Connection::Fresh])).collect();
    checks[1].1.push(Connection::Held);
    let breaks = Finding {
        bracket: Some(notafter_core::Bracket { last_pass: not_after(), first_fail: breaks() }),
        culprit: Some(culprit),
        evidence: vec![
            Evidence::Coincidence { edge },
            Evidence::NamedInLog { service: service_name("sgsn-mme"), line },
        ],
        expected: Some("phone-attaches works with exit code 0".to_owned()),
        seen: Some("exit code 1: attach: connection refused".to_owned()),
        seen_at: Some(self::breaks()),
        services: FALLEN.iter().map(|name| service_name(name)).collect(),
        checks,
        location: Some(location(42)),
        case: Some(case_id("walk")),
        log_tail: Some(LOG.to_owned()),
        help: Some(
            "ship a build whose credential outlives the support window, or rotate it before it ends; it lies in \
             /sgsn-mme-1-14 of sgsn-mme at byte 4660"
                .to_owned(),
        ),
        ..finding(FindingCode::BreaksInWindow, Severity::Block, "sgsn-mme breaks at 2018-12-06T04:30:00Z: CN=sgsn-mme software ends at 2018-12-06T04:29:59Z")
    };
    let mut verdict = verdict(Decision::Block, vec![breaks]);
    verdict.coverage.entries = vec![exercised(0x47, Touch::Exercised)];
    (record, verdict)
}

/// Build 1.16: the certificate ends, and nothing breaks.
pub(crate) fn allow() -> (RunRecord, Verdict) {
    let mut record = record("1.16", vec![control(), walk("walk", Purpose::Walk, true)], 0x47, not_after());
    record.remarks.push("memory limits are not enforced: no cgroup may be made here".to_owned());
    let note = Finding {
        culprit: Some(fingerprint(0x47)),
        ..finding(
            FindingCode::ExpiredEmbeddedCredential,
            Severity::Note,
            "CN=sgsn-mme software in /sgsn-mme-1-16 of sgsn-mme ends at 2018-12-06T04:29:59Z, and nothing breaks",
        )
    };
    let mut verdict = verdict(Decision::Allow, vec![note]);
    verdict.coverage.entries = vec![exercised(0x47, Touch::Exercised)];
    verdict.next_edge = Some(Edge {
        at: instant("2021-01-30T00:00:00Z"),
        kind: EdgeKind::NotAfter,
        credential: fingerprint(0xe1),
    });
    (record, verdict)
}

/// A guest that escapes the clock.
pub(crate) fn unshifted() -> (RunRecord, Verdict) {
    let mut walk = walk("walk", Purpose::Walk, true);
    walk.outcome = Some(Outcome::Error);
    walk.error = Some(CaseError::Unshifted {
        service: service_name("sgsn-mme"),
        pid: Some(12),
        reason: "/escape: the sweep found its own vDSO, not the patched one".to_owned(),
    });
    let record = record("1.15.1", vec![control(), walk], 0x51, instant("2025-01-01T00:00:00Z"));
    let unproven = Finding {
        services: vec![service_name("sgsn-mme")],
        case: Some(case_id("walk")),
        help: Some(
            "the process reads time in a way that the engine does not handle; nothing that it did counts"
                .to_owned(),
        ),
        ..finding(
            FindingCode::Unshifted,
            Severity::Inconclusive,
            "sgsn-mme, process 12 may have seen another clock in case walk: /escape: the sweep found its own vDSO, not \
             the patched one",
        )
    };
    (record, verdict(Decision::Inconclusive, vec![unproven]))
}

/// What was blamed is issued anew, and it breaks all the same.
pub(crate) fn controlled() -> (RunRecord, Verdict) {
    let (mut record, mut verdict) = block();
    let (until, case) = (instant("2021-11-01T00:00:00Z"), case_id("reissued-node-walk"));
    let credentials = vec![CredentialName::new("node").unwrap()];
    let purpose = Purpose::Reissued { of: case_id("walk"), credentials, until };
    record.cases.push(walk("reissued-node-walk", purpose, false));
    let finding = &mut verdict.findings[0];
    let (effect, credentials) = (Effect::MendsNothing, vec![fingerprint(0x47)]);
    finding.evidence.insert(0, Evidence::CausalControl { effect, credentials, until, case });
    finding.uncontrolled =
        Some("node and hss were not issued anew together: that takes more than 8 launches".to_owned());
    (record, verdict)
}

/// New connections fail, and one that is held goes on.
pub(crate) fn held_works() -> (RunRecord, Verdict) {
    let (record, mut verdict) = block();
    let finding = &mut verdict.findings[0];
    finding.checks = vec![(check_name(CHECKS[1]), vec![Connection::Fresh])];
    finding.still_working = vec![(check_name(CHECKS[1]), Connection::Held)];
    finding.services = vec![service_name("sgsn-mme")];
    finding.log_tail = None;
    finding.evidence.pop();
    (record, verdict)
}

/// Names and logs that try to write a report of their own.
pub(crate) fn hostile() -> (RunRecord, Verdict) {
    let (mut record, mut verdict) = block();
    let known = &mut record.inventory.credentials;
    let index = known.iter().position(|known| known.fingerprint == fingerprint(0x47)).unwrap();
    known[index].subject = "CN=\u{1b}[2J\u{1b}[Hallow: all is well\nallow: \u{202e}kcolb\u{2069}".to_owned();
    known[index].issuer = format!("CN={}", "A".repeat(5_000));
    known[index].self_issued = false;
    known[index].places[0].path = "/usr/lib/\u{9b}31m/e\u{301}\u{301}\u{301}\u{301}\u{301}vil".to_owned();
    let subject = &known[index].subject;
    let finding = &mut verdict.findings[0];
    finding.summary = format!("sgsn-mme breaks at {}: {subject} ends at {}", breaks(), not_after());
    finding.log_tail = Some(format!(
        "first\nsecond\n{}\n\u{1b}[31mERROR\u{1b}[0m \u{1b}]0;owned\u{7}\tbad\r\n\nproved by:\n{}\n4\n5\n6\n7\n",
        "x".repeat(400),
        "a long line of a log that has to be wrapped because it says the same thing again and again "
            .repeat(2)
    ));
    record.remarks.push("a remark with \u{7} and \u{e0041}".to_owned());
    finding.evidence.push(Evidence::SeenOnTheWire { reason: "expired\u{2028}\u{200b} at".to_owned() });
    (record, verdict)
}
