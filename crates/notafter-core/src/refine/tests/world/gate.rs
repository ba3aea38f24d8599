//! A world as a scenario with an inventory, and what the gate makes of it.

use super::ill::Ill;
use super::parts::{CANDIDATE, at, check, location, name, service, start, tls};
use super::play::Play;
use crate::*;

/// Changes what a runner tells of one case.
pub(crate) type Tamper = fn(&mut Vec<Event>);

pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) inventory: Inventory,
    pub(crate) ills: Vec<Ill>,
    pub(crate) tamper: Option<Tamper>,
    /// What the candidate's process holds in memory, whatever it is for.
    pub(crate) loaded: Vec<Credential>,
    /// What of its memory cannot be read.
    pub(crate) gap: Option<&'static str>,
}

impl World {
    /// Two years from November 2018, all well: `register` (hss), `node` (the candidate), `portal` on top.
    pub(crate) fn new() -> Self {
        let scenario = Scenario {
            name: ScenarioName::new("world").unwrap(),
            directory: "/".into(),
            start: Start::Fixed(start()),
            horizon: at("2020-11-01T00:00:00Z"),
            candidate: Candidate { service: name(CANDIDATE), build: None },
            budget: None,
            builds: Vec::new(),
            credentials: Vec::new(),
            crls: Vec::new(),
            tokens: Vec::new(),
            services: vec![
                service("hss", &[], 10),
                service(CANDIDATE, &["hss"], 20),
                service("portal", &[CANDIDATE], 30),
            ],
            checks: vec![
                check("registers", tls("hss"), &[Connection::Fresh], 40),
                check("attaches", tls(CANDIDATE), &[Connection::Fresh, Connection::Held], 50),
                check("portal-answers", tls("portal"), &[Connection::Fresh], 60),
            ],
            policy: Policy::default(),
            rotations: Vec::new(),
            planning: Planning::default(),
            file_times: FileTimes::default(),
            replay: Vec::new(),
            remarks: Vec::new(),
            backend: None,
        };
        Self {
            scenario,
            inventory: Inventory::default(),
            ills: Vec::new(),
            tamper: None,
            loaded: Vec::new(),
            gap: None,
        }
    }

    pub(crate) fn holding(mut self, credentials: impl IntoIterator<Item = Credential>) -> Self {
        credentials.into_iter().for_each(|credential| self.inventory.add(credential));
        self
    }

    /// Declares `certificate` by this name, issued by another declared one.
    pub(crate) fn declaring(mut self, name: &str, issuer: Option<&str>, certificate: Credential) -> Self {
        let named = |text: &str| CredentialName::new(text).unwrap();
        let spec = CredentialSpec {
            name: named(name),
            x509: GeneratedX509 {
                subject: certificate.subject.clone(),
                issuer: issuer.map_or(X509Issuer::SelfSigned, |issuer| X509Issuer::IssuedBy(named(issuer))),
                cross_signs: None,
                dns: Vec::new(),
                ip: Vec::new(),
                usage: Vec::new(),
                key: KeyAlgorithm::P256,
                not_before: certificate.not_before,
                not_after: certificate.not_after,
            },
            location: location(5),
        };
        self.scenario.credentials.push(spec);
        self.inventory.add(Credential { origin: Origin::Declared(named(name)), ..certificate });
        self
    }

    pub(crate) fn ill(mut self, ill: Ill) -> Self {
        self.ills.push(ill);
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Scenario)) -> Self {
        change(&mut self.scenario);
        self
    }

    pub(crate) fn tampered(mut self, tamper: Tamper) -> Self {
        self.tamper = Some(tamper);
        self
    }

    pub(crate) fn loading(mut self, loaded: impl IntoIterator<Item = Credential>) -> Self {
        self.loaded.extend(loaded);
        self
    }

    pub(crate) fn with_gap(mut self, gap: &'static str) -> Self {
        self.gap = Some(gap);
        self
    }

    /// Refines and runs until nothing is left to run.
    pub(crate) fn record(&self) -> RunRecord {
        let mut record = RunRecord::new(self.scenario.clone(), start());
        record.fold(Event::InventoryLearnt { inventory: self.inventory.clone() });
        for _ in 0..100 {
            let cases = refine(&record);
            if cases.is_empty() {
                break;
            }
            for case in cases {
                let launch = record.cases.len();
                let id = case.id.clone();
                let mut events = Play::new(self, &case, launch).run();
                if let Some(tamper) = self.tamper {
                    tamper(&mut events);
                }
                for event in events {
                    let end = match event {
                        Event::CaseEnded { outcome: Outcome::Pass, error: None, took, .. } => {
                            let told = record.case(&id).unwrap().outcome_from_observations(&self.scenario);
                            Event::CaseEnded { case: id.clone(), outcome: told, error: None, took }
                        }
                        other => other,
                    };
                    record.fold(end);
                }
            }
        }
        record
    }

    pub(crate) fn gate(&self) -> (RunRecord, Verdict) {
        let record = self.record();
        let verdict = judge(&record);
        (record, verdict)
    }
}
