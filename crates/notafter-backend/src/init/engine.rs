//! What starts the processes of a service: plainly, or under a shifted clock.

use super::plain::Plain;
use notafter_sys::fork::Identity;
use rustix::process::Pid;
use std::ffi::CString;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// A program that is ready to start.
#[derive(Debug)]
pub(super) struct Program<'a> {
    /// Never empty; without a slash the first is looked for in `path`.
    pub(super) argv: &'a [CString],
    pub(super) env: &'a [CString],
    pub(super) path: &'a str,
    pub(super) workdir: &'a str,
    pub(super) identity: &'a Identity,
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
#[derive(Debug)]
pub(super) enum Engine {
    /// On the host's clock.
    Plain(Plain),
}

impl Engine {
    pub(super) fn spawn(&mut self, program: &Program<'_>) -> Result<Pid, String> {
        match self {
            Self::Plain(plain) => plain.spawn(program),
        }
    }

    pub(super) fn turn(
        &mut self,
        fds: &[BorrowedFd<'_>],
        timeout: Option<Duration>,
    ) -> io::Result<Vec<Happening>> {
        match self {
            Self::Plain(plain) => plain.turn(fds, timeout),
        }
    }
}
