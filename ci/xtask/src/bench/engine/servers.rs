//! A server under each of the clocks, all at once on ports of their own; the load goes to one after the other.

use super::side::{self, Clock, Cpus};
use crate::stopwatch::Stopwatch;
use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a server may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// A running server; ends with this.
pub(super) struct Server {
    child: Child,
    script: PathBuf,
    directory: PathBuf,
    port: u16,
}

impl Server {
    /// Starts `fixtures/bench/NAME.sh` under a clock and waits until it answers.
    pub(super) fn start(
        notafter: &Path,
        script: &Path,
        place: &Path,
        cpus: Cpus,
        clock: Clock,
    ) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr())?.port();
        let directory = place.join(format!("server-{port}"));
        std::fs::create_dir(&directory).context("failed to make room for a server")?;
        let log = File::create(place.join(format!("server-{port}.log"))).context("failed to make a log")?;
        let prepare = act(
            side::command(notafter, &[], cpus, Clock::Native, "bash"),
            script,
            "prepare",
            &directory,
            port,
        );
        let output = { prepare }.output().context("failed to prepare a server")?;
        ensure!(
            output.status.success(),
            "a server is not prepared: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let mut start =
            act(side::command(notafter, &[], cpus, clock, "bash"), script, "start", &directory, port);
        let child = start
            .stdout(log.try_clone().context("failed to make a log")?)
            .stderr(log)
            // faketime waits for its program, and would die of a signal without it.
            .process_group(0)
            .spawn()
            .context("failed to start a server")?;
        let mut server = Self { child, script: script.to_owned(), directory, port };
        let watch = Stopwatch::start();
        while server.load("ask").is_err() {
            if watch.elapsed() > PATIENCE || server.child.try_wait()?.is_some() {
                let log =
                    std::fs::read_to_string(place.join(format!("server-{port}.log"))).unwrap_or_default();
                bail!("it never answered: {log}");
            }
            std::thread::sleep(PAUSE);
        }
        Ok(server)
    }

    /// Puts the load on it; how long that took.
    pub(super) fn load(&self, what: &str) -> Result<Duration> {
        let mut command = act(Command::new("bash"), &self.script, what, &self.directory, self.port);
        if let Ok(path) = std::env::join_paths(side::places()) {
            command.env("PATH", path);
        }
        let watch = Stopwatch::start();
        let output = command.output().context("failed to start the load")?;
        ensure!(output.status.success(), "the load failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(watch.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let signal = |signal| group.map(|group| kill_process_group(group, signal));
        let _ = signal(Signal::TERM); // it may have ended by itself
        let watch = Stopwatch::start();
        while matches!(self.child.try_wait(), Ok(None)) && watch.elapsed() < PATIENCE {
            std::thread::sleep(PAUSE);
        }
        let _ = signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

fn act(mut command: Command, script: &Path, what: &str, directory: &Path, port: u16) -> Command {
    command.arg("-euo").arg("pipefail").arg(script).arg(what).arg(directory).arg(port.to_string());
    command.stdin(Stdio::null());
    command
}
