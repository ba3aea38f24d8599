//! A token and a revocation list that are compiled into a service: blocked to the second where they end inside the
//! window, allowed where they live longer.

use super::gated::gate;
use crate::runs::can_run;
use notafter_core::{Container, CredentialKind, Decision, FindingCode, UnixTime};

fn at(text: &str) -> UnixTime {
    UnixTime::parse(text).unwrap()
}

#[test]
fn a_token_in_the_executable_blocks_in_the_second_of_its_exp() {
    if !can_run() {
        return;
    }
    let gated = gate("embedded-token", &["--candidate", "telemetry=short"], &[]);
    let finding = gated.is(Decision::Block, FindingCode::BreaksInWindow);
    assert_eq!(finding.bracket.unwrap().first_fail, at("2030-06-01T00:00:00Z"), "{}", gated.text);
    assert!(finding.bracket.unwrap().is_exact());
    let culprit = gated.culprit(finding);
    assert_eq!((culprit.kind, culprit.places[0].container), (CredentialKind::Jwt, Container::Text));
    assert_eq!(culprit.not_after, at("2030-05-31T23:59:59Z"));
    assert!(!gated.text.contains("eyJ"), "a token is a secret: {}", gated.text);
    let gated = gate("embedded-token", &["--candidate", "telemetry=long"], &[]);
    assert_eq!((gated.code, gated.verdict.decision), (Some(0), Decision::Allow), "{}", gated.text);
}

#[test]
fn a_revocation_list_in_the_executable_blocks_a_second_after_its_next_update() {
    if !can_run() {
        return;
    }
    let gated = gate("embedded-crl", &["--candidate", "gatekeeper=short"], &[]);
    let finding = gated.is(Decision::Block, FindingCode::BreaksInWindow);
    assert_eq!(finding.bracket.unwrap().first_fail, at("2030-06-01T00:00:01Z"), "{}", gated.text);
    assert!(finding.bracket.unwrap().is_exact());
    let culprit = gated.culprit(finding);
    assert_eq!((culprit.kind, culprit.places[0].container), (CredentialKind::Crl, Container::DerInElf));
    assert_eq!(culprit.not_after, at("2030-06-01T00:00:00Z"));
    let gated = gate("embedded-crl", &["--candidate", "gatekeeper=long"], &[]);
    assert_eq!((gated.code, gated.verdict.decision), (Some(0), Decision::Allow), "{}", gated.text);
}
