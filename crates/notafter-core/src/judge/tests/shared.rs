//! Worlds and questions that the tests of judging share.

use crate::refine::tests::world::*;
use crate::*;

pub(super) const END: &str = "2018-12-06T04:29:59Z";
pub(super) const BROKEN: &str = "2018-12-06T04:30:00Z";

pub(super) fn embedded() -> Credential {
    certificate(1, "CN=node software", at(END))
}

pub(super) fn outage() -> World {
    let log = "starting\ncertificate CN=node software has expired, shutting down";
    let ill = Ill::Dies { from: at(BROKEN), at_start: true, watchdog: Some(3_600), log };
    World::new().holding([embedded()]).ill(ill)
}

pub(super) fn id(text: &str) -> CaseId {
    CaseId::new(text).unwrap()
}

pub(super) fn is_case(event: &Event, wanted: &str) -> bool {
    let case = match event {
        Event::CaseEnded { case, .. }
        | Event::MemoryRead { case, .. }
        | Event::Moved { case, .. }
        | Event::Observed { case, .. }
        | Event::Rotated { case, .. }
        | Event::ServiceEnded { case, .. }
        | Event::ServiceReady { case, .. }
        | Event::Witnessed { case, .. } => case,
        Event::CaseStarted { case } => &case.id,
        Event::InventoryLearnt { .. } => return false,
    };
    case.as_str() == wanted
}

pub(super) fn worst(verdict: &Verdict) -> Option<FindingCode> {
    verdict.findings.first().filter(|finding| finding.severity > Severity::Note).map(|finding| finding.code)
}

pub(super) fn codes(verdict: &Verdict) -> Vec<(FindingCode, Severity)> {
    verdict.findings.iter().map(|finding| (finding.code, finding.severity)).collect()
}

pub(super) fn fail_with(events: &mut [Event], case: &str, why: CaseError) {
    for event in events {
        if let Event::CaseEnded { case: ended, outcome, error, .. } = event
            && ended.as_str() == case
        {
            *outcome = Outcome::Error;
            *error = Some(why.clone());
        }
    }
}

pub(super) fn declared(text: &str, seed: u8, not_after: UnixTime) -> (CredentialSpec, Credential) {
    let subject = format!("CN={text}");
    let name = CredentialName::new(text).unwrap();
    let mut credential = certificate(seed, &subject, not_after);
    credential.origin = Origin::Declared(name.clone());
    credential.places.clear();
    let x509 = GeneratedX509 {
        subject,
        issuer: X509Issuer::SelfSigned,
        cross_signs: None,
        dns: Vec::new(),
        ip: Vec::new(),
        usage: vec![KeyUsage::Server],
        key: KeyAlgorithm::P256,
        not_before: credential.not_before,
        not_after,
    };
    (CredentialSpec { name, x509, location: location(5) }, credential)
}

/// `site` is declared, ends in the window, and is mounted into `service`.
pub(super) fn mounted(service: Option<&str>) -> World {
    let (spec, credential) = declared("site", 7, at("2019-06-01T00:00:00Z"));
    World::new().holding([credential]).with(|scenario| {
        for known in scenario.services.iter_mut().filter(|known| Some(known.name.as_str()) == service) {
            known.files.push(MountedFile {
                path: "/tls.pem".to_owned(),
                source: MountedSource::Chain(spec.name.clone()),
                mode: 0o644,
                folder: None,
                location: location(6),
            });
        }
        scenario.credentials.push(spec);
    })
}

pub(super) fn waive(scenario: &mut Scenario, waives: Waived, days: i64) {
    waive_only(scenario, waives, Narrowing::default(), days);
}

pub(super) fn waive_only(scenario: &mut Scenario, waives: Waived, only: Narrowing, days: i64) {
    scenario.policy.waivers.push(Waiver {
        waives,
        only,
        shared: false,
        owner: "ops".to_owned(),
        reason: "known".to_owned(),
        until: start().plus_secs(days * DAY),
        location: location(90),
    });
}

/// A peer's certificate ends; the candidate must refuse it from then on, and not the others.
pub(super) fn with_stranger() -> World {
    World::new().holding([held_by("stranger", embedded())]).with(|scenario| {
        let mut stranger = check("stranger", tls("stranger"), &[Connection::Fresh], 70);
        let rejected = Expectation::Rejected { control: CheckName::new("attaches").unwrap() };
        let works = Expectation::Works(Works::default());
        let span = |after, through, expectation| ExpectedSpan {
            after,
            through,
            expectation,
            location: location(71),
        };
        stranger.expect = vec![span(None, Some(at(END)), works), span(Some(at(END)), None, rejected)];
        scenario.checks.push(stranger);
    })
}
