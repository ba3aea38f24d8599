//! What starts the processes of a service: plainly, or under a shifted clock.

use super::clocked::Clocked;
use super::plain::Plain;
use crate::wire::{Attempt, Failure};
use notafter_clock::{CanaryReport, Supervisor};
use notafter_sys::bpf::Instruction;
use notafter_sys::fork::Identity;
use rustix::process::Pid;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

/// A program that is ready to start.
#[derive(Debug)]
pub(super) struct Program<'a> {
    /// The root directory that it enters first; none where that of the init is its own.
    pub(super) root: Option<&'a std::path::Path>,
    /// Never empty; without a slash the first is looked for in `path`.
    pub(super) argv: &'a [CString],
    pub(super) env: &'a [CString],
    pub(super) path: &'a str,
    pub(super) workdir: &'a str,
    pub(super) identity: &'a Identity,
    /// A seccomp filter that it gets beside that of the clock; without instructions it gets none.
    pub(super) filter: &'a [Instruction],
    /// Where it enters its control groups.
    pub(super) groups: &'a [OwnedFd],
    pub(super) stdin: BorrowedFd<'a>,
    /// Standard output and standard error.
    pub(super) output: BorrowedFd<'a>,
}

/// One thing that happened while an init waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Happening {
    /// A child, or an orphan that came to this init, has ended and is reaped.
    Ended { pid: Pid, code: i32 },
    /// The watched descriptor of this index is readable, or its peer is gone.
    Readable(usize),
}

/// Starts and reaps.
pub(super) enum Engine {
    /// Under a shifted clock.
    Clocked(Box<Clocked>),
    /// On the host's clock.
    Plain(Plain),
}

impl Engine {
    /// The engine for this clock page, or for none; `binary` is this program, for the canary.
    pub(super) fn new(clock: Option<OwnedFd>, binary: File) -> Result<Self, Failure> {
        match clock {
            Some(page) => Clocked::new(page, binary).map(|clocked| Self::Clocked(Box::new(clocked))),
            None => Plain::new().map(Self::Plain).doing(|| "listen for the ends of processes".to_owned()),
        }
    }

    pub(super) fn spawn(&mut self, program: &Program<'_>) -> Result<Pid, String> {
        match self {
            Self::Clocked(clocked) => clocked.spawn(program),
            Self::Plain(plain) => plain.spawn(program),
        }
    }

    pub(super) fn turn(
        &mut self,
        fds: &[BorrowedFd<'_>],
        timeout: Option<Duration>,
    ) -> io::Result<Vec<Happening>> {
        match self {
            Self::Clocked(clocked) => clocked.turn(fds, timeout),
            Self::Plain(plain) => plain.turn(fds, timeout),
        }
    }

    /// What the canary sees; none on the host's clock.
    pub(super) fn canary(&mut self) -> Option<io::Result<CanaryReport>> {
        match self {
            Self::Clocked(clocked) => Some(clocked.canary()),
            Self::Plain(_) => None,
        }
    }

    /// The supervisor, where time is shifted.
    pub(super) fn supervisor(&mut self) -> Option<&mut Supervisor> {
        match self {
            Self::Clocked(clocked) => Some(clocked.supervisor()),
            Self::Plain(_) => None,
        }
    }
}
