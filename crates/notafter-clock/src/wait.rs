//! Waits that end by time: what was noted of each when it began.

use crate::calls::{Basis, Encoding, WaitForm};
use crate::clock::{Clock, ClockKind, Deadline};
use crate::guest::{self, Call};
use crate::nanos::Nanos;
use notafter_sys::memory;
use notafter_sys::notify::Notification;
use std::io;

/// How far apart the deadlines of a wait and of its rest may be: what a thread takes to issue its call again.
const RENEWED_WITHIN: Nanos = Nanos(20_000_000);

/// A wait that a thread was let into.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait {
    pub(crate) number: i32,
    pub(crate) args: [u64; 6],
    pub(crate) form: WaitForm,
    pub(crate) deadline: Deadline,
    /// How long it was to last when it began.
    pub(crate) length: Nanos,
    /// What was added to monotonic time when it began: while that stands, the kernel ends it in time by itself.
    mono_when_begun: Nanos,
    /// How often the thread had left its processor when it was seen in this wait; none where its begin was noted.
    switches: Option<u64>,
}

/// Why a wait could not be noted.
pub(crate) enum Unnoted {
    /// Its timeout is malformed or not readable: the kernel will say so itself.
    KernelDecides,
    /// It counts CPU time, which is never shifted.
    OwnClock,
    /// The guest's memory is out of reach.
    Refused(io::Error),
}

impl Wait {
    /// Notes the wait that `notification` is about.
    pub(crate) fn note(notification: &Notification, form: WaitForm, clock: &Clock) -> Result<Self, Unnoted> {
        let timeout = read_timeout(notification, form)?;
        let deadline = match form.basis {
            Basis::Relative => clock.after(timeout),
            Basis::Absolute(id) => clock.deadline(ClockKind::of(id), timeout).ok_or(Unnoted::OwnClock)?,
        };
        let length = clock.until(deadline);
        Ok(Self {
            number: notification.number,
            args: notification.args,
            form,
            deadline,
            length,
            mono_when_begun: clock.state().mono.into(),
            switches: None,
        })
    }

    /// A wait of `length` in which a thread is seen, and which began since the last motion: in `call`, which returns
    /// `on_timeout` when its time is up. It counts from now, so it ends late by the real time that it has lasted.
    pub(crate) fn seen(call: Call, on_timeout: i64, length: Nanos, switches: u64, clock: &Clock) -> Self {
        // The timeout is in no argument.
        let form = WaitForm { argument: 0, encoding: Encoding::Timeval, basis: Basis::Relative, on_timeout };
        Self {
            number: call.0,
            args: call.1,
            form,
            deadline: clock.after(length),
            length,
            mono_when_begun: clock.state().mono.into(),
            switches: Some(switches),
        }
    }

    /// Takes this wait for the rest of `before`, if that is what it is: the same call with what was left of it.
    pub(crate) fn go_on_from(&mut self, before: &Self) {
        let apart = (self.deadline.mono() - before.deadline.mono()).0.abs();
        if (self.number, self.args) == (before.number, before.args) && apart <= RENEWED_WITHIN.0 {
            (self.deadline, self.length) = (before.deadline, before.length);
        }
    }

    /// Whether a thread sits in this very wait.
    pub(crate) fn holds(&self, tid: i32) -> bool {
        let is_there = guest::blocked_in(tid).is_some_and(|(number, args)| {
            args == self.args && (number == self.number || i64::from(number) == libc::SYS_restart_syscall)
        });
        // One whose begin was not seen looks like the next one with the same arguments, but for this.
        is_there && self.switches.is_none_or(|switches| guest::switches(tid) == Some(switches))
    }

    /// Whether a thread that does not sit in this wait may still be on its way into it: it was let in, and a busy machine
    /// has not given it a processor since.
    pub(crate) fn may_begin(&self, tid: i32) -> bool {
        self.switches.is_none() && guest::is_running(tid)
    }

    /// Whether the kernel, left alone, would end this wait too late.
    pub(crate) fn needs_help(&self, clock: &Clock) -> bool {
        match (self.form.basis, self.deadline) {
            (Basis::Relative, _) => Nanos::from(clock.state().mono) != self.mono_when_begun,
            (Basis::Absolute(_), Deadline::Mono(_)) => Nanos::from(clock.state().mono) != Nanos::ZERO,
            (Basis::Absolute(_), Deadline::Wall { .. }) => true,
        }
    }
}

fn read_timeout(notification: &Notification, form: WaitForm) -> Result<Nanos, Unnoted> {
    let argument = notification.args[usize::from(form.argument)];
    let pair = |scale: i64| {
        let [secs, fraction] = memory::read_words::<2>(notification.tid, argument).map_err(|error| {
            match error.raw_os_error() {
                Some(libc::EPERM | libc::EACCES) => Unnoted::Refused(error),
                _ => Unnoted::KernelDecides,
            }
        })?;
        let nanos = fraction.checked_mul(scale).ok_or(Unnoted::KernelDecides)?;
        Nanos::from_guest([secs, nanos]).ok_or(Unnoted::KernelDecides)
    };
    match form.encoding {
        Encoding::Millis => Ok(Nanos(i128::from(argument as u32 as i32) * 1_000_000)),
        Encoding::Timespec => pair(1),
        Encoding::Timeval => pair(1_000),
    }
}
