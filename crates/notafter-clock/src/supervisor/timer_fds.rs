//! timerfds of the guests: armed on their behalf, relative to now, and brought in line when the clock jumps.

use super::engine::Supervisor;
use crate::clock::{Clock, ClockKind, Deadline};
use crate::guest;
use crate::nanos::Nanos;
use notafter_sys::memory;
use notafter_sys::notify::Notification;
use notafter_sys::page::{PageState, Timespec};
use notafter_sys::timers::{ForeignTimerFd, TimerSetting};
use std::collections::HashMap;
use std::io;

/// What is remembered of an armed timerfd.
#[derive(Debug, Clone, Copy)]
pub(super) struct Armed {
    /// When it fires next, unless a motion comes between.
    pub(super) deadline: Deadline,
    /// What it was armed with: the interval, or the time until it fires once.
    pub(super) length: Nanos,
    interval: Nanos,
    /// The state of the page that the kernel's timer is in line with.
    in_line_with: PageState,
}

/// The armed timerfds, by process and descriptor.
#[derive(Debug, Default)]
pub(super) struct TimerFds(HashMap<(i32, i32), Armed>);

impl TimerFds {
    /// Brings the kernel's timers in line with a page that says `state` now. Returns how many fire because of it.
    pub(super) fn follow(&mut self, state: PageState) -> u32 {
        let wall = Clock::through(state).wall();
        let mut fired = 0;
        self.0.retain(|(pid, fd), armed| {
            // A timer may have been armed since the page was changed: each remembers what it is in line with.
            let previous = std::mem::replace(&mut armed.in_line_with, state);
            let by = match armed.deadline {
                Deadline::Mono(_) => Nanos::from(state.mono) - Nanos::from(previous.mono),
                Deadline::Wall { .. } => wall - Clock::through(previous).wall(),
            };
            match bring_forward(*pid, *fd, by) {
                Ok(Some(due)) => {
                    fired += u32::from(due);
                    true
                }
                // Closed, disarmed, or another file by now.
                Ok(None) | Err(_) => false,
            }
        });
        fired
    }

    /// Every armed timer with the time until it fires.
    pub(super) fn current(&mut self, clock: &Clock) -> impl Iterator<Item = (i32, Armed)> {
        for armed in self.0.values_mut() {
            // The kernel has fired it in the meantime.
            let interval = armed.interval.0;
            let passed = -clock.until(armed.deadline).0;
            if interval > 0 && passed >= 0 {
                let by = Nanos((passed / interval + 1) * interval);
                armed.deadline = match armed.deadline {
                    Deadline::Mono(at) => Deadline::Mono(at + by),
                    Deadline::Wall { at, no_later_than } => {
                        Deadline::Wall { at: at + by, no_later_than: no_later_than + by }
                    }
                };
            }
        }
        let now = *clock;
        let armed = self.0.iter().filter(move |(_, armed)| now.until(armed.deadline) > Nanos::ZERO);
        armed.map(|((pid, _), armed)| (*pid, *armed))
    }
}

/// Lets an armed timer fire earlier by `by`. Whether it fires at once; none where it is not armed.
fn bring_forward(pid: i32, fd: i32, by: Nanos) -> io::Result<Option<bool>> {
    if guest::timerfd_clock(pid, fd).is_none() {
        return Ok(None);
    }
    let timer = ForeignTimerFd::open(pid, fd)?;
    let left = timer.remaining()?;
    if left.value == Timespec::default() {
        return Ok(None);
    }
    if by == Nanos::ZERO {
        return Ok(Some(false));
    }
    let remaining = Nanos::from(left.value) - by;
    let value = Nanos(remaining.0.max(1)).to_timespec();
    timer.arm(TimerSetting { value, interval: left.interval })?;
    Ok(Some(remaining <= Nanos::ZERO))
}

impl Supervisor {
    /// timerfd_settime(2), carried out for the caller. A deadline on a shifted clock becomes a time from now.
    pub(super) fn timerfd_settime(&mut self, listener: u32, notification: &Notification) {
        let answer = match self.arm_timer_fd(notification) {
            Ok(old) => {
                let address = notification.args[3];
                let words = [old.interval, old.value].map(|time| [time.secs, time.nanos]);
                let written = if address == 0 {
                    Ok(())
                } else {
                    memory::write_words::<4>(
                        notification.tid,
                        address,
                        [words[0][0], words[0][1], words[1][0], words[1][1]],
                    )
                };
                return self.answer_written(listener, notification, written, 0);
            }
            Err(error) => error.raw_os_error().unwrap_or(libc::EINVAL),
        };
        if matches!(answer, libc::EPERM | libc::EACCES) {
            self.ledger.fault(notification.tid, "a timerfd of this process is out of reach");
        }
        self.answer_with(listener, notification, Err(answer));
    }

    fn arm_timer_fd(&mut self, notification: &Notification) -> io::Result<TimerSetting> {
        let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
        let pid = guest::process_of(notification.tid)?;
        let fd = notification.args[0] as u32 as i32;
        let [interval_secs, interval_nanos, secs, nanos] =
            memory::read_words::<4>(notification.tid, notification.args[2])
                .map_err(|_| io::Error::from_raw_os_error(libc::EFAULT))?;
        let value = Nanos::from_guest([secs, nanos]).ok_or_else(invalid)?;
        let interval = Nanos::from_guest([interval_secs, interval_nanos]).ok_or_else(invalid)?;
        let timer = ForeignTimerFd::open(pid, fd)?;
        let id = guest::timerfd_clock(pid, fd).ok_or_else(invalid)?;
        let clock = self.clock();
        let absolute = notification.args[1] as u32 as i32 & libc::TFD_TIMER_ABSTIME != 0;
        let deadline = if absolute {
            clock.deadline(ClockKind::of(id), value).ok_or_else(invalid)?
        } else {
            clock.after(value)
        };
        let armed = value != Nanos::ZERO;
        let from_now = if armed { Nanos(clock.until(deadline).0.max(1)) } else { Nanos::ZERO };
        let setting = TimerSetting { value: from_now.to_timespec(), interval: interval.to_timespec() };
        let old = timer.arm(setting)?;
        if armed {
            let length = if interval == Nanos::ZERO { from_now } else { interval };
            let in_line_with = clock.state();
            self.timer_fds.0.insert((pid, fd), Armed { deadline, length, interval, in_line_with });
        } else {
            self.timer_fds.0.remove(&(pid, fd));
        }
        Ok(old)
    }
}
