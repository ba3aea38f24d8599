//! Children that run code of this program before they become another one.
//!
//! # Safety
//! Unsafe code forks. The child of a process with several threads may only make async-signal-safe calls; here it may
//! do anything, because a process with several threads is refused.
#![allow(unsafe_code, reason = "fork has no safe wrapper")]

use std::convert::Infallible;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Forks a child that runs `main` and then, where `main` returns, exits with 125. Returns the child's process id.
///
/// # Errors
/// `ResourceBusy` where this process has more than one thread; those of fork(2).
pub fn fork_into(main: impl FnOnce() -> io::Result<Infallible>) -> io::Result<i32> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            "a process with several threads cannot fork safely",
        ));
    }
    // SAFETY: this process has one thread, so the child finds every lock free and may run ordinary code.
    let pid = unsafe { libc::fork() };
    match pid {
        ..0 => Err(io::Error::last_os_error()),
        0 => {
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(main));
            // SAFETY: ends the child at once, without running exit handlers that belong to the parent.
            unsafe { libc::_exit(125) }
        }
        pid => Ok(pid),
    }
}

/// What to execute.
#[derive(Debug, Clone)]
pub enum Program<'fd> {
    /// An open executable.
    Fd(BorrowedFd<'fd>),
    /// A path; relative ones start at the working directory.
    Path(CString),
}

/// Becomes another program. Returns only where that fails.
///
/// # Errors
/// Those of execve(2).
pub fn execute(program: &Program<'_>, argv: &[CString], env: &[CString]) -> io::Result<Infallible> {
    let result = match program {
        Program::Fd(fd) => {
            let flags = nix::fcntl::AtFlags::AT_EMPTY_PATH;
            nix::unistd::execveat(fd, c"", argv, env, flags)
        }
        Program::Path(path) => nix::unistd::execve(path, argv, env),
    };
    result.map_err(io::Error::from)
}

/// A copy of descriptor `fd` of process `pid` (pidfd_getfd(2)).
///
/// # Errors
/// `EBADF` where the process has no such descriptor, `EPERM` where access is refused, `ESRCH` where it is gone.
pub fn foreign_fd(pid: i32, fd: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes plain numbers.
    let process = own(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: pidfd_getfd takes plain numbers.
    own(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0) })
}

fn own(fd: libc::c_long) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(fd).map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: the kernel just returned this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
