//! Times of files under a shifted clock: real where nobody asks for anything else, those of the clock where somebody does.

use super::at::guest;
use super::needs::are_installed;
use super::scene::{Scene, shown};
use notafter_backend::{
    Backend, ClockSpec, Embedded, ExecOutcome, LaunchSpec, RootTree, Sandbox, SandboxSpec,
};
use notafter_core::{ClockReading, FileTimes, Motion, Pace, ServiceName, UnixTime};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);
const START: i64 = 1_900_000_000;
const DAY: i64 = 86_400;

/// What the guest says in a directory of its own, started by `how`.
fn said(scene: &Scene, how: &[&str], directory: &str) -> Output {
    let directory = scene.path().join(directory);
    std::fs::create_dir(&directory).unwrap();
    let guest = scene.path().join("stamps");
    let mut command = match how {
        [] => Command::new(&guest),
        _ => {
            let mut command = scene.command(how);
            command.arg(&guest);
            command
        }
    };
    let output = command.current_dir(directory).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{how:?}: {}", shown(&output));
    output
}

#[test]
fn every_way_of_asking_shows_the_clock_that_wrote_the_file() {
    if !are_installed(&["cc"]) {
        return;
    }
    let scene = Scene::new();
    guest(&scene, "stamps", "cc", &["-lpthread"]);
    let native = said(&scene, &[], "native");
    let text = String::from_utf8_lossy(&native.stdout);
    assert!(text.lines().filter(|line| line.ends_with(": now")).count() >= 19, "{text}");
    for (name, instant) in [("ahead", "+1y"), ("behind", "2018-11-01T00:00:00Z")] {
        let shifted = said(&scene, &["at", "--file-times", instant, "--"], name);
        assert_eq!(String::from_utf8_lossy(&shifted.stdout), text, "{instant}");
    }
    let real = said(&scene, &["at", "+1y", "--"], "real");
    let real = String::from_utf8_lossy(&real.stdout);
    assert_eq!(real.lines().filter(|line| line.ends_with(": now")).count(), 0, "{real}");
}

struct Shell {
    sandbox: Box<dyn Sandbox>,
    service: ServiceName,
}

impl Shell {
    fn open(file_times: FileTimes) -> Self {
        let host_clock = || {
            let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME).unwrap();
            ClockReading {
                second: UnixTime::clamped(now.tv_sec()),
                nanos: u32::try_from(now.tv_nsec()).unwrap(),
            }
        };
        let executable = Path::new(env!("CARGO_BIN_EXE_notafter"));
        let service = ServiceName::new("shell").unwrap();
        let clock = Some(ClockSpec { start: UnixTime::clamped(START), file_times, skew: None });
        let spec = SandboxSpec { hosts: vec![service.clone()], aliases: Vec::new(), clock, scratch: None };
        let mut sandbox = Embedded::with_executable(executable, host_clock).unwrap().open(&spec).unwrap();
        sandbox.launch(&LaunchSpec::idle(service.clone(), RootTree::Host)).unwrap();
        Self { sandbox, service }
    }

    fn sh(&mut self, script: &str) -> String {
        let command = ["sh", "-c", script].map(str::to_owned);
        match self.sandbox.exec(&self.service, &command, LONG).unwrap() {
            ExecOutcome::Exited { code: 0, output } => output.trim().to_owned(),
            other => panic!("{script}: {other:?}"),
        }
    }

    fn go(&mut self, motion: Motion, to: i64) {
        self.sandbox.move_clock(motion, UnixTime::clamped(to), LONG).unwrap();
    }
}

#[test]
fn a_file_keeps_its_time_while_the_clock_moves_on() {
    if !are_installed(&["sh", "stat", "find", "touch"]) {
        return;
    }
    let mut shell = Shell::open(FileTimes::Shifted);
    let mut written = Vec::new();
    for (name, motion, to) in [
        ("first", Motion::Step, START + DAY),
        ("second", Motion::Elapse(Pace::Leap), START + 30 * DAY),
        ("third", Motion::Elapse(Pace::Walk), START + 31 * DAY),
        ("fourth", Motion::Step, START - DAY),
    ] {
        shell.go(motion, to);
        let before: i64 = shell.sh(&format!("echo x > /tmp/{name}; date +%s")).parse().unwrap();
        written.push((name, before));
        for (name, at) in &written {
            let seen: i64 = shell.sh(&format!("stat -c %Y /tmp/{name}")).parse().unwrap();
            // The walk has taken up to a second of real time into wall time by the time that the file is written.
            assert!((0..=1).contains(&(seen - at)), "{name}: {at}, seen as {seen}");
        }
    }
    shell.go(Motion::Step, START + 31 * DAY + 60);
    assert_eq!(shell.sh("cd /tmp && find . -name '*rd' -mmin -5"), "./third");
    assert_eq!(shell.sh("cd /tmp && find . -name first -mtime +29"), "./first");
    assert!(shell.sh("stat -L -c %Y /bin/sh").parse::<i64>().unwrap() < START, "it was there before");

    let mut shell = Shell::open(FileTimes::Real);
    shell.go(Motion::Step, START + DAY);
    assert_eq!(shell.sh("echo x > /tmp/first; find /tmp/first -mtime -1"), "", "it looks old");
}

/// A service that keeps sessions in files and takes those for over that are older than ten minutes.
const SESSIONS: &str = r#"
notafter: 1
name: sessions
start: now
support: 90d
candidate: app
FILE_TIMES
credentials:
  site: { x509: { self_signed: true, subject: "CN=app", validity: { from: "start - 1d", until: "start + 9y" } } }
services:
  app:
    image: host
    command: [sleep, infinity]
    files: { /etc/app/site.pem: { certificate: site } }
checks:
  session:
    probe: { exec: { service: app, command: [sh, -c, "echo x > /tmp/session && find /tmp/session -mmin -10 | grep -q ."] } }
    expect: { works: { exit: 0 } }
"#;

#[test]
fn a_session_in_a_file_lives_on_where_times_of_files_are_shifted() {
    if !are_installed(&["sh", "find", "sleep"]) {
        return;
    }
    for (line, code, word) in
        [("", 3, "needs `file_times: shifted` in the scenario"), ("file_times: shifted", 0, "allow")]
    {
        let scene = Scene::with("sessions.yaml", &SESSIONS.replace("FILE_TIMES", line));
        let output = scene.command(&["gate", "sessions.yaml"]).output().unwrap();
        let text = shown(&output);
        assert_eq!(output.status.code(), Some(code), "{text}");
        let unbroken = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unbroken.contains(word), "{text}");
    }
}
