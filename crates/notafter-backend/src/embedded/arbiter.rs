//! The arbiter: moves the one clock of a sandbox, for all of its services at once, and waits in between until
//! everything that the motion woke has gone back to sleep.

use super::instance::Instance;
use super::timepiece::{Timepiece, broken};
use crate::wire::Deadline;
use crate::{Error, Moved};
use notafter_clock::{Busy, FARTHEST_JUMP, Pacer, Stillness, Survey, stillness};
use notafter_core::{Motion, Pace, Restless, ServiceName, UnixTime};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The end of a long leap, which is walked: a jump makes the limits of health checks and leases run out together with
/// what keeps them, and in step with their timers services recover from that (HAProxy after two good checks).
const LANDING: Duration = Duration::from_secs(120);
/// Shorter leaps are jumps alone.
const SHORTEST_LANDED: Duration = Duration::from_secs(600);
/// Between two looks at who is busy, on the host's clock.
const FIRST_PAUSE: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(4);
/// How long services may be busy before time goes on all the same, which stands in the record: at first, and once they
/// have shown that they always are; each without what the looks themselves take, and with it.
const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_PATIENCE: Duration = Duration::from_secs(15);
const LITTLE_PATIENCE: Duration = Duration::from_millis(30);
const LONGEST_LITTLE_PATIENCE: Duration = Duration::from_millis(100);
/// How long something that only ever pauses counts as not done.
const FIDGET_PATIENCE: Duration = Duration::from_millis(40);
/// How long connections may go on to deliver, all in all.
const DELIVERY_PATIENCE: Duration = Duration::from_millis(500);
/// More processes than this need not be named to show that a service does not rest.
const MAX_NAMED: usize = 8;
/// Real time that a motion takes before it hurries, and for each day that it has to go as much more, but never more than
/// half of what it is given.
const UNHURRIED: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3));
const DAY_SECS: u64 = 86_400;

/// One motion under way.
pub(super) struct Arbiter<'sandbox> {
    pub(super) timepiece: &'sandbox mut Timepiece,
    pub(super) instances: Vec<&'sandbox mut Instance>,
    /// Services of which a process never slept, in this motion or an earlier one.
    pub(super) restless: &'sandbox mut BTreeSet<ServiceName>,
    /// What it has learnt of their waits.
    pub(super) pacer: &'sandbox mut Pacer,
    moved: Moved,
}

/// How often each process was seen busy while everything was to come to rest.
type Sightings = BTreeMap<(ServiceName, Busy), u32>;

impl<'sandbox> Arbiter<'sandbox> {
    pub(super) fn new(
        timepiece: &'sandbox mut Timepiece,
        instances: Vec<&'sandbox mut Instance>,
        restless: &'sandbox mut BTreeSet<ServiceName>,
        pacer: &'sandbox mut Pacer,
    ) -> Self {
        Self { timepiece, instances, restless, pacer, moved: Moved::default() }
    }

    /// Carries out a motion. `within` bounds it on the host's clock.
    pub(super) fn travel(mut self, motion: Motion, to: UnixTime, within: Duration) -> Result<Moved, Error> {
        let deadline = Deadline::after(within).map_err(timer_failed)?;
        let haste = Deadline::after(unhurried(self.timepiece.page.left_until(to)).min(within / 2))
            .map_err(timer_failed)?;
        self.settle()?;
        self.pacer.begin();
        self.timepiece.page.begin_elapse();
        match motion {
            Motion::Step => self.timepiece.page.step_to(to).map_err(broken("set the clock"))?,
            Motion::Elapse(Pace::Leap) => self.leap(to, &deadline, &haste)?,
            Motion::Elapse(Pace::Walk) => self.walk(to, &deadline, &haste)?,
        }
        self.wake()?;
        self.settle()?;
        Ok(self.moved)
    }

    /// One jump, or as many as it takes where it is far; the last stretch of a long leap is walked.
    fn leap(&mut self, to: UnixTime, deadline: &Deadline, haste: &Deadline) -> Result<(), Error> {
        if self.timepiece.page.left_until(to) < SHORTEST_LANDED {
            return self.arrive(to);
        }
        loop {
            let ahead = self.timepiece.page.left_until(to).saturating_sub(LANDING);
            if ahead.is_zero() {
                return self.walk(to, deadline, haste);
            }
            self.timepiece.page.elapse(ahead.min(FARTHEST_JUMP), to).map_err(broken("let time elapse"))?;
            self.wake()?;
            self.settle()?;
        }
    }

    fn arrive(&mut self, to: UnixTime) -> Result<(), Error> {
        self.timepiece.page.elapse_to(to).map_err(broken("let time elapse"))
    }

    fn walk(&mut self, to: UnixTime, deadline: &Deadline, haste: &Deadline) -> Result<(), Error> {
        loop {
            if haste.is_over() {
                self.pacer.hurry();
            }
            let surveys = self.settle()?;
            let to_go = self.timepiece.page.left_until(to);
            let by = self.pacer.next_jump(&surveys, to_go);
            if by >= to_go {
                return self.arrive(to);
            }
            if deadline.is_over() {
                let now = self.timepiece.page.now();
                let reason = format!("time got no further than {now} on its way to {to} within the limit");
                return Err(Error::Sandbox {
                    action: "let time elapse".to_owned(),
                    source: std::io::Error::new(std::io::ErrorKind::TimedOut, reason),
                });
            }
            self.timepiece.page.elapse(by, to).map_err(broken("let time elapse"))?;
            self.wake()?;
        }
    }

    /// Tells every init that the page was changed.
    fn wake(&mut self) -> Result<(), Error> {
        self.moved.jumps += 1;
        self.moved.woken += Instance::tell_jumped(self.instances.iter().map(|instance| &**instance))?;
        Ok(())
    }

    /// Waits until everything sleeps, but for what never does; returns what it waits for then.
    fn settle(&mut self) -> Result<Vec<Survey>, Error> {
        let [mut waited, mut fidgeted, mut delivered] = [Duration::ZERO; 3];
        // Where a service takes all processors, a look takes many times as long as the pause before it.
        let longest = Deadline::after(LONGEST_PATIENCE).map_err(timer_failed)?;
        let longest_little = Deadline::after(LONGEST_LITTLE_PATIENCE).map_err(timer_failed)?;
        let mut pause = FIRST_PAUSE;
        let mut sightings = Sightings::new();
        let mut before = Vec::new();
        let mut stamp_before = None;
        loop {
            let stamp = self.timepiece.page.stamp().map_err(broken("read the clock"))?;
            let surveys = Instance::survey(self.instances.iter().map(|instance| &**instance))?;
            let awaited = self.note_busy(&surveys, &mut sightings);
            let mut still = stillness(&awaited, &before);
            before = awaited;
            if packets_wait() {
                still = still.min(Stillness::Fidgeting);
            }
            let calm = match still {
                Stillness::Asleep => true,
                Stillness::Fidgeting => fidgeted >= FIDGET_PATIENCE,
                Stillness::Delivering => delivered >= DELIVERY_PATIENCE,
                Stillness::Busy => false,
            };
            match still {
                Stillness::Fidgeting => fidgeted += pause,
                Stillness::Delivering => delivered += pause,
                Stillness::Asleep | Stillness::Busy => {}
            }
            let anything_busy = surveys.iter().any(|survey| !survey.busy.is_empty());
            let little = || waited >= LITTLE_PATIENCE || longest_little.is_over();
            if calm && (!anything_busy || little()) {
                match stamp {
                    // Nothing was written since the look before: between that and what time brings lies no tick.
                    Some(stamp) if stamp_before.is_none_or(|before| before == stamp) => {
                        stamp.pass().map_err(broken("read the clock"))?;
                        stamp_before = Some(stamp);
                        continue;
                    }
                    Some(_) | None => return Ok(surveys),
                }
            }
            stamp_before = stamp;
            if waited >= PATIENCE || longest.is_over() {
                self.give_up_on(sightings);
                return Ok(surveys);
            }
            std::thread::sleep(pause);
            waited += pause;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    /// Notes who is busy; returns the surveys of all but the services that never rest.
    fn note_busy(&self, surveys: &[Survey], sightings: &mut Sightings) -> Vec<Survey> {
        self.instances
            .iter()
            .zip(surveys)
            .filter(|(instance, _)| !self.restless.contains(&instance.service))
            .map(|(instance, survey)| {
                for busy in &survey.busy {
                    *sightings.entry((instance.service.clone(), busy.clone())).or_default() += 1;
                }
                survey.clone()
            })
            .collect()
    }

    /// Time goes on without those that were seen busy most of the time.
    fn give_up_on(&mut self, sightings: Sightings) {
        let most = sightings.values().max().copied().unwrap_or(0);
        let at = self.timepiece.page.now();
        let mut worst: Vec<_> = sightings.into_iter().filter(|(_, times)| *times * 2 >= most).collect();
        worst.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
        for ((service, busy), _) in worst.into_iter().take(MAX_NAMED) {
            let pid = u32::try_from(busy.pid).unwrap_or(0);
            self.restless.insert(service.clone());
            self.moved.restless.push(Restless { service, pid, process: busy.name, at });
        }
    }
}

fn timer_failed(source: std::io::Error) -> Error {
    Error::Sandbox { action: "make a timer".to_owned(), source }
}

/// How long a motion that has so far to go may take before it hurries.
fn unhurried(to_go: Duration) -> Duration {
    let days = u32::try_from(to_go.as_secs() / DAY_SECS).unwrap_or(u32::MAX);
    UNHURRIED.0.saturating_add(UNHURRIED.1.saturating_mul(days))
}

/// Whether packets wait for a processor of this machine to deliver them, between two services maybe: on a loaded one
/// they do while both sleep. The column is there from Linux 5.10 on (net/core/net-procfs.c).
fn packets_wait() -> bool {
    const BACKLOG: usize = 11;
    let waits = |line: &str| {
        line.split_ascii_whitespace().nth(BACKLOG).is_some_and(|count| count.bytes().any(|b| b != b'0'))
    };
    std::fs::read_to_string("/proc/net/softnet_stat").is_ok_and(|text| text.lines().any(waits))
}
