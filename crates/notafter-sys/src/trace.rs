//! ptrace(2), with the states of a thread as types: what is allowed only while it is stopped can only be called on a
//! [`Stopped`], and letting it go consumes that value.
//!
//! Threads are attached by PTRACE_SEIZE and let go again as soon as possible; nothing stays traced.
//!
//! # Safety
//! Unsafe code makes the ptrace(2) and waitpid(2) calls whose safe wrappers know no real-time signals; their
//! arguments are plain numbers and pointers to live locals.
#![allow(unsafe_code, reason = "the safe wrappers fail on real-time signals, which glibc and guests use")]

use crate::arch::Registers;
use std::io;

use nix::sys::ptrace;
use nix::unistd::Pid;

/// A thread that this process traces and that runs.
#[derive(Debug)]
pub struct Running {
    tid: Pid,
}

/// A thread that this process traces and that stands still.
#[derive(Debug)]
pub struct Stopped {
    tid: Pid,
}

/// Why a thread stopped or what became of a child.
#[derive(Debug)]
pub enum Change {
    /// A child or traced thread ended with this exit code; 128 + the number where a signal ended it.
    Ended {
        /// Thread id.
        tid: i32,
        /// Exit code.
        code: i32,
        /// The signal that ended it.
        signal: Option<i32>,
    },
    /// A traced thread has just become a new program and stands before its first instruction.
    Exec {
        /// The thread, now leader of its process.
        stopped: Stopped,
        /// The thread that called execve(2), which may have been another one of the process.
        former_tid: i32,
    },
    /// A traced thread stands still because a signal is about to be delivered.
    Signal {
        /// The thread.
        stopped: Stopped,
        /// The signal.
        signal: i32,
    },
    /// A traced thread stands still because it was asked to, or because its process is stopped.
    Interrupted {
        /// The thread.
        stopped: Stopped,
    },
}

/// Attaches to the thread `tid` without stopping it; its next exec stops it.
///
/// # Errors
/// `EPERM` where it may not be traced or another process traces it, `ESRCH` where it is gone.
pub fn seize(tid: i32) -> io::Result<Running> {
    let tid = Pid::from_raw(tid);
    ptrace::seize(tid, ptrace::Options::PTRACE_O_TRACEEXEC)?;
    Ok(Running { tid })
}

impl Running {
    /// The thread's id.
    #[must_use]
    pub fn tid(&self) -> i32 {
        self.tid.as_raw()
    }

    /// Asks it to stop soon; [`next_change`] will tell.
    ///
    /// # Errors
    /// `ESRCH` where it is gone.
    pub fn interrupt(&self) -> io::Result<()> {
        ptrace::interrupt(self.tid).map_err(io::Error::from)
    }
}

impl Stopped {
    /// The thread's id.
    #[must_use]
    pub fn tid(&self) -> i32 {
        self.tid.as_raw()
    }

    /// Its registers.
    ///
    /// # Errors
    /// `ESRCH` where it was killed in the meantime.
    pub fn registers(&self) -> io::Result<Registers> {
        Registers::of(self.tid)
    }

    /// Changes its registers.
    ///
    /// # Errors
    /// As [`Stopped::registers`].
    pub fn set_registers(&self, registers: Registers) -> io::Result<()> {
        registers.give(self.tid)
    }

    /// Lets it go for good, delivering `signal` (0: none).
    ///
    /// # Errors
    /// As [`Stopped::registers`].
    pub fn detach(self, signal: i32) -> io::Result<()> {
        let none = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: DETACH takes a thread id and a signal's number, and touches no memory of this process.
        let result = unsafe { libc::ptrace(libc::PTRACE_DETACH, self.tid.as_raw(), none, i64::from(signal)) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Lets it execute one instruction, which may be a system call that waits; then it stops with SIGTRAP.
    ///
    /// # Errors
    /// As [`Stopped::registers`].
    pub fn step(self) -> io::Result<Running> {
        ptrace::step(self.tid, None)?;
        Ok(Running { tid: self.tid })
    }
}

/// Whether this process has a child or traces a thread, ended or not.
#[must_use]
pub fn has_any() -> bool {
    // SAFETY: an all-zero `siginfo_t` is valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // SAFETY: `info` is a live `siginfo_t`, which is what waitid fills.
    unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, options) == 0 }
}

/// The next change of any child or traced thread; none where nothing has happened.
///
/// # Errors
/// `ECHILD` where there is neither child nor traced thread.
pub fn next_change() -> io::Result<Option<Change>> {
    let mut status = 0;
    // SAFETY: `status` is a live int, which is what waitpid fills.
    let tid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::WNOHANG) };
    if tid < 0 {
        return Err(io::Error::last_os_error());
    }
    if tid == 0 {
        return Ok(None);
    }
    if libc::WIFEXITED(status) {
        return Ok(Some(Change::Ended { tid, code: libc::WEXITSTATUS(status), signal: None }));
    }
    if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        return Ok(Some(Change::Ended { tid, code: 128 + signal, signal: Some(signal) }));
    }
    let stopped = Stopped { tid: Pid::from_raw(tid) };
    Ok(Some(match (status >> 16, libc::WSTOPSIG(status)) {
        (libc::PTRACE_EVENT_EXEC, _) => {
            let former = ptrace::getevent(stopped.tid).unwrap_or(0);
            Change::Exec { stopped, former_tid: i32::try_from(former).unwrap_or(0) }
        }
        (0, signal) => Change::Signal { stopped, signal },
        _ => Change::Interrupted { stopped },
    }))
}
