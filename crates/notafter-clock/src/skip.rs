//! Idle skip: how far time may jump while everything sleeps, so that what is due wakes in its order.
//!
//! Time goes from one deadline to the next. A waiter that has waited for the same short time again and again does
//! housekeeping: stopping for each of its ticks would take a day of ticks to pass a day. Once nothing but such
//! waiters and long ones are left, time goes on in larger jumps, and housekeepers wake once in each.
//! Before that, every deadline counts: a request that is under way keeps its timeouts.

use crate::supervisor::{Survey, Waiter};
use std::time::Duration;

/// Waits of the same length in a row that make a housekeeper.
const HABIT: u32 = 3;
/// Longer waits are jobs, however often they come back.
const LONGEST_HOUSEKEEPING: Duration = Duration::from_secs(3_600);
/// A first wait of at most this length may belong to a request that is under way.
const LONGEST_REQUEST: Duration = Duration::from_secs(600);
/// While there are housekeepers time jumps no further than a part of the motion, within these bounds, so that those
/// that count their ticks get on.
const HOUSEKEEPING_JUMPS: u32 = 24;
const HOUSEKEEPING_JUMP: (Duration, Duration) = (Duration::from_secs(3_600), Duration::from_secs(86_400));
/// Shorter jumps are not worth it: real time gets there.
const SHORTEST_JUMP: Duration = Duration::from_millis(1);
/// After so many jumps in one motion, everything that waits for at most an hour counts as housekeeping.
const MANY_JUMPS: u32 = 400;

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
    /// Something sleeps so briefly that it is not done, or for ever does nothing else.
    Fidgeting,
    /// Everything sleeps.
    Asleep,
}

/// How still the guests of these surveys are.
#[must_use]
pub fn stillness(surveys: &[Survey]) -> Stillness {
    if surveys.iter().any(|survey| !survey.busy.is_empty()) {
        Stillness::Busy
    } else if surveys.iter().any(|survey| survey.fidgets || survey.waiters.iter().any(pauses)) {
        Stillness::Fidgeting
    } else {
        Stillness::Asleep
    }
}

fn pauses(waiter: &Waiter) -> bool {
    waiter.length <= FIDGET
}

/// How far time may jump at once.
///
/// `surveys` are those of every supervisor of the sandbox, taken while nothing was busy; `to_go` is what is left of
/// the motion, `jumps` how many it took so far.
#[must_use]
pub fn next_jump(surveys: &[Survey], to_go: Duration, jumps: u32) -> Duration {
    let waiters = || surveys.iter().flat_map(|survey| &survey.waiters);
    let keeps_house = |waiter: &Waiter| {
        waiter.length <= LONGEST_HOUSEKEEPING && (waiter.repeats >= HABIT || jumps >= MANY_JUMPS)
    };
    let under_way = waiters().any(|waiter| waiter.length <= LONGEST_REQUEST && !keeps_house(waiter));
    let targets = waiters().filter(|waiter| under_way || !keeps_house(waiter));
    let next = targets.map(|waiter| waiter.remaining).min().unwrap_or(to_go);
    let longest = if waiters().any(keeps_house) {
        (to_go / HOUSEKEEPING_JUMPS).clamp(HOUSEKEEPING_JUMP.0, HOUSEKEEPING_JUMP.1)
    } else {
        to_go
    };
    next.min(longest).min(FARTHEST_JUMP).max(SHORTEST_JUMP).min(to_go)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn survey(waiters: &[(u64, u64, u32)]) -> Vec<Survey> {
        let waiter = |&(remaining, length, repeats): &(u64, u64, u32)| Waiter {
            pid: 2,
            remaining: Duration::from_secs(remaining),
            length: Duration::from_secs(length),
            repeats,
        };
        vec![Survey::default(), Survey { waiters: waiters.iter().map(waiter).collect(), ..Survey::default() }]
    }

    #[test]
    fn time_goes_from_deadline_to_deadline() {
        let secs = Duration::from_secs;
        for (waiters, expected) in [
            (&[(2, 2, 1), (5, 5, 1)][..], secs(2)),
            // A housekeeper alone does not hold time up, and gets its turn once an hour.
            (&[(1, 1, 9)], secs(3_600)),
            // Without one, nothing is lost by going to the end at once.
            (&[], DAY),
            // A request under way does: the handler behind it may look like a housekeeper.
            (&[(2, 2, 9), (5, 5, 1)], secs(2)),
            // A job that comes back every day is a target each time.
            (&[(1, 1, 9), (900, 86_400, 9)], secs(900)),
        ] {
            assert_eq!(next_jump(&survey(waiters), DAY, 0), expected, "{waiters:?}");
        }
    }

    #[test]
    fn a_motion_never_overshoots_and_never_stands_still() {
        assert_eq!(next_jump(&survey(&[(50, 50, 1)]), Duration::from_secs(7), 0), Duration::from_secs(7));
        assert_eq!(next_jump(&survey(&[(0, 50, 1)]), DAY, 0), SHORTEST_JUMP);
        assert_eq!(next_jump(&survey(&[(1, 1, 1)]), DAY, MANY_JUMPS), HOUSEKEEPING_JUMP.0);
        assert_eq!(next_jump(&[], DAY * 365, 0), FARTHEST_JUMP);
    }
}
