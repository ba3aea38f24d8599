//! Its credentials, its cases and their events.

use super::scenario::{CHECKS, breaks, case_id, check_name, fingerprint, instant, scenario, service_name};
use notafter_core::{
    Answer, Case, CaseClock, CaseRecord, ClockReading, ClockWitness, Connection, Container, Credential,
    CredentialName, Event, Motion, Observation, Origin, Outcome, Pace, Place, Purpose, RunRecord, Seen,
    ServiceEnd, Step, UnixTime, WitnessBasis,
};
use std::time::Duration;

pub(crate) fn software(first: u8, until: UnixTime) -> Credential {
    Credential {
        fingerprint: fingerprint(first),
        kind: notafter_core::CredentialKind::X509,
        subject: "CN=sgsn-mme software".to_owned(),
        issuer: "CN=sgsn-mme software".to_owned(),
        serial: "4D2".to_owned(),
        not_before: instant("2016-12-06T04:30:00Z"),
        not_after: until,
        ca: false,
        self_issued: true,
        origin: Origin::Embedded,
        key: None,
        places: vec![Place {
            offset: 0x1234,
            ..Place::in_file(service_name("sgsn-mme"), "/sgsn-mme-1-14".to_owned(), 412, Container::DerInElf)
        }],
    }
}

pub(super) fn declared(first: u8, name: &str, subject: &str, until: &str) -> Credential {
    Credential {
        fingerprint: fingerprint(first),
        kind: notafter_core::CredentialKind::X509,
        subject: subject.to_owned(),
        issuer: "CN=Core Root".to_owned(),
        serial: "1F".to_owned(),
        not_before: instant("2018-10-31T00:00:00Z"),
        not_after: instant(until),
        ca: false,
        self_issued: false,
        key: None,
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
        readings: Vec::new(),
        served: Vec::new(),
        steps: Vec::new(),
    }
}

pub(super) fn looks(at: UnixTime, works: bool) -> Vec<Observation> {
    let mut looks: Vec<Observation> =
        CHECKS.iter().map(|check| look(check, Connection::Fresh, at, works)).collect();
    looks.insert(2, look(CHECKS[1], Connection::Held, at, works));
    looks
}

pub(super) fn witnesses() -> Vec<ClockWitness> {
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

pub(super) fn checks() -> Step {
    Step::Check { checks: CHECKS.iter().map(|name| check_name(name)).collect() }
}

pub(super) fn elapse(pace: Pace, to: &str) -> Step {
    Step::Move { motion: Motion::Elapse(pace), to: instant(to) }
}

pub(super) fn restart() -> Step {
    Step::Restart { services: vec![service_name("sgsn-mme")] }
}

pub(super) fn case(id: &str, purpose: Purpose, reason: &str, start: &str, steps: Vec<Step>) -> CaseRecord {
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
        restless: Vec::new(),
        rotated: Vec::new(),
        memory: Vec::new(),
        took: Duration::from_millis(412),
    }
}

/// A fresh start at `at`, as a search asks for it.
pub(crate) fn point(at: UnixTime, works: bool) -> CaseRecord {
    let id = format!("cold-{}", at.to_string().replace(':', ""));
    let reason = format!("a fresh start at {at}, to halve the interval in which it breaks");
    let mut point = case(&id, Purpose::Cold, &reason, &at.to_string(), vec![checks()]);
    point.observations = looks(at, works);
    point.outcome = Some(if works { Outcome::Pass } else { Outcome::Fail });
    point.took = Duration::from_millis(198);
    point
}

pub(super) fn control() -> CaseRecord {
    let at = "2018-11-02T00:00:00Z";
    let mut control = case(
        "control",
        Purpose::Control,
        "at 2018-11-02T00:00:00Z, before anything in the window changes, to show that all works there",
        at,
        vec![checks()],
    );
    control.observations = looks(instant(at), true);
    control
}

pub(super) fn walk_steps() -> Vec<Step> {
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

pub(super) fn walk(id: &str, purpose: Purpose, works: bool) -> CaseRecord {
    let reason =
        "from 2018-11-01T00:00:00Z to 2020-11-01T00:00:00Z with the same processes, across 1 boundary";
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

pub(super) const LOG: &str = "sgsn-mme 1.14: attached to hss\nsgsn-mme 1.14: watchdog: software certificate \
                   CN=sgsn-mme software has expired, shutting down\n";

pub(super) fn record(build: &str, cases: Vec<CaseRecord>, first: u8, until: UnixTime) -> RunRecord {
    let mut record = RunRecord::new(scenario(build), instant("2026-03-01T09:00:00Z"));
    record.inventory.add(software(first, until));
    record.inventory.add(declared(0xc0, "core-root", "CN=Core Root", "2021-11-01T00:00:00Z"));
    record.inventory.add(declared(0xe1, "hss", "CN=hss", "2021-01-30T00:00:00Z"));
    record.cases = cases;
    record
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
                events.push(Event::Moved {
                    case: id.clone(),
                    now: at,
                    jumps: 1,
                    woken: 3,
                    restless: Vec::new(),
                });
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
