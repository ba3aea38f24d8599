use super::expected::{allow, check, ids, inconclusive};
use super::world::{DAY, Ill, Tamper, World, at};
use crate::*;

fn renews(until: Option<&str>) -> World {
    World::new().ill(Ill::Renews { life: 90 * DAY, until: until.map(at) })
}

fn note(verdict: &Verdict) -> Option<&Finding> {
    verdict.findings.iter().find(|finding| finding.code == FindingCode::RenewalNeeded)
}

#[test]
fn a_service_that_renews_in_time_is_allowed_and_the_report_says_so() {
    let (record, verdict) = check("it renews", &renews(None), &allow(8));
    assert!(ids(&record).contains(&"walk-renewals-1"), "{:?}", ids(&record));
    let note = note(&verdict).unwrap();
    let told = (note.severity, note.case.as_ref().unwrap().as_str());
    assert_eq!(told, (Severity::Note, "walk-renewals-1-unattended"), "not where restarts renew too");
    insta::assert_snapshot!(note.summary, @"node renews CN=made here by itself, seen 11 times in walk-renewals-1-unattended; each lives for 90 d, the first one to 2019-01-30T00:00:00Z; walk, which did not stop where that happens, failed");
    let exercised = verdict.coverage.exercised();
    assert_eq!(exercised, verdict.coverage.entries.len(), "every renewed certificate was lived through");
}

#[test]
fn a_service_that_cannot_renew_any_more_breaks_at_its_last_end() {
    let (record, verdict) = renews(Some("2019-06-01T00:00:00Z")).gate();
    let worst = &verdict.findings[0];
    assert_eq!((verdict.decision, worst.code), (Decision::Block, FindingCode::BreaksInWindow));
    let bracket = worst.bracket.unwrap();
    let culprit = record.inventory.find(worst.culprit.unwrap()).unwrap();
    assert_eq!(bracket.first_fail, culprit.not_after.plus_secs(1), "{:?}", ids(&record));
    assert!(bracket.is_exact() && bracket.first_fail > at("2019-06-01T00:00:00Z"), "{bracket:?}");
    assert!(note(&verdict).is_some(), "what it renewed before is told too");
}

/// Lets one case pass by accident, showing what it would have shown.
fn passing(events: &mut [Event], id: &str) {
    for event in events {
        if let Event::Observed { case, observation } = event
            && case.as_str() == id
        {
            observation.seen = Seen::Answered(Answer::Handshake);
        }
    }
}

#[test]
fn a_walk_that_passes_without_a_renewal_excuses_nothing() {
    let lucky: Tamper = |events| passing(events, "walk-renewals-1");
    let (record, verdict) = World::new().ill(Ill::InMemory { life: 365 * DAY }).tampered(lucky).gate();
    assert!(ids(&record).contains(&"walk-renewals-1"), "{:?}", ids(&record));
    assert_eq!(verdict.decision, Decision::Block, "{:#?}", verdict.findings);
    assert!(note(&verdict).is_none());
}

#[test]
fn what_another_release_breaks_later_is_not_excused_by_a_renewal() {
    let world = renews(None).ill(Ill::HssRefuses { from: at("2020-06-01T12:00:00Z") });
    let (record, verdict) = world.gate();
    let worst = &verdict.findings[0];
    assert_eq!(verdict.decision, Decision::Block, "{:?}", ids(&record));
    assert_eq!(worst.bracket.unwrap().first_fail, at("2020-06-01T12:00:00Z"), "{:?}", ids(&record));
}

#[test]
fn lives_too_brief_to_stop_in_are_no_block_and_no_allow() {
    let world = World::new().ill(Ill::Renews { life: 3_600, until: None });
    check("an hour", &world, &inconclusive(FindingCode::PlanIncomplete, 20));
}
