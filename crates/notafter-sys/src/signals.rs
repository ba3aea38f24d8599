//! Signals: blocking them, being woken by them, and sending those that a timer would send.
//!
//! # Safety
//! Unsafe code makes the rt_sigqueueinfo(2) calls, with a pointer to a live `siginfo_t`, and restores default
//! dispositions.
#![allow(unsafe_code, reason = "queueing a signal with timer information has no safe wrapper")]

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// A signal that has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// Its number.
    pub signal: i32,
    /// Whether the kernel sent it, as a terminal's driver does, and not a process.
    pub by_kernel: bool,
}

/// A descriptor that becomes readable when one of the chosen signals arrives; they are blocked from then on.
#[derive(Debug)]
pub struct SignalWatch(SignalFd);

impl SignalWatch {
    /// Blocks `signals` in the calling thread and watches for them. Processes that this thread starts inherit the
    /// blocked mask: call [`unblock_all`] in them before exec.
    ///
    /// # Errors
    /// Those of signalfd(2).
    pub fn new(signals: &[Signal]) -> io::Result<Self> {
        let set: SigSet = signals.iter().copied().collect();
        set.thread_block()?;
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// Takes the signals that have arrived.
    pub fn take(&mut self) -> Vec<Arrived> {
        let mut taken = Vec::new();
        while let Ok(Some(info)) = self.0.read_signal() {
            let signal = i32::try_from(info.ssi_signo).unwrap_or(0);
            taken.push(Arrived { signal, by_kernel: info.ssi_code > 0 });
        }
        taken
    }
}

impl AsFd for SignalWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Gives a signal its default disposition.
///
/// # Errors
/// `EINVAL` for SIGKILL and SIGSTOP.
pub fn restore_default(signal: Signal) -> io::Result<()> {
    // SAFETY: the default disposition runs no code of this process.
    unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl) }?;
    Ok(())
}

/// Unblocks every signal in the calling thread.
///
/// # Errors
/// Those of pthread_sigmask(3).
pub fn unblock_all() -> io::Result<()> {
    SigSet::empty().thread_set_mask().map_err(io::Error::from)
}

/// To whom the signal of a timer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient {
    /// Any thread of the process.
    Process(i32),
    /// One thread of a process.
    Thread {
        /// The process.
        pid: i32,
        /// The thread.
        tid: i32,
    },
}

/// Sends `signal` as an expired timer_create(2) timer would: `si_code` SI_TIMER, with the timer's id and value.
///
/// # Errors
/// `ESRCH` where the recipient is gone, `EPERM` where it may not be signalled.
pub fn send_timer_signal(recipient: Recipient, signal: i32, timer_id: i32, value: u64) -> io::Result<()> {
    /// `siginfo_t` of a timer (asm-generic/siginfo.h): 128 bytes.
    #[repr(C)]
    struct TimerInfo {
        signo: i32,
        errno: i32,
        code: i32,
        pad: i32,
        timer_id: i32,
        overrun: i32,
        value: u64,
        rest: [u64; 12],
    }
    let code = libc::SI_TIMER;
    let info =
        TimerInfo { signo: signal, errno: 0, code, pad: 0, timer_id, overrun: 0, value, rest: [0; 12] };
    let result = match recipient {
        // SAFETY: `info` is live and has the size and layout of `siginfo_t`, which the kernel only reads.
        Recipient::Process(pid) => unsafe {
            libc::syscall(libc::SYS_rt_sigqueueinfo, pid, signal, &raw const info)
        },
        // SAFETY: as above.
        Recipient::Thread { pid, tid } => unsafe {
            libc::syscall(libc::SYS_rt_tgsigqueueinfo, pid, tid, signal, &raw const info)
        },
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sends `signal` to a process, as kill(2).
///
/// # Errors
/// `ESRCH` where it is gone, `EPERM` where it may not be signalled.
pub fn send(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: kill takes plain numbers.
    let result = unsafe { libc::kill(pid, signal) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watched_signal_is_taken_once() {
        let mut watch = SignalWatch::new(&[Signal::SIGUSR1]).unwrap();
        assert!(watch.take().is_empty());
        let me = nix::unistd::gettid().as_raw();
        let pid = nix::unistd::getpid().as_raw();
        send_timer_signal(Recipient::Thread { pid, tid: me }, libc::SIGUSR1, 3, 9).unwrap();
        assert_eq!(watch.take(), [Arrived { signal: libc::SIGUSR1, by_kernel: false }]);
        assert!(watch.take().is_empty());
    }
}
