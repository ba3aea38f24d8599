//! Starting a program under the clock.

use super::engine::{Happening, Supervisor};
use crate::error::{During, Error};
use notafter_sys::bpf::Instruction;
use notafter_sys::fdpass;
use notafter_sys::fork::{self, Forked};
use notafter_sys::notify::{self, Listener, NewPrivileges};
use notafter_sys::signals;
use std::convert::Infallible;
use std::ffi::CString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
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
    /// Whether it, and what it starts, may gain privileges by exec; allowing that takes CAP_SYS_ADMIN in the
    /// supervisor's user namespace.
    pub new_privileges: NewPrivileges,
    /// Runs in the new process before its exec: descriptors, ids, capabilities. Nobody answers its calls yet: it may
    /// make none that the filter puts before the supervisor.
    pub prepare: Box<dyn FnOnce() -> io::Result<()> + 'prepare>,
}

/// A program that this supervisor started.
pub(super) struct Root {
    pub(super) pid: i32,
    /// Whether it has become the program.
    pub(super) has_executed: bool,
    /// Closed by its exec; holds an errno where that failed.
    status: Option<UnixStream>,
}

impl Root {
    /// The descriptor that tells whether it has started, until that is known.
    pub(super) fn starting(&self) -> Option<BorrowedFd<'_>> {
        self.status.as_ref().map(AsFd::as_fd)
    }
}

/// How long a new process may take to prepare itself, on the host's clock.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest reason that a new process can give.
const MAX_REASON_BYTES: u64 = 4096;

/// Stages of a start, as the new process reports them.
const PREPARE: u8 = b'p';
const FILTER: u8 = b'f';
const EXEC: u8 = b'x';
const LISTENER: u8 = b'l';

impl Supervisor {
    /// Starts a program and serves until its exec has succeeded or failed. What happens to others meanwhile is told
    /// by the next [`Supervisor::turn`].
    ///
    /// # Errors
    /// [`Error::System`] where the process cannot be made or the filter is refused; a program that cannot be
    /// executed is the inner error, an errno.
    pub fn start(&mut self, launch: Launch<'_>) -> Result<Result<i32, i32>, Error> {
        let pid = self.spawn(launch)?;
        loop {
            self.step(&[], None)?;
            let unstartable = self.happenings.iter().find_map(|happening| match happening {
                Happening::Unstartable { pid: failed, errno, .. } if *failed == pid => Some(*errno),
                _ => None,
            });
            if let Some(errno) = unstartable {
                return Ok(Err(errno));
            }
            if !self.roots.iter().any(|root| root.pid == pid && root.status.is_some()) {
                return Ok(Ok(pid));
            }
        }
    }

    /// Starts a program. Whether its exec succeeds is told by [`Supervisor::turn`].
    ///
    /// # Errors
    /// [`Error::System`] where the process cannot be made, its preparation fails, or the filter is refused.
    pub fn spawn(&mut self, launch: Launch<'_>) -> Result<i32, Error> {
        let (mut ours, theirs) = UnixStream::pair().during("socketpair")?;
        let pid = match fork::fork().during("fork")? {
            Forked::Child => {
                drop(ours);
                start_anew(launch, &self.filter, &theirs)
            }
            Forked::Parent(pid) => pid.as_raw_nonzero().get(),
        };
        drop(theirs);
        ours.set_read_timeout(Some(PATIENCE)).during("setsockopt")?;
        let listener = match await_listener(&mut ours) {
            Ok(listener) => Listener::from_fd(listener),
            Err(error) => {
                let _ = signals::send(pid, libc::SIGKILL); // it may have ended by itself
                return Err(error);
            }
        };
        listener.prefer_same_cpu();
        self.listeners.add(listener);
        ours.write_all(b"g").during("starting the new process")?;
        self.roots.push(Root { pid, has_executed: false, status: Some(ours) });
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
        message.extend(error.to_string().into_bytes());
        let _ = (&*socket).write_all(&message); // without a parent nobody asks
        if stage == PREPARE {
            // Under a filter that nobody listens to, exit_group(2) is refused.
            let _ = signals::send(nix::unistd::getpid().as_raw(), libc::SIGKILL); // nobody keeps it from that
        }
    }
    fork::exit_now(125)
}

/// Receives the listener of the new process's filter, or why there is none.
fn await_listener(socket: &mut UnixStream) -> Result<OwnedFd, Error> {
    let mut message = [0; 5];
    let (got, mut fds) = fdpass::receive(&*socket, &mut message).during("starting the new process")?;
    socket.read_exact(&mut message[got..]).during("starting the new process")?;
    let errno =
        || io::Error::from_raw_os_error(i32::from_le_bytes([message[1], message[2], message[3], message[4]]));
    match (message[0], fds.pop()) {
        (LISTENER, Some(listener)) => Ok(listener),
        (PREPARE, _) => {
            let mut reason = String::new();
            let _ = socket.take(MAX_REASON_BYTES).read_to_string(&mut reason); // what there is of it
            Err(Error::Unprepared { reason })
        }
        _ => Err(errno()).during("installing the seccomp filter"),
    }
}

/// Runs in the new process, up to its exec.
fn become_program(
    launch: Launch<'_>,
    filter: &[Instruction],
    socket: &UnixStream,
) -> Result<Infallible, (u8, io::Error)> {
    let Launch { executable, argv, env, new_privileges, prepare } = launch;
    let install = || notify::install(filter, new_privileges).map_err(|error| (FILTER, error));
    let prepare = || prepare().and_then(|()| signals::unblock_all()).map_err(|error| (PREPARE, error));
    let listener = match new_privileges {
        // That takes a capability which `prepare` may give away.
        NewPrivileges::Allowed => {
            let listener = install()?;
            prepare()?;
            listener
        }
        NewPrivileges::Denied => {
            prepare()?;
            install()?
        }
    };
    let handed_over = hand_over(listener, socket);
    handed_over.map_err(|error| (FILTER, error))?;
    Err((EXEC, execute(&executable, &argv, &env)))
}

/// Hands the listener to the supervisor and waits until it listens.
fn hand_over(listener: OwnedFd, mut socket: &UnixStream) -> io::Result<()> {
    fdpass::send(socket, &[LISTENER, 0, 0, 0, 0], &[listener.as_fd()])?;
    drop(listener);
    // The supervisor attaches before the exec, while this is still a copy of a process that may not be inspected.
    // Only now: before, whoever inspected it could have taken the listener.
    nix::sys::prctl::set_dumpable(true)?;
    socket.read_exact(&mut [0])
}

/// Becomes the program; returns only where that fails.
fn execute(executable: &Executable, argv: &[CString], env: &[CString]) -> io::Error {
    let none = || io::Error::from_raw_os_error(libc::ENOENT);
    match executable {
        Executable::Fd(fd) => fork::exec_open(fd.as_fd(), argv, env),
        Executable::FirstArgument => {
            let Some(name) = argv.first() else { return none() };
            let mut refused = None;
            for path in candidates(name, env) {
                let error = fork::exec(&path, argv, env);
                match error.raw_os_error() {
                    Some(libc::ENOENT | libc::ENOTDIR) => {}
                    // As execvp(3): another directory of the PATH may hold one that may be executed.
                    Some(libc::EACCES) => refused = Some(error),
                    _ => return error,
                }
            }
            refused.unwrap_or_else(none)
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
