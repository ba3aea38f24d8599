//! Idle skip: how far time may jump while everything sleeps, so that what is due wakes in its order.
//!
//! Time goes from one deadline to the next, and every deadline counts. Only what waits for the same short time again and
//! again, seeing that time through, may be passed over: it keeps house, and stopping for each of its ticks would take a
//! day of ticks to pass a day. It is passed over step by step, once nothing else has happened for a while; where a short
//! wait of another kind is pending, which may be the limit of a request that is under way, later and by less.

use crate::supervisor::{Survey, Waiter};
use std::time::Duration;

/// Longer waits are jobs, however often they come back.
const LONGEST_HOUSEKEEPING: Duration = Duration::from_secs(3_600);
/// A wait of at most this length that is no housekeeping may belong to a request that is under way.
const LONGEST_REQUEST: Duration = Duration::from_secs(600);
/// While there are housekeepers time jumps no further than a part of the motion, within these bounds, so that those
/// that count their ticks get on.
const HOUSEKEEPING_JUMPS: u32 = 24;
const HOUSEKEEPING_JUMP: (Duration, Duration) = (Duration::from_secs(3_600), Duration::from_secs(21_600));
/// Shorter jumps are not worth it: real time gets there.
const SHORTEST_JUMP: Duration = Duration::from_millis(1);
/// Waits of one kind that must have been seen through before those like them count as housekeeping; and more do not
/// count, so that some which end early do soon.
const HABIT: (i8, i8) = (3, 8);
/// Jumps from deadline to deadline, since anything happened that is no housekeeping, before housekeepers are passed
/// over: where nothing is under way, and where something is.
const EXACT_JUMPS: u32 = 4;
const EXACT_JUMPS_UNDER_WAY: u32 = 64;
/// While something is under way, housekeepers are passed over by no more than this part of what is left to it.
const PASSED_OVER: u32 = 16;
/// How much further every jump over housekeepers goes than all since anything happened together.
const GROWTH: u32 = 3;
/// What comes back only after more looks than this, and more of its own lengths, no longer keeps house.
const ABSENCE: u32 = 4;
/// Jumps that a motion may take, and for each day that it has come along as many again. Beyond them every short wait
/// keeps house until time has caught up: services whose waits all differ (PostgreSQL's) would never get there.
const MOST_JUMPS: u32 = 256;
const DAY_SECS: u64 = 86_400;
/// In a motion of at most this length a wait of at least that keeps no house, as long as there are not too many: cron(8)
/// sleeps until each minute, and leaves out what was due in the hours that it slept through.
const SHORT_MOTION: Duration = Duration::from_secs(2 * 3_600);
const SHORTEST_MINUTE: Duration = Duration::from_secs(30);
/// Kinds of waits that are remembered.
const MAX_KINDS: usize = 256;

/// Time never jumps further than this at once: event loops count how late a wait of theirs ended in milliseconds of 32
/// bits with a sign (libuv's, Node's), and after more than 24.8 days wait as long again.
pub const FARTHEST_JUMP: Duration = Duration::from_secs(24 * 86_400);

/// A sleep of at most this length is a pause of something that is not done: real time gets there.
pub(crate) const FIDGET: Duration = Duration::from_millis(20);

/// How still the guests are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stillness {
    /// Something runs or waits for a disk.
    Busy,
    /// Nothing runs, and a connection will deliver bytes by itself.
    Delivering,
    /// Something ran since the look before, or sleeps so briefly that it is not done, or for ever does nothing else.
    Fidgeting,
    /// Everything sleeps.
    Asleep,
}

/// How still the guests of these surveys are, by `before`, the same guests at the look before; empty at the first.
///
/// One look alone reads thread after thread: two that answer each other in turn may both be found asleep.
#[must_use]
pub fn stillness(surveys: &[Survey], before: &[Survey]) -> Stillness {
    let ran = || surveys.iter().zip(before).any(|(now, before)| now.runs != before.runs);
    let fidgets = |survey: &Survey| survey.fidgets || survey.waiters.iter().any(pauses);
    if surveys.iter().any(|survey| !survey.busy.is_empty()) {
        Stillness::Busy
    } else if surveys.iter().any(|survey| survey.delivers) {
        Stillness::Delivering
    } else if surveys.iter().any(fidgets) || surveys.len() != before.len() || ran() {
        Stillness::Fidgeting
    } else {
        Stillness::Asleep
    }
}

fn pauses(waiter: &Waiter) -> bool {
    waiter.length <= FIDGET
}

/// Waits of one length in one service, and how they went.
#[derive(Debug, Clone)]
struct Kind {
    service: usize,
    length: Duration,
    /// How many were seen through, less those that ended early; at most [`HABIT`]'s upper bound.
    seen_through: i8,
    /// Looks since one was last pending, and how far time went meanwhile.
    absent: (u32, Duration),
}

/// What is waited for now, as far as a jump can tell one wait from another.
#[derive(Debug, Clone)]
struct Pending {
    service: usize,
    pid: i32,
    length: Duration,
    remaining: Duration,
}

/// Says how far time may jump, from one jump to the next. It learns which waits keep house, and lives as long as the
/// services do.
#[derive(Debug, Default)]
pub struct Pacer {
    kinds: Vec<Kind>,
    pending: Vec<Pending>,
    /// How far time went by the last jump.
    last_jump: Duration,
    /// Jumps since anything happened that is no housekeeping, and how far they went.
    quiet: u32,
    quiet_for: Duration,
    /// Jumps of this motion, and how far they went.
    jumps: u32,
    gone: Duration,
    /// Whether this motion is short.
    is_short: bool,
    /// Whether this motion has been told to hurry.
    late: bool,
    /// Whether a motion ever had to.
    hurried: bool,
}

impl Pacer {
    /// A motion begins, or services were spoken to in between: what is pending was not woken by a jump.
    pub fn begin(&mut self) {
        self.pending.clear();
        (self.jumps, self.gone, self.late) = (0, Duration::ZERO, false);
        self.be_exact();
    }

    /// This motion has taken so much real time that from now on every short wait keeps house.
    pub fn hurry(&mut self) {
        self.late = true;
    }

    /// How far time may jump at once.
    ///
    /// `surveys` are those of every supervisor of the sandbox, always in the same order, taken while nothing was busy;
    /// `to_go` is what is left of the motion.
    pub fn next_jump(&mut self, surveys: &[Survey], to_go: Duration) -> Duration {
        let pending: Vec<Pending> =
            surveys.iter().enumerate().flat_map(|(service, survey)| of(service, survey)).collect();
        if self.jumps == 0 {
            self.is_short = to_go <= SHORT_MOTION;
        }
        self.hurried |= self.is_overdue();
        self.learn(&pending);
        let next = |housekeeping| {
            let waits = pending.iter().filter(|wait| self.keeps_house(wait) == housekeeping);
            waits.map(|wait| wait.remaining).min()
        };
        let (tick, target) = (next(true), next(false).unwrap_or(to_go));
        let under_way = pending
            .iter()
            .filter(|wait| wait.length <= LONGEST_REQUEST && !self.keeps_house(wait) && !self.is_habit(wait));
        let under_way = under_way.map(|wait| wait.remaining).min();
        let by = match (tick, under_way) {
            (None, _) => target,
            (Some(tick), None) if self.quiet < EXACT_JUMPS => tick.min(target),
            (Some(tick), None) => {
                let longest = (to_go / HOUSEKEEPING_JUMPS).clamp(HOUSEKEEPING_JUMP.0, HOUSEKEEPING_JUMP.1);
                tick.max(self.quiet_for.saturating_mul(GROWTH)).min(longest).min(target)
            }
            (Some(tick), Some(_)) if self.quiet < EXACT_JUMPS_UNDER_WAY => tick.min(target),
            (Some(tick), Some(left)) => tick.max(left / PASSED_OVER).min(target),
        };
        let by = by.min(FARTHEST_JUMP).max(SHORTEST_JUMP).min(to_go);
        let job_is_due =
            pending.iter().any(|wait| wait.length > LONGEST_HOUSEKEEPING && wait.remaining <= by);
        if job_is_due {
            self.be_exact();
        } else {
            self.quiet = self.quiet.saturating_add(1);
            self.quiet_for = self.quiet_for.saturating_add(by);
        }
        self.jumps = self.jumps.saturating_add(1);
        self.gone = self.gone.saturating_add(by);
        self.pending = pending;
        self.last_jump = by;
        by
    }

    /// Whether time ever went on over short waits because a motion could not stop for them all. A limit that
    /// was pending then may have run out though its request was under way.
    #[must_use]
    pub fn has_hurried(&self) -> bool {
        self.hurried
    }

    fn be_exact(&mut self) {
        self.quiet = 0;
        self.quiet_for = Duration::ZERO;
    }

    fn keeps_house(&self, wait: &Pending) -> bool {
        if wait.length > LONGEST_HOUSEKEEPING {
            return false;
        }
        let counts = self.is_short && wait.length >= SHORTEST_MINUTE;
        self.is_overdue() || (!counts && self.is_habit(wait))
    }

    /// Whether what waits so has been seen through again and again.
    fn is_habit(&self, wait: &Pending) -> bool {
        self.kind_of(wait).is_some_and(|kind| kind.seen_through >= HABIT.0)
    }

    /// Whether the motion has taken more jumps or more time than it may.
    fn is_overdue(&self) -> bool {
        let most = u64::from(MOST_JUMPS);
        self.late || u64::from(self.jumps) > most + self.gone.as_secs().saturating_mul(most) / DAY_SECS
    }

    fn kind_of(&self, wait: &Pending) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.service == wait.service && is_about(kind.length, wait.length))
    }

    /// Compares what was pending before the last jump with what is now.
    fn learn(&mut self, now: &[Pending]) {
        let before = std::mem::take(&mut self.pending);
        let last_jump = self.last_jump;
        // Real time has passed beside the jump, so what is left only ever shrinks.
        let goes_on = |wait: &Pending, now: &Pending| {
            (wait.service, wait.pid, wait.length) == (now.service, now.pid, now.length)
                && now.remaining + last_jump <= wait.remaining
        };
        for wait in &before {
            if wait.remaining <= last_jump {
                self.note(wait, 1);
            } else if !now.iter().any(|now| goes_on(wait, now)) {
                self.note(wait, -1);
            }
        }
        for kind in &mut self.kinds {
            let is_one = |wait: &Pending| wait.service == kind.service && is_about(wait.length, kind.length);
            let (looks, time) = kind.absent;
            if !now.iter().any(is_one) {
                // The jump behind which it is missed for the first time is the one that woke it.
                let by = if looks == 0 { Duration::ZERO } else { last_jump };
                kind.absent = (looks.saturating_add(1), time.saturating_add(by));
            } else {
                if looks > ABSENCE && time > kind.length * ABSENCE {
                    kind.seen_through = 0;
                }
                kind.absent = (0, Duration::ZERO);
            }
        }
        let has_begun = |now: &Pending| {
            now.length <= LONGEST_HOUSEKEEPING
                && !self.keeps_house(now)
                && !self.is_habit(now)
                && !before.iter().any(|wait| goes_on(wait, now))
        };
        if now.iter().any(has_begun) {
            self.be_exact();
        }
    }

    fn note(&mut self, wait: &Pending, by: i8) {
        if wait.length > LONGEST_HOUSEKEEPING {
            return;
        }
        let position = self
            .kinds
            .iter()
            .position(|kind| kind.service == wait.service && is_about(kind.length, wait.length));
        let mut kind = match position {
            Some(position) => self.kinds.remove(position),
            None => Kind {
                service: wait.service,
                length: wait.length,
                seen_through: 0,
                absent: (0, Duration::ZERO),
            },
        };
        kind.seen_through = (kind.seen_through + by).clamp(0, HABIT.1);
        self.kinds.insert(0, kind);
        self.kinds.truncate(MAX_KINDS);
    }
}

fn of(service: usize, survey: &Survey) -> impl Iterator<Item = Pending> {
    survey.waiters.iter().map(move |waiter| Pending {
        service,
        pid: waiter.pid,
        length: waiter.length,
        remaining: waiter.remaining,
    })
}

/// Whether two lengths differ by at most a tenth.
fn is_about(one: Duration, other: Duration) -> bool {
    one.abs_diff(other) <= one.max(other) / 10
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::Busy;

    const DAY: Duration = Duration::from_secs(86_400);

    /// Two services, of which the second has these waiters: pid, what remains, how long it waits, in milliseconds.
    fn surveys(waiters: &[(i32, u64, u64)]) -> Vec<Survey> {
        let waiter = |&(pid, remaining, length): &(i32, u64, u64)| Waiter {
            pid,
            remaining: Duration::from_millis(remaining),
            length: Duration::from_millis(length),
        };
        vec![Survey::default(), Survey { waiters: waiters.iter().map(waiter).collect(), ..Survey::default() }]
    }

    /// One that has seen a tick of this length, in milliseconds, again and again, and nothing else.
    fn used_to(length: u64) -> Pacer {
        let mut pacer = Pacer::default();
        for _ in 0..100 {
            pacer.next_jump(&surveys(&[(2, length, length)]), DAY);
        }
        pacer
    }

    #[test]
    fn what_ran_between_two_looks_is_not_asleep() {
        let ran = |runs: u64| vec![Survey::default(), Survey { runs, ..Survey::default() }];
        let busy = Busy { pid: 2, name: "a".to_owned() };
        let awake = vec![Survey { busy: vec![busy], delivers: true, ..Survey::default() }];
        let delivers = vec![Survey { delivers: true, fidgets: true, ..Survey::default() }];
        for (surveys, before, expected) in [
            (ran(7), ran(7), Stillness::Asleep),
            (ran(8), ran(7), Stillness::Fidgeting),
            // One look alone shows nothing.
            (ran(7), vec![], Stillness::Fidgeting),
            (vec![], vec![], Stillness::Asleep),
            (delivers.clone(), delivers, Stillness::Delivering),
            (awake.clone(), awake, Stillness::Busy),
        ] {
            assert_eq!(stillness(&surveys, &before), expected, "{surveys:?} after {before:?}");
        }
    }

    #[test]
    fn time_goes_from_deadline_to_deadline() {
        let secs = Duration::from_secs;
        for (waiters, expected) in [
            (&[(2, 2_000, 2_000), (3, 5_000, 5_000)][..], secs(2)),
            (&[(2, 900_000, 86_400_000)], secs(900)),
            // Without a wait, nothing is lost by going to the end at once.
            (&[], DAY),
        ] {
            assert_eq!(Pacer::default().next_jump(&surveys(waiters), DAY), expected, "{waiters:?}");
        }
    }

    #[test]
    fn a_housekeeper_alone_is_passed_over_step_by_step() {
        let mut pacer = Pacer::default();
        let steps: Vec<u64> =
            (0..40).map(|_| pacer.next_jump(&surveys(&[(2, 1_000, 1_000)]), DAY).as_secs()).collect();
        assert_eq!(steps[..4], [1; 4]);
        assert!(steps.windows(2).all(|pair| pair[0] <= pair[1]), "{steps:?}");
        assert_eq!(steps[39], 3_600);
    }

    /// Of cron, beside a clock that ticks each second.
    #[test]
    fn a_wait_of_a_minute_counts_in_a_motion_of_an_hour_and_not_in_one_of_a_day() {
        let wakes = |motion: Duration| {
            let mut pacer = Pacer::default();
            for _ in 0..4 {
                pacer.next_jump(&surveys(&[(2, 60_000, 60_000)]), DAY);
            }
            pacer.begin();
            let (mut gone, mut minute, mut wakes) = (Duration::ZERO, 60_000, 0);
            while gone < motion {
                let by = pacer.next_jump(&surveys(&[(2, minute, 60_000), (3, 1_000, 1_000)]), motion - gone);
                gone += by;
                let by = u64::try_from(by.as_millis()).unwrap();
                wakes += u32::from(by >= minute);
                minute = if by >= minute { 60_000 } else { minute - by };
            }
            assert!(!pacer.has_hurried(), "{} jumps", pacer.jumps);
            wakes
        };
        assert_eq!(wakes(Duration::from_secs(3_600)), 60);
        assert!(wakes(DAY) < 100);
    }

    #[test]
    fn a_request_under_way_keeps_its_limit_however_its_handler_waits() {
        // The handler sleeps for two seconds and has done so often; it may also sleep in small parts.
        for handler in [2_000, 100] {
            let mut pacer = used_to(handler);
            let (mut left, mut slept, mut limit) = (handler, 0, 5_000);
            while slept < 2_000 {
                let by = pacer.next_jump(&surveys(&[(2, left, handler), (3, limit, 5_000)]), DAY);
                let by = u64::try_from(by.as_millis()).unwrap();
                assert!(by < limit, "{handler}: {slept}");
                (slept, limit) = (slept + handler.min(by), limit - by);
                left = if by >= left { handler } else { left - by };
            }
        }
    }

    #[test]
    fn a_job_ends_the_quiet_and_its_request_is_followed_though_nothing_tells_it_from_a_habit() {
        let mut pacer = used_to(1_000);
        let day = 86_400_000;
        let by = pacer.next_jump(&surveys(&[(2, 1_000, 1_000), (3, 2_000, day)]), DAY);
        assert_eq!(by, Duration::from_secs(2));
        let by = pacer.next_jump(&surveys(&[(2, 1_000, 1_000), (3, day, day)]), DAY);
        assert_eq!(by, Duration::from_secs(1));
    }

    #[test]
    fn waits_that_are_never_alike_cannot_hold_a_day_up() {
        let (mut pacer, mut gone, mut jumps) = (Pacer::default(), Duration::ZERO, 0);
        pacer.begin();
        while gone < DAY {
            jumps += 1;
            // Each has another length, from a fifth of a second to a minute, and ends early.
            let length = 200 + jumps * 7_919 % 60_000;
            gone += pacer.next_jump(&surveys(&[(2, 200, length), (3, 150, 300_000 - length)]), DAY - gone);
            assert!(jumps < 1_000, "{gone:?}");
            assert!(jumps > 256 || !pacer.has_hurried(), "{jumps}");
        }
        assert!(pacer.has_hurried(), "{jumps}");
        pacer.begin();
        assert!(pacer.has_hurried(), "another motion does not take it back");
    }

    #[test]
    fn a_motion_that_must_hurry_is_there_soon_and_the_next_one_takes_its_time_again() {
        let waits = |jumps: u64| surveys(&[(2, 200, 200 + jumps * 7_919 % 60_000)]);
        let (mut pacer, mut gone, mut jumps) = (Pacer::default(), Duration::ZERO, 0);
        pacer.begin();
        assert_eq!(pacer.next_jump(&waits(0), DAY), Duration::from_millis(200));
        pacer.hurry();
        while gone < DAY {
            jumps += 1;
            gone += pacer.next_jump(&waits(jumps), DAY - gone);
        }
        assert!(jumps < 50 && pacer.has_hurried(), "{jumps}");
        pacer.begin();
        assert_eq!(pacer.next_jump(&waits(0), DAY), Duration::from_millis(200));
    }

    #[test]
    fn a_limit_that_is_hardly_ever_reached_never_is_housekeeping() {
        let mut pacer = used_to(500);
        for day in 0..50 {
            // It ends early each time, because the answer comes.
            let waits = [(2, 500, 500), (3, 5_000, 5_000)];
            for _ in 0..4 {
                let by = pacer.next_jump(&surveys(&waits), DAY);
                assert_eq!(by, Duration::from_millis(500), "{day}");
            }
            pacer.next_jump(&surveys(&[(2, 500, 500)]), DAY);
        }
    }

    #[test]
    fn a_motion_never_overshoots_and_never_stands_still() {
        let jump = |waiters, to_go| Pacer::default().next_jump(&surveys(waiters), to_go);
        assert_eq!(jump(&[(2, 50_000, 50_000)], Duration::from_secs(7)), Duration::from_secs(7));
        assert_eq!(jump(&[(2, 0, 50_000)], DAY), SHORTEST_JUMP);
        assert_eq!(jump(&[], DAY * 365), FARTHEST_JUMP);
    }
}
