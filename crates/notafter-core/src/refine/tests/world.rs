//! A small world for tests: three services, a clock, and things that go wrong in them. It plays the cases that
//! `refine` asks for and tells what a runner would tell. Nothing here knows how the answer is found.

use crate::*;
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) const DAY: i64 = 86_400;
pub(crate) const CANDIDATE: &str = "node";

/// What goes wrong. All but `HssRefuses` happens in the candidate.
#[derive(Debug, Clone)]
pub(crate) enum Ill {
    /// A process refuses once it has run for this long; what it got at its start and shows nobody has ended. Where it
    /// renews that, it does when it wakes at this age or later.
    Ages { life: i64, renews: Option<i64> },
    /// A restart on state that an earlier start left behind fails from then on.
    AgedFails { from: UnixTime },
    /// A fresh start fails from then on; what lives or has state goes on.
    ColdFails { from: UnixTime },
    /// It ends: when started at or after `from` where `at_start`, and when a watchdog of this period looks.
    Dies { from: UnixTime, at_start: bool, watchdog: Option<i64>, log: &'static str },
    /// One launch of the scenario, counted from 0, fails by accident.
    Fluke { launch: usize },
    /// It does not start within the gap.
    Gap { from: UnixTime, to: UnixTime },
    /// The register refuses from then on.
    HssRefuses { from: UnixTime },
    /// It serves a certificate that each start makes anew, of this many seconds.
    InMemory { life: i64 },
    /// It serves a certificate that the first start makes and keeps in a volume.
    InVolume { life: i64 },
    /// It asks itself over TLS, with a certificate that each start makes anew and that nobody else is shown. A timer
    /// renews it so many seconds after its end, or before where that is negative; none never does.
    Loopback { life: i64, renews: Option<i64> },
    /// It hangs after a leap of more than this many seconds, until it is started again.
    JumpIntolerant { longest: i64 },
    /// It serves a certificate that it gets at each start and that a timer renews after two thirds of its life. Its
    /// CA refuses to renew what has ended, and is gone from `until` on.
    Renews { life: i64, until: Option<UnixTime> },
    /// It serves a certificate that it makes at each start, and renews it only this many seconds after its end.
    RenewsLate { life: i64, late: i64 },
    /// It serves this certificate, whose dates nothing looks at.
    Serves { credential: Credential },
    /// It works for this many seconds after its first start, which it notes in a volume.
    Trial { life: i64 },
    /// Sessions that were open are gone after every motion.
    LosesSessions,
    /// The scenario itself never worked.
    NeverWorks,
    /// New connections are refused from then on, for this certificate; open ones work.
    RefusesNew { from: UnixTime, culprit: Option<Fingerprint> },
    /// The peer of the check `stranger` is refused from then on; without this it is let in for ever.
    RefusesStranger { from: UnixTime },
}

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

fn service(text: &str, needs: &[&str], line: u32) -> Service {
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

/// The candidate's process.
#[derive(Debug, Clone)]
struct Process {
    since: UnixTime,
    hangs: bool,
    made: Option<Credential>,
    /// What it made for itself alone, the one in use last; nothing is wiped.
    kept: Vec<Credential>,
}

struct Play<'a> {
    world: &'a World,
    case: &'a Case,
    launch: usize,
    now: UnixTime,
    starts: u8,
    candidate: Option<Process>,
    first_start: Option<UnixTime>,
    portal: bool,
    /// What the first start left in the volume.
    volume: Option<Credential>,
    sessions: bool,
    /// When the connections of checks that hold one were opened.
    held: BTreeMap<CheckName, UnixTime>,
    events: Vec<Event>,
}

impl<'a> Play<'a> {
    fn new(world: &'a World, case: &'a Case, launch: usize) -> Self {
        let now = match case.clock {
            CaseClock::Native => world.scenario.start.instant(),
            CaseClock::Shifted(at) => at,
        };
        Self {
            world,
            case,
            launch,
            now,
            starts: 0,
            candidate: None,
            first_start: None,
            portal: false,
            volume: None,
            sessions: true,
            held: BTreeMap::new(),
            events: vec![Event::CaseStarted { case: case.clone() }],
        }
    }

    fn run(mut self) -> Vec<Event> {
        let all: Vec<ServiceName> = self.world.scenario.services.iter().map(|s| s.name.clone()).collect();
        self.begin(&all);
        let first_move = self.case.steps.iter().position(|step| matches!(step, Step::Move { .. }));
        for (index, step) in self.case.steps.iter().enumerate() {
            let restarts = |step: &Step| match step {
                Step::Restart { services } => services.contains(&name(CANDIDATE)),
                _ => false,
            };
            if Some(index) == first_move || restarts(step) {
                self.read_memory(index);
            }
            match step {
                Step::Check { checks } => checks.iter().for_each(|check| self.look(index, check)),
                Step::Move { motion, to } => self.motion(*motion, *to),
                Step::Restart { services } => self.begin(services),
                Step::Rotate { rotation } => {
                    let (rotation, at) = (rotation.clone(), ClockReading::at(self.now));
                    let rotated = Rotated { rotation, step: index, at, failed: None };
                    self.events.push(Event::Rotated { case: self.case.id.clone(), rotated });
                }
            }
        }
        self.read_memory(self.case.steps.len());
        let case = self.case.id.clone();
        let took = Duration::from_millis(1);
        self.events.push(Event::CaseEnded { case, outcome: Outcome::Pass, error: None, took });
        self.events
    }

    /// What the candidate's process holds.
    fn read_memory(&mut self, step: usize) {
        let Some(process) = &self.candidate else { return };
        let found: Vec<Credential> = process.kept.iter().chain(&self.world.loaded).cloned().collect();
        let process = ProcessRead {
            pid: 2,
            exe: "/node".to_owned(),
            read_bytes: 1 << 20,
            gap: self.world.gap.map(str::to_owned),
            held: match self.world.gap {
                None => found.iter().map(|it| it.fingerprint).collect(),
                Some(_) => Vec::new(),
            },
        };
        let found = if process.gap.is_some() { Vec::new() } else { found };
        let (service, at) = (name(CANDIDATE), ClockReading::at(self.now));
        let read = MemoryRead { service, step, at, processes: vec![process] };
        self.events.push(Event::MemoryRead { case: self.case.id.clone(), read, found });
    }

    fn ends(&mut self, service: &str, code: Option<i32>, before_ready: bool, log_tail: &str) {
        let reason = code.is_none().then(|| "not started".to_owned());
        let at = ClockReading::at(self.now);
        let log_tail = log_tail.to_owned();
        let end = ServiceEnd { service: name(service), code, at, before_ready, reason, log_tail };
        self.events.push(Event::ServiceEnded { case: self.case.id.clone(), end });
    }

    fn begin(&mut self, services: &[ServiceName]) {
        for service in services {
            let began = match service.as_str() {
                CANDIDATE => self.begin_candidate(),
                "portal" if self.candidate.is_none() => {
                    self.portal = false;
                    self.ends("portal", None, true, "");
                    continue;
                }
                "portal" => {
                    self.portal = true;
                    true
                }
                _ => true,
            };
            let case = self.case.id.clone();
            if self.case.clock != CaseClock::Native {
                let basis = WitnessBasis::Exec;
                let exe = format!("/{service}");
                let witness = ClockWitness { service: service.clone(), pid: 1, exe, basis };
                self.events.push(Event::Witnessed { case: case.clone(), witness });
            }
            if began {
                let (at, took) = (ClockReading::at(self.now), Duration::ZERO);
                self.events.push(Event::ServiceReady { case, service: service.clone(), at, took });
            }
        }
    }

    fn begin_candidate(&mut self) -> bool {
        let now = self.now;
        let aged = self.starts > 0;
        self.starts += 1;
        self.first_start = self.first_start.or(Some(now));
        self.candidate = None;
        self.sessions = false;
        self.held.clear();
        let (mut made, mut kept) = (None, Vec::new());
        for ill in &self.world.ills {
            let fails = match ill {
                Ill::AgedFails { from } => aged && now >= *from,
                Ill::ColdFails { from } => !aged && now >= *from,
                Ill::Dies { from, at_start, log, .. } if *at_start && now >= *from => {
                    self.ends(CANDIDATE, Some(1), true, log);
                    return false;
                }
                Ill::Gap { from, to } => now >= *from && now < *to,
                Ill::InMemory { life } | Ill::Renews { life, .. } => {
                    made = Some(self.make(*life));
                    false
                }
                Ill::RenewsLate { life, .. } => {
                    made = Some(self.make(*life));
                    false
                }
                Ill::Loopback { life, .. } => {
                    kept.push(self.keep(*life));
                    false
                }
                Ill::Serves { credential } => {
                    made = Some(credential.clone());
                    false
                }
                Ill::InVolume { life } => {
                    let kept = self.volume.clone().unwrap_or_else(|| self.make(*life));
                    self.volume = Some(kept.clone());
                    made = Some(kept);
                    false
                }
                _ => false,
            };
            if fails {
                self.ends(CANDIDATE, Some(1), true, "cannot start");
                return false;
            }
        }
        self.candidate = Some(Process { since: now, hangs: false, made, kept });
        true
    }

    fn make(&self, life: i64) -> Credential {
        let mut digest = [0xee; 32];
        digest[0] = u8::try_from(self.launch).unwrap();
        digest[1] = self.starts;
        digest[2..10].copy_from_slice(&self.now.as_secs().to_be_bytes());
        let mut made = certificate(0, "CN=made here", self.now.plus_secs(life));
        made.fingerprint = Fingerprint::from_bytes(digest);
        made.not_before = self.now;
        made.origin = Origin::Served;
        made.places = Vec::new();
        made
    }

    /// The same, for itself alone.
    fn keep(&self, life: i64) -> Credential {
        let made = self.make(life);
        let mut place = Place::in_file(name(CANDIDATE), "/proc/2/mem".to_owned(), 400, Container::Memory);
        place.offset = 0x7f00_0000;
        Credential {
            subject: "CN=loopback".to_owned(),
            issuer: "CN=loopback-ca".to_owned(),
            self_issued: false,
            origin: Origin::Embedded,
            places: vec![place],
            ..made
        }
    }

    /// What the timer of a loopback certificate does; see [`Self::renew`].
    fn renew_kept(&mut self, life: i64, late: i64, leap: bool) {
        let to = self.now;
        while let Some(last) = self.candidate.as_ref().and_then(|process| process.kept.last().cloned()) {
            let due = last.not_after.plus_secs(late);
            if due > to {
                return;
            }
            self.now = if leap { to } else { due };
            let next = self.keep(life);
            self.candidate.as_mut().unwrap().kept.push(next);
            self.now = to;
        }
    }

    fn motion(&mut self, motion: Motion, to: UnixTime) {
        assert!(to >= self.now, "clocks do not go back");
        let (from, leap) = (self.now, motion == Motion::Elapse(Pace::Leap));
        self.now = to;
        for ill in &self.world.ills {
            match ill {
                Ill::Dies { from: end, watchdog: Some(period), log, .. } => {
                    let Some(process) = &self.candidate else { continue };
                    let since = process.since;
                    let next = from.secs_since(since) / period + 1;
                    let due = since.plus_secs(next * period);
                    if due > to {
                        continue;
                    }
                    let needed = (end.secs_since(since) + period - 1).div_euclid(*period).max(next);
                    let seen = since.plus_secs(needed * period);
                    if leap && to >= *end {
                        self.candidate = None;
                        self.ends(CANDIDATE, Some(1), false, log);
                    } else if !leap && seen <= to {
                        self.now = seen;
                        self.candidate = None;
                        self.ends(CANDIDATE, Some(1), false, log);
                        self.now = to;
                    }
                }
                Ill::JumpIntolerant { longest } if leap && to.secs_since(from) > *longest => {
                    if let Some(process) = &mut self.candidate {
                        process.hangs = true;
                    }
                }
                Ill::Ages { life, renews: Some(age) } => {
                    if let Some(process) = &mut self.candidate
                        && (*age..=*life).contains(&to.secs_since(process.since))
                    {
                        process.since = to;
                    }
                }
                Ill::LosesSessions => self.sessions = false,
                Ill::Loopback { life, renews: Some(late) } => self.renew_kept(*life, *late, leap),
                Ill::Renews { life, until } => {
                    self.renew(*life, *until, from, leap);
                    self.now = to;
                }
                _ => {}
            }
        }
    }

    /// What the timer does while time goes from `from` to where it stands now. A leap wakes it once, at its end.
    fn renew(&mut self, life: i64, until: Option<UnixTime>, from: UnixTime, leap: bool) {
        let to = self.now;
        while let Some(made) = self.candidate.as_ref().and_then(|process| process.made.clone()) {
            let due = made.not_before.plus_secs(life / 3 * 2);
            let at = if leap { to } else { due.max(from) };
            if due > to || at > made.not_after || until.is_some_and(|until| at >= until) {
                return;
            }
            self.now = at;
            let next = self.make(life);
            self.candidate.as_mut().unwrap().made = Some(next);
            self.now = to;
        }
    }

    fn look(&mut self, step: usize, asked: &CheckName) {
        let check = self.world.scenario.check(asked).unwrap();
        for connection in &check.connections {
            let held = *connection == Connection::Held;
            let (seen, served) = self.see(check, held && self.held.contains_key(asked));
            if held && matches!(seen, Seen::Answered(_)) {
                self.held.entry(asked.clone()).or_insert(self.now);
            }
            let opened = self.held.get(asked).filter(|_| held).copied().map(ClockReading::at);
            let reading = ClockReading::at(self.now);
            let served = served
                .into_iter()
                .map(|credential| ServedCertificate { credential, der_base64: String::new(), declared: None })
                .collect();
            let observation = Observation {
                check: asked.clone(),
                connection: *connection,
                step,
                planned: self.now,
                begin: reading,
                end: reading,
                opened,
                tries: 1,
                seen,
                readings: Vec::new(),
                served,
            };
            self.events.push(Event::Observed { case: self.case.id.clone(), observation });
        }
    }

    /// A look at `check`, `held` over a connection from an earlier checkpoint.
    fn see(&self, check: &Check, held: bool) -> (Seen, Option<Credential>) {
        let absent = |reason: &str| (Seen::Absent { reason: reason.to_owned() }, None);
        let refused = |reason: String, culprit| {
            let layer = RefusalLayer::Verifier;
            Seen::Refused(Refusal { layer, alert: None, reason, culprit })
        };
        let answer = match &check.probe {
            Probe::Exec { .. } => Answer::Exited { code: 0, output: String::new() },
            _ => Answer::Handshake,
        };
        let works = (Seen::Answered(answer), None);
        let ills = &self.world.ills;
        let now = self.now;
        if ills.iter().any(|ill| matches!(ill, Ill::Fluke { launch } if *launch == self.launch)) {
            return absent("a fluke");
        }
        match check.probe.target() {
            "hss" if ills.iter().any(|ill| matches!(ill, Ill::HssRefuses { from } if now >= *from)) => {
                (refused("the register refuses".to_owned(), None), None)
            }
            "hss" => works,
            "portal" if !self.portal || self.candidate.is_none() => absent("connection refused"),
            "stranger" => {
                match ills.iter().any(|ill| matches!(ill, Ill::RefusesStranger { from } if now >= *from)) {
                    true => (refused("the peer has expired".to_owned(), None), None),
                    false => works,
                }
            }
            target => {
                let Some(process) = &self.candidate else { return absent("connection refused") };
                if process.hangs || ills.iter().any(|ill| matches!(ill, Ill::NeverWorks)) {
                    return absent("no answer in time");
                }
                if held && !self.sessions && ills.iter().any(|ill| matches!(ill, Ill::LosesSessions)) {
                    return absent("the connection is closed");
                }
                if process.kept.last().is_some_and(|kept| now > kept.not_after) {
                    return absent("its loopback certificate has ended");
                }
                if target != CANDIDATE {
                    return works;
                }
                for ill in ills {
                    match (ill, &process.made) {
                        (Ill::RenewsLate { late, .. }, Some(made)) => {
                            let since = now.secs_since(made.not_after);
                            if (1..=*late).contains(&since) && !held {
                                return (refused("expired".to_owned(), None), Some(made.clone()));
                            }
                            return (Seen::Answered(Answer::Handshake), Some(made.clone()));
                        }
                        (Ill::Ages { life, .. }, _) if now.secs_since(process.since) > *life => {
                            return (refused("it has ended".to_owned(), None), None);
                        }
                        (Ill::Serves { credential }, _) if check.probe.tls().is_some() => {
                            return (Seen::Answered(Answer::Handshake), Some(credential.clone()));
                        }
                        (Ill::Serves { .. }, _) => return works,
                        (Ill::Trial { life }, _)
                            if self.first_start.is_some_and(|first| now.secs_since(first) > *life) =>
                        {
                            return (refused("the trial is over".to_owned(), None), None);
                        }
                        (Ill::RefusesNew { from, culprit }, _) if now >= *from && !held => {
                            return (refused(format!("expired at {from}"), *culprit), None);
                        }
                        _ => {}
                    }
                }
                match &process.made {
                    Some(made) if now > made.not_after && !held => {
                        let reason = format!("expired at {}", made.not_after);
                        (refused(reason, Some(made.fingerprint)), Some(made.clone()))
                    }
                    Some(made) => (Seen::Answered(Answer::Handshake), Some(made.clone())),
                    None => works,
                }
            }
        }
    }
}
