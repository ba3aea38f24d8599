//! Timers and clocks of this and other processes: raw clock reads, timerfds reached through pidfd_getfd(2), and the
//! kernel's clock discipline.
//!
//! # Safety
//! Unsafe code makes system calls with pointers to live locals, and takes ownership of descriptors that the kernel
//! has just returned.
#![allow(unsafe_code, reason = "these calls have no safe wrapper")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use crate::page::Timespec;

/// Reads a clock by system call, past any vDSO. `clock` is a number of clock_gettime(2).
///
/// # Errors
/// `EINVAL` for a clock that the kernel does not know.
pub fn read_clock(clock: i32) -> io::Result<Timespec> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a live timespec, which is what the call fills.
    check(unsafe { libc::syscall(libc::SYS_clock_gettime, clock, &raw mut time) })?;
    Ok(Timespec { secs: time.tv_sec, nanos: time.tv_nsec })
}

/// Between two looks at whether a tick has come.
const LOOK_FOR_TICK: Duration = Duration::from_micros(200);

/// Reads a clock the way programs do, through the C library and so through the vDSO.
///
/// # Errors
/// As [`read_clock`].
pub fn read_clock_by_vdso(clock: i32) -> io::Result<Timespec> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a live timespec, which is what the call fills.
    check(unsafe { libc::clock_gettime(clock, &raw mut time) }.into())?;
    Ok(Timespec { secs: time.tv_sec, nanos: time.tv_nsec })
}

/// Waits until CLOCK_REALTIME_COARSE shows another time than `tick`: 1 to 10 ms, as the kernel was built (`CONFIG_HZ`).
///
/// # Errors
/// Those of clock_gettime(2).
pub fn await_tick(tick: Timespec) -> io::Result<()> {
    while read_clock(libc::CLOCK_REALTIME_COARSE)? == tick {
        std::thread::sleep(LOOK_FOR_TICK);
    }
    Ok(())
}

/// A setting of a timer: time until it first fires (zero: disarmed), and the interval after that (zero: once).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimerSetting {
    /// Until it fires.
    pub value: Timespec,
    /// Between later firings.
    pub interval: Timespec,
}

/// A timerfd of another process.
#[derive(Debug)]
pub struct ForeignTimerFd(OwnedFd);

impl ForeignTimerFd {
    /// Reaches descriptor `fd` of process `pid`. Drop it soon: while it lives the guest's close does not end it.
    ///
    /// # Errors
    /// `EBADF` where the process has no such descriptor, `EPERM` where access is refused.
    pub fn open(pid: i32, fd: i32) -> io::Result<Self> {
        Ok(Self(foreign_fd(pid, fd)?))
    }

    /// Arms it relative to now and returns the setting that it had.
    ///
    /// # Errors
    /// `EINVAL` where it is no timerfd or the setting is malformed.
    pub fn arm(&self, setting: TimerSetting) -> io::Result<TimerSetting> {
        let (new, mut old) = (to_raw(setting), to_raw(TimerSetting::default()));
        // SAFETY: both are live itimerspecs; the call reads the first and fills the second.
        check(unsafe { libc::timerfd_settime(self.0.as_raw_fd(), 0, &raw const new, &raw mut old) }.into())?;
        Ok(from_raw(old))
    }

    /// What is left until it fires, and its interval.
    ///
    /// # Errors
    /// `EINVAL` where it is no timerfd.
    pub fn remaining(&self) -> io::Result<TimerSetting> {
        let mut current = to_raw(TimerSetting::default());
        // SAFETY: `current` is a live itimerspec, which is what the call fills.
        check(unsafe { libc::timerfd_gettime(self.0.as_raw_fd(), &raw mut current) }.into())?;
        Ok(from_raw(current))
    }
}

impl AsFd for ForeignTimerFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A copy of descriptor `fd` of process `pid` (pidfd_getfd(2)).
///
/// # Errors
/// `EBADF` where the process has no such descriptor, `EPERM` where access is refused, `ESRCH` where it is gone.
fn foreign_fd(pid: i32, fd: i32) -> io::Result<OwnedFd> {
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

fn to_raw(setting: TimerSetting) -> libc::itimerspec {
    let raw = |time: Timespec| libc::timespec { tv_sec: time.secs, tv_nsec: time.nanos };
    libc::itimerspec { it_interval: raw(setting.interval), it_value: raw(setting.value) }
}

fn from_raw(raw: libc::itimerspec) -> TimerSetting {
    let time = |time: libc::timespec| Timespec { secs: time.tv_sec, nanos: time.tv_nsec };
    TimerSetting { value: time(raw.it_value), interval: time(raw.it_interval) }
}

/// Length of `struct timex` in bytes.
pub const TIMEX_LEN: usize = size_of::<libc::timex>();

/// The state of the kernel's clock discipline, read without changing it (adjtimex(2), `modes` 0), with `shift` in
/// place of the time that it holds; and the call's result.
///
/// # Errors
/// Those of adjtimex(2).
pub fn read_timex(shift: impl FnOnce(Timespec) -> Timespec) -> io::Result<([u8; TIMEX_LEN], i64)> {
    // SAFETY: an all-zero `timex` is valid: modes 0 reads only.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: `timex` is a live `struct timex`, which is what the call fills.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    check(state.into())?;
    const STA_NANO: i32 = 0x2000;
    let scale = if timex.status & STA_NANO == 0 { 1_000 } else { 1 };
    let shifted = shift(Timespec { secs: timex.time.tv_sec, nanos: timex.time.tv_usec * scale });
    timex.time.tv_sec = shifted.secs;
    timex.time.tv_usec = shifted.nanos / scale;
    // SAFETY: `timex` is plain old data of exactly this length without uninitialised bytes: it was zeroed first.
    Ok((unsafe { std::mem::transmute::<libc::timex, [u8; TIMEX_LEN]>(timex) }, state.into()))
}

/// Length of `struct sysinfo` in 64-bit words.
pub const SYSINFO_WORDS: usize = size_of::<libc::sysinfo>() / 8;

/// What sysinfo(2) tells of the machine, up for `longer` more seconds.
///
/// # Errors
/// Those of sysinfo(2).
pub fn read_sysinfo(longer: i64) -> io::Result<[i64; SYSINFO_WORDS]> {
    let mut info = [0_i64; SYSINFO_WORDS];
    // SAFETY: `info` is live and as long and as aligned as the `struct sysinfo` that the call fills.
    check(unsafe { libc::syscall(libc::SYS_sysinfo, info.as_mut_ptr()) })?;
    // The first word is `uptime`.
    info[0] = info[0].saturating_add(longer);
    Ok(info)
}

/// What times(2) returns, `later` nanoseconds from now: clock ticks since some instant before the machine's start.
///
/// # Errors
/// Those of times(2).
pub fn ticks_since_boot(later: i128) -> io::Result<i64> {
    // SAFETY: times(2) writes nowhere where the pointer is null.
    let ticks = unsafe { libc::syscall(libc::SYS_times, std::ptr::null_mut::<libc::tms>()) };
    check(ticks)?;
    const NANOS_PER_TICK: i128 = 10_000_000; // USER_HZ is 100
    Ok(ticks.saturating_add(i64::try_from(later / NANOS_PER_TICK).unwrap_or(i64::MAX)))
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

    #[test]
    fn the_machine_is_up_for_longer_by_what_is_added() {
        let now = read_sysinfo(0).unwrap()[0];
        assert!((now + 86_400..now + 86_460).contains(&read_sysinfo(86_400).unwrap()[0]));
        let ticks = ticks_since_boot(0).unwrap();
        assert!((ticks + 100..ticks + 6_100).contains(&ticks_since_boot(1_000_000_000).unwrap()));
    }

    #[test]
    fn a_timerfd_is_armed_and_read_from_outside() {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC).unwrap();
        let pid = i32::try_from(std::process::id()).unwrap();
        let foreign = ForeignTimerFd::open(pid, std::os::fd::AsFd::as_fd(&timer).as_raw_fd()).unwrap();
        let value = Timespec { secs: 90, nanos: 0 };
        foreign.arm(TimerSetting { value, interval: Timespec::default() }).unwrap();
        let left = foreign.remaining().unwrap().value;
        assert!(left <= value && left.secs >= 80, "{left:?}");
    }
}
