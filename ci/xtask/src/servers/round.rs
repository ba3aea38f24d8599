//! One server from its start to its end.

use super::{Server, blocked};
use crate::stopwatch::Stopwatch;
use anyhow::{Context, Result, bail, ensure};
use notafter_backend::Backend as _;
use notafter_backend::{
    Awaited, Embedded, ExecOutcome, FileLayout, FileSpec, LaunchSpec, RootTree, Sandbox, SandboxSpec,
    ServiceState, StopReason,
};
use notafter_core::{Motion, Pace, ServiceName, UnixTime};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

const DAY: i64 = 86_400;
/// Where the clock stands at the start, counted from now.
const AHEAD: i64 = 365 * DAY;
/// How much time elapses while it runs.
const ELAPSES: i64 = 90 * DAY;
/// How far its wall clock is set ahead after that.
const STEPS: i64 = 365 * DAY;
/// How long a server may take, on the host's clock, for whatever it is asked.
const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(100);
/// How far what a server tells may lie from what its clock shows.
const TELLS_WITHIN: i64 = 2;
const PLACE: &str = "/srv/server";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What to do.
#[derive(Debug)]
pub struct Trial<'trial> {
    /// The server.
    pub server: Server,
    /// `fixtures/servers` of the repository.
    pub fixtures: &'trial Path,
    /// Makes the sandbox.
    pub backend: &'trial Embedded,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Told {
    /// From its start to its first answer.
    pub until_answer: Duration,
    /// What it said of the time: at first, after time had elapsed, after the clock had been set.
    pub words: [String; 3],
    /// How long it took to end after SIGTERM.
    pub until_end: Duration,
    /// How many of its processes were proven to be under the clock.
    pub proven: usize,
    /// Threads that did not rest before time went on, by name: what they would have done before may be missing.
    pub restless: BTreeSet<String>,
}

/// Starts it a year ahead, asks it the time, lets 90 days elapse, asks, sets the clock a year ahead, asks, stops it.
///
/// # Errors
/// Where it does not start or answer in time, tells another time than its clock shows, does not end by itself, or
/// leaves a process without proof.
pub fn run(trial: &Trial<'_>) -> Result<Told> {
    let name = trial.server.name;
    let service = ServiceName::new(name)?;
    let start = notafter_runner::unix_now().plus_secs(AHEAD);
    let spec = SandboxSpec {
        hosts: vec![service.clone()],
        aliases: Vec::new(),
        clock: Some(start.into()),
        scratch: None,
    };
    let mut running = Running { sandbox: trial.backend.open(&spec)?, service, restless: BTreeSet::new() };
    let watch = Stopwatch::start();
    running.sandbox.launch(&launch(trial, &running.service)?)?;
    let first = running.first_words()?;
    let until_answer = watch.elapsed();
    let elapsed = running.words_after(Motion::Elapse(Pace::Leap), ELAPSES).context("after 90 days")?;
    let stepped = running.words_after(Motion::Step, STEPS).context("after a step of a year")?;
    let report = running.sandbox.witnesses()?;
    if let Some(gap) = report.unproven.first() {
        bail!("a process is not proven to be under the clock: {}", gap.reason);
    }
    let watch = Stopwatch::start();
    running.sandbox.stop(&running.service, StopReason::Restart { grace: PATIENCE })?;
    let until_end = watch.elapsed();
    match running.sandbox.state(&running.service)? {
        ServiceState::Ended { code, .. } if code == trial.server.ends_with => {}
        state => bail!("it does not end cleanly: {state:?}\n{}", running.log()?),
    }
    let Running { sandbox, restless, .. } = running;
    sandbox.close()?;
    let words = [first, elapsed, stepped];
    Ok(Told { until_answer, words, until_end, proven: report.witnesses.len(), restless })
}

fn launch(trial: &Trial<'_>, service: &ServiceName) -> Result<LaunchSpec> {
    let directory = trial.fixtures.join(trial.server.name);
    let file = |name: &str| -> Result<FileSpec> {
        let path = directory.join(name);
        let contents = std::fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
        Ok(FileSpec { path: format!("{PLACE}/{name}"), contents, mode: 0o644, layout: FileLayout::Plain })
    };
    Ok(LaunchSpec {
        command: Some(script("start.sh")),
        env: [("PATH", PATH), ("TZ", "UTC"), ("LC_ALL", "C")]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        user: trial.server.user.map(str::to_owned),
        workdir: "/tmp".to_owned(),
        files: vec![file("start.sh")?, file("say.sh")?],
        ..LaunchSpec::idle(service.clone(), RootTree::Host)
    })
}

fn script(name: &str) -> Vec<String> {
    vec!["bash".to_owned(), "-euo".to_owned(), "pipefail".to_owned(), format!("{PLACE}/{name}")]
}

struct Running {
    sandbox: Box<dyn Sandbox>,
    service: ServiceName,
    restless: BTreeSet<String>,
}

impl Running {
    /// Asks until it answers.
    fn first_words(&mut self) -> Result<String> {
        let watch = Stopwatch::start();
        loop {
            match self.ask()? {
                Ok(said) => return self.check(&said),
                Err(refusal) => {
                    let state = self.sandbox.state(&self.service)?;
                    if state != ServiceState::Running || watch.elapsed() > PATIENCE {
                        let threads = blocked::threads();
                        bail!("it never answers ({state:?}): {refusal}\n{}\n{threads}", self.log()?);
                    }
                }
            }
            self.sandbox.catch_up(Awaited::Readiness, watch.elapsed())?;
            std::thread::sleep(PAUSE);
        }
    }

    /// Moves its clock and asks; it must answer at once.
    fn words_after(&mut self, motion: Motion, by: i64) -> Result<String> {
        let to = self.sandbox.now().second.plus_secs(by);
        let moved = self.sandbox.move_clock(motion, to, PATIENCE)?;
        self.restless.extend(moved.restless.into_iter().map(|restless| restless.process));
        match self.ask()? {
            Ok(said) => self.check(&said),
            Err(refusal) => {
                let threads = blocked::threads();
                bail!("it does not answer: {refusal}\n{}\n{threads}", self.log()?)
            }
        }
    }

    fn ask(&mut self) -> Result<Result<String, String>> {
        Ok(match self.sandbox.exec(&self.service, &script("say.sh"), PATIENCE)? {
            ExecOutcome::Exited { code: 0, output } => Ok(output),
            other => Err(format!("{other:?}")),
        })
    }

    /// Its words, if they tell what the clock shows.
    fn check(&self, said: &str) -> Result<String> {
        let told = said.trim_end().split_once('\t');
        let (second, words) = told.with_context(|| format!("it tells no time: {said:?}"))?;
        let second: i64 = second.parse().with_context(|| format!("it tells no time: {said:?}"))?;
        let now = self.sandbox.now().second;
        ensure!(
            (now.as_secs() - second).abs() <= TELLS_WITHIN,
            "its clock shows {now}, it tells {words} ({})",
            UnixTime::clamped(second)
        );
        Ok(words.to_owned())
    }

    fn log(&mut self) -> Result<String> {
        Ok(self.sandbox.log(&self.service)?.text)
    }
}
