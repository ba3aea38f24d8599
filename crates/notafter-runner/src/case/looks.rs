//! Looks at services: one observation for each check and connection, repeated while a failure may settle.

use super::run::{CaseRun, harness};
use super::services::Standing;
use crate::host_clock::Patience;
use crate::tail::tail;
use notafter_backend::{Awaited, ExecOutcome, Log, ServiceState};
use notafter_core::{
    Answer, Assertion, Captured, CaseError, Check, CheckName, ClockReading, Connection, Event, Expectation,
    Observation, Probe, Reading, Refusal, Restart, Seen, ServedCertificate, ServiceName, StepTaken, UnixTime,
};
use std::time::Duration;

/// How much of a command's output goes into the record.
const OUTPUT_BYTES: usize = 4096;
/// How often a look is repeated that straddled a change of expectation, as it can on a running clock.
const STRADDLES: u32 = 3;
/// How long a line may take, on the host's clock, from the service that wrote it in time to its log.
const ON_ITS_WAY: Duration = Duration::from_millis(500);

/// What one look brought.
pub(super) struct Look {
    pub(super) seen: Seen,
    pub(super) readings: Vec<Reading>,
    pub(super) served: Vec<ServedCertificate>,
    /// When the held connection was opened, on the candidate's clock.
    pub(super) opened: Option<ClockReading>,
    /// The steps that were taken before, and what they captured.
    pub(super) steps: Vec<StepTaken>,
    pub(super) captured: Captured,
}

impl Look {
    pub(super) fn of(seen: Seen, readings: Vec<Reading>, served: Vec<ServedCertificate>) -> Self {
        Self { seen, readings, served, opened: None, steps: Vec::new(), captured: Captured::default() }
    }
}

/// How a stream of lines that must go on stands.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    /// When it was last looked at, on the candidate's clock.
    since: UnixTime,
    /// How much of the log had been written by then, in bytes.
    mark: u64,
    /// What was seen.
    last: Seen,
}

impl From<Seen> for Look {
    fn from(seen: Seen) -> Self {
        Self::of(seen, Vec::new(), Vec::new())
    }
}

impl CaseRun<'_> {
    /// Runs checks, each over all of its connections.
    pub(super) fn check(&mut self, names: &[CheckName]) -> Result<(), CaseError> {
        for name in names {
            let Some(check) = self.stage.scenario.check(name) else {
                return Err(CaseError::Harness {
                    message: format!("the plan asks for unknown check {name}"),
                });
            };
            for connection in &check.connections {
                self.observe(check, *connection)?;
            }
        }
        self.mark_logs()
    }

    fn observe(&mut self, check: &Check, connection: Connection) -> Result<(), CaseError> {
        // What a service had time to show and did not, it will not show for being asked again.
        let is_final = self.stale.contains(&check.name) || check.probe.stretch().is_some();
        let check = &self.failing.hurried(check, connection, self.sandbox.now().second);
        let settle = if is_final { Duration::ZERO } else { check.settle };
        let mut patience = Patience::new(settle, Duration::from_millis(10), Duration::from_millis(250));
        let mut tries = 0;
        let (observation, met) = loop {
            self.stage.allowance.ask()?;
            tries += 1;
            let observation = self.look_once(check, connection, tries)?;
            let met = check.is_met_by(&observation);
            let again = match met {
                Some(true) => false,
                Some(false) => !self.is_lost(check, connection) && patience.wait(),
                None => tries < STRADDLES,
            };
            if !again {
                break (observation, met);
            }
        };
        if let Some(is_met) = met {
            self.failing.note(check, connection, observation.begin.second, is_met);
        }
        if met == Some(true) {
            self.stage.references.keep(&check.name, &observation.readings);
        }
        if met == Some(false) {
            self.unmet = true;
            if check.expect.iter().any(|span| matches!(span.expectation, Expectation::Serves { .. })) {
                self.stale.insert(check.name.clone());
            }
            // So that the record tells the end of a service before what failed because of it.
            self.note_ends()?;
        }
        if self.sessions.let_go(&check.name) {
            // The next checkpoint must find a connection from before it, though services close idle ones. How this
            // look ends is no observation: the one that counts has been made.
            self.look_along(check, Connection::Held, &mut 0)?;
            self.sessions.let_go(&check.name);
        }
        self.counts.note(&observation);
        let case = self.case.id.clone();
        self.emit(Event::Observed { case, observation });
        Ok(())
    }

    fn look_once(
        &mut self,
        check: &Check,
        connection: Connection,
        mut tries: u32,
    ) -> Result<Observation, CaseError> {
        let begin = self.sandbox.now();
        let look = match self.missing(check) {
            Some(reason) => Seen::Absent { reason }.into(),
            None => self.look_along(check, connection, &mut tries)?,
        };
        let hide = |text: &str, about: Option<&Assertion>| {
            self.stage.secrets.redact(&look.captured.hide(text, about))
        };
        let readings = look.readings.into_iter().map(|reading| {
            let saw = reading.saw.as_deref().map(|saw| hide(saw, Some(&reading.assertion)));
            let reading = Reading { saw, ..reading };
            let first = self.stage.references.of(&check.name, &reading);
            let control = first.or_else(|| self.counts.due(&check.name, connection, &reading, begin.second));
            Reading { control, ..reading }
        });
        let readings = readings.collect();
        let seen = redact(look.seen, &|text| hide(&text, None));
        let served = self.recognised(look.served);
        let steps =
            look.steps.into_iter().map(|step| StepTaken { served: self.recognised(step.served), ..step });
        let steps = steps.collect();
        let end = self.sandbox.now();
        Ok(Observation {
            check: check.name.clone(),
            connection,
            step: self.step,
            planned: self.planned,
            begin,
            end,
            opened: look.opened,
            tries,
            seen,
            readings,
            served,
            steps,
        })
    }

    /// Certificates with the names that the scenario has for them.
    fn recognised(&self, served: Vec<ServedCertificate>) -> Vec<ServedCertificate> {
        let recognised = |served: ServedCertificate| {
            let declared = self.stage.material.declared.get(&served.credential.fingerprint).cloned();
            ServedCertificate { declared, ..served }
        };
        served.into_iter().map(recognised).collect()
    }

    /// Why there is nothing to look at: the service of the probe, or the place it looks from, was never started.
    fn missing(&self, check: &Check) -> Option<String> {
        let from = check.from.as_ref().map(ServiceName::as_str);
        let name = self.standing.iter().find_map(|(name, standing)| {
            let mut places = check.probes().map(Probe::target).chain(from);
            let concerned = places.any(|place| place == name.as_str());
            (*standing == Standing::Withheld && concerned).then_some(name)
        })?;
        Some(format!("{name} was not started, because a service that it needs is not ready"))
    }

    /// Whether waiting cannot help: what the probe looks at is down and stays down, or its connection is gone.
    fn is_lost(&mut self, check: &Check, connection: Connection) -> bool {
        if connection == Connection::Held && self.sessions.is_over(&check.name) {
            return true;
        }
        let scenario = self.stage.scenario;
        let mut asked = scenario
            .services
            .iter()
            .filter(|service| check.probes().any(|probe| probe.target() == service.name.as_str()));
        asked.any(|service| match self.standing.get(&service.name) {
            Some(Standing::Withheld | Standing::Unstartable) => true,
            _ => {
                service.restart == Restart::Never
                    && matches!(self.sandbox.state(&service.name), Ok(ServiceState::Ended { .. }))
            }
        })
    }

    pub(super) fn look_alive(&mut self, service: &ServiceName) -> Result<Seen, CaseError> {
        Ok(match self.state(service)? {
            ServiceState::Running => Seen::Answered(Answer::Alive),
            ServiceState::Idle => Seen::Absent { reason: format!("{service} has no main process") },
            ServiceState::Ended { code, at } => Seen::Absent { reason: ended(service, code, at) },
            ServiceState::Unstartable { reason } => Seen::Absent { reason },
        })
    }

    pub(super) fn look_exec(
        &mut self,
        service: &ServiceName,
        command: &[String],
        within: Duration,
    ) -> Result<Seen, CaseError> {
        match self.state(service)? {
            ServiceState::Idle | ServiceState::Running => {}
            ServiceState::Ended { code, at } => {
                return Ok(Seen::Absent { reason: ended(service, code, at) });
            }
            ServiceState::Unstartable { reason } => return Ok(Seen::Absent { reason }),
        }
        let limit = self.stage.allowance.at_most(within);
        let outcome = self.sandbox.exec(service, command, limit).map_err(|error| harness(&error))?;
        self.stage.allowance.ask()?; // the budget may have cut the command short
        Ok(match outcome {
            ExecOutcome::Exited { code, output } => Seen::Answered(Answer::Exited { code, output }),
            ExecOutcome::TimedOut { output } => {
                let output = self.stage.secrets.redact(&output);
                let said = output.lines().next_back().map(|line| format!("; its last line: {line}"));
                Seen::Absent {
                    reason: format!(
                        "the command had not ended after {} s{}",
                        within.as_secs_f64(),
                        said.unwrap_or_default()
                    ),
                }
            }
            ExecOutcome::Unstartable { reason } => {
                Seen::Absent { reason: format!("the command cannot be started: {reason}") }
            }
        })
    }

    /// Waits for a line that was written since the previous checkpoint.
    pub(super) fn look_log(
        &mut self,
        service: &ServiceName,
        contains: &str,
        mark: u64,
        within: Duration,
    ) -> Result<Seen, CaseError> {
        let mut patience = Patience::new(within, Duration::from_millis(5), Duration::from_millis(50));
        loop {
            self.stage.allowance.ask()?;
            // In this order: what a process wrote before it ended is all there once it has ended.
            let runs = matches!(self.state(service)?, ServiceState::Running);
            let log = self.sandbox.log(service).map_err(|error| harness(&error))?;
            if let Some(line) = since(&log, mark).lines().find(|line| line.contains(contains)) {
                let line = tail(line, OUTPUT_BYTES).to_owned();
                return Ok(Seen::Answered(Answer::Logged { line }));
            }
            if !runs || !patience.wait() {
                let reason =
                    format!("no line with {contains:?} in the log of {service} since the last checkpoint");
                return Ok(Seen::Absent { reason });
            }
            self.sandbox.catch_up(Awaited::Answer, patience.elapsed()).map_err(|error| harness(&error))?;
        }
    }

    /// Waits for a line that was written in the last stretch of `every`, where one has gone by; whether it has.
    pub(super) fn look_rate(
        &mut self,
        check: &Check,
        (service, contains): (&ServiceName, &str),
        every: Duration,
    ) -> Result<(Seen, bool), CaseError> {
        let now = self.sandbox.now().second;
        let written = self.sandbox.log(service).map_err(|error| harness(&error))?.written;
        let every = i64::try_from(every.as_secs()).unwrap_or(i64::MAX);
        let rate = match self.rates.get(&check.name) {
            // A service that was started anew has a log of its own.
            Some(rate) if rate.mark <= written => rate.clone(),
            Some(rate) => Rate { since: now, mark: 0, last: rate.last.clone() },
            None => {
                let line = "not due yet".to_owned();
                Rate { since: now, mark: written, last: Seen::Answered(Answer::Logged { line }) }
            }
        };
        let is_due = now.secs_since(rate.since) >= every;
        let rate = match is_due {
            false => rate,
            true => {
                let last = self.look_log(service, contains, rate.mark, check.within.min(ON_ITS_WAY))?;
                let mark = self.sandbox.log(service).map_err(|error| harness(&error))?.written;
                Rate { since: now, mark, last }
            }
        };
        let last = rate.last.clone();
        self.rates.insert(check.name.clone(), rate);
        Ok((last, is_due))
    }

    /// What was written up to here belongs to this checkpoint.
    fn mark_logs(&mut self) -> Result<(), CaseError> {
        for probe in self.stage.scenario.checks.iter().flat_map(Check::probes) {
            let Probe::Log { service, .. } = probe else { continue };
            let standing = self.standing.get(service);
            if standing.is_some_and(|standing| *standing != Standing::Withheld) {
                let log = self.sandbox.log(service).map_err(|error| harness(&error))?;
                self.log_marks.insert(service.clone(), log.written);
            }
        }
        Ok(())
    }
}

/// Secrets must not reach the record, whichever way a service shows them.
fn redact(seen: Seen, hide: &dyn Fn(String) -> String) -> Seen {
    match seen {
        Seen::Absent { reason } => Seen::Absent { reason: hide(reason) },
        Seen::Answered(answer) => Seen::Answered(match answer {
            Answer::Exited { code, output } => {
                Answer::Exited { code, output: tail(&hide(output), OUTPUT_BYTES).to_owned() }
            }
            Answer::Http { status, body } => Answer::Http { status, body: hide(body) },
            Answer::Greeted { said } => Answer::Greeted { said: hide(said) },
            Answer::Queried { rows } => Answer::Queried { rows: hide(rows) },
            Answer::Logged { line } => Answer::Logged { line: hide(line) },
            answer @ (Answer::Alive | Answer::Connected | Answer::Handshake) => answer,
        }),
        Seen::Refused(refusal) => Seen::Refused(Refusal { reason: hide(refusal.reason), ..refusal }),
    }
}

fn ended(service: &ServiceName, code: i32, at: ClockReading) -> String {
    format!("{service} ended with exit code {code} at {at}")
}

/// What `log` gained after `mark` bytes, as far as it is kept.
fn since(log: &Log, mark: u64) -> &str {
    let fresh = usize::try_from(log.written.saturating_sub(mark)).unwrap_or(usize::MAX);
    let mut from = log.text.len().saturating_sub(fresh);
    while !log.text.is_char_boundary(from) {
        from -= 1;
    }
    &log.text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_sees_what_was_written_since_the_one_before() {
        let log = Log { text: "one\ntwo\n".to_owned(), written: 8 };
        assert_eq!(since(&log, 0), "one\ntwo\n");
        assert_eq!(since(&log, 4), "two\n");
        assert_eq!(since(&log, 8), "");
        // Where the middle of a long log was dropped, the end is still there.
        let long = Log { text: "first\n…\nlast\n".to_owned(), written: 1_000_000 };
        assert_eq!(since(&long, 999_995), "last\n");
        assert_eq!(since(&long, 0), "first\n…\nlast\n");
    }
}
