//! Nights: every scenario of a folder, one after the other, kept from night to night.

use super::records::assert_is_record;
use super::runs::can_run;
use super::scene::{SOUND, Scene, shown};
use serde_json::Value;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};

/// Works until the end of June 2030.
const BREAKS: &str = "\
notafter: 1
name: breaks
start: 2030-06-20T00:00:00Z
support: 12d
candidate: clerk
services:
  clerk:
    image: host
    command: [sleep, infinity]
checks:
  opens:
    probe: { exec: { service: clerk, command: [sh, -c, 'test \"$(date -u +%m)\" -lt 7'] } }
    expect: { works: { exit: 0 } }
";

fn sound() -> String {
    SOUND.replace("support: 1y", "support: 10d")
}

fn folder(scenarios: &[(&str, String)]) -> Scene {
    let scene = Scene::new();
    for (name, text) in scenarios {
        write(&scene, name, text);
    }
    scene
}

fn write(scene: &Scene, name: &str, text: &str) {
    let directory = scene.path().join("scenarios").join(name);
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("scenario.yaml"), text).unwrap();
}

/// The exit code of a night, and its summary without what differs from run to run.
fn night(scene: &Scene, more: &[&str]) -> (Option<i32>, String, String) {
    let output = scene.command(&[&["nightly", "scenarios"], more].concat()).output().unwrap();
    let summary = String::from_utf8(output.stdout.clone()).unwrap();
    (output.status.code(), summary, shown(&output))
}

fn history(scene: &Scene, arguments: &[&str]) -> Value {
    let output = scene.command(&[&["history", "--json"], arguments].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn section<'a>(summary: &'a str, title: &str) -> &'a str {
    let from = summary.find(&format!("\n{title}:")).unwrap_or_else(|| panic!("no {title}: {summary}")) + 1;
    let rest = &summary[from..];
    rest.find("\n\n").map_or(rest, |to| &rest[..to])
}

#[test]
fn a_night_goes_on_after_failures_and_the_next_one_says_what_has_changed() {
    if !can_run() {
        return;
    }
    let scene = folder(&[
        ("breaks", BREAKS.to_owned()),
        ("deep/sound", sound()),
        ("hurried", sound().replace("support:", "budget: 1ms\nsupport:")),
        ("typo", sound().replace("command:", "comand:")),
    ]);
    let (code, first, told) = night(&scene, &[]);
    assert_eq!(code, Some(1), "the worst counts: {told}");
    insta::assert_snapshot!(first);

    write(&scene, "breaks", &BREAKS.replace("-lt 7", "-lt 9"));
    std::fs::remove_dir_all(scene.path().join("scenarios/typo")).unwrap();
    let (code, second, told) = night(&scene, &["--quiet", "--keep", "kept"]);
    assert_eq!(code, Some(3), "what could not be looked at is no allow: {told}");
    assert_eq!(section(&second, "new"), "new: nothing");
    let healed = section(&second, "healed");
    assert!(healed.contains("block        breaks: clerk breaks at 2030-07-01T00:00:00Z"), "{healed}");
    assert!(section(&second, "turned").contains("allow        breaks, was block"), "{second}");
    let gone = section(&second, "judged in the night before, and not there any more");
    assert!(gone.ends_with("\n  typo"), "{second}");
    assert!(!told.contains("--- stderr"), "{told}");
    let kept = std::fs::read_dir(scene.path().join("kept/deep/sound")).unwrap().next().unwrap().unwrap();
    assert_is_record(&scene, &kept.path().join("record.json"));

    write(&scene, "typo", "notafter: 1");
    std::fs::remove_dir_all(scene.path().join("scenarios/breaks")).unwrap();
    std::fs::remove_dir_all(scene.path().join("scenarios/deep")).unwrap();
    let (code, third, told) = night(&scene, &[]);
    assert_eq!(code, Some(2), "what cannot be read is no silence: {told}");
    let gone = section(&third, "judged in the night before, and not there any more");
    assert!(gone.ends_with("\n  breaks\n  deep/sound"), "{third}");

    let again = scene.run(&["history", "--night", "3"]);
    assert_eq!(again, format!("exit 0\n--- stdout\n{}", third.trim_end()), "a summary can be told again");
    let clerk = history(&scene, &["--service", "clerk"]);
    let standings: Vec<&Value> =
        clerk["entries"].as_array().unwrap().iter().map(|entry| &entry["standing"]).collect();
    assert_eq!(standings, ["block", "allow"]);
    let nights = scene.run(&["history", "--last", "2"]);
    assert!(nights.contains("1 inconclusive and 2 allow"), "{nights}");
    assert!(!nights.contains("1 block"), "{nights}");
}

/// A night that goes on, with what it tells.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Running {
    fn start(scene: &Scene) -> Self {
        let mut command = scene.command(&["nightly", "scenarios", "--verbose"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines }
    }

    fn until(&mut self, said: &str) {
        let mut told = Vec::new();
        for line in self.lines.by_ref().map(Result::unwrap) {
            told.push(line);
            if told.last().is_some_and(|line| line.contains(said)) {
                return;
            }
        }
        panic!("never said {said:?}: {told:#?}");
    }

    fn end_by(&mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        // Whoever writes into a full pipe does not end.
        self.lines.by_ref().for_each(|line| drop(line.unwrap()));
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[test]
fn a_night_that_is_killed_loses_nothing_and_goes_on_where_it_stopped() {
    if !can_run() {
        return;
    }
    let never = "image: host\n    ready: { log: { contains: never-said }, within: 600s }";
    let scene = folder(&[("a", sound()), ("b", sound().replace("image: host", never))]);
    let mut running = Running::start(&scene);
    running.until("allow         a: nothing breaks through");
    running.until("control: started");
    let busy = scene.run(&["nightly", "scenarios"]);
    assert_eq!(busy, "exit 3\n--- stderr\nerror: another night writes to notafter-history.sqlite");
    assert_eq!(running.end_by("-KILL"), None);

    let killed = history(&scene, &[]);
    assert_eq!(killed["nights"][0]["ended"], Value::Null);
    assert_eq!(killed["entries"].as_array().unwrap().len(), 1);
    let judged_at = killed["entries"][0]["at"].clone();

    let mut running = Running::start(&scene);
    running.until("night 1 goes on; judged before it was interrupted: 1");
    running.until("control: started");
    assert_eq!(running.end_by("-TERM"), Some(3));
    assert_eq!(history(&scene, &[])["entries"], killed["entries"], "what was interrupted is no verdict");

    write(&scene, "b", &sound());
    let (code, _, told) = night(&scene, &[]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("night 1 of scenarios: 2 allow"), "{told}");
    let through = history(&scene, &[]);
    assert!(through["nights"][0]["ended"].is_string());
    assert_eq!(through["entries"][0]["at"], judged_at, "it was not judged again");
    assert_eq!(through["entries"][1]["judged"]["scenario"], "b");
}

#[test]
fn mistakes_of_the_caller_are_told_and_nothing_is_made() {
    let scene = Scene::new();
    std::fs::create_dir(scene.path().join("empty")).unwrap();
    insta::assert_snapshot!(scene.run(&["nightly", "empty"]), @r"
    exit 2
    --- stderr
    error: there is no scenario in empty
      help: a folder holds directories with a scenario.yaml; `notafter init` writes a first one
    ");
    insta::assert_snapshot!(scene.run(&["history"]), @r"
    exit 2
    --- stderr
    error: there is no history at notafter-history.sqlite
      help: `notafter nightly` makes one; --history says where it lies
    ");
    insta::assert_snapshot!(scene.run(&["history", "--service", "a b"]), @r"
    exit 2
    --- stderr
    error: no service is called so
      because: `a b` is not a name: use 1 to 63 letters, digits, `.`, `_` or `-`, starting with a letter or digit
    ");
    let text = "a text of mine, which is longer than a hundred bytes. ".repeat(9);
    std::fs::write(scene.path().join("mine.sqlite"), &text).unwrap();
    write(&scene, "sound", &sound());
    insta::assert_snapshot!(scene.run(&["nightly", "scenarios", "--history", "mine.sqlite"]), @r"
    exit 2
    --- stderr
    error: mine.sqlite is no history of nights, and is left alone
    ");
    assert_eq!(std::fs::read_to_string(scene.path().join("mine.sqlite")).unwrap(), text);
}
