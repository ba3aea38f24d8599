//! Threads that wait until a time: which ones, until when, and which of them the kernel would wake too late.

use super::engine::Listeners;
use crate::calls::{self, Reads};
use crate::clock::Clock;
use crate::nanos::Nanos;
use crate::wait::Wait;
use std::collections::HashMap;

/// More than this many remembered threads, and those that no longer exist are forgotten.
const CROWD: usize = 4096;
/// How long a thread that may not have begun its wait is left alone: at first, and at most.
const SHORTEST_PUT_OFF: Nanos = Nanos(1_000_000);
const LONGEST_PUT_OFF: Nanos = Nanos(64_000_000);

/// How a waiting thread will be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waking {
    /// Its wait has ended.
    Over,
    /// The kernel wakes it, or the supervisor does by stopping it, whichever comes first.
    Stop,
    /// Its call is on its way to be issued again, with what is left of its timeout.
    Renewed,
    /// It waits for the supervisor's answer to this notification.
    Answer { listener: u32, id: u64 },
}

#[derive(Debug)]
struct Sleeper {
    wait: Wait,
    waking: Waking,
    /// When to look whether a wait that is over has begun at all, on the kernel's CLOCK_MONOTONIC, and how long was waited
    /// for that last.
    look: Option<(Nanos, Nanos)>,
}

impl Sleeper {
    /// How long until its wait is over, and a look that was put off is due.
    fn until_look(&self, clock: &Clock) -> Nanos {
        let until = clock.until(self.wait.deadline);
        self.look.map_or(until, |(at, _)| until.max(at - clock.real_mono()))
    }
}

/// The waiting threads, by thread id.
#[derive(Debug, Default)]
pub(super) struct Sleepers(HashMap<i32, Sleeper>);

impl Sleepers {
    pub(super) fn insert(&mut self, tid: i32, mut wait: Wait, waking: Waking) {
        if self.0.len() >= CROWD {
            self.0.retain(|tid, _| std::path::Path::new(&format!("/proc/{tid}")).exists());
        }
        if let Some(Sleeper { wait: before, waking: Waking::Renewed, .. }) = self.0.get(&tid) {
            wait.go_on_from(before);
        }
        self.0.insert(tid, Sleeper { wait, waking, look: None });
    }

    pub(super) fn forget(&mut self, tid: i32) {
        self.0.remove(&tid);
    }

    /// Whether a thread is known to be in a wait, and is in it.
    pub(super) fn holds(&self, tid: i32) -> bool {
        let sleeper = self.0.get(&tid).filter(|sleeper| sleeper.waking == Waking::Stop);
        sleeper.is_some_and(|sleeper| sleeper.wait.holds(tid))
    }

    /// Marks the wait of a thread as over and returns it.
    pub(super) fn end(&mut self, tid: i32) -> Option<Wait> {
        let sleeper = self.0.get_mut(&tid).filter(|sleeper| sleeper.waking == Waking::Stop)?;
        sleeper.waking = Waking::Over;
        Some(sleeper.wait)
    }

    /// The wait of a thread, if it is due and no look at it was put off until later than now.
    pub(super) fn due(&self, tid: i32, clock: &Clock) -> Option<&Wait> {
        let sleeper = self.0.get(&tid).filter(|sleeper| sleeper.waking == Waking::Stop)?;
        (sleeper.until_look(clock) <= Nanos::ZERO).then_some(&sleeper.wait)
    }

    /// Looks at a thread again in a moment: longer moments the more often that was said.
    pub(super) fn put_off(&mut self, tid: i32, clock: &Clock) {
        if let Some(sleeper) = self.0.get_mut(&tid) {
            let last = sleeper.look.map_or(Nanos::ZERO, |(_, last)| last);
            let moment = (last + last).max(SHORTEST_PUT_OFF).min(LONGEST_PUT_OFF);
            sleeper.look = Some((clock.real_mono() + moment, moment));
        }
    }

    /// Waits that go on though time has elapsed, and that leave the kernel's idea of what is left behind.
    pub(super) fn with_remainders(&self, clock: &Clock) -> Vec<(i32, Wait, Reads)> {
        let waits = self.helped(clock).map(|(tid, sleeper)| (tid, &sleeper.wait));
        let waits = waits.filter(|(_, wait)| clock.until(wait.deadline) > Nanos::ZERO);
        let reads = |wait: &Wait| calls::remainder(wait.number, &wait.args).map(|left| left.read);
        waits.filter_map(|(tid, wait)| Some((tid, *wait, reads(wait)?))).collect()
    }

    /// The call of a thread will be issued again.
    pub(super) fn renew(&mut self, tid: i32) {
        if let Some(sleeper) = self.0.get_mut(&tid) {
            sleeper.waking = Waking::Renewed;
        }
    }

    /// Lets every thread go on whose sleep, kept by the supervisor, is over. Returns how many.
    pub(super) fn end_due_sleeps(&mut self, clock: &Clock, listeners: &Listeners) -> u32 {
        let mut ended = 0;
        for sleeper in self.0.values_mut() {
            let Waking::Answer { listener, id } = sleeper.waking else { continue };
            if clock.until(sleeper.wait.deadline) > Nanos::ZERO {
                continue;
            }
            sleeper.waking = Waking::Over;
            // A thread that a signal took out of its sleep no longer waits for this answer.
            let answered =
                listeners.get(listener).map(|listener| listener.answer(id, Ok(sleeper.wait.form.on_timeout)));
            ended += u32::from(matches!(answered, Some(Ok(()))));
        }
        ended
    }

    /// Threads whose wait is over while the kernel would let it last.
    pub(super) fn due_waits(&self, clock: &Clock) -> Vec<i32> {
        let due = self.helped(clock).filter(|(_, sleeper)| sleeper.until_look(clock) <= Nanos::ZERO);
        due.map(|(tid, _)| tid).collect()
    }

    /// How long until the next wait is over that the kernel would let last, or that the supervisor keeps.
    pub(super) fn next_due(&self, clock: &Clock) -> Option<Nanos> {
        let kept = self.0.values().filter(|sleeper| matches!(sleeper.waking, Waking::Answer { .. }));
        let kept = kept.map(|sleeper| clock.until(sleeper.wait.deadline));
        self.helped(clock).map(|(_, sleeper)| sleeper.until_look(clock)).chain(kept).min()
    }

    fn helped(&self, clock: &Clock) -> impl Iterator<Item = (i32, &Sleeper)> {
        let stopped = self.0.iter().filter(|(_, sleeper)| sleeper.waking == Waking::Stop);
        stopped.map(|(tid, sleeper)| (*tid, sleeper)).filter(|(_, sleeper)| sleeper.wait.needs_help(clock))
    }

    /// Every wait that is not over, with its thread.
    pub(super) fn current(&self) -> impl Iterator<Item = (i32, &Wait, Waking)> {
        let current =
            self.0.iter().filter(|(_, sleeper)| !matches!(sleeper.waking, Waking::Over | Waking::Renewed));
        current.map(|(tid, sleeper)| (*tid, &sleeper.wait, sleeper.waking))
    }
}
