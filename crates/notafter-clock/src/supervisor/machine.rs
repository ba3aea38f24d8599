//! How long the machine has been up, as system calls tell it: boot time by other names.

use super::engine::Supervisor;
use crate::guest;
use crate::nanos::Nanos;
use notafter_sys::memory;
use notafter_sys::notify::Notification;
use notafter_sys::timers;
use std::io;

impl Supervisor {
    /// sysinfo(2): the machine has been up for longer by what has elapsed.
    pub(super) fn sysinfo(&mut self, listener: u32, notification: &Notification) {
        let elapsed = Nanos::from(self.clock().state().mono);
        if elapsed == Nanos::ZERO {
            return self.proceed(listener, notification);
        }
        match timers::read_sysinfo(elapsed.to_timespec().secs) {
            Ok(words) => {
                let written = memory::write_words(notification.tid, notification.args[0], words);
                self.answer_written(listener, notification, written, 0);
            }
            Err(error) => {
                self.answer_with(listener, notification, Err(error.raw_os_error().unwrap_or(libc::EFAULT)));
            }
        }
    }

    /// times(2): its result counts from the machine's start, what it writes is CPU time.
    pub(super) fn times(&mut self, listener: u32, notification: &Notification) {
        let elapsed = Nanos::from(self.clock().state().mono);
        let ticks = if elapsed == Nanos::ZERO { None } else { timers::ticks_since_boot(elapsed.0).ok() };
        let Some(ticks) = ticks else { return self.proceed(listener, notification) };
        let (tid, address) = (notification.tid, notification.args[0]);
        let written = match guest::cpu_times(tid) {
            _ if address == 0 => Ok(()),
            Some(times) => memory::write_words(tid, address, times),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        self.answer_written(listener, notification, written, ticks);
    }
}
