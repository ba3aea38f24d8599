//! Looks at services: one observation for each check and connection, repeated while a failure may settle.

use super::run::{CaseRun, harness};
use super::services::Standing;
use crate::host_clock::Patience;
use crate::tail::tail;
use notafter_backend::{ExecOutcome, KEPT_OUTPUT_BYTES, Log, ServiceState};
use notafter_core::{
    Answer, CaseError, Check, CheckName, ClockReading, Connection, Event, Expectation, Observation, Probe,
    Reading, Restart, Seen, ServedCertificate, ServiceName, UnixTime,
};
use notafter_probe::{Reader, Whole};
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
        Self { seen, readings: Vec::new(), served: Vec::new(), opened: None }
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
            self.look_network(check, Connection::Held)?;
            self.sessions.let_go(&check.name);
        }
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
            None => match &check.probe {
                Probe::Alive { service } => self.look_alive(service)?.into(),
                Probe::Exec { service, command } => self.look_exec(service, command, check.within)?.into(),
                Probe::Log { service, contains, every: None } => {
                    let mark = self.log_marks.get(service).copied().unwrap_or(0);
                    self.look_log(service, contains, mark, check.within)?.into()
                }
                Probe::Log { service, contains, every: Some(every) } => {
                    let (seen, is_due) = self.look_rate(check, (service, contains), *every)?;
                    if !is_due {
                        tries = 0;
                    }
                    seen.into()
                }
                Probe::Amqp { .. }
                | Probe::Greet { .. }
                | Probe::Grpc { .. }
                | Probe::Http { .. }
                | Probe::Sql { .. }
                | Probe::Tcp { .. }
                | Probe::Tls { .. } => self.look_network(check, connection)?,
            },
        };
        let readings = self.readings(check, &look.seen, look.readings)?;
        let served = look.served.into_iter().map(|served| self.recognised(served)).collect();
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
            seen: self.redact(look.seen),
            readings,
            served,
        })
    }

    /// What the check asks of an answer: what its probe has read, or else what is read of the text; with what was read
    /// at the first look of the run beside it.
    fn readings(
        &self,
        check: &Check,
        seen: &Seen,
        by_probe: Vec<Reading>,
    ) -> Result<Vec<Reading>, CaseError> {
        let mut readings = by_probe;
        if let Seen::Answered(answer @ (Answer::Exited { .. } | Answer::Logged { .. })) = seen {
            let text = answer.text().unwrap_or_default();
            let whole = Whole { headers: &[], text, is_cut: text.len() >= KEPT_OUTPUT_BYTES };
            readings = Reader::new(check.to_read()).map_err(|error| harness(&error))?.read(&whole);
        }
        for reading in &mut readings {
            reading.saw = reading.saw.take().map(|saw| self.stage.secrets.redact(&saw));
            reading.control = self.stage.references.of(&check.name, reading);
        }
        Ok(readings)
    }

    /// A certificate with the name that the scenario has for it.
    fn recognised(&self, served: ServedCertificate) -> ServedCertificate {
        let declared = self.stage.material.declared.get(&served.credential.fingerprint).cloned();
        ServedCertificate { declared, ..served }
    }

    /// Why there is nothing to look at: the service of the probe, or the place it looks from, was never started.
    fn missing(&self, check: &Check) -> Option<String> {
        let (target, from) = (check.probe.target(), check.from.as_ref().map(ServiceName::as_str));
        let name = self.standing.iter().find_map(|(name, standing)| {
            let concerned = name.as_str() == target || Some(name.as_str()) == from;
            (*standing == Standing::Withheld && concerned).then_some(name)
        })?;
        Some(format!("{name} was not started, because a service that it needs is not ready"))
    }

    /// Whether waiting cannot help: what the probe looks at is down and stays down, or its connection is gone.
    fn is_lost(&mut self, check: &Check, connection: Connection) -> bool {
        if connection == Connection::Held && self.sessions.is_over(&check.name) {
            return true;
        }
        let target = check.probe.target();
        let scenario = self.stage.scenario;
        let Some(service) = scenario.services.iter().find(|service| service.name.as_str() == target) else {
            return false;
        };
        match self.standing.get(&service.name) {
            Some(Standing::Withheld | Standing::Unstartable) => true,
            _ => {
                service.restart == Restart::Never
                    && matches!(self.sandbox.state(&service.name), Ok(ServiceState::Ended { .. }))
            }
        }
    }

    fn look_alive(&mut self, service: &ServiceName) -> Result<Seen, CaseError> {
        Ok(match self.state(service)? {
            ServiceState::Running => Seen::Answered(Answer::Alive),
            ServiceState::Idle => Seen::Absent { reason: format!("{service} has no main process") },
            ServiceState::Ended { code, at } => Seen::Absent { reason: ended(service, code, at) },
            ServiceState::Unstartable { reason } => Seen::Absent { reason },
        })
    }

    fn look_exec(
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
    fn look_log(
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
        }
    }

    /// Waits for a line that was written in the last stretch of `every`, where one has gone by; whether it has.
    fn look_rate(
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
        for check in &self.stage.scenario.checks {
            let Probe::Log { service, .. } = &check.probe else { continue };
            let standing = self.standing.get(service);
            if standing.is_some_and(|standing| *standing != Standing::Withheld) {
                let log = self.sandbox.log(service).map_err(|error| harness(&error))?;
                self.log_marks.insert(service.clone(), log.written);
            }
        }
        Ok(())
    }

    /// Secrets must not reach the record, whichever way a service shows them.
    fn redact(&self, seen: Seen) -> Seen {
        let redact = |text: String| self.stage.secrets.redact(&text);
        match seen {
            Seen::Absent { reason } => Seen::Absent { reason: redact(reason) },
            Seen::Answered(Answer::Exited { code, output }) => {
                let output = tail(&redact(output), OUTPUT_BYTES).to_owned();
                Seen::Answered(Answer::Exited { code, output })
            }
            Seen::Answered(Answer::Http { status, body }) => {
                Seen::Answered(Answer::Http { status, body: redact(body) })
            }
            Seen::Answered(Answer::Greeted { said }) => {
                Seen::Answered(Answer::Greeted { said: redact(said) })
            }
            Seen::Answered(Answer::Queried { rows }) => {
                Seen::Answered(Answer::Queried { rows: redact(rows) })
            }
            Seen::Answered(Answer::Logged { line }) => Seen::Answered(Answer::Logged { line: redact(line) }),
            Seen::Answered(answer @ (Answer::Alive | Answer::Connected | Answer::Handshake)) => {
                Seen::Answered(answer)
            }
            Seen::Refused(mut refusal) => {
                refusal.reason = redact(refusal.reason);
                Seen::Refused(refusal)
            }
        }
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
