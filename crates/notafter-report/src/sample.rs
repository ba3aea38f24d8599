//! Records and verdicts built by hand, in the likeness of the outage that scenarios/o2-ericsson-2018 retells.

use notafter_core::{
    Answer, Build, BuildName, Candidate, Case, CaseClock, CaseError, CaseId, CaseRecord, Cause, Check,
    CheckName, ClockReading, ClockWitness, Connection, Container, Coverage, CoverageEntry, Credential,
    CredentialName, Decision, Edge, EdgeKind, Event, Evidence, Expectation, ExpectedSpan, Finding,
    FindingCode, Fingerprint, ImageRef, Motion, Observation, Origin, Outcome, Pace, Place, Policy, Probe,
    Purpose, ReplayEntry, Restart, RunRecord, Scenario, ScenarioName, Seen, Service, ServiceEnd, ServiceName,
    Severity, SourceLocation, Start, Step, Touch, UnixTime, Verdict, WitnessBasis, Works,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

const CHECKS: [&str; 4] = ["phone-attaches", "phone-has-data", "portal-answers", "bus-times-answer"];
const FALLEN: [&str; 4] = ["sgsn-mme", "phone", "mvno-portal", "bus-times"];

pub(crate) fn instant(text: &str) -> UnixTime {
    UnixTime::parse(text).unwrap()
}

/// The first failing second.
pub(crate) fn breaks() -> UnixTime {
    instant("2018-12-06T04:30:00Z")
}

fn not_after() -> UnixTime {
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

fn service(name: &str, needs: &[&str], stands_for: &[&str], line: u32) -> Service {
    Service {
        name: service_name(name),
        image: None,
        command: None,
        env: BTreeMap::new(),
        user: None,
        workdir: None,
        files: Vec::new(),
        scan: Vec::new(),
        volumes: Vec::new(),
        ready: None,
        ready_within: Duration::from_secs(10),
        needs: needs.iter().map(|name| service_name(name)).collect(),
        after: Vec::new(),
        restart: Restart::Never,
        stands_for: stands_for.iter().map(|&party| party.to_owned()).collect(),
        location: location(line),
    }
}

fn check(name: &str, connections: &[Connection], line: u32) -> Check {
    Check {
        name: check_name(name),
        from: Some(service_name("phone")),
        probe: Probe::Exec { service: service_name("phone"), command: vec!["/phone".to_owned()] },
        connections: connections.to_vec(),
        within: Duration::from_secs(5),
        settle: Duration::ZERO,
        expect: vec![ExpectedSpan {
            after: None,
            through: None,
            expectation: Expectation::Works(Works { exit: Some(0), status: None }),
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
        replay: vec![blocked("1.14"), blocked("1.15"), allowed("1.15.1", &[]), allowed("1.16", &[NOTE])],
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

pub(crate) fn software(first: u8, until: UnixTime) -> Credential {
    Credential {
        fingerprint: fingerprint(first),
        subject: "CN=sgsn-mme software".to_owned(),
        issuer: "CN=sgsn-mme software".to_owned(),
        serial: "4D2".to_owned(),
        not_before: instant("2016-12-06T04:30:00Z"),
        not_after: until,
        ca: false,
        self_issued: true,
        origin: Origin::Embedded,
        places: vec![Place {
            service: service_name("sgsn-mme"),
            path: "/sgsn-mme-1-14".to_owned(),
            offset: 0x1234,
            len: 412,
            container: Container::DerInElf,
        }],
    }
}

fn declared(first: u8, name: &str, subject: &str, until: &str) -> Credential {
    Credential {
        fingerprint: fingerprint(first),
        subject: subject.to_owned(),
        issuer: "CN=Core Root".to_owned(),
        serial: "1F".to_owned(),
        not_before: instant("2018-10-31T00:00:00Z"),
        not_after: instant(until),
        ca: false,
        self_issued: false,
        origin: Origin::Declared(CredentialName::new(name).unwrap()),
        places: Vec::new(),
    }
}

pub(crate) fn look(check: &str, connection: Connection, at: UnixTime, works: bool) -> Observation {
    let (code, output) = if works { (0, "") } else { (1, "attach: connection refused\n") };
    Observation {
        check: check_name(check),
        connection,
        step: 0,
        planned: at,
        begin: ClockReading::at(at),
        end: ClockReading { second: at, nanos: 12_000_000 },
        opened: None,
        tries: 1,
        seen: Seen::Answered(Answer::Exited { code, output: output.to_owned() }),
        served: Vec::new(),
    }
}

fn looks(at: UnixTime, works: bool) -> Vec<Observation> {
    let mut looks: Vec<Observation> =
        CHECKS.iter().map(|check| look(check, Connection::Fresh, at, works)).collect();
    looks.insert(2, look(CHECKS[1], Connection::Held, at, works));
    looks
}

fn witnesses() -> Vec<ClockWitness> {
    let witness = |service: &str, pid, basis| ClockWitness {
        service: service_name(service),
        pid,
        exe: format!("/{service}"),
        basis,
    };
    vec![
        witness("hss", 1, WitnessBasis::Canary),
        witness("hss", 2, WitnessBasis::Exec),
        witness("hss", 2, WitnessBasis::Sweep),
        witness("sgsn-mme", 1, WitnessBasis::Canary),
        witness("sgsn-mme", 2, WitnessBasis::Exec),
        witness("phone", 7, WitnessBasis::Exec),
    ]
}

fn checks() -> Step {
    Step::Check { checks: CHECKS.iter().map(|name| check_name(name)).collect() }
}

fn elapse(pace: Pace, to: &str) -> Step {
    Step::Move { motion: Motion::Elapse(pace), to: instant(to) }
}

fn restart() -> Step {
    Step::Restart { services: vec![service_name("sgsn-mme")] }
}

fn case(id: &str, purpose: Purpose, reason: &str, start: &str, steps: Vec<Step>) -> CaseRecord {
    CaseRecord {
        case: Case {
            id: case_id(id),
            purpose,
            reason: reason.to_owned(),
            clock: CaseClock::Shifted(instant(start)),
            steps,
        },
        outcome: Some(Outcome::Pass),
        error: None,
        observations: Vec::new(),
        ends: Vec::new(),
        witnesses: witnesses(),
        ready: vec![(service_name("sgsn-mme"), ClockReading::at(instant(start)))],
        took: Duration::from_millis(412),
    }
}

fn control() -> CaseRecord {
    let at = "2018-11-02T00:00:00Z";
    let mut control = case(
        "control",
        Purpose::Control,
        "no boundary is crossed: the scenario itself works",
        at,
        vec![checks()],
    );
    control.observations = looks(instant(at), true);
    control
}

fn walk_steps() -> Vec<Step> {
    vec![
        checks(),
        elapse(Pace::Leap, "2018-12-06T04:29:58Z"),
        checks(),
        elapse(Pace::Walk, "2018-12-06T04:30:00Z"),
        checks(),
        restart(),
        checks(),
    ]
}

fn walk(id: &str, purpose: Purpose, works: bool) -> CaseRecord {
    let reason = "the same processes live through every boundary";
    let mut walk = case(id, purpose, reason, "2018-11-01T00:00:00Z", walk_steps());
    for (at, works) in
        [("2018-11-01T00:00:00Z", true), ("2018-12-06T04:29:58Z", true), ("2018-12-06T04:30:00Z", works)]
    {
        walk.observations.extend(looks(instant(at), works));
    }
    walk.took = Duration::from_millis(1_249);
    if !works {
        walk.outcome = Some(Outcome::Fail);
        walk.ends.push(ServiceEnd {
            service: service_name("sgsn-mme"),
            code: Some(1),
            at: ClockReading::at(breaks()),
            before_ready: false,
            reason: None,
            log_tail: LOG.to_owned(),
        });
    }
    walk
}

const LOG: &str = "sgsn-mme 1.14: attached to hss\nsgsn-mme 1.14: watchdog: software certificate \
                   CN=sgsn-mme software has expired, shutting down\n";

fn record(build: &str, cases: Vec<CaseRecord>, first: u8, until: UnixTime) -> RunRecord {
    let mut record = RunRecord::new(scenario(build), instant("2026-03-01T09:00:00Z"));
    record.inventory.add(software(first, until));
    record.inventory.add(declared(0xc0, "core-root", "CN=Core Root", "2021-11-01T00:00:00Z"));
    record.inventory.add(declared(0xe1, "hss", "CN=hss", "2021-01-30T00:00:00Z"));
    record.cases = cases;
    record
}

pub(crate) fn finding(code: FindingCode, severity: Severity, summary: &str) -> Finding {
    Finding {
        code,
        severity,
        waived: None,
        summary: summary.to_owned(),
        bracket: None,
        culprit: None,
        evidence: Vec::new(),
        expected: None,
        seen: None,
        seen_at: None,
        services: Vec::new(),
        checks: Vec::new(),
        still_working: Vec::new(),
        location: None,
        case: None,
        log_tail: None,
        help: None,
    }
}

fn verdict(decision: Decision, findings: Vec<Finding>) -> Verdict {
    Verdict { decision, findings, coverage: Coverage::default(), next_edge: None }
}

fn exercised(first: u8, touch: Touch) -> CoverageEntry {
    CoverageEntry { credential: fingerprint(first), touch }
}

/// Build 1.14, as told by history.
pub(crate) fn block() -> (RunRecord, Verdict) {
    let cases = vec![
        control(),
        walk("walk", Purpose::Walk, false),
        walk("repeat-walk", Purpose::Repeat(case_id("walk")), false),
    ];
    let record = record("1.14", cases, 0x47, not_after());
    let culprit = fingerprint(0x47);
    let edge = Edge { at: not_after(), kind: EdgeKind::NotAfter, credential: culprit };
    let line = LOG.lines().last().unwrap().to_owned();
    let mut checks: Vec<_> = CHECKS.iter().map(|name| (check_name(name), vec![Connection::Fresh])).collect();
    checks[1].1.push(Connection::Held);
    let breaks = Finding {
        bracket: Some(notafter_core::Bracket { last_pass: not_after(), first_fail: breaks() }),
        culprit: Some(culprit),
        evidence: vec![
            Evidence::Coincidence { edge },
            Evidence::NamedInLog { service: service_name("sgsn-mme"), line },
        ],
        expected: Some("phone-attaches works with exit code 0".to_owned()),
        seen: Some("exit code 1: attach: connection refused".to_owned()),
        seen_at: Some(self::breaks()),
        services: FALLEN.iter().map(|name| service_name(name)).collect(),
        checks,
        location: Some(location(42)),
        case: Some(case_id("walk")),
        log_tail: Some(LOG.to_owned()),
        help: Some(
            "ship a build whose software certificate ends after 2020-11-01T00:00:00Z, or warn instead of shutting down"
                .to_owned(),
        ),
        ..finding(FindingCode::BreaksInWindow, Severity::Block, "phone-attaches fails from 2018-12-06T04:30:00Z on")
    };
    let mut verdict = verdict(Decision::Block, vec![breaks]);
    verdict.coverage.entries = vec![exercised(0x47, Touch::Exercised)];
    (record, verdict)
}

/// Build 1.16: the certificate ends, and nothing breaks.
pub(crate) fn allow() -> (RunRecord, Verdict) {
    let mut record = record("1.16", vec![control(), walk("walk", Purpose::Walk, true)], 0x47, not_after());
    record.remarks.push("memory limits are not enforced: no cgroup may be made here".to_owned());
    let note = Finding {
        culprit: Some(fingerprint(0x47)),
        ..finding(
            FindingCode::ExpiredEmbeddedCredential,
            Severity::Note,
            "CN=sgsn-mme software ends on 2018-12-06T04:29:59Z and nothing fails",
        )
    };
    let mut verdict = verdict(Decision::Allow, vec![note]);
    verdict.coverage.entries = vec![exercised(0x47, Touch::Exercised)];
    verdict.next_edge = Some(Edge {
        at: instant("2021-01-30T00:00:00Z"),
        kind: EdgeKind::NotAfter,
        credential: fingerprint(0xe1),
    });
    (record, verdict)
}

/// A guest that escapes the clock.
pub(crate) fn unshifted() -> (RunRecord, Verdict) {
    let mut walk = walk("walk", Purpose::Walk, true);
    walk.outcome = Some(Outcome::Error);
    walk.error = Some(CaseError::Unshifted {
        service: service_name("sgsn-mme"),
        pid: Some(12),
        reason: "/escape: the sweep found its own vDSO, not the patched one".to_owned(),
    });
    let record = record("1.15.1", vec![control(), walk], 0x51, instant("2025-01-01T00:00:00Z"));
    let unproven = Finding {
        services: vec![service_name("sgsn-mme")],
        case: Some(case_id("walk")),
        ..finding(
            FindingCode::Unshifted,
            Severity::Inconclusive,
            "process 12 of sgsn-mme ran without proof that it saw the shifted clock",
        )
    };
    (record, verdict(Decision::Inconclusive, vec![unproven]))
}

/// New connections fail, and one that is held goes on.
pub(crate) fn held_works() -> (RunRecord, Verdict) {
    let (record, mut verdict) = block();
    let finding = &mut verdict.findings[0];
    finding.checks = vec![(check_name(CHECKS[1]), vec![Connection::Fresh])];
    finding.still_working = vec![(check_name(CHECKS[1]), Connection::Held)];
    finding.services = vec![service_name("sgsn-mme")];
    finding.log_tail = None;
    finding.evidence.pop();
    (record, verdict)
}

/// Names and logs that try to write a report of their own.
pub(crate) fn hostile() -> (RunRecord, Verdict) {
    let (mut record, mut verdict) = block();
    let known = &mut record.inventory.credentials;
    let index = known.iter().position(|known| known.fingerprint == fingerprint(0x47)).unwrap();
    known[index].subject = "CN=\u{1b}[2J\u{1b}[Hallow: all is well\nallow: \u{202e}kcolb\u{2069}".to_owned();
    known[index].issuer = format!("CN={}", "A".repeat(5_000));
    known[index].self_issued = false;
    known[index].places[0].path = "/usr/lib/\u{9b}31m/e\u{301}\u{301}\u{301}\u{301}\u{301}vil".to_owned();
    record.remarks.push("a remark with \u{7} and \u{e0041}".to_owned());
    let finding = &mut verdict.findings[0];
    finding.log_tail = Some(format!(
        "first\nsecond\n{}\n\u{1b}[31mERROR\u{1b}[0m \u{1b}]0;owned\u{7}\tbad\r\n\nproved by:\n{}\n4\n5\n6\n7\n",
        "x".repeat(400),
        "a long line of a log that has to be wrapped because it says the same thing again and again "
            .repeat(2)
    ));
    finding.evidence.push(Evidence::SeenOnTheWire { reason: "expired\u{2028}\u{200b} at".to_owned() });
    (record, verdict)
}

/// The events that fold into `record`.
pub(crate) fn events(record: &RunRecord) -> Vec<Event> {
    let mut events = vec![Event::InventoryLearnt { inventory: record.inventory.clone() }];
    for known in &record.cases {
        let id = known.case.id.clone();
        events.push(Event::CaseStarted { case: known.case.clone() });
        for (service, at) in &known.ready {
            let took = Duration::from_millis(9);
            events.push(Event::ServiceReady { case: id.clone(), service: service.clone(), at: *at, took });
        }
        let mut now = None;
        for look in &known.observations {
            if now.is_some_and(|now| now != look.planned) {
                let at = ClockReading::at(look.planned);
                events.push(Event::Moved { case: id.clone(), now: at, jumps: 1, woken: 3 });
                for end in known.ends.iter().filter(|end| end.at == at) {
                    events.push(Event::ServiceEnded { case: id.clone(), end: end.clone() });
                }
            }
            now = Some(look.planned);
            events.push(Event::Observed { case: id.clone(), observation: look.clone() });
        }
        events.push(Event::CaseEnded {
            case: id,
            outcome: known.outcome.unwrap(),
            error: known.error.clone(),
            took: known.took,
        });
    }
    events
}
