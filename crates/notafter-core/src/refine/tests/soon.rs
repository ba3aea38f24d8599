//! Crashes that come minutes behind each start.

use super::expected::{BROKEN, END, allow, check, ids};
use super::world::{Ill, World, at, certificate};
use crate::*;

/// Looks every seven seconds, from its start on.
fn looks_soon(from: &str) -> Ill {
    Ill::Dies { from: at(from), at_start: false, watchdog: Some(7), log: "my licence is over" }
}

fn restarted(world: World) -> World {
    world.with(|scenario| scenario.services.iter_mut().for_each(|service| service.restart = Restart::Always))
}

fn licence() -> World {
    World::new().declaring("licence", None, certificate(1, "CN=licence", at(END)))
}

#[test]
fn a_crash_loop_behind_an_end_is_no_recovery() {
    let (record, verdict) = restarted(licence().ill(looks_soon(BROKEN))).gate();
    assert_eq!(verdict.decision, Decision::Block, "{:?}", ids(&record));
    insta::assert_snapshot!(verdict.findings[0].summary, @"node breaks at 2018-12-06T04:30:05Z: CN=licence ends at 2018-12-06T04:29:59Z; only a process that lives on shows it, 5 s after the edge at 2018-12-06T04:30:00Z");
}

#[test]
fn a_crash_loop_from_a_date_in_the_code_on_is_no_recovery() {
    let (record, verdict) = restarted(World::new().ill(looks_soon(BROKEN))).gate();
    assert_eq!(verdict.decision, Decision::Block, "{:?}", ids(&record));
    insta::assert_snapshot!(verdict.findings[0].summary, @"node breaks at 2018-12-06T04:30:00Z: no known credential changes there (unexplained); a fresh start fails within minutes there");
}

#[test]
fn who_dies_soon_behind_each_start_blocks_without_a_restart_too() {
    let (record, verdict) = World::new().ill(looks_soon(BROKEN)).gate();
    assert_eq!(verdict.decision, Decision::Block, "{:?}", ids(&record));
    insta::assert_snapshot!(verdict.findings[0].summary, @"node breaks at 2018-12-06T04:30:00Z: no known credential changes there (unexplained); a fresh start fails within minutes there");
}

/// As of a service that ends to read its files anew.
#[test]
fn one_crash_that_a_restart_makes_good_is_a_recovery() {
    let once = restarted(licence().ill(Ill::EndsOnce { at: at(BROKEN) }));
    let (record, verdict) = check("once", &once, &allow(7));
    assert_eq!(verdict.findings, []);
    assert!(ids(&record).contains(&"fresh-2018-12-06T043000Z"), "{:?}", ids(&record));
}

/// Of several crashes the later one may be no recovery.
#[test]
fn a_recovery_before_it_hides_no_crash_loop() {
    let once = Ill::EndsOnce { at: at("2018-09-06T04:30:00Z") };
    let (record, verdict) = restarted(World::new().ill(once).ill(looks_soon(BROKEN))).gate();
    assert_eq!(verdict.decision, Decision::Block, "{:?} {:?}", ids(&record), verdict.findings);
    insta::assert_snapshot!(verdict.findings[0].summary, @"node breaks at 2018-12-06T04:30:00Z: no known credential changes there (unexplained); a fresh start fails within minutes there");
}

/// Two crashes need twice its period, and more than the first ten minutes.
#[test]
fn a_crash_loop_of_nine_minutes_is_seen() {
    let slow =
        Ill::Dies { from: at(BROKEN), at_start: false, watchdog: Some(540), log: "my licence is over" };
    let (record, verdict) = restarted(World::new().ill(slow)).gate();
    assert_eq!(verdict.decision, Decision::Block, "{:?} {:?}", ids(&record), verdict.findings);
    assert!(record.cases.len() <= 32, "{:?}", ids(&record));
    insta::assert_snapshot!(verdict.findings[0].summary, @"node breaks at 2018-12-06T04:36:36Z: no known credential changes there (unexplained); a fresh start fails within minutes there");
}

#[test]
fn who_crashes_again_and_again_since_the_start_of_the_window_is_not_allowed() {
    let (record, verdict) = restarted(World::new().ill(looks_soon("2018-01-01T00:00:00Z"))).gate();
    assert_eq!(verdict.decision, Decision::Inconclusive, "{:?}", ids(&record));
    assert_eq!(verdict.findings[0].code, FindingCode::ControlFails);
    insta::assert_snapshot!(verdict.findings[0].summary, @"node fails within minutes of each start, at the start of the window too, and works when it was started anew");
}

#[test]
fn a_crash_whose_fresh_start_fails_once_is_not_allowed() {
    let once = restarted(World::new().ill(Ill::EndsOnce { at: at(BROKEN) }));
    let (record, _) = once.gate();
    let launch = ids(&record).iter().position(|id| id.starts_with("fresh-")).unwrap();
    let (record, verdict) = once.ill(Ill::Fluke { launch }).gate();
    assert_eq!(verdict.decision, Decision::Inconclusive, "{:?}", ids(&record));
    assert_eq!(verdict.findings[0].code, FindingCode::Flaky);
    assert_eq!(verdict.findings[0].case, Some(record.cases[launch].case.id.clone()));
}

/// A restart makes each crash good until the next day.
#[test]
fn a_daily_crash_from_a_date_on_is_no_recovery() {
    for (period, between) in [
        (86_400, "between 2018-12-05T20:00:00Z and 2018-12-06T21:00:00Z"),
        (604_800, "between 2018-12-01T04:10:00Z and 2018-12-07T08:20:00Z"),
    ] {
        let timer = Ill::Dies { from: at(BROKEN), at_start: false, watchdog: Some(period), log: "over" };
        let (record, verdict) = restarted(World::new().ill(timer)).gate();
        assert_eq!(verdict.decision, Decision::Block, "{:?} {:?}", ids(&record), verdict.findings);
        let finding = &verdict.findings[0];
        assert_eq!(
            (finding.seen.as_deref(), finding.log_tail.as_deref()),
            (Some("node ended with exit code 1"), Some("over"))
        );
        let summary = "it is started anew, and ends again and again from there on";
        assert!(finding.summary.starts_with(&format!("node breaks {between}")), "{}", finding.summary);
        assert!(finding.summary.ends_with(summary), "{}", finding.summary);
    }
}

#[test]
fn a_daily_crash_behind_an_end_names_what_ended() {
    let timer = Ill::Dies { from: at(BROKEN), at_start: false, watchdog: Some(86_400), log: "over" };
    let (record, verdict) = restarted(licence().ill(timer)).gate();
    assert_eq!(verdict.decision, Decision::Block, "{:?} {:?}", ids(&record), verdict.findings);
    insta::assert_snapshot!(verdict.findings[0].summary, @"node breaks between 2018-12-05T23:00:00Z and 2018-12-07T00:00:00Z: CN=licence ends at 2018-12-06T04:29:59Z; it is started anew, and ends again and again from there on");
}

/// Whether it is a failure is nothing that its code tells.
#[test]
fn who_leaves_again_and_again_from_a_date_on_is_no_batch_job() {
    for period in [7, 86_400] {
        let (record, verdict) = restarted(World::new().ill(Ill::Leaves { from: at(BROKEN), period })).gate();
        assert_eq!(verdict.decision, Decision::Block, "{:?} {:?}", ids(&record), verdict.findings);
        assert_eq!(verdict.findings[0].seen.as_deref(), Some("node ended with exit code 0"));
        let job = restarted(World::new().ill(Ill::Leaves { from: at("2018-01-01T00:00:00Z"), period }));
        check("a job", &job, &allow(6));
    }
}

/// That has nothing to do with a date.
#[test]
fn who_crashes_every_day_is_let_pass_where_a_restart_makes_it_good() {
    let daily =
        Ill::Dies { from: at("2018-01-01T00:00:00Z"), at_start: false, watchdog: Some(86_400), log: "" };
    check("daily", &restarted(World::new().ill(daily)), &allow(8));
}

/// No two walks show it in the same second, and no fresh start does.
#[test]
fn a_date_that_only_a_weekly_timer_looks_at_blocks() {
    let weekly = Ill::Dies { from: at(BROKEN), at_start: false, watchdog: Some(604_800), log: "over" };
    let (record, verdict) = World::new().ill(weekly).gate();
    assert_eq!(verdict.decision, Decision::Block, "{:?} {:?}", ids(&record), verdict.findings);
    insta::assert_snapshot!(verdict.findings[0].summary, @"node breaks between 2018-12-05T15:55:29Z and 2018-12-06T10:00:37Z: no known credential changes there (unexplained); only a process that lives on shows it");
}
