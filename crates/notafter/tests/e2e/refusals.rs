//! Peers that must be turned away are, beside a valid one that is let in; one that is let in blocks the release.

use super::edited::gate;
use notafter_core::{Decision, FindingCode};

/// nginx looks at the dates of a client's certificate, and keeps for itself whose it is.
#[test]
fn nginx_that_takes_certificates_of_anybody_fails_open() {
    let verifying = ("ssl_verify_client on", "ssl_verify_client optional_no_ca");
    let Some(gated) = gate("nginx-mtls", "nginx", &[("PARTNER_LIFE", "2y")], &[verifying]) else { return };
    assert_eq!(gated.verdict.decision, Decision::Block, "{}", gated.text);
    let worst = gated.worst();
    assert_eq!(worst.code, FindingCode::FailOpen, "{}", gated.text);
    assert_eq!(worst.services[0].as_str(), "front", "{}", gated.text);
    let names: Vec<&str> = worst.checks.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["steady-gets-in-refuses-unknown-issuer"], "{}", gated.text);
}

#[test]
fn mosquitto_that_asks_for_no_certificate_fails_open() {
    let open = [
        ("require_certificate true", "require_certificate false"),
        ("use_identity_as_username true", "use_identity_as_username false"),
        ("allow_anonymous false", "allow_anonymous true"),
    ];
    let Some(gated) = gate("mosquitto-mtls", "mosquitto", &[("DEVICE_LIFE", "2y")], &open) else { return };
    assert_eq!(gated.worst().code, FindingCode::FailOpen, "{}", gated.text);
}

/// A service that turns everybody away refuses strangers too, and that is no pass.
#[test]
fn nginx_that_turns_everybody_away_is_not_allowed() {
    let closed = ("return 200", "return 403");
    let Some(gated) = gate("nginx-mtls", "nginx", &[("PARTNER_LIFE", "2y")], &[closed]) else { return };
    assert_eq!(gated.verdict.decision, Decision::Inconclusive, "{}", gated.text);
    assert_eq!(gated.worst().code, FindingCode::ControlFails, "{}", gated.text);
}
