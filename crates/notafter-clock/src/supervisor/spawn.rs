//! Starting a program under the clock.

use super::engine::{Happening, Supervisor};
use crate::error::{During, Error};
use notafter_sys::bpf::Instruction;
use notafter_sys::child::{self, Program};
use notafter_sys::fork::{self, Forked};
use notafter_sys::notify::{self, Listener, NewPrivileges};
use notafter_sys::signals;
use std::convert::Infallible;
use std::ffi::CString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

/// What to execute.
#[derive(Debug)]
pub enum Executable {
    /// An open file, whatever its name inside.
    Fd(OwnedFd),
    /// The first word of the arguments: a path, or a name that is looked for in the PATH of the environment.
    FirstArgument,
}

/// A program to start.
pub struct Launch<'prepare> {
    /// What to execute.
    pub executable: Executable,
    /// Its arguments, the name that it goes by first.
    pub argv: Vec<CString>,
    /// Its whole environment, as `NAME=value`.
    pub env: Vec<CString>,
    /// Runs in the new process right before the filter is installed: descriptors, ids, capabilities.
    pub prepare: Box<dyn FnOnce() -> io::Result<()> + 'prepare>,
}

/// A program that this supervisor started.
pub(super) struct Root {
    pub(super) pid: i32,
    /// Closed by its exec; holds an errno where that failed.
    status: Option<UnixStream>,
}

impl Root {
    /// The descriptor that tells whether it has started, until that is known.
    pub(super) fn starting(&self) -> Option<BorrowedFd<'_>> {
        self.status.as_ref().map(AsFd::as_fd)
    }
}

/// Stages of a start, as the new process reports them.
const PREPARE: u8 = b'p';
const FILTER: u8 = b'f';
const EXEC: u8 = b'x';
const LISTENER: u8 = b'l';

impl Supervisor {
    /// Starts a program. Whether its exec succeeds is told by [`Supervisor::turn`].
    ///
    /// # Errors
    /// [`Error::System`] where the process cannot be made, its preparation fails, or the filter is refused.
    pub fn spawn(&mut self, launch: Launch<'_>) -> Result<i32, Error> {
        let (mut ours, theirs) = UnixStream::pair().during("socketpair")?;
        let pid = match fork::fork().during("fork")? {
            Forked::Child => start_anew(launch, &self.filter, &theirs),
            Forked::Parent(pid) => pid.as_raw_nonzero().get(),
        };
        drop(theirs);
        ours.set_read_timeout(Some(Duration::from_secs(10))).during("setsockopt")?;
        let mut message = [0; 5];
        // Either the number of its listener, or the stage that failed and why.
        let received = ours.read_exact(&mut message);
        let word = i32::from_le_bytes([message[1], message[2], message[3], message[4]]);
        let start = match (received, message[0]) {
            (Ok(()), LISTENER) => child::foreign_fd(pid, word).during("pidfd_getfd"),
            (Ok(()), PREPARE) => Err(io::Error::from_raw_os_error(word)).during("preparing the new process"),
            (Ok(()), _) => Err(io::Error::from_raw_os_error(word)).during("installing the seccomp filter"),
            (Err(error), _) => Err(error).during("starting the new process"),
        };
        let listener = match start {
            Ok(listener) => Listener::from_fd(listener),
            Err(error) => {
                let _ = signals::send(pid, libc::SIGKILL); // it may have ended by itself
                return Err(error);
            }
        };
        listener.prefer_same_cpu();
        self.listeners.add(listener);
        ours.write_all(b"g").during("starting the new process")?;
        self.roots.push(Root { pid, status: Some(ours) });
        Ok(pid)
    }

    /// Looks at which of the started programs have made it through their exec.
    pub(super) fn look_at_starts(&mut self) {
        for root in &mut self.roots {
            let Some(status) = &mut root.status else { continue };
            if status.set_nonblocking(true).is_err() {
                continue;
            }
            let mut message = [0; 5];
            match status.read(&mut message) {
                Ok(0) => root.status = None,
                Ok(_) => {
                    let errno = i32::from_le_bytes([message[1], message[2], message[3], message[4]]);
                    let reason = io::Error::from_raw_os_error(errno).to_string();
                    self.happenings.push(Happening::Unstartable { pid: root.pid, errno, reason });
                    root.status = None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => root.status = None,
            }
        }
    }
}

/// Runs in the new process. Whatever goes wrong there ends it; its parent has been told why.
fn start_anew(launch: Launch<'_>, filter: &[Instruction], socket: &UnixStream) -> ! {
    let become_it = || become_program(launch, filter, socket);
    if let Ok(Err((stage, error))) = panic::catch_unwind(AssertUnwindSafe(become_it)) {
        let mut message = vec![stage];
        message.extend(error.raw_os_error().unwrap_or(libc::EIO).to_le_bytes());
        let _ = (&*socket).write_all(&message); // without a parent nobody asks
    }
    fork::exit_now(125)
}

/// Runs in the new process, up to its exec.
fn become_program(
    launch: Launch<'_>,
    filter: &[Instruction],
    socket: &UnixStream,
) -> Result<Infallible, (u8, io::Error)> {
    let Launch { executable, argv, env, prepare } = launch;
    prepare().map_err(|error| (PREPARE, error))?;
    signals::unblock_all().map_err(|error| (PREPARE, error))?;
    let listener = notify::install(filter, NewPrivileges::Denied).map_err(|error| (FILTER, error))?;
    let announce = |mut socket: &UnixStream| {
        let mut message = vec![LISTENER];
        message.extend(listener.as_raw_fd().to_le_bytes());
        socket.write_all(&message)?;
        socket.read_exact(&mut [0])
    };
    announce(socket).map_err(|error| (FILTER, error))?;
    drop(listener);
    execute(&executable, &argv, &env).map_err(|error| (EXEC, error))
}

fn execute(executable: &Executable, argv: &[CString], env: &[CString]) -> io::Result<Infallible> {
    let none = || io::Error::from_raw_os_error(libc::ENOENT);
    match executable {
        Executable::Fd(fd) => child::execute(&Program::Fd(fd.as_fd()), argv, env),
        Executable::FirstArgument => {
            let name = argv.first().ok_or_else(none)?;
            let mut refused = None;
            for path in candidates(name, env) {
                let Err(error) = child::execute(&Program::Path(path), argv, env);
                match error.raw_os_error() {
                    Some(libc::ENOENT | libc::ENOTDIR) => {}
                    // As execvp(3): another directory of the PATH may hold one that may be executed.
                    Some(libc::EACCES) => refused = Some(error),
                    _ => return Err(error),
                }
            }
            Err(refused.unwrap_or_else(none))
        }
    }
}

/// The paths at which a command may lie, as execvp(3) looks for it.
fn candidates(name: &CString, env: &[CString]) -> Vec<CString> {
    if name.as_bytes().contains(&b'/') {
        return vec![name.clone()];
    }
    let path = env.iter().find_map(|entry| entry.as_bytes().strip_prefix(b"PATH="));
    let path = path.unwrap_or(b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    let join = |directory: &[u8]| {
        let directory = if directory.is_empty() { b"." } else { directory };
        CString::new([directory, b"/", name.as_bytes()].concat()).ok()
    };
    path.split(|byte| *byte == b':').filter_map(join).collect()
}
