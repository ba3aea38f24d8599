//! One credential stays one, however it is found.

use crate::refine::tests::world::{CANDIDATE, World, at, certificate, name};
use crate::*;

const END: &str = "2019-07-01T00:00:00Z";

/// A record with one case that runs.
fn record() -> (RunRecord, CaseId) {
    let world = World::new();
    let mut record = RunRecord::new(world.scenario.clone(), world.scenario.start.instant());
    let case = refine(&record).remove(0);
    let id = case.id.clone();
    record.fold(Event::CaseStarted { case });
    (record, id)
}

fn read(record: &mut RunRecord, case: &CaseId, found: Vec<Credential>) {
    let held = found.iter().map(|it| it.fingerprint).collect();
    let process = ProcessRead { pid: 2, exe: "/node".to_owned(), read_bytes: 4096, gap: None, held };
    let at = ClockReading::at(at("2018-11-02T00:00:00Z"));
    let read = MemoryRead { service: name(CANDIDATE), step: 1, at, processes: vec![process] };
    record.fold(Event::MemoryRead { case: case.clone(), read, found });
}

fn held(record: &RunRecord) -> Vec<Fingerprint> {
    let reads = record.cases.iter().flat_map(|case| &case.memory);
    reads.flat_map(|read| &read.processes).flat_map(|process| process.held.clone()).collect()
}

fn digest(seed: u8) -> Fingerprint {
    Fingerprint::from_bytes([seed; 32])
}

fn whole(seed: u8) -> Credential {
    let place = Place::in_file(name(CANDIDATE), "/proc/2/mem".to_owned(), 400, Container::Memory);
    Credential { places: vec![place], ..certificate(seed, "CN=it", at(END)) }
}

/// What OpenSSL keeps of [`whole`].
fn body(seed: u8) -> Credential {
    let place = Place::in_file(name(CANDIDATE), "/proc/2/mem".to_owned(), 300, Container::MemoryBody);
    let fingerprint = digest(seed + 100);
    Credential { fingerprint, places: vec![place], ..whole(seed) }
}

#[test]
fn the_body_of_a_file_is_that_file_loaded() {
    let (mut record, case) = record();
    let file = certificate(1, "CN=it", at(END));
    record.fold(Event::InventoryLearnt {
        inventory: Inventory { credentials: vec![file.clone()], opaque: Vec::new() },
    });
    read(&mut record, &case, vec![body(1), whole(1)]);
    assert_eq!(record.inventory.credentials, [file]);
    assert_eq!(held(&record), [digest(1)]);
}

#[test]
fn the_body_of_what_is_shown_later_is_what_is_shown() {
    let (mut record, case) = record();
    read(&mut record, &case, vec![body(1)]);
    assert_eq!(held(&record), [digest(101)]);
    let served = Credential { origin: Origin::Served, places: Vec::new(), ..whole(1) };
    let served = ServedCertificate { credential: served, der_base64: String::new(), declared: None };
    let reading = ClockReading::at(at("2018-11-02T00:00:00Z"));
    let observation = Observation {
        check: CheckName::new("attaches").unwrap(),
        connection: Connection::Fresh,
        step: 0,
        planned: reading.second,
        begin: reading,
        end: reading,
        opened: None,
        tries: 1,
        seen: Seen::Answered(Answer::Handshake),
        served: vec![served],
        readings: Vec::new(),
        steps: Vec::new(),
    };
    record.fold(Event::Observed { case: case.clone(), observation });
    let known: Vec<_> = record.inventory.credentials.iter().map(|it| (it.fingerprint, &it.origin)).collect();
    assert_eq!(known, [(digest(1), &Origin::Served)]);
    assert_eq!(held(&record), [digest(1)]);
    read(&mut record, &case, vec![body(1)]);
    assert_eq!((record.inventory.credentials.len(), held(&record)), (1, vec![digest(1); 2]));
}

#[test]
fn the_body_of_what_is_found_whole_later_is_the_same() {
    let (mut record, case) = record();
    read(&mut record, &case, vec![body(1)]);
    read(&mut record, &case, vec![whole(1)]);
    let known: Vec<_> = record.inventory.credentials.iter().map(|it| (it.fingerprint, &it.origin)).collect();
    assert_eq!(known, [(digest(1), &Origin::Memory)]);
    assert_eq!(held(&record), [digest(1); 2]);
}

#[test]
fn a_copy_that_was_overwritten_in_part_is_what_it_was() {
    let (mut record, case) = record();
    let torn = Credential { fingerprint: digest(9), ..whole(1) };
    read(&mut record, &case, vec![whole(1), torn.clone()]);
    assert_eq!(held(&record), [digest(1)]);
    let file = Credential { fingerprint: digest(3), ..certificate(2, "CN=it", at(END)) };
    record.fold(Event::InventoryLearnt {
        inventory: Inventory { credentials: vec![file], opaque: Vec::new() },
    });
    read(&mut record, &case, vec![whole(2)]);
    assert_eq!(held(&record), [digest(1), digest(3)]);
    assert_eq!(record.inventory.credentials.len(), 2);
}

#[test]
fn launches_at_one_instant_make_one_and_those_at_others_make_more() {
    let (mut record, case) = record();
    let other_key = Credential { serial: "77".to_owned(), ..whole(2) };
    let later = Credential { not_after: at("2019-07-02T00:00:00Z"), ..whole(3) };
    read(&mut record, &case, vec![whole(1)]);
    read(&mut record, &case, vec![other_key, later]);
    assert_eq!(held(&record), [digest(1), digest(1), digest(3)]);
    assert_eq!(record.inventory.credentials.len(), 2);
}

#[test]
fn what_tells_nothing_is_not_kept() {
    let (mut record, case) = record();
    let token = Credential { kind: CredentialKind::Jwt, ..whole(1) };
    let endless = Credential { not_after: UnixTime::NO_EXPIRY, ..whole(2) };
    let root = Credential { ca: true, not_after: at("2040-01-01T00:00:00Z"), ..whole(3) };
    read(&mut record, &case, vec![token, endless, root]);
    assert_eq!((record.inventory.credentials.len(), held(&record)), (0, Vec::new()));
}
