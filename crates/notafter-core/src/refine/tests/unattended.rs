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

#[test]
fn what_a_restart_does_not_make_anew_needs_no_walk_without_it() {
    let lasting = certificate(3, "CN=peer", at("2020-01-01T00:00:00Z"));
    let served = Credential { origin: Origin::Served, ..lasting };
    let (record, _) = World::new().ill(Ill::Serves { credential: served }).holding(harmless()).gate();
    assert!(!ids(&record).iter().any(|id| id.ends_with("-unattended")), "{:?}", ids(&record));
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
