//! timerfd_settime(2), carried out for the guests: relative to now, whatever it was.

use super::engine::Supervisor;
use super::timer_fds::Armed;
use crate::clock::ClockKind;
use crate::guest;
use crate::nanos::Nanos;
use notafter_sys::memory;
use notafter_sys::notify::Notification;
use notafter_sys::timers::{ForeignTimerFd, TimerSetting};
use std::io;

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
        let length = if interval == Nanos::ZERO { from_now } else { interval };
        let armed = armed.then(|| Armed { deadline, length, interval, in_line_with: clock.state() });
        self.timer_fds.note(&timer, (pid, fd), armed);
        Ok(old)
    }
}
