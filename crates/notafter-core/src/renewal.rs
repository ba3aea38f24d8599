//! Renewals that a case shows: a service shows another certificate, with a later end, in place of one that ends
//! inside the window, or comes to hold one in memory, and nobody restarted it.

use crate::checkpoint::checkpoints;
use crate::{
    CaseRecord, Connection, Credential, CredentialKind, RunRecord, Scenario, ServedCertificate, ServiceName,
    memory,
};
use std::collections::BTreeMap;

/// What one service renewed in one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Renewed<'a> {
    pub(crate) service: ServiceName,
    /// Every certificate that it gave up in time order, each while it ran; never empty.
    pub(crate) given_up: Vec<&'a Credential>,
}

/// Every service of `case` that renewed what it shows, or what it holds in memory alone.
///
/// A service that ended by itself is left out: what starts anew is no renewal.
pub(crate) fn renewed<'a>(record: &'a RunRecord, case: &'a CaseRecord) -> Vec<Renewed<'a>> {
    let mut shown: BTreeMap<ServiceName, &Credential> = BTreeMap::new();
    let mut found: BTreeMap<ServiceName, Vec<&Credential>> = BTreeMap::new();
    for point in checkpoints(case, &record.scenario) {
        for service in &point.restarted {
            shown.remove(service);
        }
        // A connection that is held shows what was there when it was opened.
        for look in point.looks.iter().filter(|look| look.connection == Connection::Fresh) {
            let Some(leaf) = leaf(&look.observation.served) else { continue };
            // What a rotation brought was not renewed by the service itself.
            let by_hand = is_rotated(&record.scenario, &look.observation.served);
            let Ok(service) = ServiceName::new(look.check.probe.target()) else { continue };
            if case.ends.iter().any(|end| end.service == service) {
                continue;
            }
            match shown.insert(service.clone(), leaf) {
                Some(old) if !by_hand && is_renewed(old, leaf) && old.not_after < record.scenario.horizon => {
                    found.entry(service).or_default().push(old);
                }
                Some(_) | None => {}
            }
        }
    }
    for (service, given_up) in memory::given_up(record, case) {
        let known = found.entry(service.clone()).or_default();
        let new =
            given_up.into_iter().filter(|it| !known.iter().any(|old| old.fingerprint == it.fingerprint));
        let new: Vec<&Credential> = new.collect();
        known.extend(new);
        known.sort_by_key(|it| it.not_after);
    }
    found.into_iter().map(|(service, given_up)| Renewed { service, given_up }).collect()
}

fn is_renewed(old: &Credential, new: &Credential) -> bool {
    old.fingerprint != new.fingerprint && old.subject == new.subject && old.not_after < new.not_after
}

/// Whether the first of `served` is of the scenario, and has its part in a rotation.
pub(crate) fn is_rotated(scenario: &Scenario, served: &[ServedCertificate]) -> bool {
    let declared = served.first().and_then(|first| first.declared.as_ref());
    declared.is_some_and(|name| {
        scenario.rotations.iter().any(|rotation| rotation.brings == *name || rotation.replaces == *name)
    })
}

/// The certificate of the service itself: servers show it first (RFC 8446 §4.4.2).
pub(crate) fn leaf(served: &[ServedCertificate]) -> Option<&Credential> {
    served
        .first()
        .map(|first| &first.credential)
        .filter(|it| it.kind == CredentialKind::X509 && (!it.ca || it.self_issued))
}
