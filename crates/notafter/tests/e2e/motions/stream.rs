//! What must go on: a service that has fallen silent still answers, and only its log tells.

use super::gated::{Gated, gate_text};
use crate::runs::can_run;
use notafter_core::{Decision, FindingCode};

fn gate(support: &str, command: &str, every: &str) -> Gated {
    gate_text(&format!(
        "notafter: 1\nname: tap\nstart: 2030-01-01T00:00:00Z\nsupport: {support}\ncandidate: tap\nservices:\n  \
         tap: {{ image: host, command: [sh, -c, '{command}'] }}\nchecks:\n  \
         goes-on: {{ probe: {{ log: {{ service: tap, contains: inspected, every: {every} }} }}, expect: {{ works: {{}} }} }}\n"
    ))
}

#[test]
fn a_stream_that_ceases_between_two_stops_is_not_allowed() {
    if !can_run() {
        return;
    }
    for silent in [
        "sleep 1; echo inspected; exec sleep infinity",
        "while test $(date +%s) -lt 1900000000; do echo inspected; sleep 21600; done; exec sleep infinity",
    ] {
        let gated = gate("1y", silent, "1d");
        assert_ne!(gated.verdict.decision, Decision::Allow, "{}", gated.text);
        assert_eq!(gated.verdict.findings[0].checks[0].0.as_str(), "goes-on", "{}", gated.text);
    }
    let steady = gate("1y", "while :; do echo inspected; sleep 21600; done", "1d");
    assert_eq!(steady.verdict.decision, Decision::Allow, "{}", steady.text);
}

#[test]
fn a_stream_that_no_walk_came_to_look_at_is_not_allowed() {
    if !can_run() {
        return;
    }
    let finding = gate("1d", "exec sleep infinity", "2d");
    let finding = finding.is(Decision::Inconclusive, FindingCode::NothingChecked);
    assert!(finding.summary.contains("goes-on: its `every` never went by"), "{}", finding.summary);
}
