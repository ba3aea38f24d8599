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
    insta::assert_snapshot!(verdict.findings[0].summary, @"node breaks at 2018-12-06T04:30:02Z: no known credential changes there (unexplained); a fresh start fails within minutes there");
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
    let (record, verdict) = check("once", &once, &allow(6));
    assert_eq!(verdict.findings, []);
    assert!(ids(&record).contains(&"walk-fresh"), "{:?}", ids(&record));
}

/// No two walks show it in the same second, and no fresh start does.
#[test]
fn a_date_that_only_a_weekly_timer_looks_at_blocks() {
    let weekly = Ill::Dies { from: at(BROKEN), at_start: false, watchdog: Some(604_800), log: "over" };
    let (record, verdict) = World::new().ill(weekly).gate();
    assert_eq!(verdict.decision, Decision::Block, "{:?} {:?}", ids(&record), verdict.findings);
    insta::assert_snapshot!(verdict.findings[0].summary, @"node breaks between 2018-12-05T23:46:30Z and 2018-12-06T18:01:51Z: no known credential changes there (unexplained); only a process that lives on shows it");
}
