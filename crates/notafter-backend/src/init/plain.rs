//! Starting and reaping processes without any clock: what native sandboxes use.

use super::engine::{Happening, Program};
use notafter_sys::fork::{self, ChildEvents, Forked};
use notafter_sys::notify;
use rustix::event::{PollFd, PollFlags};
use rustix::process::Pid;
use rustix::time::Timespec;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Starts programs on the host's clock.
#[derive(Debug)]
pub(super) struct Plain {
    events: ChildEvents,
}

impl Plain {
    pub(super) fn new() -> io::Result<Self> {
        ChildEvents::listen().map(|events| Self { events })
    }

    /// Starts `program`; the error is a lower-case fragment that says why it could not be.
    pub(super) fn spawn(&mut self, program: &Program<'_>) -> Result<Pid, String> {
        let cannot = |error: io::Error| format!("cannot start a process: {error}");
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
            .map_err(|error| cannot(error.into()))?;
        match fork::fork().map_err(cannot)? {
            Forked::Child => {
                let reason = become_program(program);
                // Nobody is left to tell where even this fails; the parent sees the exit code.
                let _ = File::from(writer).write_all(reason.as_bytes());
                fork::exit_now(127)
            }
            Forked::Parent(pid) => {
                drop(writer);
                let mut reason = String::new();
                let read = File::from(reader).take(4096).read_to_string(&mut reason);
                if reason.is_empty() && read.is_ok() {
                    return Ok(pid);
                }
                fork::reap(pid).map_err(cannot)?;
                Err(reason)
            }
        }
    }

    /// Waits until a child has ended, one of `fds` is readable, or the time is up.
    pub(super) fn turn(
        &mut self,
        fds: &[BorrowedFd<'_>],
        timeout: Option<Duration>,
    ) -> io::Result<Vec<Happening>> {
        let timeout = timeout
            .map(Timespec::try_from)
            .transpose()
            .map_err(|error| io::Error::other(error.to_string()))?;
        let mut polled: Vec<PollFd<'_>> = [self.events.as_fd()]
            .iter()
            .chain(fds)
            .map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN))
            .collect();
        match rustix::event::poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut happenings = Vec::new();
        if !polled[0].revents().is_empty() {
            self.events.clear();
            while let Some((pid, code)) = fork::reap_any()? {
                happenings.push(Happening::Ended { pid, code });
            }
        }
        for (index, fd) in polled.iter().skip(1).enumerate() {
            if !fd.revents().is_empty() {
                happenings.push(Happening::Readable(index));
            }
        }
        Ok(happenings)
    }
}

/// Makes the calling process, a fresh copy of the init, ready to become `program`: session, descriptors, root, user,
/// directory.
pub(super) fn take_place(program: &Program<'_>) -> io::Result<()> {
    for group in program.groups {
        // Stands for whoever writes it; cgroups(7).
        rustix::io::write(group, b"0\n").map_err(|errno| {
            io::Error::other(format!("enter its control group: {}", plain_words(errno.into())))
        })?;
    }
    rustix::process::setsid()?;
    rustix::stdio::dup2_stdin(program.stdin)?;
    rustix::stdio::dup2_stdout(program.output)?;
    rustix::stdio::dup2_stderr(program.output)?;
    fork::reset_signals()?;
    if let Some(root) = program.root {
        rustix::process::chroot(root)?;
        rustix::process::chdir("/")?;
    }
    if !program.filter.is_empty() {
        notify::impose(program.filter)?; // takes a capability that is given away next
    }
    program.identity.assume()?;
    rustix::process::chdir(program.workdir).map_err(|errno| {
        io::Error::other(format!("working directory {}: {}", program.workdir, plain_words(errno.into())))
    })
}

/// Runs in the child; returns only where that fails, with the reason.
fn become_program(program: &Program<'_>) -> String {
    if let Err(error) = take_place(program) {
        return plain_words(error);
    }
    let mut reason = format!("{}: no such file in PATH", program.argv[0].to_string_lossy());
    for path in candidates(program) {
        let error = fork::exec(&path, program.argv, program.env);
        match error.raw_os_error() {
            // As execvp(3): a later directory of PATH may hold it.
            Some(code) if code == rustix::io::Errno::NOENT.raw_os_error() && !is_path(program) => {}
            Some(code) if code == rustix::io::Errno::NOTDIR.raw_os_error() && !is_path(program) => {}
            _ => {
                reason = format!("{}: {}", path.to_string_lossy(), plain_words(error));
                if !is_permission(&reason) || is_path(program) {
                    break;
                }
            }
        }
    }
    reason
}

fn is_permission(reason: &str) -> bool {
    reason.ends_with("permission denied")
}

fn is_path(program: &Program<'_>) -> bool {
    program.argv[0].to_bytes().contains(&b'/')
}

fn candidates(program: &Program<'_>) -> Vec<CString> {
    if is_path(program) {
        return vec![program.argv[0].clone()];
    }
    let in_directory = |directory: &str| {
        let mut path = directory.as_bytes().to_vec();
        path.push(b'/');
        path.extend_from_slice(program.argv[0].to_bytes());
        CString::new(path).ok()
    };
    program.path.split(':').filter(|directory| directory.starts_with('/')).filter_map(in_directory).collect()
}

/// `No such file or directory (os error 2)` as the fragment `no such file or directory`.
pub(super) fn plain_words(error: io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
