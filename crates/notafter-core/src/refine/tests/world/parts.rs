//! What worlds are put together from.

use crate::*;
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) const DAY: i64 = 86_400;
pub(crate) const CANDIDATE: &str = "node";

pub(crate) fn at(text: &str) -> UnixTime {
    UnixTime::parse(text).unwrap()
}

pub(crate) fn start() -> UnixTime {
    at("2018-11-01T00:00:00Z")
}

pub(crate) fn name(text: &str) -> ServiceName {
    ServiceName::new(text).unwrap()
}

pub(crate) fn location(line: u32) -> SourceLocation {
    SourceLocation { file: "notafter.yaml".to_owned(), line, column: 3 }
}

pub(super) fn service(text: &str, needs: &[&str], line: u32) -> Service {
    Service {
        name: name(text),
        aliases: Vec::new(),
        image: Some(ImageRef::Cargo { package: "world".to_owned(), bin: text.to_owned() }),
        entrypoint: None,
        command: None,
        env: BTreeMap::new(),
        user: None,
        workdir: None,
        files: Vec::new(),
        scan: Vec::new(),
        volumes: Vec::new(),
        ready: None,
        restrictions: Restrictions::default(),
        ready_within: Duration::from_secs(5),
        needs: needs.iter().map(|need| name(need)).collect(),
        after: Vec::new(),
        restart: Restart::Never,
        stands_for: Vec::new(),
        location: location(line),
    }
}

pub(crate) fn check(text: &str, probe: Probe, connections: &[Connection], line: u32) -> Check {
    Check {
        name: CheckName::new(text).unwrap(),
        from: None,
        probe,
        connections: connections.to_vec(),
        within: Duration::from_secs(5),
        settle: Duration::ZERO,
        before: Vec::new(),
        stale: Vec::new(),
        expect: vec![ExpectedSpan {
            after: None,
            through: None,
            expectation: Expectation::Works(Works::default()),
            location: location(line + 1),
        }],
        location: location(line),
    }
}

pub(crate) fn tls(host: &str) -> Probe {
    let terms =
        TlsTerms { trust: None, identity: None, verify: Verify::Strict, server_name: None, starttls: None };
    Probe::Tls { host: host.to_owned(), port: 443, terms }
}

/// A certificate; `seed` tells them apart.
pub(crate) fn certificate(seed: u8, subject: &str, not_after: UnixTime) -> Credential {
    Credential {
        fingerprint: Fingerprint::from_bytes([seed; 32]),
        kind: crate::CredentialKind::X509,
        subject: subject.to_owned(),
        issuer: subject.to_owned(),
        serial: format!("{seed:02X}ABCDEF"),
        not_before: start().plus_secs(-400 * DAY),
        not_after,
        ca: false,
        self_issued: true,
        origin: Origin::Embedded,
        key: None,
        places: vec![Place {
            offset: 4096,
            ..Place::in_file(name(CANDIDATE), "/node".to_owned(), 400, Container::DerInElf)
        }],
    }
}

/// The same in another service.
pub(crate) fn held_by(service: &str, mut credential: Credential) -> Credential {
    credential.places[0].service = name(service);
    credential
}
