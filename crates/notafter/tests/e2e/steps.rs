//! Checks of several steps: they see what no question alone would, and say in which step it ended.

use super::edited::{Gated, gated, laid_out};
use super::needs::{can_run_with, repository};
use super::scene::Scene;
use notafter_core::{Connection, Decision, Evidence, FindingCode};

const SCENARIO: &str = "order-by-session";

/// The repaired build; none where the machine lacks a program.
fn gate(env: &[(&str, &str)], edits: &[(&str, &str)]) -> Option<Gated> {
    let repaired = ["--candidate", "shop=repaired"];
    can_run_with(&["python3"]).then(|| gated(&laid_out(SCENARIO, edits), env, &repaired))
}

#[test]
fn a_login_that_answers_and_a_session_that_nobody_takes_block_to_the_second() {
    if !can_run_with(&["python3"]) {
        return;
    }
    let path = repository().join("scenarios").join(SCENARIO);
    let text = Scene::new().run(&["replay", path.to_str().unwrap()]);
    assert!(text.starts_with("exit 0\n"), "{text}");
}

/// The step is named, the cause is found through it, and a connection that is held lives on.
#[test]
fn a_certificate_that_is_shown_in_a_step_is_named() {
    let Some(gated) = gate(&[("SITE_LIFE", "60d")], &[]) else { return };
    let worst = gated.worst();
    assert_eq!(
        (worst.code, gated.first_fail()),
        (FindingCode::BreaksInWindow, 59 * 86_400 + 1),
        "{}",
        gated.text
    );
    let is_mended = |evidence: &Evidence| matches!(evidence, Evidence::CausalControl { .. });
    assert!(worst.evidence.iter().any(is_mended), "{}", gated.text);
    assert!(
        worst.seen.as_ref().is_some_and(|seen| seen.contains("step 1 of 3 (https shop)")),
        "{}",
        gated.text
    );
    let fallen: Vec<_> = worst.checks.iter().flat_map(|(_, connections)| connections).collect();
    assert_eq!(fallen, [&Connection::Fresh], "{}", gated.text);
}

/// What a step does not find is told, and what another found stands in no record.
#[test]
fn a_step_that_captures_nothing_says_so_and_sessions_stand_nowhere() {
    let elsewhere = ("header: Location }", "header: X-Order }");
    let Some(gated) = gate(&[], &[elsewhere]) else { return };
    assert_eq!(gated.worst().code, FindingCode::ControlFails, "{}", gated.text);
    let told = "there is no header X-Order, so nothing is captured as ORDER";
    assert!(gated.worst().seen.as_ref().is_some_and(|seen| seen.contains(told)), "{}", gated.text);

    let echoed = ("{\"number\": number,", "{\"number\": number, \"by\": self.headers[\"Authorization\"],");
    let Some(gated) = gate(&[], &[echoed]) else { return };
    assert_eq!(gated.verdict.decision, Decision::Allow, "{}", gated.text);
    let record = serde_json::to_string(&gated.record).unwrap();
    assert!(record.contains("Bearer {{SESSION}}") && !record.contains("Bearer ey"), "{record}");
    let bearers = record.matches("Bearer ").count();
    assert_eq!(bearers, record.matches("Bearer {{SESSION}}").count(), "{record}");
}
