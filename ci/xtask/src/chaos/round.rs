//! One round: a run, a moment, a kill, and a look at what is left.

use super::processes::{Traces, is_alive};
use super::{Ground, Kill};
use crate::stopwatch::Stopwatch;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, kill_process};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long the way out of a run takes on which it can no longer hear a signal.
const EXITS: Duration = Duration::from_millis(20);
/// How long a run may go on that has lost a part of itself.
const LONGEST: Duration = Duration::from_secs(120);

/// How a round ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The kill hit, the run did not allow, and nothing was left.
    Clean {
        /// Exit code, or 128 + the signal.
        code: i32,
        /// From the kill until nothing was left.
        cleared: Duration,
    },
    /// The run was over before the kill.
    TooLate,
    /// What must not be: an allow, or something left behind.
    Wrong(String),
}

/// A run to be disturbed.
pub(super) struct Round<'a> {
    pub(super) notafter: &'a Path,
    pub(super) scenario: &'a Path,
    pub(super) ground: Ground,
    /// What `${TREE}` names.
    pub(super) tree: &'a Path,
    /// A directory of this round's own.
    pub(super) directory: PathBuf,
    /// A number that the services carry in their command lines.
    pub(super) marker: String,
}

impl Round<'_> {
    /// Lets the run end by itself; how long that takes.
    pub(super) fn undisturbed(&self) -> Result<Duration> {
        let watch = Stopwatch::start();
        let mut child = self.start(&self.directory, &self.marker)?;
        let status = child.wait()?;
        match status.code() {
            Some(0) => Ok(watch.elapsed()),
            _ => bail!("undisturbed, the scenario must be allowed; it ended with {status}"),
        }
    }

    fn start(&self, temporary: &Path, marker: &str) -> Result<Child> {
        fs::create_dir_all(temporary).context("failed to make a directory for the round")?;
        let mut command = Command::new(self.notafter);
        command.arg("gate").arg(self.scenario).arg("--quiet").args(self.ground.arguments());
        command.env("MARKER", marker).env("TREE", self.tree);
        command.env("TMPDIR", temporary).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null()).spawn().context("failed to start the gate")
    }

    /// Disturbs the run as `kill` says, `after` its start or as soon after as there is something to kill.
    pub(super) fn disturbed(&self, kill: Kill, after: Duration, pick: u64) -> Result<Ended> {
        let machine = match self.ground {
            // Others may use the engine, and their containers come and go.
            Ground::Containers => None,
            Ground::Machine | Ground::Namespaces => Some(Machine::look()?),
        };
        let mut neighbour = match self.ground {
            Ground::Containers => {
                let directory = self.directory.with_extension("neighbour");
                Some(self.start(&directory, &format!("{}0", self.marker))?)
            }
            Ground::Machine | Ground::Namespaces => None,
        };
        let mut child = self.start(&self.directory, &self.marker)?;
        let ended = self.disturb(&mut child, kill, after, pick, machine.as_ref());
        if ended.is_err() {
            // Only a failure of the chore itself leaves it running; nobody waits for it any more.
            let _ = child.kill();
            let _ = child.wait();
        }
        match neighbour.as_mut().map(Child::wait).transpose()? {
            Some(status) if !status.success() && ended.is_ok() => {
                Ok(Ended::Wrong(format!("{kill} after {after:?}: the gate beside it ended with {status}")))
            }
            _ => ended,
        }
    }

    fn disturb(
        &self,
        child: &mut Child,
        kill: Kill,
        after: Duration,
        pick: u64,
        machine: Option<&Machine>,
    ) -> Result<Ended> {
        let runner = i32::try_from(child.id()).context("a process id")?;
        let mut traces = Traces::default();
        let watch = Stopwatch::start();
        let hit = loop {
            if child.try_wait()?.is_some() {
                return Ok(Ended::TooLate);
            }
            let (keepers, inits) = traces.note(runner);
            if watch.elapsed() >= after {
                let inits = [inits, self.ground.inits(kill, runner)?].concat();
                let targets = match kill {
                    Kill::Init => inits,
                    Kill::Keeper => keepers,
                    Kill::RunnerInterrupted | Kill::RunnerKilled | Kill::RunnerTerminated => vec![runner],
                };
                let count = targets.len().max(1) as u64;
                if let Some(target) = targets.get(usize::try_from(pick % count)?)
                    && is_alive(*target)
                    && send(*target, kill)
                {
                    break Stopwatch::start();
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let (keepers, inits) = traces.note(runner);
        let nothing_runs = keepers.is_empty() && inits.is_empty();
        let status = self.wait(child, kill, hit)?;
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        if code == 0 && nothing_runs && hit.elapsed() < EXITS {
            return Ok(Ended::TooLate);
        }
        if code == 0 {
            return Ok(Ended::Wrong(format!("it ended with 0 after {} of {:?}", kill, after)));
        }
        // A run that goes on without a part of itself has its patience from its end on.
        let hit = if matches!(kill, Kill::Init | Kill::Keeper) { Stopwatch::start() } else { hit };
        loop {
            let mut left = traces.left(runner, &self.marker);
            left.extend(self.files()?);
            left.extend(machine.map_or(Ok(Vec::new()), Machine::changes)?);
            left.extend(self.ground.left(runner)?);
            if left.is_empty() {
                return Ok(Ended::Clean { code, cleared: hit.elapsed() });
            }
            if hit.elapsed() > self.ground.patience() {
                let seen = traces.seen();
                return Ok(Ended::Wrong(format!(
                    "{kill} after {after:?}: of {} processes in {} namespaces is left: {}",
                    seen.0,
                    seen.1,
                    left.join("; ")
                )));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn wait(&self, child: &mut Child, kill: Kill, hit: Stopwatch) -> Result<ExitStatus> {
        let limit = if matches!(kill, Kill::Init | Kill::Keeper) { LONGEST } else { self.ground.patience() };
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if hit.elapsed() > limit {
                bail!("{} s after {kill} the gate still runs", limit.as_secs());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Temporary files, keys among them if anything were wrong.
    fn files(&self) -> Result<Vec<String>> {
        let entries = fs::read_dir(&self.directory).context("failed to read the directory of the round")?;
        Ok(entries.flatten().map(|entry| format!("file {}", entry.path().display())).collect())
    }
}

/// Whether the signal was sent; who is gone by now needs none.
fn send(pid: i32, kill: Kill) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| kill_process(pid, kill.signal()).is_ok())
}

/// What of the machine a run might change. Only one that has no namespaces may do so, while it lasts.
struct Machine {
    mounts: String,
    hosts: String,
    /// Everything in /etc, and in memory that is lent as files.
    files: BTreeSet<PathBuf>,
}

impl Machine {
    fn look() -> Result<Self> {
        Ok(Self {
            mounts: fs::read_to_string("/proc/self/mountinfo").context("failed to read the mounts")?,
            hosts: fs::read_to_string("/etc/hosts").unwrap_or_default(),
            files: entries_of("/etc")?.into_iter().chain(entries_of("/dev/shm")?).collect(),
        })
    }

    /// What is otherwise now.
    fn changes(&self) -> Result<Vec<String>> {
        let now = Self::look()?;
        let mut changes = Vec::new();
        if now.mounts != self.mounts {
            changes.push("a mount".to_owned());
        }
        if now.hosts != self.hosts {
            changes.push("lines in /etc/hosts".to_owned());
        }
        changes.extend(now.files.difference(&self.files).map(|path| path.display().to_string()));
        Ok(changes)
    }
}

fn entries_of(directory: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| format!("failed to read {directory}"))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}
