//! Peers that must be turned away are, beside a valid one that is let in; one that is let in blocks the release.

use super::edited::gate;
use super::needs::or_skipped;
use notafter_core::{Decision, FindingCode};
use std::path::Path;

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

/// Who takes a token that has ended works for ever, and so it is blocked at once; that one check alone shows it. The same
/// program without that line is allowed, and refusing everybody is no pass.
#[test]
fn an_api_that_takes_tokens_that_have_ended_fails_open() {
    let library = Path::new("/usr/lib/python3/dist-packages/jwt/__init__.py");
    if !or_skipped(library.exists(), "PyJWT, of Debian's package python3-jwt") {
        return;
    }
    let asked = |habit| gate("token-api", "python3", &[("HABIT", habit)], &[]);
    for (habit, kind) in [("forgets-dates", "expired"), ("trusts-anybody", "unknown-issuer")] {
        let Some(gated) = asked(habit) else { return };
        assert_eq!(gated.worst().code, FindingCode::FailOpen, "{}", gated.text);
        let names: Vec<&str> = gated.worst().checks.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [format!("shop-gets-in-refuses-{kind}-token")], "{}", gated.text);
    }
    let Some(gated) = asked("verifies") else { return };
    assert_eq!(gated.verdict.decision, Decision::Allow, "{}", gated.text);
    let Some(gated) = asked("closed") else { return };
    assert_eq!(gated.worst().code, FindingCode::ControlFails, "{}", gated.text);
}

/// The token is a secret that no record holds; its end is named to the second.
#[test]
fn a_token_that_ends_blocks_and_is_shown_nowhere() {
    let library = Path::new("/usr/lib/python3/dist-packages/jwt/__init__.py");
    if !or_skipped(library.exists(), "PyJWT, of Debian's package python3-jwt") {
        return;
    }
    let Some(gated) = gate("token-api", "python3", &[("LOGIN_LIFE", "90d")], &[]) else { return };
    assert_eq!(gated.worst().code, FindingCode::BreaksInWindow, "{}", gated.text);
    assert_eq!(gated.first_fail(), 89 * 86_400 + 1, "{}", gated.text);
    let record = serde_json::to_string(&gated.record).unwrap();
    assert!(
        record.contains("sub=shop") && !record.contains("eyJ") && !gated.text.contains("eyJ"),
        "{}",
        gated.text
    );
}

/// Who looks into a revocation list and not at its end lets in whoever was revoked since.
#[test]
fn a_door_that_takes_a_stale_revocation_list_fails_open() {
    let asked = |habit| gate("revocation-list", "openssl", &[("HABIT", habit)], &[]);
    let Some(gated) = asked("undated") else { return };
    assert_eq!(gated.worst().code, FindingCode::FailOpen, "{}", gated.text);
    let names: Vec<&str> = gated.worst().checks.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["partner-gets-in-refuses-stale-crl"], "{}", gated.text);
    let Some(gated) = asked("checked") else { return };
    assert_eq!(gated.verdict.decision, Decision::Allow, "{}", gated.text);
}
