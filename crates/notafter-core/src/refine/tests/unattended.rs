use super::expected::ids;
use super::world::{DAY, Ill, World, at, certificate, start};
use crate::*;

/// Certificates in the candidate's files with whose ends nothing breaks; behind each the walk restarts it.
fn harmless() -> [Credential; 2] {
    [
        certificate(1, "CN=old", at("2019-07-01T00:00:00Z")),
        certificate(2, "CN=older", at("2020-03-01T00:00:00Z")),
    ]
}

#[test]
fn a_restart_on_the_way_does_not_hide_what_lives_on_without_it() {
    let (record, verdict) = World::new().ill(Ill::InMemory { life: 365 * DAY }).holding(harmless()).gate();
    let found = &verdict.findings[0];
    assert_eq!(found.code, FindingCode::BreaksInWindow, "{:?}", ids(&record));
    let bracket = found.bracket.unwrap();
    assert_eq!((bracket.first_fail, bracket.is_exact()), (start().plus_secs(365 * DAY + 1), true));
    let culprit = record.inventory.find(found.culprit.unwrap()).unwrap();
    assert_eq!(culprit.not_after, start().plus_secs(365 * DAY));
}

/// A token or a session in memory shows nowhere.
fn aging(days: i64) -> World {
    World::new().ill(Ill::Ages { life: days * DAY, renews: None })
}

#[track_caller]
fn blocks_first_at(world: &World, breaks_at: UnixTime) -> RunRecord {
    let (record, verdict) = world.gate();
    let shown = format!("{:?}\n{:#?}", ids(&record), verdict.findings);
    let found = &verdict.findings[0];
    assert_eq!((verdict.decision, found.code), (Decision::Block, FindingCode::BreaksInWindow), "{shown}");
    let bracket = found.bracket.unwrap();
    assert_eq!((bracket.first_fail, bracket.is_exact()), (breaks_at, true), "{shown}");
    record
}

#[test]
fn a_restart_on_the_way_does_not_hide_what_nobody_sees_end() {
    // Without the walk that restarts nothing the last restart, in March 2020, would put the end off beyond the window.
    blocks_first_at(&aging(500).holding(harmless()), start().plus_secs(500 * DAY + 1));
}

#[test]
fn a_restart_on_the_way_does_not_put_a_break_off() {
    // Restarted in July 2019 it breaks in February 2020, and left alone in June 2019.
    blocks_first_at(&aging(230).holding(harmless()), start().plus_secs(230 * DAY + 1));
}

#[test]
fn what_fails_before_the_first_restart_takes_no_walk_without_it() {
    let record = blocks_first_at(&aging(200).holding(harmless()), start().plus_secs(200 * DAY + 1));
    assert!(!ids(&record).iter().any(|id| id.contains("unattended")), "{:?}", ids(&record));
}

#[test]
fn a_list_of_leap_seconds_restarts_nothing() {
    let list = Credential {
        kind: CredentialKind::LeapSeconds,
        ..certificate(4, "leap-second list", at("2019-06-28T00:00:00Z"))
    };
    let (record, verdict) = World::new().holding([list]).gate();
    assert_eq!((verdict.decision, ids(&record).len()), (Decision::Allow, 3), "{:?}", ids(&record));
    let walk = record.case(&CaseId::new("walk").unwrap()).unwrap();
    let restarts = walk.case.steps.iter().filter(|step| matches!(step, Step::Restart { .. })).count();
    assert_eq!(restarts, 1, "at the horizon");
}

#[test]
fn a_walk_without_restarts_that_cannot_be_had_allows_nothing() {
    let lost: fn(&mut Vec<Event>) = |events| {
        let alone = |case: &CaseId| case.as_str().ends_with("-unattended");
        events.retain(|it| !matches!(it, Event::Witnessed { case, .. } if alone(case)));
    };
    let (record, verdict) = World::new().holding(harmless()).tampered(lost).gate();
    assert_eq!(verdict.decision, Decision::Inconclusive, "{:?}", ids(&record));
}

#[test]
fn restarts_do_not_stand_in_for_renewals_that_have_ceased() {
    let months = [
        "2019-07-01",
        "2019-09-01",
        "2019-11-01",
        "2020-01-01",
        "2020-03-01",
        "2020-05-01",
        "2020-07-01",
        "2020-09-01",
    ];
    let ends = (1..).zip(months).map(|(id, day)| certificate(id, "CN=old", at(&format!("{day}T00:00:00Z"))));
    let until = Some(at("2019-06-01T00:00:00Z"));
    let world = World::new().ill(Ill::Renews { life: 90 * DAY, until }).holding(ends.collect::<Vec<_>>());
    let (record, verdict) = world.gate();
    let found = &verdict.findings[0];
    assert_eq!(
        (verdict.decision, found.code),
        (Decision::Block, FindingCode::BreaksInWindow),
        "{:?}",
        ids(&record)
    );
    let culprit = record.inventory.find(found.culprit.unwrap()).unwrap();
    assert_eq!(found.bracket.unwrap().first_fail, culprit.not_after.plus_secs(1), "{:?}", ids(&record));
}
