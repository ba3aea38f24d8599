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
    assert!(!ids(&record).contains(&"walk-unattended"), "{:?}", ids(&record));
}
