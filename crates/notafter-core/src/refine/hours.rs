//! Looks at other hours of the day and on other days of the week than those at which something ends. What comes again and
//! again at certain hours falls between the others; it still comes in the last week of the window, since whenever it does.

use super::boundary::{Boundary, boundaries, grouped};
use super::calendar::moments;
use super::plan::{check_all, elapse};
use crate::{Depth, Motion, Pace, RunRecord, Scenario, Step, UnixTime};
use std::collections::BTreeSet;

pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 24 * HOUR;
pub(super) const WEEK: i64 = 7 * DAY;
/// Looks of quick depth, behind the beginning of a Thursday, UTC, as 1 January 1970 was one: Friday 20:00, Sunday 04:00,
/// Wednesday 12:00. Each costs about as much as its checks, and they come in every walk.
const QUICK: [i64; 3] = [DAY + 20 * HOUR, 3 * DAY + 4 * HOUR, 6 * DAY + 12 * HOUR];
/// In full depth an outage that is no shorter than this shows, at whatever hour of the week it comes.
const APART_SECS: i64 = 2 * HOUR;
/// Boundaries behind which full depth looks so for a day.
const MAX_BOUNDARIES: usize = 8;

/// Instants at which a walk looks only because they lie at other hours than its stops; in time order.
#[must_use]
pub fn hours(record: &RunRecord) -> Vec<UnixTime> {
    let scenario = &record.scenario;
    let stops = grouped(boundaries(record, scenario.start.instant(), scenario.horizon));
    let mut looks = looks(scenario, &stops);
    for moment in moments(record) {
        looks.remove(&moment.at);
        looks.remove(&moment.at.plus_secs(-1));
    }
    looks.into_iter().collect()
}

/// The same for a walk with these stops, and some at which it stops for another reason too.
pub(super) fn looks(scenario: &Scenario, stops: &[Boundary]) -> BTreeSet<UnixTime> {
    let (start, horizon) = (scenario.start.instant(), scenario.horizon);
    let mut found: BTreeSet<UnixTime> = match scenario.planning.depth {
        Depth::Quick => {
            QUICK.into_iter().map(|of_week| first_of(WEEK, of_week, horizon.plus_secs(-WEEK))).collect()
        }
        Depth::Full => {
            let day = horizon.plus_secs(-DAY);
            let (own, others): (Vec<&Boundary>, Vec<&Boundary>) = stops.iter().partition(|stop| stop.own);
            let behind = own.into_iter().chain(others).take(MAX_BOUNDARIES);
            let behind = behind.flat_map(|stop| every(APART_SECS, stop.last, stop.last.plus_secs(DAY)));
            let week = every(APART_SECS, horizon.plus_secs(-WEEK), day);
            behind.chain(week).chain(every(HOUR, day, horizon)).collect()
        }
    };
    let is_stop =
        |at: UnixTime| stops.iter().any(|stop| at >= stop.before().plus_secs(-1) && at <= stop.last);
    found.retain(|at| *at > start && *at < horizon && !is_stop(*at));
    found
}

/// From `from` on, and short of `to`.
pub(super) fn every(secs: i64, from: UnixTime, to: UnixTime) -> impl Iterator<Item = UnixTime> {
    std::iter::successors(Some(from), move |at| Some(at.plus_secs(secs))).take_while(move |at| *at < to)
}

/// The first instant at or behind `from` that lies so many seconds behind the beginning of a period, counted from 1970 on.
fn first_of(period: i64, secs: i64, from: UnixTime) -> UnixTime {
    from.plus_secs((secs - from.as_secs()).rem_euclid(period))
}

/// 12:00 UTC, which is on the same day in almost every zone, of each day between them.
pub(super) fn noons(from: UnixTime, to: UnixTime) -> impl Iterator<Item = UnixTime> {
    every(DAY, first_of(DAY, DAY / 2, from), to)
}

/// `steps` with a look at each of `looks`. What waits there wakes at the end of each leap.
pub(super) fn with_looks(steps: Vec<Step>, looks: &BTreeSet<UnixTime>, scenario: &Scenario) -> Vec<Step> {
    let mut now = scenario.start.instant();
    let mut found = Vec::with_capacity(steps.len());
    for step in steps {
        if let Step::Move { motion: Motion::Elapse(_), to } = step {
            let inside = looks.iter().filter(|at| **at > now && **at < to);
            found.extend(inside.flat_map(|at| [elapse(Pace::Leap, *at), check_all(scenario)]));
            now = to;
        }
        found.push(step);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(period: i64, secs: i64, from: &str) -> String {
        first_of(period, secs, UnixTime::parse(from).unwrap()).to_string()
    }

    #[test]
    fn an_hour_is_the_first_at_or_behind_an_instant() {
        for (from, noon) in [
            ("2018-12-06T00:00:00Z", "2018-12-06T12:00:00Z"),
            ("2018-12-06T12:00:00Z", "2018-12-06T12:00:00Z"),
            ("2018-12-06T12:00:01Z", "2018-12-07T12:00:00Z"),
            ("1969-12-31T13:00:00Z", "1970-01-01T12:00:00Z"),
        ] {
            assert_eq!(first(DAY, DAY / 2, from), noon);
        }
    }

    #[test]
    fn quick_depth_looks_at_night_on_a_sunday_by_day_on_a_wednesday_and_in_the_evening_of_a_friday() {
        let looks = QUICK.map(|secs| first(WEEK, secs, "2020-10-25T00:00:00Z"));
        assert_eq!(looks, ["2020-10-30T20:00:00Z", "2020-10-25T04:00:00Z", "2020-10-28T12:00:00Z"]);
    }
}
