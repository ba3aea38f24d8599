//! Daily jobs of several runtimes while days elapse: each runs every day, and each time the slow service that it
//! asks answers before its limit is over. `cargo xtask bench jobs` does the same for a year, by the watch.

use crate::needs::{can_run_with, repository};
use notafter_backend::{Backend, Bind, Embedded, LaunchSpec, RootTree, Sandbox, SandboxSpec};
use notafter_core::{ClockReading, Motion, Pace, ServiceName, UnixTime};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const DAY: i64 = 86_400;
/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(150);
const PAUSE: Duration = Duration::from_millis(20);
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
const NETTY_PATH: &str = "/srv/jobs:/usr/share/java/netty-buffer.jar:/usr/share/java/netty-codec.jar:\
    /usr/share/java/netty-codec-http.jar:/usr/share/java/netty-common.jar:/usr/share/java/netty-handler.jar:\
    /usr/share/java/netty-resolver.jar:/usr/share/java/netty-transport.jar";

/// A runtime, what it needs, and the command of its job but for the host that it asks.
struct Runtime {
    name: &'static str,
    needs: &'static [&'static str],
    command: &'static [&'static str],
}

const ASIO: Runtime =
    Runtime { name: "asio", needs: &["c++", "/usr/include/asio.hpp"], command: &["/srv/jobs/daily"] };
const GO: Runtime = Runtime { name: "go", needs: &["go"], command: &["/srv/jobs/daily"] };
const JAVA: Runtime = Runtime {
    name: "java",
    needs: &["java", "javac"],
    command: &["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", "/srv/jobs", "Daily"],
};
const NETTY: Runtime = Runtime {
    name: "netty",
    needs: &["java", "javac", "/usr/share/java/netty-codec-http.jar"],
    command: &["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", NETTY_PATH, "DailyNetty"],
};
const NODE: Runtime = Runtime { name: "node", needs: &["node"], command: &["node", "/srv/jobs/daily.js"] };
const PYTHON: Runtime =
    Runtime { name: "python", needs: &["python3"], command: &["python3", "/srv/jobs/daily.py"] };
const SHELL: Runtime = Runtime { name: "sh", needs: &["curl"], command: &["sh", "/srv/jobs/daily.sh"] };

fn host_clock() -> ClockReading {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME).unwrap();
    ClockReading { second: UnixTime::clamped(now.tv_sec()), nanos: u32::try_from(now.tv_nsec()).unwrap() }
}

fn launch(service: &ServiceName, jobs: &Path, command: &[&str]) -> LaunchSpec {
    LaunchSpec {
        binds: vec![Bind { source: jobs.to_owned(), target: "/srv/jobs".to_owned() }],
        command: Some(command.iter().map(|&word| word.to_owned()).collect()),
        env: [("PATH".to_owned(), PATH.to_owned())].into(),
        ..LaunchSpec::idle(service.clone(), RootTree::Host)
    }
}

/// Waits until a service listens, natively fast or slow.
fn await_listener(sandbox: &mut dyn Sandbox, service: &ServiceName) {
    for _ in 0..LONG.as_millis() / PAUSE.as_millis() {
        if sandbox.connect(None, service.as_str(), 8080, LONG).unwrap().is_ok() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("it never listens: {}", sandbox.log(service).unwrap().text);
}

/// Waits until a service has written this.
fn await_word(sandbox: &mut dyn Sandbox, service: &ServiceName, word: &str) {
    for _ in 0..LONG.as_millis() / PAUSE.as_millis() {
        if sandbox.log(service).unwrap().text.contains(word) {
            return;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("it never says {word}: {}", sandbox.log(service).unwrap().text);
}

/// Lets days elapse for all of these in one sandbox with the service that they ask.
fn every_day_counts(runtimes: &[&Runtime], days: usize) {
    let needs: Vec<&str> =
        runtimes.iter().flat_map(|runtime| runtime.needs).copied().chain(["python3"]).collect();
    if !can_run_with(&needs) {
        return;
    }
    let room = tempfile::tempdir().unwrap();
    let fixtures = repository().join("fixtures/jobs");
    for runtime in runtimes {
        let mut build = Command::new(fixtures.join("build"));
        assert!(build.arg(runtime.name).arg(room.path().join(runtime.name)).status().unwrap().success());
    }
    let slow = ServiceName::new("slow").unwrap();
    let names: Vec<ServiceName> =
        runtimes.iter().map(|runtime| ServiceName::new(runtime.name).unwrap()).collect();
    let start = UnixTime::parse("2030-01-01T00:00:00Z").unwrap();
    let executable = Path::new(env!("CARGO_BIN_EXE_notafter"));
    let hosts = names.iter().cloned().chain([slow.clone()]).collect();
    let spec = SandboxSpec { hosts, aliases: Vec::new(), clock: Some(start.into()), scratch: None };
    let mut sandbox = Embedded::with_executable(executable, host_clock).unwrap().open(&spec).unwrap();
    sandbox.launch(&launch(&slow, &fixtures, &["python3", "/srv/jobs/slow.py"])).unwrap();
    await_listener(&mut *sandbox, &slow);
    for (name, runtime) in names.iter().zip(runtimes) {
        let asks = [runtime.command, &["slow"]].concat();
        sandbox.launch(&launch(name, &room.path().join(runtime.name), &asks)).unwrap();
    }
    for name in &names {
        await_word(&mut *sandbox, name, "ready");
    }
    // A runtime that looks at its timers every few minutes may run its job late by a part of a day.
    let to = start.plus_secs(i64::try_from(days).unwrap() * DAY + DAY / 2);
    let moved = sandbox.move_clock(Motion::Elapse(Pace::Walk), to, LONG).unwrap();
    assert_eq!(moved.restless, []);
    let expected: Vec<String> = (1..=days).map(|run| format!("run {run}: answered")).collect();
    for name in &names {
        let log = sandbox.log(name).unwrap().text;
        let runs: Vec<&str> = log.lines().filter(|line| line.starts_with("run ")).collect();
        assert_eq!(runs, expected, "{name}: {log}");
    }
    assert_eq!(sandbox.witnesses().unwrap().unproven, []);
}

macro_rules! runs_daily {
    ($($name:ident: $runtime:expr, $days:expr;)*) => {$(
        #[test]
        fn $name() {
            every_day_counts(&[&$runtime], $days);
        }
    )*};
}

runs_daily! {
    a_daily_job_of_asio_runs_every_day_and_is_answered: ASIO, 30;
    a_daily_job_of_go_runs_every_day_and_is_answered: GO, 30;
    a_daily_job_of_java_runs_every_day_and_is_answered: JAVA, 10;
    a_daily_job_of_netty_runs_every_day_and_is_answered: NETTY, 10;
    a_daily_job_of_node_runs_every_day_and_is_answered: NODE, 30;
    a_daily_job_of_python_runs_every_day_and_is_answered: PYTHON, 30;
    a_daily_job_of_the_shell_runs_every_day_and_is_answered: SHELL, 30;
}

#[test]
fn daily_jobs_of_several_services_run_through_one_arbiter() {
    every_day_counts(&[&GO, &NODE, &PYTHON, &SHELL], 7);
}
