//! Erlang steers a clock of its own towards the kernel's, and is hours wrong after a leap unless it may let its clock leap.

use super::gated::{Gated, gate_text};
use crate::needs::can_run_with;
use notafter_core::{Decision, FindingCode};

/// A service that looks once a day whether its clock differs from the kernel's by more than it may, in seconds, and ends
/// where it does.
fn gate(may_differ: u32, flags: &str) -> Gated {
    let program = format!(
        "io:format(\"up~n\"), F = fun(G) -> case abs(erlang:system_time(second) - os:system_time(second)) of \
         D when D > {may_differ} -> halt(7); _ -> ok end, receive after 86400000 -> G(G) end end, F(F)."
    );
    let command = serde_json::to_string(&["erl", "-noshell", "-eval", &program]).unwrap();
    gate_text(&format!(
        "notafter: 1\nname: steered\nstart: 2030-01-01T00:00:00Z\nsupport: 1y\ncandidate: vm\nservices:\n  \
         vm: {{ image: host, command: {command}, env: {{ HOME: /tmp, ERL_ZFLAGS: '{flags}' }}, \
         ready: {{ log: {{ contains: up }} }} }}\n\
         checks:\n  lives: {{ probe: {{ alive: {{ service: vm }} }}, expect: {{ works: {{}} }} }}\n"
    ))
}

#[test]
fn a_clock_that_erlang_steers_is_not_believed() {
    if !can_run_with(&["erl"]) {
        return;
    }
    let steered = gate(1_000_000, "");
    let finding = steered.is(Decision::Inconclusive, FindingCode::Unshifted);
    assert!(finding.summary.contains("ERL_ZFLAGS=\"+C multi_time_warp\""), "{}", steered.text);
    // Between two looks of its own, which it takes once a minute, it goes on while wall time stands still.
    let leaping = gate(100, "+C multi_time_warp");
    assert_eq!((leaping.code, leaping.verdict.decision), (Some(0), Decision::Allow), "{}", leaping.text);
}
