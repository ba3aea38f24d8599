//! What an answer looks like: each way to say so finds the second in which it changes, though its status stays 200.

use super::needs::{can_run_with, repository};
use super::scene::{Scene, shown};
use notafter_core::{Decision, RunRecord, Test};

/// Gates a build, with one thing replaced in the scenario; none where the machine lacks a program.
fn gated(build: &str, (from, to): (&str, &str)) -> Option<(Decision, RunRecord, String)> {
    if !can_run_with(&["nginx", "curl"]) {
        return None;
    }
    let scene = Scene::new();
    scene.open_to_others();
    let folder = repository().join("scenarios/answers");
    let text = std::fs::read_to_string(folder.join("scenario.yaml")).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(scene.path().join("scenario.yaml"), text.replacen(from, to, 1)).unwrap();
    std::fs::copy(folder.join("nginx.conf"), scene.path().join("nginx.conf")).unwrap();
    let candidate = format!("site={build}");
    let mut command = scene.command(&["gate", "scenario.yaml", "--report", "json=record.json"]);
    let text = shown(&command.args(["--candidate", &candidate]).output().unwrap());
    let json = std::fs::read_to_string(scene.path().join("record.json")).unwrap_or_else(|_| panic!("{text}"));
    let (record, verdict) = notafter_report::json::read(&json).unwrap();
    Some((verdict.decision, record, text))
}

#[test]
fn an_answer_that_changes_blocks_to_the_second_and_one_that_does_not_is_allowed() {
    if !can_run_with(&["nginx", "curl"]) {
        return;
    }
    let path = repository().join("scenarios/answers");
    let text = Scene::new().run(&["replay", path.to_str().unwrap()]);
    assert!(text.starts_with("exit 0\n"), "{text}");
}

#[test]
fn the_report_tells_what_was_read_and_the_record_holds_it() {
    let Some((decision, record, text)) = gated("broken", ("budget: 120s", "budget: 100s")) else { return };
    assert_eq!(decision, Decision::Block, "{text}");
    for words in [
        "/state of the JSON is \"licence-over\"",
        "header X-State is \"licence-over\"",
        "/\"state\": \"up\"/ does not match the answer",
        "and was \"{\\\"state\\\": \\\"up\\\"",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let looks = record.cases.iter().flat_map(|case| &case.observations);
    let compared = looks.flat_map(|look| &look.readings).filter(|reading| {
        matches!(reading.assertion.test, Test::SameAsControl { .. }) && reading.control.is_some()
    });
    assert!(compared.count() >= 8, "{text}");
}

/// What differs every time cannot be told from what breaks: it is never allowed.
#[test]
fn a_time_that_nobody_masks_is_not_allowed() {
    let unmasked = ("{ mask: '\\d{4}-\\d\\d-\\d\\dT[\\d:]+\\+00:00' }", "{}");
    let Some((decision, _, text)) = gated("repaired", unmasked) else { return };
    assert_ne!(decision, Decision::Allow, "{text}");
}
