//! One case of a world, from its first launch to its end.

use super::World;
use super::ill::Ill;
use super::parts::{CANDIDATE, certificate, name};
use crate::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// The candidate's process.
#[derive(Debug, Clone)]
struct Process {
    since: UnixTime,
    hangs: bool,
    made: Option<Credential>,
    /// What it made for itself alone, the one in use last; nothing is wiped.
    kept: Vec<Credential>,
}

pub(super) struct Play<'a> {
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
    pub(super) fn new(world: &'a World, case: &'a Case, launch: usize) -> Self {
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

    pub(super) fn run(mut self) -> Vec<Event> {
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
                Ill::Skewed { ahead } => self.case.purpose.skew().is_some_and(|by| (by > 0) == *ahead),
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
        let late = self.world.ills.iter().find_map(|ill| match ill {
            Ill::StartsLate { by } => i64::try_from(self.launch % (by + 1)).ok(),
            _ => None,
        });
        let since = now.plus_secs(late.unwrap_or(0));
        self.candidate = Some(Process { since, hangs: false, made, kept });
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
                Ill::Dies { from: end, watchdog: Some(period), .. } | Ill::Leaves { from: end, period } => {
                    let (code, log) = match ill {
                        Ill::Dies { log, .. } => (1, *log),
                        _ => (0, ""),
                    };
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
                        self.ends(CANDIDATE, Some(code), false, log);
                    } else if !leap && seen <= to {
                        self.now = seen;
                        self.candidate = None;
                        self.ends(CANDIDATE, Some(code), false, log);
                        self.now = to;
                    }
                }
                Ill::EndsOnce { at }
                    if to >= *at && self.candidate.take_if(|process| process.since < *at).is_some() =>
                {
                    self.now = *at;
                    self.ends(CANDIDATE, Some(1), false, "new files");
                    self.now = to;
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
        let restart = self.world.scenario.service(&name(CANDIDATE)).map(|service| service.restart);
        if self.candidate.is_none() && restart == Some(Restart::Always) {
            self.begin(&[name(CANDIDATE)]);
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

    /// Whether the declared credential of this name has ended, as it was issued for this case.
    fn has_ended(&self, asked: &str) -> bool {
        self.now > self.end_of(asked)
    }

    fn end_of(&self, asked: &str) -> UnixTime {
        match &self.case.purpose {
            Purpose::Reissued { credentials, until, .. }
                if credentials.iter().any(|name| name.as_str() == asked) =>
            {
                *until
            }
            _ => {
                let name = CredentialName::new(asked).unwrap();
                self.world.scenario.credential(&name).unwrap().x509.not_after
            }
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
                steps: Vec::new(),
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
            "portal"
                if ills
                    .iter()
                    .any(|ill| matches!(ill, Ill::PortalNeeds { name } if self.has_ended(name))) =>
            {
                (refused("the portal refuses".to_owned(), None), None)
            }
            "portal" if !self.portal || self.candidate.is_none() => absent("connection refused"),
            // Who is asked while a list is stale looks at no list.
            CANDIDATE if !check.stale.is_empty() => {
                match ills.iter().find(|ill| matches!(ill, Ill::KnowsLists)) {
                    Some(_) => (refused("the list has ended".to_owned(), None), None),
                    None => works,
                }
            }
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
                        (Ill::Needs { name }, _) if self.has_ended(name) => {
                            return (refused("something has ended".to_owned(), None), None);
                        }
                        (Ill::NeedsStill { name, cached }, _)
                            if now.secs_since(self.end_of(name)) > *cached =>
                        {
                            return (refused("something has ended".to_owned(), None), None);
                        }
                        (Ill::RemembersThat { name }, _)
                            if self.has_ended(name) && process.since <= self.end_of(name) =>
                        {
                            return (refused("something has ended".to_owned(), None), None);
                        }
                        (Ill::Ages { life, .. }, _) if now.secs_since(process.since) > *life => {
                            return (refused("it has ended".to_owned(), None), None);
                        }
                        (Ill::Serves { credential }, _) if check.probe.tls().is_some() => {
                            return (Seen::Answered(Answer::Handshake), Some(credential.clone()));
                        }
                        (Ill::Serves { .. }, _) => return works,
                        (Ill::Outage { from, to, period, begins, length, lives }, _)
                            if (*from..*to).contains(&now)
                                && (now.as_secs() - begins).rem_euclid(*period) < *length
                                && (!lives || process.since < *from) =>
                        {
                            return (refused("come back later".to_owned(), None), None);
                        }
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
