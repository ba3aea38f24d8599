//! Daily jobs of several runtimes while a year elapses: how long it takes, and how often each runs.

use super::figure::{Bound, Figure};
use crate::printer;
use crate::stopwatch::Stopwatch;
use anyhow::{Context, Result, bail, ensure};
use notafter_backend::{Backend, Bind, Embedded, LaunchSpec, Moved, RootTree, Sandbox, SandboxSpec};
use notafter_core::{Motion, Pace, ServiceName, UnixTime};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const DAYS: i64 = 365;
const DAY: i64 = 86_400;
const START: &str = "2030-01-01T00:00:00Z";
/// How long a year may take, on the host's clock.
const AT_MOST_SECS: f64 = 10.0;
/// How long anything may take before it counts as stuck, on the host's clock.
const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(20);
const JOBS: &str = "/srv/jobs";
const SLOW: &str = "slow";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const NETTY: &str = "/srv/jobs:/usr/share/java/netty-buffer.jar:/usr/share/java/netty-codec.jar:\
    /usr/share/java/netty-codec-http.jar:/usr/share/java/netty-common.jar:/usr/share/java/netty-handler.jar:\
    /usr/share/java/netty-resolver.jar:/usr/share/java/netty-transport.jar";

/// Each runtime with the command of its job, which takes the name of the host that it asks.
const RUNTIMES: [(&str, &[&str]); 7] = [
    ("asio", &["/srv/jobs/daily"]),
    ("go", &["/srv/jobs/daily"]),
    ("java", &["java", "-cp", JOBS, "Daily"]),
    ("netty", &["java", "-cp", NETTY, "DailyNetty"]),
    ("node", &["node", "/srv/jobs/daily.js"]),
    ("python", &["/usr/bin/python3", "/srv/jobs/daily.py"]),
    ("sh", &["sh", "/srv/jobs/daily.sh"]),
];

/// Each runtime alone, then all of them in one sandbox. Fails where a job is missed or is not answered in time.
pub(super) fn measure(root: &Path, room: &Path) -> Result<Vec<Figure>> {
    let build = root.join("fixtures/jobs/build");
    for (runtime, _) in RUNTIMES {
        let status = Command::new(&build).arg(runtime).arg(room.join(runtime)).status();
        ensure!(status.context("failed to start a build")?.success(), "the job of {runtime} does not build");
    }
    let slow = room.join("slow");
    std::fs::create_dir(&slow)?;
    std::fs::copy(root.join("fixtures/jobs/slow.py"), slow.join("slow.py"))?;
    let mut figures = Vec::new();
    for runtime in &RUNTIMES {
        figures.push(year_of(room, std::slice::from_ref(runtime), runtime.0)?);
        if let Some(figure) = figures.last() {
            printer::progress(&figure.to_string());
        }
    }
    figures.push(year_of(room, &RUNTIMES, "all of them in one sandbox")?);
    Ok(figures)
}

fn year_of(room: &Path, runtimes: &[(&'static str, &[&str])], what: &'static str) -> Result<Figure> {
    let slow = ServiceName::new(SLOW)?;
    let names: Vec<ServiceName> =
        runtimes.iter().map(|&(name, _)| ServiceName::new(name)).collect::<Result<_, _>>()?;
    let start = UnixTime::parse(START)?;
    let hosts = names.iter().cloned().chain([slow.clone()]).collect();
    let spec = SandboxSpec { hosts, aliases: Vec::new(), clock: Some(start.into()), scratch: None };
    let mut sandbox = Embedded::new(notafter_runner::host_now)?.open(&spec)?;
    sandbox.launch(&launch(&slow, room, &["/usr/bin/python3", "/srv/jobs/slow.py"]))?;
    listens(&mut *sandbox, &slow)?;
    for (name, (_, command)) in names.iter().zip(runtimes) {
        let asks = [command, [SLOW].as_slice()].concat();
        sandbox.launch(&launch(name, room, &asks))?;
    }
    for name in &names {
        await_log(&mut *sandbox, name, "ready")?;
    }
    let watch = Stopwatch::start();
    let to = start.plus_secs(DAYS * DAY + DAY / 2);
    let moved = sandbox.move_clock(Motion::Elapse(Pace::Walk), to, PATIENCE)?;
    let took = watch.elapsed();
    for name in &names {
        let log = sandbox.log(name)?.text;
        let days = usize::try_from(DAYS)?;
        let (runs, answered) = (log.matches("run ").count(), log.matches(": answered").count());
        ensure!(
            (runs, answered) == (days, days),
            "{name} ran {runs} times and was answered {answered} times in {:.1} s and {} jumps\n{}",
            took.as_secs_f64(),
            moved.jumps,
            log.lines().filter(|line| !line.ends_with(": answered")).take(5).collect::<Vec<_>>().join("\n")
        );
    }
    ensure!(moved.restless.is_empty(), "never idle: {:?}", moved.restless);
    let unproven = sandbox.witnesses()?.unproven;
    ensure!(unproven.is_empty(), "not proven: {unproven:?}");
    sandbox.close()?;
    Ok(figure(what, took, &moved))
}

fn figure(what: &'static str, took: Duration, moved: &Moved) -> Figure {
    Figure {
        what,
        measured: took.as_secs_f64(),
        bound: Bound::Seconds(AT_MOST_SECS),
        from: format!("{DAYS} runs, each answered; {} jumps, {} waits ended", moved.jumps, moved.woken),
    }
}

fn listens(sandbox: &mut dyn Sandbox, service: &ServiceName) -> Result<()> {
    let watch = Stopwatch::start();
    while watch.elapsed() < PATIENCE {
        if sandbox.connect(None, service.as_str(), 8080, PATIENCE)?.is_ok() {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
    bail!("{service} never listens\n{}", sandbox.log(service)?.text)
}

fn await_log(sandbox: &mut dyn Sandbox, service: &ServiceName, word: &str) -> Result<()> {
    let watch = Stopwatch::start();
    while watch.elapsed() < PATIENCE {
        if sandbox.log(service)?.text.contains(word) {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
    bail!("{service} never says {word}\n{}", sandbox.log(service)?.text)
}

fn launch(service: &ServiceName, room: &Path, command: &[&str]) -> LaunchSpec {
    LaunchSpec {
        binds: vec![Bind { source: room.join(service.as_str()), target: JOBS.to_owned() }],
        command: Some(command.iter().map(|word| (*word).to_owned()).collect()),
        env: [("PATH".to_owned(), PATH.to_owned())].into(),
        ..LaunchSpec::idle(service.clone(), RootTree::Host)
    }
}
