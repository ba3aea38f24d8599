//! The scenario of scenarios/o2-ericsson-2018, without its files.

use notafter_core::{
    Build, BuildName, Candidate, CaseId, Cause, Check, CheckName, Connection, Decision, Expectation,
    ExpectedSpan, FileTimes, Fingerprint, ImageRef, Planning, Policy, Probe, ReplayEntry, Restart,
    Restrictions, Scenario, ScenarioName, Service, ServiceName, SourceLocation, Start, UnixTime, Works,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub(super) const CHECKS: [&str; 4] =
    ["phone-attaches", "phone-has-data", "portal-answers", "bus-times-answer"];

pub(crate) fn instant(text: &str) -> UnixTime {
    UnixTime::parse(text).unwrap()
}

/// The first failing second.
pub(crate) fn breaks() -> UnixTime {
    instant("2018-12-06T04:30:00Z")
}

pub(super) fn not_after() -> UnixTime {
    instant("2018-12-06T04:29:59Z")
}

pub(crate) fn service_name(name: &str) -> ServiceName {
    ServiceName::new(name).unwrap()
}

pub(crate) fn check_name(name: &str) -> CheckName {
    CheckName::new(name).unwrap()
}

pub(crate) fn case_id(id: &str) -> CaseId {
    CaseId::new(id).unwrap()
}

pub(crate) fn location(line: u32) -> SourceLocation {
    SourceLocation { file: "scenarios/o2-ericsson-2018/scenario.yaml".to_owned(), line, column: 3 }
}

pub(crate) fn fingerprint(first: u8) -> Fingerprint {
    let mut digest = [0; 32];
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = first.wrapping_mul(31).wrapping_add(u8::try_from(index).unwrap().wrapping_mul(7));
    }
    digest[0] = first;
    Fingerprint::from_bytes(digest)
}

pub(super) fn service(name: &str, needs: &[&str], stands_for: &[&str], line: u32) -> Service {
    Service {
        name: service_name(name),
        aliases: Vec::new(),
        image: None,
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
        ready_within: Duration::from_secs(10),
        needs: needs.iter().map(|name| service_name(name)).collect(),
        after: Vec::new(),
        restart: Restart::Never,
        stands_for: stands_for.iter().map(|&party| party.to_owned()).collect(),
        location: location(line),
    }
}

pub(super) fn check(name: &str, connections: &[Connection], line: u32) -> Check {
    Check {
        name: check_name(name),
        from: Some(service_name("phone")),
        probe: Probe::Exec { service: service_name("phone"), command: vec!["/phone".to_owned()] },
        connections: connections.to_vec(),
        within: Duration::from_secs(5),
        settle: Duration::ZERO,
        before: Vec::new(),
        stale: Vec::new(),
        expect: vec![ExpectedSpan {
            after: None,
            through: None,
            expectation: Expectation::Works(Works { exit: Some(0), ..Works::default() }),
            location: location(line),
        }],
        location: location(line),
    }
}

pub(crate) fn scenario(build: &str) -> Scenario {
    let image = |bin: &str| ImageRef::Cargo { package: "o2-fixtures".to_owned(), bin: bin.to_owned() };
    let builds: Vec<Build> = ["1.14", "1.15", "1.15.1", "1.16"]
        .iter()
        .map(|name| Build {
            name: BuildName::new(*name).unwrap(),
            image: image(&format!("sgsn-mme-{}", name.replace('.', "-"))),
            entrypoint: None,
            command: None,
            env: BTreeMap::new(),
            files: Vec::new(),
        })
        .collect();
    let chosen = builds.iter().find(|known| known.name.as_str() == build).cloned();
    Scenario {
        name: ScenarioName::new("o2-ericsson-2018").unwrap(),
        directory: PathBuf::from("scenarios/o2-ericsson-2018"),
        start: Start::Fixed(instant("2018-11-01T00:00:00Z")),
        horizon: instant("2020-11-01T00:00:00Z"),
        candidate: Candidate { service: service_name("sgsn-mme"), build: chosen },
        budget: Some(Duration::from_secs(60)),
        builds,
        credentials: Vec::new(),
        crls: Vec::new(),
        tokens: Vec::new(),
        services: vec![
            service("hss", &[], &[], 22),
            service("sgsn-mme", &["hss"], &[], 28),
            service("phone", &["sgsn-mme"], &[], 37),
            service("mvno-portal", &["sgsn-mme"], &["giffgaff", "Lyca", "Tesco Mobile"], 38),
            service("bus-times", &["sgsn-mme"], &["Transport for London"], 39),
        ],
        checks: vec![
            check(CHECKS[0], &[Connection::Fresh], 42),
            check(CHECKS[1], &[Connection::Fresh, Connection::Held], 43),
            check(CHECKS[2], &[Connection::Fresh], 44),
            check(CHECKS[3], &[Connection::Fresh], 45),
        ],
        policy: Policy::default(),
        rotations: Vec::new(),
        planning: Planning::default(),
        file_times: FileTimes::default(),
        replay: vec![blocked("1.14"), blocked("1.15"), allowed("1.15.1", &[]), allowed("1.16", &[NOTE])],
        remarks: Vec::new(),
        backend: None,
    }
}

const NOTE: &str = "expired-embedded-credential";

pub(crate) fn blocked(build: &str) -> ReplayEntry {
    ReplayEntry {
        build: BuildName::new(build).unwrap(),
        verdict: Decision::Block,
        breaks_at: Some(breaks()),
        cause: Some(Cause::Embedded {
            service: service_name("sgsn-mme"),
            subject: "CN=sgsn-mme software".to_owned(),
            not_after: not_after(),
        }),
        falls: Some(CHECKS.iter().map(|name| check_name(name)).collect()),
        notes: Vec::new(),
        location: location(48),
    }
}

pub(crate) fn allowed(build: &str, notes: &[&str]) -> ReplayEntry {
    ReplayEntry {
        build: BuildName::new(build).unwrap(),
        verdict: Decision::Allow,
        breaks_at: None,
        cause: None,
        falls: None,
        notes: notes.iter().map(|&note| note.to_owned()).collect(),
        location: location(58),
    }
}
