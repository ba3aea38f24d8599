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
}

/// A thread that does not sleep.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Busy {
    /// Its process, in the supervisor's pid namespace.
    pub pid: i32,
    /// Its name; `?` where it was gone before it could be read.
    pub name: String,
}

/// The guests at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// Threads that run or wait for a disk; empty: everything sleeps.
    pub busy: Vec<Busy>,
    /// A digest of which threads there are and how often each was given a processor. Where nothing was busy in two
    /// surveys and this is the same, nothing ran in between either.
    pub runs: u64,
    /// Whether something began so short a wait while this was taken that it is not done.
    pub fidgets: bool,
    /// Whether a connection holds bytes back, and will let them go by itself.
    pub delivers: bool,
    /// What waits for time.
    pub waiters: Vec<Waiter>,
}

/// What the guests have asked for so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stirs {
    /// Calls put before the supervisor, but for pauses.
    pub(super) calls: u64,
    /// The thread that made the last of them.
    pub(super) last_caller: i32,
    /// Waits so short that whoever begins one is not done.
    pub(super) pauses: u64,
}

impl Supervisor {
    /// Looks at every thread of every process that it is to supervise: all of its pid namespace where it is pid 1 of one,
    /// else what descends from it.
    ///
    /// # Errors
    /// [`crate::Error::System`] where it can no longer serve.
    pub fn survey(&mut self) -> Result<Survey, crate::Error> {
        let before = self.stirs;
        self.collect_all_changes()?;
        self.serve_pending();
        let (mut busy, runs) = self.threads.look();
        // A thread that waits for an answer, or stands still for its exec, sleeps only to the eye.
        self.serve_pending();
        if self.stirs.calls != before.calls {
            busy.push(named(self.stirs.last_caller));
        }
        busy.extend(self.tracees.in_motion().map(named));
        self.note_socket_waits();
        let clock = self.clock();
        let mut waiters: Vec<Waiter> = Vec::new();
        let waiter = |pid, remaining: Nanos, length: Nanos| Waiter {
            pid,
            remaining: remaining.to_duration(),
            length: length.to_duration(),
        };
        for (tid, wait, waking) in self.sleepers.current() {
            // A wait that was noted and has ended by itself is forgotten only when its thread waits again.
            let waits = match waking {
                Waking::Answer { listener, id } => {
                    self.listeners.get(listener).is_some_and(|listener| listener.is_waiting(id))
                }
                Waking::Stop => self.tracees.is_rewritten(tid) || wait.holds(tid),
                Waking::Over | Waking::Renewed => false,
            };
            if waits {
                waiters.push(waiter(tid, clock.until(wait.deadline), wait.length));
            }
        }
        let timer_fds = self.timer_fds.current(&clock);
        waiters.extend(timer_fds.map(|(pid, armed)| waiter(pid, clock.until(armed.deadline), armed.length)));
        let signal_timers = self.signal_timers.current(&clock);
        waiters.extend(signal_timers.map(|(pid, remaining, length)| waiter(pid, remaining, length)));
        let delivers = busy.is_empty()
            && self.segments.are_held_back(clock.real_mono()).unwrap_or_else(|error| {
                self.ledger.unseen.insert(format!(
                    "whether its connections hold bytes back cannot be seen, so that limits may run out early: {error}"
                ));
                false
            });
        Ok(Survey { busy, runs, fidgets: self.stirs.pauses != before.pauses, delivers, waiters })
    }
}

fn named(tid: i32) -> Busy {
    let pid = guest::process_of(tid).unwrap_or(tid);
    Busy { pid, name: guest::state(pid, tid).map_or_else(|| "?".to_owned(), |(_, name)| name) }
}
