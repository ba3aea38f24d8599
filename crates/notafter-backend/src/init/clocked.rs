//! Starting and reaping processes under a shifted clock.

use super::engine::{Happening, Program};
use super::plain::{plain_words, take_place};
use crate::wire::{Attempt, Failure};
use notafter_clock::{CanaryReport, Error, Executable, Launch, Supervisor};
use notafter_sys::notify::NewPrivileges;
use rustix::pipe::PipeFlags;
use rustix::process::Pid;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

/// Starts programs under the clock of a page.
pub(super) struct Clocked {
    supervisor: Supervisor,
    /// This binary, by a descriptor: the root tree need not hold it.
    binary: File,
    /// What happened while the canary sang.
    kept: Vec<notafter_clock::Happening>,
}

impl Clocked {
    pub(super) fn new(page: OwnedFd, binary: File) -> Result<Self, Failure> {
        let supervisor =
            Supervisor::new(File::from(page)).map_err(flat).doing(|| "start the clock engine".to_owned())?;
        Ok(Self { supervisor, binary, kept: Vec::new() })
    }

    pub(super) fn supervisor(&mut self) -> &mut Supervisor {
        &mut self.supervisor
    }

    /// Starts `program`; the error is a lower-case fragment that says why it could not be.
    pub(super) fn spawn(&mut self, program: &Program<'_>) -> Result<Pid, String> {
        let launch = Launch {
            executable: Executable::FirstArgument,
            argv: program.argv.to_vec(),
            env: program.env.to_vec(),
            new_privileges: program.identity.new_privileges,
            prepare: Box::new(|| take_place(program)),
        };
        match self.supervisor.start(launch) {
            Ok(Ok(pid)) => Pid::from_raw(pid).ok_or_else(|| "it has no process id".to_owned()),
            Ok(Err(errno)) => {
                let name = program.argv.first().map(|name| name.to_string_lossy()).unwrap_or_default();
                Err(format!("{name}: {}", plain_words(io::Error::from_raw_os_error(errno))))
            }
            Err(Error::Unprepared { reason }) => Err(reason),
            Err(error) => Err(flat(error).to_string()),
        }
    }

    /// Runs the canary: this very binary, started the way programs are, tells what the clock shows.
    pub(super) fn canary(&mut self) -> io::Result<CanaryReport> {
        let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let launch = Launch {
            executable: Executable::Fd(self.binary.try_clone()?.into()),
            argv: vec![c"notafter".to_owned(), CString::new(crate::keeper::CANARY)?],
            env: Vec::new(),
            new_privileges: NewPrivileges::Denied,
            prepare: Box::new(|| {
                rustix::stdio::dup2_stdout(&writer)?;
                Ok(())
            }),
        };
        let pid = match self.supervisor.start(launch).map_err(flat)? {
            Ok(pid) => pid,
            Err(errno) => return Err(io::Error::from_raw_os_error(errno)),
        };
        drop(writer);
        let mut kept = Vec::new();
        while !kept.iter().any(|happening| matches!(happening, notafter_clock::Happening::Ended { pid: ended, .. } if *ended == pid)) {
            kept.extend(self.supervisor.turn(&[], None).map_err(flat)?);
        }
        kept.retain(|happening| !matches!(happening, notafter_clock::Happening::Ended { pid: ended, .. } if *ended == pid));
        self.kept.extend(kept);
        let mut song = Vec::new();
        File::from(reader).take(4096).read_to_end(&mut song)?;
        serde_json::from_slice(&song).map_err(io::Error::from)
    }

    pub(super) fn turn(
        &mut self,
        fds: &[BorrowedFd<'_>],
        timeout: Option<Duration>,
    ) -> io::Result<Vec<Happening>> {
        let happenings = match std::mem::take(&mut self.kept) {
            kept if kept.is_empty() => self.supervisor.turn(fds, timeout).map_err(flat)?,
            kept => kept,
        };
        Ok(happenings
            .into_iter()
            .filter_map(|happening| match happening {
                notafter_clock::Happening::Ended { pid, code, .. } => {
                    Pid::from_raw(pid).map(|pid| Happening::Ended { pid, code })
                }
                notafter_clock::Happening::Readable(index) => Some(Happening::Readable(index)),
                // Told where it was started.
                notafter_clock::Happening::Unstartable { .. } => None,
            })
            .collect())
    }
}

/// An error with its cause, as one that crosses the wire.
fn flat(error: Error) -> io::Error {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    io::Error::other(format!("{error}{cause}"))
}
