//! What is found in memory, beside what is known already.
//!
//! One credential stays one, however it is found: whole, as the body that OpenSSL keeps of it, in files or on the wire. What
//! a service makes anew at every launch at the same instant, with the same names and the same dates, is one as well: the
//! key and the serial number alone tell it apart.
//!
//! What must never happen here: hundreds of roots that a process loaded becoming boundaries; a memory that could not be
//! read passing for one that held nothing.

use super::MemoryRead;
use crate::{
    CaseId, Credential, CredentialKind, Edge, Fingerprint, Origin, RunRecord, ServiceName, is_anchor,
};
use std::collections::BTreeMap;

/// Takes in what was read of `case`; `found` is everything that `read` says to be held.
pub(crate) fn learn(record: &mut RunRecord, case: &CaseId, mut read: MemoryRead, found: Vec<Credential>) {
    // Bodies last: they may belong to what is found whole beside them.
    let (bodies, whole): (Vec<_>, Vec<_>) = found.into_iter().partition(Credential::is_body);
    let mut settled: BTreeMap<Fingerprint, Fingerprint> = BTreeMap::new();
    for credential in whole.into_iter().chain(bodies) {
        let fingerprint = credential.fingerprint;
        settled.extend(settle(record, &read.service, credential).map(|known| (fingerprint, known)));
    }
    for process in &mut read.processes {
        process.held = process.held.iter().filter_map(|held| settled.get(held).copied()).collect();
        process.held.sort_unstable();
        process.held.dedup();
    }
    note_gaps(record, &read);
    record.on_case(case, |record| record.memory.push(read));
}

/// What memory alone held of what a probe was shown is no credential of its own any more.
pub(crate) fn settle_served(record: &mut RunRecord, served: &Credential) {
    let copy = record.inventory.credentials.iter().find(|known| is_lesser_copy(known, served));
    if let Some(copy) = copy.map(|copy| copy.fingerprint) {
        rename(record, copy, served.fingerprint);
    }
}

/// By which fingerprint the inventory knows it from now on; none where it tells nothing.
fn settle(record: &mut RunRecord, service: &ServiceName, found: Credential) -> Option<Fingerprint> {
    let known = &record.inventory.credentials;
    let copy = || known.iter().find(|known| found.is_copy_of(known) && (found.is_body() || !known.is_body()));
    let same = record.inventory.find(found.fingerprint).or_else(copy);
    if let Some(same) = same {
        let tells = same.origin == Origin::Memory || ends_inside(record, same);
        return tells.then_some(same.fingerprint);
    }
    if !tells(record, &found) {
        return None;
    }
    let body = known.iter().find(|known| is_lesser_copy(known, &found)).map(|body| body.fingerprint);
    let twin = known.iter().find(|known| is_twin(known, service, &found)).map(|twin| twin.fingerprint);
    if body.is_none() && twin.is_some() {
        return twin;
    }
    let fingerprint = found.fingerprint;
    let places = found.places.into_iter().take(1).collect();
    record.inventory.add(Credential { origin: Origin::Memory, places, ..found });
    if let Some(body) = body {
        rename(record, body, fingerprint);
    }
    Some(fingerprint)
}

/// Whether what nothing but memory holds is worth knowing: a certificate that ends, and a mere anchor only where it ends
/// inside the window. Processes load hundreds of roots.
fn tells(record: &RunRecord, found: &Credential) -> bool {
    found.kind == CredentialKind::X509
        && found.written_end().is_some()
        && (!is_anchor(found) || ends_inside(record, found))
}

fn ends_inside(record: &RunRecord, credential: &Credential) -> bool {
    let scenario = &record.scenario;
    let inside = |at| at > scenario.start.instant() && at <= scenario.horizon;
    credential.edges().map(|edge: Edge| edge.changed_at()).any(inside)
}

fn is_twin(known: &Credential, service: &ServiceName, found: &Credential) -> bool {
    let marks = |it: &Credential| (it.not_after, it.not_before, it.ca, it.kind);
    known.origin == Origin::Memory
        && marks(known) == marks(found)
        && (&known.subject, &known.issuer) == (&found.subject, &found.issuer)
        && known.places.iter().any(|place| place.service == *service)
}

/// Whether `known` is nothing but what memory held of `whole`.
fn is_lesser_copy(known: &Credential, whole: &Credential) -> bool {
    known.origin == Origin::Memory && known.fingerprint != whole.fingerprint && known.is_copy_of(whole)
}

fn rename(record: &mut RunRecord, from: Fingerprint, to: Fingerprint) {
    record.inventory.credentials.retain(|known| known.fingerprint != from);
    let reads = record.cases.iter_mut().flat_map(|case| &mut case.memory);
    for process in reads.flat_map(|read| &mut read.processes) {
        if let Some(held) = process.held.iter_mut().find(|held| **held == from) {
            *held = to;
            process.held.sort_unstable();
            process.held.dedup();
        }
    }
}

/// Says once of each program what of its memory is not known.
fn note_gaps(record: &mut RunRecord, read: &MemoryRead) {
    for process in &read.processes {
        let Some(gap) = &process.gap else { continue };
        let whose = format!("{}: the memory of {} ", read.service, process.exe);
        if !record.remarks.iter().any(|known| known.starts_with(&whose)) {
            record.remarks.push(format!("{whose}{gap}"));
        }
    }
}
