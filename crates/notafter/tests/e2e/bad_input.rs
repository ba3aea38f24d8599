//! Scenarios that are wrong, or whose services are: each ends with a message that says where and why, with 2 or 3, and
//! leaves nothing running.

use super::left::nothing_is_left;
use super::runs::can_run;
use super::scene::{SOUND, Scene, shown};
use insta::assert_snapshot;
use std::process::Stdio;

const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/scenarios");
/// The command of [`SOUND`].
const SLEEP: &str = "[sleep, \"1000000\"]";

/// Gates the scenario and leaves out what changes from run to run: where the report begins to tell of times.
fn gate(text: &str) -> String {
    assert_ne!(text, SOUND);
    gate_in(&Scene::with("scenario.yaml", text), "scenario.yaml")
}

fn gate_in(scene: &Scene, scenario: &str) -> String {
    let mut command = scene.command(&["gate", scenario, "--quiet"]);
    if scenario.ends_with("-port.yaml") {
        // What is built from the workspace has to lie in it.
        command.current_dir(SCENARIOS);
    }
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let runner = child.id();
    let output = child.wait_with_output().unwrap();
    assert!(matches!(output.status.code(), Some(2 | 3)), "{}", shown(&output));
    nothing_is_left(runner, "odd-listener");
    let text = shown(&output);
    match text.split_once("\ncoverage:") {
        Some((before, _)) => before.to_owned(),
        None => text,
    }
}

#[test]
fn an_unknown_key() {
    assert_snapshot!(gate(&SOUND.replace("command:", "comand:")));
}

#[test]
fn a_wrong_type() {
    assert_snapshot!(gate(&SOUND.replace("support: 1y", "support: [1y]")));
}

#[test]
fn an_undefined_credential() {
    let files = "image: host\n    files: { /etc/tls.pem: { certificate: nobody } }";
    assert_snapshot!(gate(&SOUND.replace("image: host", files)));
}

#[test]
fn a_cycle_in_needs() {
    let needs = "image: host\n    needs: [other]";
    let other = format!("services:\n  other: {{ image: host, command: {SLEEP}, needs: [sleeper] }}");
    assert_snapshot!(gate(&SOUND.replace("image: host", needs).replace("services:", &other)));
}

#[test]
fn an_image_that_does_not_exist() {
    assert_snapshot!(gate(&SOUND.replace("image: host", "image: \"rootfs:no-such-tree\"")));
}

#[test]
fn a_binary_that_the_workspace_does_not_have() {
    let image = "image: { cargo: { package: no-such-package, bin: no-such-bin } }";
    let text = gate(&SOUND.replace("image: host", image));
    // Outside a workspace it is cargo that says so, in its own words.
    assert!(text.starts_with("exit 2") || text.starts_with("exit 3"), "{text}");
    assert!(text.contains("scenario.yaml:7:3"), "{text}");
}

#[test]
fn two_services_that_declare_one_port() {
    let ready = format!("command: {SLEEP}\n    ready: {{ tcp: {{ port: 80 }} }}");
    let other =
        format!("services:\n  other: {{ image: host, command: {SLEEP}, ready: {{ tcp: {{ port: 80 }} }} }}");
    let text = SOUND.replace(&format!("command: {SLEEP}"), &ready).replace("services:", &other);
    assert_snapshot!(gate(&text));
}

#[test]
fn a_support_window_that_ends_before_it_begins() {
    assert_snapshot!(gate(&SOUND.replace("support: 1y", "support: -1y")));
}

#[test]
fn an_instant_that_overflows() {
    assert_snapshot!("support", gate(&SOUND.replace("support: 1y", "support: 9000y")));
    assert_snapshot!("start", gate(&SOUND.replace("start: 2030-01-01", "start: 9999-12-31")));
}

#[test]
fn a_command_that_cannot_start() {
    if can_run() {
        assert_snapshot!(gate(&SOUND.replace(SLEEP, "[/no/such/program]")));
    }
}

#[test]
fn a_service_that_never_gets_ready() {
    if can_run() {
        let command = "[sh, -c, \"echo waiting for a licence server; exec sleep 1000000\"]";
        let ready = format!("{command}\n    ready: {{ tcp: {{ port: 80 }}, within: 300ms }}");
        assert_snapshot!(gate(&SOUND.replace(SLEEP, &ready)));
    }
}

#[test]
fn a_check_that_fails_already_in_control() {
    if can_run() {
        let command = "[sh, -c, \"echo up and running; exec sleep 1000000\"]";
        let exec = "exec: { service: sleeper, command: [sh, -c, \"echo no route to the register; exit 7\"] }";
        assert_snapshot!(gate(&SOUND.replace(SLEEP, command).replace("alive: { service: sleeper }", exec)));
    }
}

#[test]
fn two_services_that_listen_on_one_port() {
    if can_run() {
        assert_snapshot!(gate_in(&Scene::new(), "two-on-one-port.yaml"));
    }
}

#[test]
fn a_budget_that_is_exceeded() {
    if can_run() {
        let command = "[sh, -c, \"echo warming up; exec sleep 1000000\"]";
        let ready = format!("{command}\n    ready: {{ tcp: {{ port: 80 }}, within: 30s }}");
        let text = SOUND.replace(SLEEP, &ready).replace("services:", "budget: 1s\nservices:");
        assert_snapshot!(gate(&text));
    }
}

#[test]
fn a_support_window_in_the_past_is_remarked() {
    if can_run() {
        // The incident that a scenario retells may lie in the past: that alone is no mistake.
        let text = SOUND.replace("start: 2030", "start: 2019").replace("\"1000000\"", "\"1000000000\"");
        let text = Scene::with("scenario.yaml", &text).run(&["gate", "scenario.yaml", "--quiet"]);
        assert!(text.starts_with("exit 0\n"), "{text}");
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let remark = "the support window ended at 2020-01-01T00:00:00Z: this says nothing about a release from today on";
        assert!(words.contains(remark), "{text}");
    }
}

/// A nightly run that comes a week too late.
#[test]
fn a_build_that_is_broken_already_blocks() {
    if !can_run() {
        return;
    }
    let scene = Scene::new();
    let scenario = format!("{SCENARIOS}/ended-last-week.yaml");
    let output = scene.command(&["gate", &scenario, "--quiet", "--keep", "kept"]).output().unwrap();
    let text = shown(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let verdict = std::fs::read_to_string(scene.path().join("kept/verdict.json")).unwrap();
    let verdict: notafter_core::Verdict = serde_json::from_str(&verdict).unwrap();
    let finding = &verdict.findings[0];
    assert_eq!(finding.code.as_str(), "already-broken", "{text}");
    // To the second: a week before `start`, which is now.
    let record = std::fs::read_to_string(scene.path().join("kept/record.json")).unwrap();
    let (record, _) = notafter_report::json::read(&record).unwrap();
    let broken = record.scenario.start.instant().plus_secs(-7 * 86_400 + 1);
    assert_eq!(finding.bracket.unwrap().first_fail, broken, "{text}");
    assert!(text.contains(&format!("block: licensed is broken already, since {broken}")), "{text}");
    assert!(text.contains("CN=licence ends at"), "{text}");
}
