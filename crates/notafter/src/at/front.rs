//! The process that the caller sees: it passes signals on and ends the way the command ends.

use super::supervising;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use notafter_core::{FileTimes, UnixTime};
use notafter_sys::fork::{self, Forked};
use notafter_sys::signals::{self, SignalWatch};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

/// Exit codes for failures of one's own, as env(1) and timeout(1) use them.
pub(crate) const FAILED: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// What the supervisor tells the front, one JSON object a line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Message {
    /// The command has ended.
    Ended { code: i32, signal: Option<i32> },
    /// The supervisor cannot do its work.
    Failed { reason: String },
    /// The command runs as this process.
    Started { pid: i32 },
    /// The command cannot be executed.
    Unstartable { errno: i32, reason: String },
    /// Something ran without proof that it saw the shifted clock.
    Unshifted { reasons: Vec<String> },
}

/// Signals that are passed on to the command. Those that a terminal sends reach it without help.
const PASSED_ON: [Signal; 8] = [
    Signal::SIGCONT,
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
];

/// Runs `command` with a clock that shows `instant` as it starts, and ends as it ends. `complain` prints a line on
/// standard error.
pub(crate) fn run(
    instant: &str,
    file_times: FileTimes,
    command: Vec<OsString>,
    complain: &mut dyn FnMut(&str),
) -> ExitCode {
    let ended = notafter_scenario::instant(instant, notafter_runner::unix_now())
        .map_err(io::Error::other)
        .and_then(|instant| stand_in(instant, file_times, command, complain));
    match ended {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("notafter: {error}"));
            ExitCode::from(FAILED)
        }
    }
}

fn stand_in(
    instant: UnixTime,
    file_times: FileTimes,
    command: Vec<OsString>,
    complain: &mut dyn FnMut(&str),
) -> io::Result<ExitCode> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut watch = SignalWatch::new(&PASSED_ON)?;
    match fork::fork()? {
        Forked::Child => {
            drop(ours);
            supervising::main(instant, file_times, command, theirs)
        }
        Forked::Parent(_) => drop(theirs),
    }
    let mut lines = BufReader::new(ours);
    let mut command_pid = None;
    let mut exit = None;
    loop {
        let mut fds = [
            PollFd::new(lines.get_ref().as_fd(), PollFlags::POLLIN),
            PollFd::new(watch.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let told = fds[0].revents().is_some_and(|flags| !flags.is_empty());
        for arrived in watch.take() {
            if let (Some(pid), false) = (command_pid, arrived.by_kernel) {
                let _ = signals::send(pid, arrived.signal); // it may have ended just now
            }
        }
        if !told {
            continue;
        }
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return exit.ok_or_else(|| io::Error::other("the supervisor ended unexpectedly"));
        }
        match serde_json::from_str(&line)? {
            Message::Started { pid } => command_pid = Some(pid),
            Message::Unshifted { reasons } => {
                reasons
                    .iter()
                    .for_each(|reason| complain(&format!("notafter: not under the shifted clock: {reason}")));
            }
            Message::Failed { reason } => return Err(io::Error::other(reason)),
            Message::Unstartable { errno, reason } => {
                complain(&format!("notafter: {reason}"));
                exit = Some(ExitCode::from(if errno == libc::ENOENT { NOT_FOUND } else { NOT_EXECUTABLE }));
            }
            Message::Ended { signal: Some(signal), code } => {
                die_of(signal);
                return Ok(ExitCode::from(u8::try_from(code).unwrap_or(FAILED)));
            }
            Message::Ended { signal: None, code } => {
                let code = u8::try_from(code).unwrap_or(FAILED);
                return Ok(exit.unwrap_or(ExitCode::from(code)));
            }
        }
    }
}

/// Ends this process by the signal that ended the command, so that the caller sees what it would have seen.
fn die_of(signal: i32) {
    let Ok(signal) = Signal::try_from(signal) else { return };
    // The core of the command is its own; this process has none worth keeping.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let pid = i32::try_from(std::process::id()).unwrap_or(0);
    let _ = signals::restore_default(signal); // SIGKILL needs none
    let _ = signals::unblock_all();
    let _ = signals::send(pid, signal as i32);
}
