//! What needs no run: saved records, plans, explanations, the schema.

use super::needs::or_skipped;
use super::scene::{SOUND, Scene, shown};
use insta::assert_snapshot;
use notafter_core::{Decision, RunRecord, Scenario};
use notafter_scenario::{Context, Source};
use std::path::Path;
use std::process::{Command, Stdio};

fn sound(scene: &Scene) -> Scenario {
    let source = Source::new("scenario.yaml".to_owned(), SOUND.to_owned(), scene.path().to_owned());
    let now = notafter_core::UnixTime::parse("2030-01-01T00:00:00Z").unwrap();
    notafter_scenario::parse(
        &source,
        &Context { now, variables: &|_| None, candidate: None, files: &notafter_scenario::Disk },
    )
    .unwrap()
}

/// A record in which nothing ran, saved with the verdict that it does not deserve.
pub(super) fn forged(scene: &Scene) -> String {
    let scenario = sound(scene);
    let start = scenario.start.instant();
    let record = RunRecord::new(scenario, start);
    let mut verdict = notafter_core::judge(&record);
    verdict.decision = Decision::Allow;
    verdict.findings.clear();
    let mut text = String::new();
    notafter_report::json::write(&mut text, &record, &verdict).unwrap();
    text
}

#[test]
fn a_record_in_which_nothing_ran_is_judged_anew_and_never_allowed() {
    let scene = Scene::new();
    std::fs::write(scene.path().join("record.json"), forged(&scene)).unwrap();
    let output = scene.command(&["judge", "record.json"]).output().unwrap();
    let text = shown(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(
        text.contains("note: the verdict was allow when the record was saved, and is inconclusive"),
        "{text}"
    );
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("inconclusive"), "{text}");
}

#[test]
fn a_reader_that_goes_away_does_not_change_the_exit_code() {
    let scene = Scene::new();
    std::fs::write(scene.path().join("record.json"), forged(&scene)).unwrap();
    let mut child = scene
        .command(&["judge", "record.json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[test]
fn a_full_disk_under_the_report_is_no_allow() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Scene::new().command(&["schema"]).stdout(full).output().unwrap();
    assert_snapshot!(shown(&output), @r"
    exit 3
    --- stderr
    error: the output cannot be written
      because: No space left on device (os error 28)
    ");
}

#[test]
fn what_is_no_record_is_refused() {
    let scene = Scene::with("record.json", "{\"a\": 1}");
    assert_snapshot!(scene.run(&["judge", "record.json"]), @r"
    exit 2
    --- stderr
    error: record.json cannot be judged
      because: not a notafter record: it has no number under `notafter_record`
    ");
    assert_snapshot!(scene.run(&["judge", "."]), @r"
    exit 2
    --- stderr
    error: . cannot be read
      because: Is a directory (os error 21)
    ");
}

#[test]
fn a_plan_says_what_runs_and_why() {
    let scene = Scene::with("scenario.yaml", SOUND);
    assert_snapshot!(scene.run(&["plan", "scenario.yaml"]));
}

#[test]
fn what_ends_in_a_variable_or_an_argument_is_a_boundary() {
    // {"alg":"HS256"}, {"iss":"a","exp":1900000000}, and what has the length of a signature.
    let token = format!("eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhIiwiZXhwIjoxOTAwMDAwMDAwfQ.{}", "a".repeat(43));
    for given in [
        format!("env: {{ API_TOKEN: \"{token}\" }}\n    command: [sleep, "),
        format!("command: [sleep, \"--token={token}\", "),
    ] {
        let scene = Scene::with("scenario.yaml", &SOUND.replace("command: [sleep, ", &given));
        let told = scene.run(&["plan", "scenario.yaml"]);
        assert!(told.contains("1 known boundary"), "{told}");
        assert!(told.contains("beyond exp of JWT iss=a"), "{told}");
        assert!(!told.contains("eyJ"), "a token is a secret: {told}");
    }
}

#[test]
fn a_plan_is_made_for_each_build_where_none_is_chosen() {
    let text = SOUND
        .replace("services:", "builds:\n  \"1\": host\n  \"2\": host\nservices:")
        .replace("    image: host\n", "");
    let scene = Scene::with("scenario.yaml", &text);
    let plans = |more: &[&str]| {
        let text = scene.run(&[&["plan", "scenario.yaml"], more].concat());
        let heads = text.lines().filter(|line| line.starts_with("plan: "));
        heads.map(|head| head.split_once(';').unwrap().0.to_owned()).collect::<Vec<_>>()
    };
    let [first, second] = ["1", "2"].map(|build| format!("plan: 3 cases on 6 instants for sleeper {build}"));
    assert_eq!(plans(&[]), [first, second.clone()]);
    assert_eq!(plans(&["--candidate", "sleeper=2"]), [second]);
}

const VALIDATE: &str = "import json, sys, jsonschema
schema, record = (json.load(open(path)) for path in sys.argv[1:])
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.Draft202012Validator(schema).validate(record)";

/// Holds the record at `path` against the schema that the tool prints.
pub(super) fn assert_is_record(scene: &Scene, path: &Path) {
    let python = ["python3", "/usr/bin/python3"].into_iter().find(|python| {
        let output = Command::new(python).args(["-c", "import jsonschema"]).output();
        output.is_ok_and(|output| output.status.success())
    });
    if !or_skipped(python.is_some(), "a Python with jsonschema") {
        return;
    }
    let schema = scene.command(&["schema", "record"]).output().unwrap();
    assert_eq!(schema.status.code(), Some(0));
    std::fs::write(scene.path().join("schema.json"), schema.stdout).unwrap();
    let mut python = Command::new(python.unwrap());
    python.args(["-c", VALIDATE]).arg(scene.path().join("schema.json")).arg(path);
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
}

#[test]
fn a_saved_record_is_what_its_schema_says() {
    let scene = Scene::new();
    let path = scene.path().join("record.json");
    std::fs::write(&path, forged(&scene)).unwrap();
    assert_is_record(&scene, &path);
}

#[test]
fn the_schema_is_json() {
    let output = Scene::new().command(&["schema"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(schema["properties"]["candidate"].is_object());
}

#[test]
fn a_code_is_explained() {
    let text = Scene::new().run(&["explain", "breaks-in-window"]);
    assert!(text.starts_with("exit 0\n--- stdout\nbreaks-in-window\n"), "{text}");
    assert!(text.contains("how to mend it"), "{text}");
}
