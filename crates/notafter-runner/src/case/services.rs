//! Services within a case: launch, readiness, restarts, ends that nobody asked for.

use super::run::{CaseRun, harness};
use crate::host_clock::{Patience, Stopwatch};
use crate::stage::Readiness;
use crate::tail::tail;
use notafter_backend::{Awaited, ExecOutcome, ServiceState, StopReason};
use notafter_core::{CaseError, ClockReading, Event, ReadyProbe, Restart, Service, ServiceEnd, ServiceName};
use std::time::Duration;

/// How much of a log goes into the record.
const TAIL_BYTES: usize = 4096;
/// How long a service may take to end by itself when an operator restarts it.
const GRACE: Duration = Duration::from_secs(10);

/// What the runner knows of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its main process has ended, and that is recorded.
    Ended,
    /// It has no main process: a place for commands.
    Idle,
    /// It got ready, and when last looked at it ran.
    Ready,
    /// Its command cannot be started.
    Unstartable,
    /// It runs and did not get ready in time.
    Unready,
    /// It was not started, because what it needs is not there.
    Withheld,
}

impl Standing {
    /// Whether others can build on it.
    pub(super) fn is_up(self) -> bool {
        match self {
            Self::Idle | Self::Ready => true,
            Self::Ended | Self::Unready | Self::Unstartable | Self::Withheld => false,
        }
    }

    /// Whether a main process of it existed, so that there must be a proof for it.
    fn has_run(self) -> bool {
        match self {
            Self::Ended | Self::Ready | Self::Unready => true,
            Self::Idle | Self::Unstartable | Self::Withheld => false,
        }
    }
}

/// Why a service did not get ready.
enum NotReady {
    Ended { code: i32, at: ClockReading },
    Late { reason: String },
    Unstartable { reason: String },
}

impl CaseRun<'_> {
    /// Starts `services`, given in start order. One that does not get ready fails the case; those that need it are
    /// not started, as an orchestrator would have it, and the checks then see what that means.
    pub(super) fn start(&mut self, services: &[&Service]) -> Result<(), CaseError> {
        for service in services {
            let is_up = |need: &&ServiceName| self.standing.get(*need).is_some_and(|it| it.is_up());
            let missing = service.needs.iter().find(|need| !is_up(need)).cloned();
            match missing {
                None => self.launch(service)?,
                Some(need) => {
                    self.stands(&service.name, Standing::Withheld);
                    let reason = format!("not started: it needs {need}, which is not ready");
                    let at = self.sandbox.now();
                    self.report_end(service, None, at, true, Some(reason))?;
                }
            }
        }
        Ok(())
    }

    /// Stops `names` in reverse start order and starts them again.
    pub(super) fn restart(&mut self, names: &[ServiceName]) -> Result<(), CaseError> {
        self.sweep()?;
        let scenario = self.stage.scenario;
        let services: Vec<_> =
            scenario.services.iter().filter(|service| names.contains(&service.name)).collect();
        if let Some(unknown) = names.iter().find(|name| scenario.service(name).is_none()) {
            return Err(CaseError::Harness {
                message: format!("the plan restarts unknown service {unknown}"),
            });
        }
        for service in services.iter().rev() {
            self.keep_log(&service.name);
            self.sessions.forget(&service.name);
            if self.standing.get(&service.name).is_some_and(|standing| *standing != Standing::Withheld) {
                self.stage.allowance.ask()?;
                let grace = self.stage.allowance.at_most(GRACE);
                self.sandbox
                    .stop(&service.name, StopReason::Restart { grace })
                    .map_err(|error| harness(&error))?;
            }
        }
        self.start(&services)
    }

    /// Records main processes that ended since the last look, and starts those again that are to run always.
    pub(super) fn note_ends(&mut self) -> Result<(), CaseError> {
        let scenario = self.stage.scenario;
        for service in &scenario.services {
            let standing = self.standing.get(&service.name).copied();
            if !matches!(standing, Some(Standing::Ready | Standing::Unready)) {
                continue;
            }
            let (code, at, reason) = match self.state(&service.name)? {
                ServiceState::Idle | ServiceState::Running => continue,
                ServiceState::Ended { code, at } => (Some(code), at, None),
                ServiceState::Unstartable { reason } => (None, self.sandbox.now(), Some(reason)),
            };
            self.stands(&service.name, Standing::Ended);
            self.report_end(service, code, at, standing == Some(Standing::Unready), reason)?;
            match service.restart {
                Restart::Always => {
                    self.keep_log(&service.name);
                    self.sessions.forget(&service.name);
                    self.launch(service)?;
                }
                Restart::Never => {}
            }
        }
        Ok(())
    }

    /// Keeps the log of a service that is about to be stopped or started anew.
    pub(super) fn keep_log(&mut self, name: &ServiceName) {
        let Some(keep) = self.keep else { return };
        if !self.standing.get(name).is_some_and(|standing| *standing != Standing::Withheld) {
            return;
        }
        if let Ok(log) = self.sandbox.log(name) {
            keep.log(&self.case.id, name, &self.stage.secrets.redact(&log.text));
        }
    }

    pub(super) fn state(&mut self, name: &ServiceName) -> Result<ServiceState, CaseError> {
        self.sandbox.state(name).map_err(|error| harness(&error))
    }

    /// Launches one service and waits until it is ready; one that runs always is launched again while its time to
    /// get ready lasts.
    fn launch(&mut self, service: &Service) -> Result<(), CaseError> {
        let Some(spec) = self.stage.launch_at(service, self.planned).map_err(|error| harness(&error))? else {
            let message = format!("there is nothing to launch for {}", service.name);
            return Err(CaseError::Harness { message });
        };
        let readiness = self.stage.readiness(service);
        let mut patience =
            Patience::new(readiness.within, Duration::from_millis(100), Duration::from_secs(5));
        loop {
            self.stage.allowance.ask()?;
            self.log_marks.remove(&service.name);
            self.read.remove(&service.name);
            self.sandbox.launch(&spec).map_err(|error| harness(&error))?;
            (self.launched, self.unmet) = (Stopwatch::start(), false);
            let (standing, code, at, reason) = match self.wait_ready(service, &readiness, patience.left())? {
                Ok(standing) => {
                    self.stands(&service.name, standing);
                    let (case, at) = (self.case.id.clone(), self.sandbox.now());
                    let took = patience.elapsed();
                    self.emit(Event::ServiceReady { case, service: service.name.clone(), at, took });
                    return Ok(());
                }
                Err(NotReady::Ended { code, at }) => (Standing::Ended, Some(code), at, None),
                Err(NotReady::Late { reason }) => (Standing::Unready, None, self.sandbox.now(), Some(reason)),
                Err(NotReady::Unstartable { reason }) => {
                    (Standing::Unstartable, None, self.sandbox.now(), Some(reason))
                }
            };
            self.stands(&service.name, standing);
            self.report_end(service, code, at, true, reason)?;
            let again = standing == Standing::Ended && service.restart == Restart::Always;
            if !(again && patience.wait()) {
                return Ok(());
            }
            self.keep_log(&service.name);
        }
    }

    /// Polls until the service is ready, has ended, or `within` is over.
    fn wait_ready(
        &mut self,
        service: &Service,
        readiness: &Readiness,
        within: Duration,
    ) -> Result<Result<Standing, NotReady>, CaseError> {
        let mut patience = Patience::new(within, Duration::from_millis(2), Duration::from_millis(50));
        let mut lacks = String::new();
        loop {
            if let Err(error) = self.stage.allowance.ask() {
                // Whoever waited for it wants to know for what.
                self.stands(&service.name, Standing::Unready);
                let colon = if lacks.is_empty() { "" } else { ": " };
                let reason = Some(format!("not ready when the run was ended{colon}{lacks}"));
                self.report_end(service, None, self.sandbox.now(), true, reason)?;
                return Err(error);
            }
            // Asked first: what answers on the port of a service that has ended is not that service.
            let standing = match self.state(&service.name)? {
                ServiceState::Ended { code, at } => return Ok(Err(NotReady::Ended { code, at })),
                ServiceState::Unstartable { reason } => return Ok(Err(NotReady::Unstartable { reason })),
                ServiceState::Idle => Standing::Idle,
                ServiceState::Running => Standing::Ready,
            };
            let left = patience.left().min(readiness.longest_try);
            match self.try_ready(service, readiness, left)? {
                None => return Ok(Ok(standing)),
                // A try that was cut short says less than the one before it.
                Some(missing) if left == readiness.longest_try || lacks.is_empty() => lacks = missing,
                Some(_) => {}
            }
            self.sandbox.catch_up(Awaited::Readiness, patience.elapsed()).map_err(|error| harness(&error))?;
            if !patience.wait() {
                let reason = format!("not ready within {}: {lacks}", seconds(readiness.within));
                return Ok(Err(NotReady::Late { reason }));
            }
        }
    }

    /// One try of the readiness probe: what is missing, or nothing.
    fn try_ready(
        &mut self,
        service: &Service,
        readiness: &Readiness,
        within: Duration,
    ) -> Result<Option<String>, CaseError> {
        let name = &service.name;
        Ok(match &readiness.probe {
            None => None,
            Some(ReadyProbe::Exec(command)) => {
                match self.sandbox.exec(name, command, within).map_err(|error| harness(&error))? {
                    ExecOutcome::Exited { code: 0, .. } => None,
                    ExecOutcome::Exited { code, .. } => Some(format!("its probe exited with {code}")),
                    ExecOutcome::TimedOut { .. } => Some("its probe did not end in time".to_owned()),
                    ExecOutcome::Unstartable { reason } => Some(format!("its probe cannot start: {reason}")),
                }
            }
            Some(ReadyProbe::Log(text)) => {
                let log = self.sandbox.log(name).map_err(|error| harness(&error))?;
                let found = log.text.lines().any(|line| line.contains(text.as_str()));
                (!found).then(|| format!("no line of its log contains {text:?}"))
            }
            Some(ReadyProbe::Tcp(port)) => {
                let answer = self.sandbox.connect(None, name.as_str(), *port, within);
                match answer.map_err(|error| harness(&error))? {
                    Ok(_) => None,
                    Err(failure) => Some(format!("port {port}: {failure}")),
                }
            }
        })
    }

    fn stands(&mut self, name: &ServiceName, standing: Standing) {
        if standing.has_run() {
            self.ran.insert(name.clone());
        }
        self.standing.insert(name.clone(), standing);
    }

    fn report_end(
        &mut self,
        service: &Service,
        code: Option<i32>,
        at: ClockReading,
        before_ready: bool,
        reason: Option<String>,
    ) -> Result<(), CaseError> {
        let launched =
            self.standing.get(&service.name).is_some_and(|standing| *standing != Standing::Withheld);
        let log = match launched {
            true => self.sandbox.log(&service.name).map_err(|error| harness(&error))?.text,
            false => String::new(),
        };
        let redacted = self.stage.secrets.redact(&log);
        let log_tail = tail(&redacted, TAIL_BYTES).to_owned();
        let reason = reason.map(|reason| self.stage.secrets.redact(&reason));
        let end = ServiceEnd { service: service.name.clone(), code, at, before_ready, reason, log_tail };
        let case = self.case.id.clone();
        self.emit(Event::ServiceEnded { case, end });
        Ok(())
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
