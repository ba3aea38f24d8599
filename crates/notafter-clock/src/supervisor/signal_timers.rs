//! Timers that tell by a signal: setitimer(ITIMER_REAL), alarm and timer_create. Nobody outside a process can arm
//! them, so the kernel never sees them armed: they are kept here, and their signals are sent from here.

use super::engine::Supervisor;
use crate::clock::{Clock, ClockKind, Deadline};
use crate::guest::{self, Notify};
use crate::ledger::Ledger;
use crate::nanos::Nanos;
use notafter_sys::arch;
use notafter_sys::memory;
use notafter_sys::notify::Notification;
use notafter_sys::signals::{self, Recipient};
use std::collections::HashMap;
use std::io;

/// Which timer of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum TimerName {
    /// One of timer_create(2), by id.
    Posix(i32),
    /// The one of setitimer(ITIMER_REAL) and alarm(2).
    Real,
}

/// How its expiry is told.
#[derive(Debug, Clone, Copy)]
enum Telling {
    Alarm,
    Nobody,
    Signal { recipient: Recipient, signal: i32, value: u64 },
}

#[derive(Debug, Clone, Copy)]
struct SignalTimer {
    deadline: Deadline,
    interval: Nanos,
    length: Nanos,
    telling: Telling,
}

/// Time until a timer fires (zero: disarmed) and its interval.
type Setting = (Nanos, Nanos);

/// The armed timers, by process.
#[derive(Debug, Default)]
pub(super) struct SignalTimers(HashMap<(i32, TimerName), SignalTimer>);

impl SignalTimers {
    /// Timers of timer_create(2) end with the program that made them; an interval timer outlives its exec.
    pub(super) fn executed(&mut self, pid: i32) {
        self.0.retain(|(owner, name), _| *owner != pid || *name == TimerName::Real);
    }

    pub(super) fn next_due(&self, clock: &Clock) -> Option<Nanos> {
        self.0.values().map(|timer| clock.until(timer.deadline)).min()
    }

    /// Sends the signals of timers that are due. Returns how many.
    pub(super) fn fire(&mut self, clock: &Clock, ledger: &mut Ledger) -> u32 {
        let mut fired = 0;
        self.0.retain(|(pid, name), timer| {
            let passed = -clock.until(timer.deadline).0;
            if passed < 0 {
                return true;
            }
            let id = if let TimerName::Posix(id) = name { *id } else { 0 };
            let sent = match timer.telling {
                Telling::Alarm => signals::send(*pid, libc::SIGALRM),
                Telling::Nobody => Ok(()),
                Telling::Signal { recipient, signal, value } => {
                    signals::send_timer_signal(recipient, signal, id, value)
                }
            };
            fired += 1;
            match sent {
                Ok(()) => {}
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return false,
                Err(error) => ledger.fault(*pid, format!("the signal of a timer cannot be sent: {error}")),
            }
            if timer.interval == Nanos::ZERO {
                return false;
            }
            let missed = passed / timer.interval.0;
            let by = Nanos((missed + 1) * timer.interval.0);
            timer.deadline = match timer.deadline {
                Deadline::Mono(at) => Deadline::Mono(at + by),
                Deadline::Wall { at, no_later_than } => {
                    Deadline::Wall { at: at + by, no_later_than: no_later_than + by }
                }
            };
            true
        });
        fired
    }

    /// Every armed timer: process, time until it fires, what it was armed with.
    pub(super) fn current(&self, clock: &Clock) -> impl Iterator<Item = (i32, Nanos, Nanos)> {
        let now = *clock;
        self.0.iter().map(move |((pid, _), timer)| (*pid, now.until(timer.deadline), timer.length))
    }

    fn remaining(&self, key: (i32, TimerName), clock: &Clock) -> Setting {
        self.0.get(&key).map_or((Nanos::ZERO, Nanos::ZERO), |timer| {
            (Nanos(clock.until(timer.deadline).0.max(1)), timer.interval)
        })
    }

    fn arm(
        &mut self,
        key: (i32, TimerName),
        deadline: Option<Deadline>,
        interval: Nanos,
        telling: Telling,
        clock: &Clock,
    ) {
        self.0.remove(&key);
        let Some(deadline) = deadline else { return };
        let length = if interval == Nanos::ZERO { clock.until(deadline) } else { interval };
        self.0.insert(key, SignalTimer { deadline, interval, length, telling });
    }
}

impl Supervisor {
    /// Any of the calls that arm, read or delete these timers.
    pub(super) fn signal_timer(&mut self, listener: u32, notification: &Notification) {
        match self.carry_out(notification) {
            Ok(Some(result)) => self.answer_with(listener, notification, Ok(result)),
            Ok(None) => self.proceed(listener, notification),
            Err(error) => self.answer_written(listener, notification, Err(error), 0),
        }
    }

    /// The result of the call; none where the kernel is to carry it out.
    fn carry_out(&mut self, notification: &Notification) -> io::Result<Option<i64>> {
        let tid = notification.tid;
        let args = &notification.args;
        let pid = guest::process_of(tid)?;
        let real = (pid, TimerName::Real);
        let clock = self.clock();
        let posix = (pid, TimerName::Posix(args[0] as u32 as i32));
        match i64::from(notification.number) {
            arch::calls::ALARM => {
                let (left, _) = self.signal_timers.remaining(real, &clock);
                let secs = Nanos::from_secs(i64::from(args[0] as u32));
                let deadline = (secs != Nanos::ZERO).then(|| clock.after(secs));
                self.signal_timers.arm(real, deadline, Nanos::ZERO, Telling::Alarm, &clock);
                // Rounded to the nearest second, and never to zero while armed (alarm(2), kernel/time/itimer.c).
                let left =
                    if left == Nanos::ZERO { 0 } else { ((left.0 + 500_000_000) / 1_000_000_000).max(1) };
                Ok(Some(i64::try_from(left).unwrap_or(i64::MAX)))
            }
            libc::SYS_getitimer => {
                let setting = self.signal_timers.remaining(real, &clock);
                write_setting(tid, args[1], setting, 1_000).map(|()| Some(0))
            }
            libc::SYS_setitimer => {
                let (value, interval) = if args[1] == 0 {
                    (Nanos::ZERO, Nanos::ZERO)
                } else {
                    read_setting(tid, args[1], 1_000)?
                };
                let old = self.signal_timers.remaining(real, &clock);
                if args[2] != 0 {
                    write_setting(tid, args[2], old, 1_000)?;
                }
                let deadline = (value != Nanos::ZERO).then(|| clock.after(value));
                self.signal_timers.arm(real, deadline, interval, Telling::Alarm, &clock);
                Ok(Some(0))
            }
            libc::SYS_timer_delete => {
                self.signal_timers.0.remove(&posix);
                Ok(None)
            }
            libc::SYS_timer_gettime => {
                let TimerName::Posix(id) = posix.1 else { return Ok(None) };
                match guest::posix_timer(pid, id) {
                    Some(timer) if ClockKind::of(timer.clock) != ClockKind::Own => {
                        let setting = self.signal_timers.remaining(posix, &clock);
                        write_setting(tid, args[1], setting, 1).map(|()| Some(0))
                    }
                    // The kernel knows timers that count CPU time, and what to say of one that does not exist.
                    _ => Ok(None),
                }
            }
            _ => self.timer_settime(notification, posix, &clock),
        }
    }

    fn timer_settime(
        &mut self,
        notification: &Notification,
        key: (i32, TimerName),
        clock: &Clock,
    ) -> io::Result<Option<i64>> {
        let TimerName::Posix(id) = key.1 else { return Ok(None) };
        let args = &notification.args;
        let Some(timer) = guest::posix_timer(key.0, id) else { return Ok(None) };
        let kind = ClockKind::of(timer.clock);
        if kind == ClockKind::Own {
            return Ok(None);
        }
        let (value, interval) = read_setting(notification.tid, args[2], 1)?;
        let old = self.signal_timers.remaining(key, clock);
        if args[3] != 0 {
            write_setting(notification.tid, args[3], old, 1)?;
        }
        let absolute = args[1] as u32 as i32 & libc::TIMER_ABSTIME != 0;
        let deadline = match (value, absolute) {
            (Nanos::ZERO, _) => None,
            (_, false) => Some(clock.after(value)),
            (_, true) => clock.deadline(kind, value),
        };
        let telling = match timer.notify {
            Notify::Nobody => Telling::Nobody,
            Notify::Process => {
                let recipient = Recipient::Process(key.0);
                Telling::Signal { recipient, signal: timer.signal, value: timer.value }
            }
            Notify::Thread(tid) => {
                let recipient = Recipient::Thread { pid: key.0, tid };
                Telling::Signal { recipient, signal: timer.signal, value: timer.value }
            }
        };
        self.signal_timers.arm(key, deadline, interval, telling, clock);
        Ok(Some(0))
    }
}

/// Reads a `struct itimerval` or `itimerspec`, whose fractions of a second count in units of `unit` nanoseconds.
fn read_setting(tid: i32, address: u64, unit: i64) -> io::Result<Setting> {
    let [interval_secs, interval_fraction, secs, fraction] = memory::read_words::<4>(tid, address)?;
    let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
    let time = |secs: i64, fraction: i64| {
        Nanos::from_guest([secs, fraction.checked_mul(unit).ok_or_else(invalid)?]).ok_or_else(invalid)
    };
    Ok((time(secs, fraction)?, time(interval_secs, interval_fraction)?))
}

fn write_setting(tid: i32, address: u64, (value, interval): Setting, unit: i64) -> io::Result<()> {
    let [value_secs, value_nanos] = value.to_words();
    let [interval_secs, interval_nanos] = interval.to_words();
    // An armed timer never shows zero, however coarse the unit.
    let shown =
        if value_secs == 0 && value_nanos > 0 { (value_nanos / unit).max(1) } else { value_nanos / unit };
    memory::write_words(tid, address, [interval_secs, interval_nanos / unit, value_secs, shown])
}
