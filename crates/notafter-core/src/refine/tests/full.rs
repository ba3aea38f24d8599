//! Full depth, longer dwells, rolling restarts.

use super::expected::{allow, block, check, ids};
use super::world::{DAY, Ill, World, at, certificate, held_by, name, start};
use crate::*;
use std::time::Duration;

fn full(scenario: &mut Scenario) {
    scenario.planning.depth = Depth::Full;
}

/// It does not start on that one day, at no known edge.
fn leap_day() -> Ill {
    Ill::Gap { from: at("2020-02-29T00:00:00Z"), to: at("2020-03-01T00:00:00Z") }
}

#[test]
fn what_breaks_on_one_day_alone_is_found_by_full_depth() {
    let world = World::new().ill(leap_day());
    check("a leap day, quick", &world, &allow(3));
    let (record, _) = check("a leap day, full", &world.with(full), &block("2020-02-29T00:00:00Z", None, 40));
    let start = record.case(&CaseId::new("cold-2020-02-29T120000Z").unwrap()).unwrap();
    assert_eq!(start.case.reason, "a fresh start at 2020-02-29T12:00:00Z: 29 February");
}

#[test]
fn full_depth_lets_a_sound_build_pass_and_starts_behind_every_edge() {
    let end = start().plus_secs(100 * DAY);
    let world = World::new().holding([held_by("hss", certificate(7, "CN=hss", end))]).with(full);
    let (record, _) = check("a sound build", &world, &allow(11));
    assert_eq!(
        ids(&record),
        [
            "control",
            "walk",
            "cold",
            "walk-unattended",
            "cold-2019-01-01T000000Z",
            "cold-2019-02-09T000001Z",
            "cold-2019-04-06T235942Z",
            "cold-2020-01-01T000000Z",
            "cold-2020-02-29T120000Z",
            "skew-ahead",
            "skew-behind",
        ]
    );
    let walk = &record.cases[1].case;
    for on_the_way in ["2019-02-02T00:00:00Z", "2019-02-08T00:00:00Z", "2020-02-29T12:00:00Z"] {
        assert!(
            walk.steps.iter().any(|step| matches!(step, Step::Move { to, .. } if *to == at(on_the_way))),
            "{on_the_way}: {walk:#?}"
        );
    }
}

#[test]
fn quick_depth_knows_no_moments_and_full_depth_all_kinds() {
    let end = at("2037-06-01T00:00:00Z");
    let world = World::new()
        .holding([held_by("hss", certificate(7, "CN=hss", end))])
        .with(|scenario| scenario.horizon = at("2039-01-01T00:00:00Z"));
    let told = |world: &World| -> Vec<String> {
        let mut record = RunRecord::new(world.scenario.clone(), start());
        record.fold(Event::InventoryLearnt { inventory: world.inventory.clone() });
        moments(&record).iter().map(|moment| format!("{} {}", moment.at, moment.kind)).collect()
    };
    assert!(told(&world).is_empty());
    let told = told(&world.with(full));
    assert_eq!(told.iter().filter(|moment| moment.ends_with("29 February")).count(), 5);
    assert_eq!(told.iter().filter(|moment| moment.ends_with("a year begins")).count(), 20);
    for moment in [
        "2019-04-06T23:59:42Z GPS week numbers begin anew",
        "2036-02-07T06:28:16Z NTP seconds begin anew",
        "2038-01-19T03:14:08Z seconds leave 31 bits",
        "2037-05-25T00:00:00Z a credential is due to be renewed",
    ] {
        assert!(told.contains(&moment.to_owned()), "{moment}: {told:#?}");
    }
    assert!(told.iter().any(|moment| moment.ends_with("half way between two boundaries")));
}

/// A service that keeps the time of the wall and cannot bear an hour that is not there.
#[test]
fn what_does_not_start_in_the_first_hour_of_summer_time_is_found_by_full_depth() {
    let hour = Ill::Gap { from: at("2019-03-31T01:00:00Z"), to: at("2019-03-31T02:00:00Z") };
    let in_berlin = |scenario: &mut Scenario| {
        full(scenario);
        let zone = EnvValue::Plain("Europe/Berlin".to_owned());
        scenario.services[0].env.insert("TZ".to_owned(), zone);
    };
    check("no zone is told", &World::new().ill(hour.clone()).with(full), &allow(10));
    let world = World::new().ill(hour).with(in_berlin);
    let (record, _) = check("summer time", &world, &block("2019-03-31T01:00:00Z", None, 40));
    let start = record.case(&CaseId::new("cold-2019-03-31T010000Z").unwrap()).unwrap();
    let reason = "a fresh start at 2019-03-31T01:00:00Z: clocks change to or from summer time";
    assert_eq!(start.case.reason, reason);
}

#[test]
fn a_longer_dwell_lets_more_time_elapse_behind_an_edge() {
    let end = start().plus_secs(100 * DAY);
    let world = World::new()
        .holding([certificate(7, "CN=node", end)])
        .with(|scenario| scenario.planning.dwell = Some(Duration::from_secs(7 * 86_400)));
    let (record, _) = check("a week", &world, &allow(4));
    let walk = &record.cases[1].case;
    let dwelt = Step::Move { motion: Motion::Elapse(Pace::Walk), to: end.plus_secs(1 + 7 * DAY) };
    assert!(walk.steps.contains(&dwelt), "{walk:#?}");
}

#[test]
fn rolling_restarts_go_from_service_to_service_with_a_look_after_each() {
    let end = start().plus_secs(100 * DAY);
    let world = World::new()
        .holding([certificate(7, "CN=node", end)])
        .with(|scenario| scenario.planning.restart = RestartOrder::Rolling);
    let (record, _) = check("rolling", &world, &allow(4));
    let walk = &record.cases[1].case.steps;
    let restarts: Vec<usize> = (0..walk.len())
        .filter(|step| matches!(&walk[*step], Step::Restart { services } if services.len() == 1))
        .collect();
    let order: Vec<&Step> = restarts.iter().map(|step| &walk[*step]).collect();
    let of = |service: &str| Step::Restart { services: vec![name(service)] };
    assert_eq!(order, [&of("hss"), &of("node"), &of("portal")]);
    assert!(restarts.iter().all(|step| matches!(walk[step + 1], Step::Check { .. })), "{walk:#?}");
}

/// Trust stores hold hundreds of roots: those must not take the place of what the build rests on.
#[test]
fn fresh_starts_beyond_the_limit_are_told_and_anchors_come_last() {
    let root = |day: u8| {
        let root = certificate(day, &format!("CN=root {day}"), start().plus_secs(i64::from(day) * DAY));
        let mut root = Credential { ca: true, ..root };
        root.places[0].container = Container::Pem;
        root
    };
    let own = held_by("hss", certificate(200, "CN=hss", start().plus_secs(500 * DAY)));
    let world = World::new().holding((1..=40).map(root)).holding([own]).with(full);
    let (record, verdict) = check("forty roots", &world, &allow(30));
    for started in ["cold-2020-03-15T000001Z", "cold-2020-02-29T120000Z", "cold-2018-11-02T000001Z"] {
        assert!(record.case(&CaseId::new(started).unwrap()).is_some(), "{started}: {:?}", ids(&record));
    }
    let told = told_of(&verdict);
    assert_eq!(told.len(), 1, "{told:?}");
    insta::assert_snapshot!(told[0], @"full depth makes at most 24 fresh starts, so that there is none at 2018-11-21T00:00:01Z, 2018-11-22T00:00:01Z, 2018-11-23T00:00:01Z, 2018-11-24T00:00:01Z and 17 more, which the walk alone lives through");
    assert_eq!(reductions(&record), told);
    let (_, verdict) = World::new().holding((1..=4).map(root)).with(full).gate();
    assert!(told_of(&verdict).is_empty(), "nothing is left out");
}

#[test]
fn boundaries_that_share_a_stop_are_told() {
    let crowd = (1..=70).map(|n| certificate(n, &format!("CN={n}"), start().plus_secs(i64::from(n) * DAY)));
    let world = World::new().holding(crowd.map(|it| held_by("hss", it)));
    let (record, verdict) = check("seventy", &world, &allow(3));
    assert!(reductions(&record)[0].contains("70 boundaries"));
    insta::assert_snapshot!(
        told_of(&verdict)[0],
        @"the walk makes at most 64 stops for 70 boundaries; no check looks between those that share one: 7 from 2018-11-02T00:00:01Z to 2018-11-08T00:00:01Z"
    );
}

fn told_of(verdict: &Verdict) -> Vec<String> {
    let notes = verdict.findings.iter().filter(|finding| finding.code == FindingCode::PlanReduced);
    notes.inspect(|note| assert_eq!(note.severity, Severity::Note)).map(|note| note.summary.clone()).collect()
}

/// A clock that is a little off says nothing of what ends: it is told, and blocks nothing.
#[test]
fn what_does_not_bear_a_skewed_clock_is_told_by_full_depth_alone() {
    let world = World::new().ill(Ill::Skewed { ahead: false });
    check("skewed, quick", &world, &allow(3));
    let (record, verdict) = check("skewed, full", &world.with(full), &allow(11));
    let told: Vec<&Finding> =
        verdict.findings.iter().filter(|finding| finding.code == FindingCode::SkewIntolerant).collect();
    let [note] = told.as_slice() else { panic!("{:#?}", verdict.findings) };
    assert_eq!(note.severity, Severity::Note);
    assert!(
        note.summary.ends_with("fails where the clock of node is 5 min behind all others"),
        "{}",
        note.summary
    );
    let again = record.case(&CaseId::new("skew-behind-again").unwrap()).unwrap();
    assert_eq!(again.case.purpose, Purpose::Skewed { ahead: -300 });
    assert!(record.case(&CaseId::new("skew-ahead-again").unwrap()).is_none());
}
