//! Who waits for what, and who is busy: what idle skip is decided on.

use super::engine::Supervisor;
use super::sleepers::Waking;
use crate::guest;
use crate::nanos::Nanos;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Something that will be woken by time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiter {
    /// Its thread or process, in the supervisor's pid namespace.
    pub pid: i32,
    /// Shifted monotonic time until then.
    pub remaining: Duration,
    /// How long it waits in all.
    pub length: Duration,
    /// How many waits of about this length it has begun in a row, this one included.
    pub repeats: u32,
}

/// The guests at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// Names of threads that run or wait for a disk; empty: everything sleeps.
    pub busy: Vec<String>,
    /// What waits for time.
    pub waiters: Vec<Waiter>,
}

impl Supervisor {
    /// Looks at every thread of every process that it is to supervise: all of its pid namespace where it is pid 1 of one,
    /// else what descends from it.
    ///
    /// # Errors
    /// [`crate::Error::System`] where it can no longer serve.
    pub fn survey(&mut self) -> Result<Survey, crate::Error> {
        let before = self.ledger.notifications;
        self.collect_changes()?;
        self.serve_pending();
        let mut busy = busy_threads();
        // A thread that waits for an answer, or stands still for its exec, sleeps only to the eye.
        self.serve_pending();
        if self.ledger.notifications != before || self.tracees.any_in_motion() {
            busy.push("a call that was just answered".to_owned());
        }
        let clock = self.clock();
        let mut waiters: Vec<Waiter> = Vec::new();
        let waiter = |pid, remaining: Nanos, length: Nanos, repeats| Waiter {
            pid,
            remaining: remaining.to_duration(),
            length: length.to_duration(),
            repeats,
        };
        for (tid, wait, waking) in self.sleepers.current() {
            // A wait that was noted and has ended by itself is forgotten only when its thread waits again.
            let waits = match waking {
                Waking::Answer { listener, id } => {
                    self.listeners.get(listener).is_some_and(|listener| listener.is_waiting(id))
                }
                Waking::Stop => {
                    self.tracees.is_rewritten(tid)
                        || guest::blocked_in(tid).is_some_and(|(number, args)| {
                            args == wait.args
                                && (number == wait.number || i64::from(number) == libc::SYS_restart_syscall)
                        })
                }
                Waking::Over => false,
            };
            if waits {
                waiters.push(waiter(tid, clock.until(wait.deadline), wait.length, wait.repeats));
            }
        }
        let timer_fds = self.timer_fds.current(&clock);
        waiters.extend(
            timer_fds
                .map(|(pid, armed)| waiter(pid, clock.until(armed.deadline), armed.length, armed.repeats)),
        );
        let signal_timers = self.signal_timers.current(&clock);
        waiters.extend(
            signal_timers.map(|(pid, remaining, length, repeats)| waiter(pid, remaining, length, repeats)),
        );
        Ok(Survey { busy, waiters })
    }
}

/// Threads that run or wait uninterruptibly. What vanishes while it is looked at was busy, and the next look tells.
fn busy_threads() -> Vec<String> {
    let mut busy = Vec::new();
    for pid in guest::processes().unwrap_or_default() {
        for tid in guest::threads(pid).unwrap_or_default() {
            match guest::state(pid, tid) {
                // `t` stands still for the supervisor.
                Some(('R' | 'D' | 't', name)) => busy.push(name),
                Some(_) => {}
                None => busy.push(format!("process {pid}")),
            }
        }
    }
    busy
}
