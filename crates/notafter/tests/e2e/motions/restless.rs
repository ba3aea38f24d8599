//! Services that never sleep: time goes on without them, and that is no allow.

use super::gated::{Gated, gate_under};
use crate::needs::can_run_with;
use notafter_core::{Decision, FindingCode};

/// Gates one service that runs `command`.
fn gate(command: &[&str], policy: Option<&str>) -> Gated {
    let command = serde_json::to_string(command).unwrap();
    let scenario = format!(
        "notafter: 1\nname: restless\nstart: 2030-01-01T00:00:00Z\nsupport: 1y\ncandidate: worker\nservices:\n  \
         worker: {{ image: host, command: {command} }}\nchecks:\n  lives: {{ probe: {{ alive: {{ service: worker }} \
         }}, expect: {{ works: {{}} }} }}\n"
    );
    gate_under(&scenario, policy)
}

/// Loops that never sleep, with the name of the process that is running.
const SPINNING: [(&str, &[&str]); 2] = [
    ("sh", &["sh", "-c", "while :; do :; done"]),
    ("perl", &["perl", "-e", "sleep 1 while $n++ < 1; 1 while 1"]),
];

/// The same with pauses, however short.
const RESTING: [&[&str]; 3] = [
    &["sh", "-c", "while :; do sleep 1; done"],
    &["perl", "-e", "sleep 1 while 1"],
    &["perl", "-e", "select undef, undef, undef, 0.001 while 1"],
];

#[test]
fn a_service_that_spins_is_inconclusive_and_named() {
    if !can_run_with(&["perl"]) {
        return;
    }
    for (process, command) in SPINNING {
        let gated = gate(command, None);
        let finding = gated.is(Decision::Inconclusive, FindingCode::NeverIdle);
        assert_eq!(finding.services.first().map(|name| name.as_str()), Some("worker"));
        let named = format!("({process})");
        assert!(finding.summary.contains(&named) && gated.text.contains(&named), "{}", gated.text);
        assert_eq!(gated.case("walk").restless.len(), 1, "{}", gated.text);
    }
}

#[test]
fn the_same_service_with_pauses_is_allowed() {
    if !can_run_with(&["perl"]) {
        return;
    }
    for command in RESTING {
        let gated = gate(command, None);
        assert_eq!((gated.code, gated.verdict.decision), (Some(0), Decision::Allow), "{}", gated.text);
    }
}

#[test]
fn an_owner_can_answer_for_a_service_that_spins() {
    if !can_run_with(&[]) {
        return;
    }
    let policy = "notafter = 1\n[[policy.waivers]]\ncode = 'never-idle'\nowner = 'ops'\nuntil = 2099-01-01T00:00:00Z\n\
                  reason = 'it polls hardware'\n";
    let gated = gate(SPINNING[0].1, Some(policy));
    assert_eq!((gated.code, gated.verdict.decision), (Some(0), Decision::Allow), "{}", gated.text);
    for told in ["never-idle", "waived by ops", "the policy of notafter.toml holds here too"] {
        assert!(gated.text.contains(told), "{told}: {}", gated.text);
    }
}
