//! Real runs on the machine's own clock, one case at a time. What a shifted clock shows is told by the scenarios of
//! the repository.

use super::needs::or_skipped;
use super::records::assert_is_record;
use super::scene::{Scene, shown};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

/// A service that says `hello` and a secret, and sleeps for `nap` seconds.
fn scenario(nap: &str, rest: &str) -> String {
    format!(
        "\
notafter: 1
name: native
start: now
support: 1y
candidate: sleeper
credentials:
  root: {{ x509: {{ ca: root, subject: \"CN=Root\", key: p256, validity: {{ from: \"start - 1d\", until: \"support.end + 1d\" }} }} }}
services:
  sleeper:
    image: host
    command: [sh, -c, \"echo hello $TOKEN; exec sleep {nap}\"]
    env: {{ TOKEN: {{ secret: SLEEPER_TOKEN }} }}
    files: {{ /etc/sleeper/tls.key: {{ key: root }} }}
    {rest}
checks:
  sleeps: {{ probe: {{ alive: {{ service: sleeper }} }}, expect: {{ works: {{}} }} }}
  echoes: {{ probe: {{ exec: {{ service: sleeper, command: [sh, -c, \"echo $TOKEN\"] }} }}, expect: {{ works: {{ exit: 0 }} }} }}
"
    )
}

const NATIVE: [&str; 4] = ["gate", "scenario.yaml", "--case", "control-native"];
const SECRET: &str = "correct-horse-battery";

/// Whether the machine lets this user make sandboxes.
pub(super) fn can_run() -> bool {
    let told = Scene::new().run(&["doctor"]);
    let works = told.starts_with("exit 0\n");
    or_skipped(works, &format!("sandboxes:\n{told}"))
}

fn gate(scenario: &str, more: &[&str]) -> (Scene, Option<i32>, String) {
    let scene = Scene::with("scenario.yaml", scenario);
    let output = scene.command(&[&NATIVE, more].concat()).env("SLEEPER_TOKEN", SECRET).output().unwrap();
    let text = shown(&output);
    (scene, output.status.code(), text)
}

#[test]
fn one_case_that_passes_is_no_allow() {
    if !can_run() {
        return;
    }
    let (_, code, text) = gate(&scenario("1000", ""), &[]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("inconclusive: one case only; case control-native passes"), "{text}");
}

#[test]
fn one_case_that_fails_blocks_and_shows_the_log() {
    if !can_run() {
        return;
    }
    let (_, code, text) =
        gate(&scenario("1000 && exit 4", "ready: { log: { contains: never-said }, within: 300ms }"), &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("case control-native fails"), "{text}");
    assert!(text.contains("not ready within 0.3 s: no line of its log contains \"never-said\""), "{text}");
    assert!(text.contains("hello [secret SLEEPER_TOKEN]"), "{text}");
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    if !can_run() {
        return;
    }
    let text = scenario("1000", "").replace("[sh, -c, \"echo hello", "[/no/such/program, -c, \"echo hello");
    let (_, code, text) = gate(&text, &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("/no/such/program"), "{text}");
}

#[test]
fn what_is_kept_and_reported_holds_no_secret_and_no_key() {
    if !can_run() {
        return;
    }
    let (scene, code, text) = gate(
        &scenario("1000", "ready: { log: { contains: hello } }"),
        &["--keep", "kept", "--report", "json=record.json"],
    );
    assert_eq!(code, Some(3), "{text}");
    let log = std::fs::read_to_string(scene.path().join("kept/cases/control-native/sleeper.log")).unwrap();
    assert_eq!(log, "hello [secret SLEEPER_TOKEN]\n");
    let kept = ["kept/plan.txt", "kept/record.json", "kept/report.txt", "kept/verdict.json", "record.json"];
    let all: String =
        kept.iter().map(|file| std::fs::read_to_string(scene.path().join(file)).unwrap()).collect();
    assert!(!format!("{all}{text}").contains(SECRET));
    assert!(!all.contains("PRIVATE KEY"));
    assert_is_record(&scene, &scene.path().join("record.json"));
}

/// Ends the child whatever happens to the test.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
fn a_signal_ends_the_run_in_order_and_leaves_nothing() {
    if !can_run() {
        return;
    }
    // A number that no other process sleeps for.
    let nap = format!("1{:09}", std::process::id());
    let text = scenario(&nap, "ready: { log: { contains: never-said }, within: 600s }");
    let scene = Scene::with("scenario.yaml", &text);
    let child = scene
        .command(&NATIVE)
        .env("SLEEPER_TOKEN", SECRET)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Reaped(child);
    let stderr = BufReader::new(child.0.stderr.take().unwrap());
    let mut lines = stderr.lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("case control-native: started")));
    until("the service sleeps", || sleepers(&nap) > 0);

    let pid = child.0.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let status = child.0.wait().unwrap();
    assert_eq!(status.code(), Some(3));
    assert!(lines.any(|line| line.contains("control-native: error")), "the case ends in order");
    until("nothing is left", || sleepers(&nap) == 0);
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("not within 5 s: {what}");
}

/// How many processes have `argument` on their command line as a word of its own.
fn sleepers(argument: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.split(|byte| *byte == 0).any(|word| word == argument.as_bytes())).count()
}
