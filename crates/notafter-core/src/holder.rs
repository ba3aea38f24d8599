//! Who holds a credential, whose checks meet it, and when it changes.

use crate::{
    CaseClock, CaseRecord, Check, Credential, CredentialKind, CredentialName, Edge, EdgeKind, Fingerprint,
    MountedSource, Observation, Origin, Place, Purpose, RunRecord, Scenario, Service, ServiceName, UnixTime,
    X509Issuer, memory,
};
use std::collections::{BTreeMap, BTreeSet};

/// A trust anchor: a root in a trust store, or an OpenPGP key that archives, packages and releases are verified with.
/// Stores and key rings carry ended ones as a matter of course, those that are compiled into a program too. One that a
/// program was built with by itself is no store: it is what the program shows, or the one peer that it trusts. And one whose
/// private key lies in the same tree is an identity: its end stops what signs with it.
#[must_use]
pub fn is_anchor(credential: &Credential) -> bool {
    let is_own = |place: &Place| place.is_part_of_program() || place.private_key.is_some();
    let own = credential.places.iter().any(is_own);
    let anchors = match credential.kind {
        CredentialKind::OpenPgpKey => true,
        CredentialKind::X509 => credential.ca && credential.self_issued,
        CredentialKind::Crl
        | CredentialKind::DnssecSignatures
        | CredentialKind::Jwt
        | CredentialKind::LeapSeconds
        | CredentialKind::Ocsp
        | CredentialKind::SqlRole
        | CredentialKind::SshCertificate
        | CredentialKind::TufMetadata => false,
    };
    anchors && !own
}

/// The credentials that a declared one is used with: itself and everything issued below it.
fn below(scenario: &Scenario, name: &CredentialName) -> BTreeSet<CredentialName> {
    let mut found = BTreeSet::from([name.clone()]);
    loop {
        let before = found.len();
        for credential in &scenario.credentials {
            let issuer = match &credential.x509.issuer {
                X509Issuer::Intermediate(issuer) | X509Issuer::IssuedBy(issuer) => issuer,
                X509Issuer::Root | X509Issuer::SelfSigned => continue,
            };
            if found.contains(issuer) {
                found.insert(credential.name.clone());
            }
        }
        for rotation in &scenario.rotations {
            if found.contains(&rotation.brings) {
                found.insert(rotation.credential.clone());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// Who holds what, read once from a record.
pub(crate) struct Holders<'a> {
    record: &'a RunRecord,
    /// Services that showed a credential to a probe.
    servers: BTreeMap<Fingerprint, BTreeSet<ServiceName>>,
}

impl<'a> Holders<'a> {
    pub(crate) fn new(record: &'a RunRecord) -> Self {
        let mut servers: BTreeMap<Fingerprint, BTreeSet<ServiceName>> = BTreeMap::new();
        let made_alone = |case: &&CaseRecord| case.case.purpose.material().is_some();
        let cases = record.cases.iter().filter(|case| !made_alone(case));
        for observation in cases.flat_map(|case| &case.observations) {
            let check = record.scenario.check(&observation.check);
            let own = check.map(|check| (check.probe.target(), &observation.served));
            let steps = observation.steps.iter().map(|step| (step.target.as_str(), &step.served));
            for (target, served) in own.into_iter().chain(steps) {
                let Ok(target) = ServiceName::new(target) else { continue };
                for served in served {
                    servers.entry(served.credential.fingerprint).or_default().insert(target.clone());
                }
            }
        }
        Self { record, servers }
    }

    /// Whether a probe was shown it.
    pub(crate) fn is_served(&self, fingerprint: Fingerprint) -> bool {
        self.servers.contains_key(&fingerprint)
    }

    /// Services whose work depends on `credential`: it lies in their files, is mounted into them, or they serve it.
    pub(crate) fn of(&self, credential: &Credential) -> BTreeSet<ServiceName> {
        let scenario = &self.record.scenario;
        let mut found: BTreeSet<ServiceName> =
            credential.places.iter().map(|place| place.service.clone()).collect();
        found.extend(self.servers.get(&credential.fingerprint).into_iter().flatten().cloned());
        if let Origin::Declared(name) = &credential.origin {
            let names = below(scenario, name);
            let mounted = scenario.services.iter().filter(|service| {
                service
                    .files
                    .iter()
                    .filter_map(|file| file.source.credential())
                    .any(|held| names.contains(held))
            });
            found.extend(mounted.map(|service| service.name.clone()));
        }
        found
    }

    /// Whether `credential` belongs to the candidate: in its files, mounted into it or served by it, and no mere
    /// anchor.
    pub(crate) fn is_own(&self, credential: &Credential) -> bool {
        !is_anchor(credential) && self.of(credential).contains(&self.record.scenario.candidate.service)
    }

    /// Whether `check` meets `credential`, at a service that holds it or in its own hands, and could tell.
    pub(crate) fn meets(&self, check: &Check, credential: &Credential) -> bool {
        if credential.kind == CredentialKind::SqlRole {
            return check.is_role(credential);
        }
        if !check.exercises() {
            return false;
        }
        let scenario = &self.record.scenario;
        let held = self.of(credential);
        if reach(scenario, check).iter().any(|service| held.contains(service)) {
            return !self.is_shown_others(check, credential);
        }
        let Origin::Declared(name) = &credential.origin else { return false };
        let names = below(scenario, name);
        check.uses().any(|used| names.contains(used))
    }

    /// Whether `check` asks the very service that shows `credential` to clients, and is only ever shown others there: by
    /// another name, on another port, or because it takes another kind of key.
    fn is_shown_others(&self, check: &Check, credential: &Credential) -> bool {
        let Origin::Declared(name) = &credential.origin else { return false };
        let scenario = &self.record.scenario;
        let is_for_clients = scenario.credential(name).is_some_and(|spec| spec.x509.is_for_servers_alone());
        let shows = |service: &&Service| {
            let mut files = service.files.iter();
            files.any(|file| matches!(&file.source, MountedSource::Key(held) if held == name))
        };
        let mut asked = check.probes().filter(|probe| {
            let target = scenario.services.iter().find(|service| service.name.as_str() == probe.target());
            probe.tls().is_some() && target.filter(shows).is_some()
        });
        if !is_for_clients || asked.next().is_none() {
            return false;
        }
        let cases = self.record.cases.iter().filter(|case| case.case.purpose.material().is_none());
        let looks = cases.flat_map(|case| &case.observations).filter(|look| look.check == check.name);
        let mut served = looks.flat_map(Observation::shown).peekable();
        served.peek().is_some()
            && !served.any(|served| served.credential.fingerprint == credential.fingerprint)
    }
}

/// Everything that `service` needs, directly or not, and itself.
pub(crate) fn needs(scenario: &Scenario, service: &ServiceName) -> BTreeSet<ServiceName> {
    let mut found = BTreeSet::new();
    let mut open = vec![service.clone()];
    while let Some(name) = open.pop() {
        if found.insert(name.clone()) {
            open.extend(
                scenario.service(&name).into_iter().flat_map(|service| service.needs.iter().cloned()),
            );
        }
    }
    found
}

/// Every service that a check passes through: its targets, where it stands, and what those need.
pub(crate) fn reach(scenario: &Scenario, check: &Check) -> BTreeSet<ServiceName> {
    let targets: Vec<ServiceName> =
        check.probes().filter_map(|probe| ServiceName::new(probe.target()).ok()).collect();
    targets.iter().chain(&check.from).flat_map(|service| needs(scenario, service)).collect()
}

/// The edges that a run must live through. What a fresh start made for itself while an instant was searched is of
/// that start alone; what a probe was served in control, in the walk or at the horizon counts with its end, and so does what
/// memory alone held in the walk.
pub(crate) fn relevant_edges(record: &RunRecord) -> Vec<Edge> {
    let horizon = CaseClock::Shifted(record.scenario.horizon);
    let telling = record.cases.iter().filter(|case| match case.case.purpose {
        Purpose::Control | Purpose::Walk => true,
        Purpose::Cold => case.case.clock == horizon,
        Purpose::PastControl
        | Purpose::Reissued { .. }
        | Purpose::Repeat(_)
        | Purpose::Skewed { .. }
        | Purpose::Stale { .. } => false,
    });
    let served: BTreeSet<Fingerprint> = telling
        .flat_map(|case| &case.observations)
        .flat_map(Observation::shown)
        .map(|served| served.credential.fingerprint)
        .collect();
    let lived = memory::lived(record);
    let has_ended = |credential: &Credential| credential.not_after < record.scenario.start.instant();
    let mut edges: Vec<Edge> = Vec::new();
    for credential in &record.inventory.credentials {
        match &credential.origin {
            Origin::Declared(_) | Origin::Embedded => edges.extend(credential.edges()),
            Origin::Memory if lived.contains(&credential.fingerprint) || has_ended(credential) => {
                edges.extend(credential.edges().filter(|edge| edge.kind == EdgeKind::NotAfter));
            }
            Origin::Memory => {}
            Origin::Served if served.contains(&credential.fingerprint) => {
                edges.extend(credential.edges().filter(|edge| edge.kind == EdgeKind::NotAfter));
            }
            Origin::Served => {}
        }
    }
    edges.sort_by_key(|edge| (edge.changed_at(), *edge));
    edges
}

/// Those of them that change something in (`after`, `through`]. What a rotation brings changes nothing before it is
/// there; what one has replaced may still be in use.
pub(crate) fn edges_in(record: &RunRecord, after: UnixTime, through: UnixTime) -> Vec<Edge> {
    let mut edges = relevant_edges(record);
    edges.retain(|edge| {
        let at = edge.changed_at();
        at > after && at <= through && !is_yet_to_come(record, edge)
    });
    edges
}

fn is_yet_to_come(record: &RunRecord, edge: &Edge) -> bool {
    let credential = record.inventory.find(edge.credential);
    match credential.map(|credential| &credential.origin) {
        Some(Origin::Declared(name)) => {
            record.scenario.introduced(name).is_some_and(|from| edge.changed_at() < from)
        }
        Some(Origin::Embedded | Origin::Memory | Origin::Served) | None => false,
    }
}

/// Whether something is meant to use `credential` at `at`, as far as rotations decide it.
pub(crate) fn is_in_use(scenario: &Scenario, credential: &Credential, at: UnixTime) -> bool {
    match &credential.origin {
        Origin::Declared(name) => {
            scenario.introduced(name).is_none_or(|from| at >= from)
                && scenario.retired(name).is_none_or(|from| at < from)
        }
        Origin::Embedded | Origin::Memory | Origin::Served => true,
    }
}
