//! Services that come and go.

use super::expected::{allow, block, check, ids, inconclusive};
use super::world::{DAY, Ill, World, at, certificate, start};
use crate::*;

const HOUR: i64 = 3_600;
const WEEK: i64 = 7 * DAY;
/// Some day in the window at which nothing is known to change; a Friday.
const DATE: &str = "2019-02-01T12:00:00Z";

/// From 03:00 to 05:00 each night.
fn nightly(from: UnixTime, lives: bool) -> Ill {
    Ill::Outage { from, to: UnixTime::NO_EXPIRY, period: DAY, begins: 3 * HOUR, length: 2 * HOUR, lives }
}

/// On Saturdays and Sundays.
fn weekends(from: UnixTime) -> Ill {
    let begins = 2 * DAY; // 1 January 1970 was a Thursday
    Ill::Outage { from, to: UnixTime::NO_EXPIRY, period: WEEK, begins, length: 2 * DAY, lives: false }
}

fn long_ago() -> UnixTime {
    start().plus_secs(-1_000 * DAY)
}

fn depths() -> [World; 2] {
    [Depth::Quick, Depth::Full].map(|depth| World::new().with(|scenario| scenario.planning.depth = depth))
}

#[test]
fn an_outage_of_every_night_from_a_date_on_blocks_in_its_first_second() {
    for lives in [false, true] {
        for world in depths() {
            let world = world.ill(nightly(at(DATE), lives));
            let (_, verdict) = check("at night", &world, &block("2019-02-02T03:00:00Z", None, 20));
            let summary = &verdict.findings[0].summary;
            assert!(summary.ends_with("fails at the same hour again and again from there on"), "{summary}");
        }
    }
}

#[test]
fn one_that_begins_in_the_middle_of_a_night_blocks_there() {
    for world in depths() {
        let world = world.ill(nightly(at("2019-02-01T04:17:05Z"), false));
        check("that night", &world, &block("2019-02-01T04:17:05Z", None, 20));
    }
}

#[test]
fn one_of_every_weekend_blocks_with_the_first_of_them() {
    for world in depths() {
        check("weekends", &world.ill(weekends(at(DATE))), &block("2019-02-02T00:00:00Z", None, 20));
    }
}

#[test]
fn one_of_two_hours_in_each_week_shows_at_full_depth() {
    let [quick, full] = depths();
    let hour = |world: World| {
        let (from, to) = (at(DATE), UnixTime::NO_EXPIRY);
        let begins = 4 * DAY + 9 * HOUR;
        world.ill(Ill::Outage { from, to, period: WEEK, begins, length: 2 * HOUR, lives: false })
    };
    check("Mondays at nine", &hour(full), &block("2019-02-04T09:00:00Z", None, 20));
    check("too short", &hour(quick), &allow(4));
}

#[test]
fn one_behind_the_end_of_a_declared_credential_is_named_after_it() {
    let end = at("2019-05-05T09:00:00Z");
    let world = World::new().declaring("licence", None, certificate(7, "CN=licence", end));
    let world = world.ill(nightly(end.plus_secs(1), false));
    let (_, verdict) = check("at night", &world, &block("2019-05-06T03:00:00Z", Some(7), 20));
    assert!(verdict.findings[0].summary.contains("CN=licence"), "{}", verdict.findings[0].summary);
}

fn told(verdict: &Verdict) -> &str {
    &verdict.findings.iter().find(|it| it.code == FindingCode::PlanReduced).unwrap().summary
}

#[test]
fn what_is_away_every_night_from_the_beginning_on_is_allowed_and_told() {
    for world in depths() {
        let (_, verdict) = check("all the time", &world.ill(nightly(long_ago(), false)), &allow(40));
        assert!(told(&verdict).contains("before anything ends"), "{}", told(&verdict));
    }
}

/// Nothing shows whether it did so before the first of them.
#[test]
fn what_is_away_every_weekend_of_the_window_is_neither_allowed_nor_blocked() {
    for day in ["2020-11-04T00:00:00Z", "2020-11-01T00:00:00Z"] {
        let world = World::new().ill(weekends(long_ago()));
        let world = world.with(|scenario| scenario.horizon = at(day));
        check(day, &world, &inconclusive(FindingCode::Flaky, 10));
    }
}

#[test]
fn an_outage_that_begins_in_the_first_days_is_not_taken_for_a_usual_one() {
    for days in [2, 5] {
        let world = World::new().ill(nightly(start().plus_secs(days * DAY), false));
        let (record, verdict) = world.gate();
        assert_ne!(verdict.decision, Decision::Allow, "{:?}", ids(&record));
    }
    let brief = World::new().with(|scenario| scenario.horizon = start().plus_secs(6 * DAY));
    let (record, verdict) = brief.ill(nightly(start().plus_secs(2 * DAY), false)).gate();
    assert_ne!(verdict.decision, Decision::Allow, "{:?}", ids(&record));
}

#[test]
fn what_breaks_beside_a_usual_outage_blocks() {
    let broken = Ill::RefusesNew { from: at("2019-08-08T08:08:08Z"), culprit: None };
    let world = World::new().ill(nightly(long_ago(), false)).ill(broken);
    let (record, verdict) = world.gate();
    assert_eq!(verdict.decision, Decision::Block, "{:?}", ids(&record));
}

#[test]
fn a_longer_outage_than_the_usual_one_is_never_allowed() {
    let longer = Ill::Outage {
        from: at(DATE),
        to: UnixTime::NO_EXPIRY,
        period: DAY,
        begins: 19 * HOUR,
        length: 2 * HOUR,
        lives: false,
    };
    let world = World::new().ill(nightly(long_ago(), false)).ill(longer);
    check("longer", &world, &inconclusive(FindingCode::Flaky, 20));
}

#[test]
fn one_that_stays_away_for_some_weeks_only_is_not_allowed_where_it_shows() {
    let some = |from: &str, to: &str| Ill::Outage {
        from: at(from),
        to: at(to),
        period: DAY,
        begins: 3 * HOUR,
        length: 2 * HOUR,
        lives: false,
    };
    let twice = World::new()
        .ill(some("2019-02-01T00:00:00Z", "2019-06-01T00:00:00Z"))
        .ill(some("2020-06-01T00:00:00Z", "2021-01-01T00:00:00Z"));
    check("now and then", &twice, &inconclusive(FindingCode::Flaky, 20));
}

/// What is looked at for its own sake is never left out.
#[test]
fn no_stop_at_an_end_or_on_a_day_of_the_calendar_counts_as_one_of_those_hours() {
    for world in depths() {
        let ends = ["2020-01-01T02:00:00Z", "2020-10-30T20:00:00Z", "2020-10-31T05:59:59Z"];
        let held = ends.iter().zip(1..).map(|(end, seed)| certificate(seed, "CN=end", at(end)));
        let world = world.holding(held).ill(nightly(long_ago(), false));
        let record = world.record();
        let looks = hours(&record);
        assert!(!looks.is_empty());
        let moments = moments(&record).into_iter().map(|moment| moment.at);
        let stops = ends.map(at).into_iter().flat_map(|end| [end, end.plus_secs(1)]);
        for stop in stops.chain(moments) {
            assert!(!looks.contains(&stop), "{stop}");
        }
    }
}
