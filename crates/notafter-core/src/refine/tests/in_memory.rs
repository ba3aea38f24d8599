//! What only exists in the memory of a process.

use super::expected::{allow, check, ids};
use super::world::{DAY, Ill, World, at, certificate, start};
use crate::*;

const YEAR: i64 = 365 * DAY;

fn loopback(life: i64, renews: Option<i64>) -> World {
    World::new().ill(Ill::Loopback { life, renews })
}

/// Its end one second before it breaks.
#[track_caller]
fn blocks_at(world: &World, breaks_at: UnixTime, launches: usize) -> (RunRecord, Verdict) {
    let (record, verdict) = world.gate();
    let shown = format!("{:?}\n{:#?}", ids(&record), verdict.findings);
    let found = &verdict.findings[0];
    assert_eq!((verdict.decision, found.code), (Decision::Block, FindingCode::BreaksInWindow), "{shown}");
    let bracket = found.bracket.unwrap();
    assert_eq!((bracket.first_fail, bracket.is_exact()), (breaks_at, true), "{shown}");
    let culprit = record.inventory.find(found.culprit.expect(&shown)).unwrap();
    assert_eq!((culprit.subject.as_str(), &culprit.origin), ("CN=loopback", &Origin::Memory), "{shown}");
    assert_eq!(culprit.not_after.plus_secs(1), breaks_at, "{shown}");
    let held = |it: &Evidence| matches!(it, Evidence::InMemory { credential, .. } if *credential == culprit.fingerprint);
    assert!(found.evidence.iter().any(held), "{shown}");
    assert!(record.cases.len() <= launches, "{} launches, {shown}", record.cases.len());
    (record, verdict)
}

#[test]
fn a_certificate_that_only_exists_in_memory_blocks_to_the_second_and_names_itself() {
    let (record, verdict) = blocks_at(&loopback(YEAR, None), start().plus_secs(YEAR + 1), 7);
    insta::assert_snapshot!(verdict.findings[0].summary, @"node breaks at 2019-11-01T00:00:01Z: CN=loopback ends at 2019-11-01T00:00:00Z; only a process that lives on shows it");
    insta::assert_snapshot!(verdict.findings[0].help.clone().unwrap(), @"ship a build whose credential outlives the support window, or rotate it before it ends; node holds it in its memory alone, and every start makes another");
    let walk = record.case(&CaseId::new("walk").unwrap()).unwrap();
    let stops = walk
        .case
        .steps
        .iter()
        .any(|step| matches!(step, Step::Move { to, .. } if *to == start().plus_secs(YEAR)));
    assert!(stops, "the first walk stops at the end that the control foretells: {:?}", walk.case.steps);
    let touches: Vec<Touch> = verdict.coverage.entries.iter().map(|entry| entry.touch).collect();
    assert_eq!(touches, [Touch::Exercised], "launches at one instant make one");
}

#[test]
fn one_that_outlives_the_window_is_no_boundary_and_the_next_edge() {
    let (record, verdict) = check("three years", &loopback(3 * YEAR, None), &allow(3));
    assert!(verdict.findings.is_empty() && verdict.coverage.entries.is_empty(), "{:#?}", verdict.findings);
    let next = record.inventory.find(verdict.next_edge.unwrap().credential).unwrap();
    assert_eq!((next.subject.as_str(), next.not_after), ("CN=loopback", start().plus_secs(3 * YEAR)));
}

#[test]
fn one_that_is_renewed_in_memory_is_allowed_and_the_report_says_so() {
    let (record, verdict) = check("renewing", &loopback(YEAR, Some(-YEAR / 3)), &allow(5));
    let note = verdict.findings.iter().find(|finding| finding.code == FindingCode::RenewalNeeded).unwrap();
    assert_eq!(note.severity, Severity::Note, "{:?}", ids(&record));
    assert!(
        verdict.findings.iter().all(|it| it.code == FindingCode::RenewalNeeded),
        "{:#?}",
        verdict.findings
    );
    assert_eq!(verdict.coverage.exercised(), verdict.coverage.entries.len());
}

#[test]
fn a_gap_before_it_is_renewed_blocks_though_all_is_well_at_the_horizon() {
    let world = loopback(YEAR, Some(3 * DAY));
    blocks_at(&world, start().plus_secs(YEAR + 1), 10);
    let unread: fn(&mut Vec<Event>) = |events| events.retain(|it| !matches!(it, Event::MemoryRead { .. }));
    let (_, verdict) = world.tampered(unread).gate();
    assert_eq!(verdict.decision, Decision::Allow, "nothing but memory tells where to look");
}

#[test]
fn a_restart_on_the_way_does_not_hide_its_end() {
    let world = loopback(YEAR, None).holding([
        certificate(1, "CN=old", at("2019-07-01T00:00:00Z")),
        certificate(2, "CN=older", at("2020-03-01T00:00:00Z")),
    ]);
    blocks_at(&world, start().plus_secs(YEAR + 1), 12);
}

#[test]
fn one_that_every_launch_finds_again_is_stopped_at_with_no_launch_more() {
    let hidden = certificate(7, "CN=unpacked", at("2019-07-01T00:00:00Z"));
    let (record, verdict) = check("harmless", &World::new().loading([hidden]), &allow(3));
    let known = record.inventory.find(Fingerprint::from_bytes([7; 32])).unwrap();
    assert_eq!(known.origin, Origin::Memory);
    let noted: Vec<_> = verdict.findings.iter().map(|it| (it.code, it.severity)).collect();
    assert_eq!(noted, [(FindingCode::ExpiredEmbeddedCredential, Severity::Note)]);
    let doubting = World::new().loading([certificate(7, "CN=unpacked", at("2019-07-01T00:00:00Z"))]);
    let doubting = doubting.with(|scenario| scenario.policy.present_but_unused = PresentButUnused::Doubt);
    assert_eq!(doubting.gate().1.decision, Decision::Inconclusive);
}

#[test]
fn roots_that_a_process_loaded_are_no_boundaries() {
    let root =
        |seed: u8, end| Credential { ca: true, places: in_memory(), ..certificate(seed, "CN=root", end) };
    let beyond = (10..200).map(|seed| root(seed, at("2035-01-01T00:00:00Z")));
    let world = World::new().loading(beyond).loading([root(9, at("2019-07-01T00:00:00Z"))]);
    let (record, verdict) = check("roots", &world, &allow(3));
    assert_eq!(record.inventory.credentials.len(), 1, "{:?}", record.inventory.credentials);
    assert!(verdict.findings.is_empty() && verdict.coverage.entries.is_empty(), "{:#?}", verdict.findings);
    let walk = record.case(&CaseId::new("walk").unwrap()).unwrap();
    assert!(walk.case.reason.ends_with("across no known boundary"), "{}", walk.case.reason);
}

#[test]
fn an_anchor_that_was_made_here_or_has_issued_something_is_a_boundary() {
    let root = |seed: u8| Credential {
        ca: true,
        places: in_memory(),
        ..certificate(seed, "CN=root", at("2019-07-01T00:00:00Z"))
    };
    let crossed = |world: &World| world.gate().1.coverage.entries.len();
    assert_eq!(crossed(&World::new().loading([root(9)])), 0);
    assert_eq!(crossed(&World::new().loading([Credential { not_before: start(), ..root(9) }])), 1);
    let issued = Credential {
        issuer: "CN=root".to_owned(),
        self_issued: false,
        ..certificate(8, "CN=leaf", at("2035-01-01T00:00:00Z"))
    };
    assert_eq!(crossed(&World::new().loading([root(9)]).holding([issued])), 1);
}

fn in_memory() -> Vec<Place> {
    let service = ServiceName::new("node").unwrap();
    vec![Place::in_file(service, "/proc/2/mem".to_owned(), 400, Container::Memory)]
}

#[test]
fn a_memory_that_cannot_be_read_is_told_and_no_doubt() {
    let (record, verdict) = check("unread", &World::new().with_gap("could not be read: refused"), &allow(3));
    assert!(verdict.findings.is_empty());
    assert_eq!(record.remarks, ["node: the memory of /node could not be read: refused"]);
}

#[test]
fn what_lies_in_files_and_is_loaded_is_loaded() {
    let embedded =
        Credential { places: held_by_portal(), ..certificate(1, "CN=portal", at("2019-07-01T00:00:00Z")) };
    let touch = |world: &World| world.gate().1.coverage.entries[0].touch;
    let unused = World::new().holding([embedded.clone()]).with(|scenario| {
        scenario.checks.retain(|check| check.name.as_str() != "portal-answers");
    });
    assert_eq!(touch(&unused), Touch::Never);
    assert_eq!(touch(&unused.loading([embedded])), Touch::Loaded);
}

fn held_by_portal() -> Vec<Place> {
    vec![Place::in_file(ServiceName::new("portal").unwrap(), "/portal.pem".to_owned(), 400, Container::Pem)]
}
