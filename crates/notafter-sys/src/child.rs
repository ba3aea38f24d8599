//! Becoming another program, and reaching into the table of descriptors of another process.
//!
//! # Safety
//! Unsafe code makes system calls with plain numbers and takes ownership of descriptors that the kernel has just
//! returned.
#![allow(unsafe_code, reason = "pidfd_getfd has no safe wrapper")]

use std::convert::Infallible;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

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
