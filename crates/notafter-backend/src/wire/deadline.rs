//! A deadline that can be polled, so that nobody has to read a clock.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_gettime,
    timerfd_settime,
};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// As good as never, and short enough for every type on the way to the kernel.
pub(crate) const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Becomes readable when it is over, on the host's monotonic clock.
#[derive(Debug)]
pub(crate) struct Deadline(OwnedFd);

impl Deadline {
    pub(crate) fn after(span: Duration) -> io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
        // Zero would disarm it, and the kernel's seconds end somewhere.
        let span = span.clamp(Duration::from_nanos(1), LONGEST);
        let it_value = Timespec::try_from(span).map_err(io::Error::other)?;
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(&fd, TimerfdTimerFlags::empty(), &Itimerspec { it_interval, it_value })?;
        Ok(Self(fd))
    }

    /// What is left of it; zero once it is over (timerfd_gettime(2)).
    pub(crate) fn left(&self) -> Duration {
        timerfd_gettime(&self.0).ok().and_then(|left| left.it_value.try_into().ok()).unwrap_or(Duration::ZERO)
    }

    pub(crate) fn is_over(&self) -> bool {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }
}

impl AsFd for Deadline {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
