//! A case from its first launch to the end of its sandbox.

use super::counts::Counts;
use super::failing::Failing;
use super::looks::Rate;
use super::network::Sessions;
use super::services::Standing;
use crate::host_clock::{Patience, Stopwatch};
use crate::keep::Keep;
use crate::stage::Stage;
use notafter_backend::{Backend, ClockSpec, Sandbox, SandboxSpec, Skew};
use notafter_core::{
    Case, CaseClock, CaseError, CheckName, ClockWitness, Event, Motion, Purpose, ServiceName, Step, UnixTime,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a motion of the clock may take, on the host's clock.
const LONGEST_MOTION: Duration = Duration::from_secs(120);

/// What a case came to, beside what was seen in it.
pub(crate) struct CaseEnd {
    /// Why the gate could not look.
    pub(crate) error: Option<CaseError>,
    /// What the back end could not clean or enforce.
    pub(crate) remarks: Vec<String>,
}

/// A case while it runs. Errors of its methods end it: the gate could not look.
pub(super) struct CaseRun<'a> {
    pub(super) stage: &'a Stage<'a>,
    pub(super) case: &'a Case,
    pub(super) sandbox: Box<dyn Sandbox>,
    pub(super) standing: BTreeMap<ServiceName, Standing>,
    /// Services of which a main process ran.
    pub(super) ran: BTreeSet<ServiceName>,
    /// How much of each service's log earlier checkpoints have seen, in bytes written since its last launch.
    pub(super) log_marks: BTreeMap<ServiceName, u64>,
    pub(super) sessions: Sessions,
    pub(super) failing: Failing,
    /// Index of the step that runs.
    pub(super) step: usize,
    /// Where wall time is meant to stand, on the candidate's clock.
    pub(super) planned: UnixTime,
    pub(super) keep: Option<&'a Keep>,
    /// Since the last launch.
    pub(super) launched: Stopwatch,
    /// Whether a check was not met since the last launch.
    pub(super) unmet: bool,
    /// Services whose memory has been read since they were launched last.
    pub(super) read: BTreeSet<ServiceName>,
    /// How long reading memory has taken in this case, on the host's clock.
    pub(super) reading: Duration,
    /// Streams of lines that must go on, by check.
    pub(super) rates: BTreeMap<CheckName, Rate>,
    pub(super) counts: Counts,
    /// Checks that were shown an old certificate after a rotation.
    pub(super) stale: BTreeSet<CheckName>,
    witnessed: BTreeSet<ClockWitness>,
    emit: &'a mut dyn FnMut(Event),
}

/// Runs `case` and reports everything that happens in it but its beginning and its end.
pub(crate) fn run(
    stage: &Stage<'_>,
    case: &Case,
    backend: &dyn Backend,
    keep: Option<&Keep>,
    emit: &mut dyn FnMut(Event),
) -> CaseEnd {
    let clock = match case.clock {
        CaseClock::Native => None,
        CaseClock::Shifted(at) => Some(at),
    };
    let skew =
        case.purpose.skew().map(|ahead| Skew { service: stage.scenario.candidate.service.clone(), ahead });
    let shifted = clock.map(|start| ClockSpec { start, file_times: stage.scenario.file_times, skew });
    let services = stage.scenario.services.iter();
    let aliases = services
        .flat_map(|service| service.aliases.iter().map(|alias| (alias.clone(), service.name.clone())));
    let aliases = aliases.collect();
    let hosts = stage.scenario.services.iter().map(|service| service.name.clone()).collect();
    let opened = stage.allowance.ask().and_then(|()| {
        backend.open(&SandboxSpec { hosts, aliases, clock: shifted, scratch: None }).map_err(|e| harness(&e))
    });
    let sandbox = match opened {
        Ok(sandbox) => sandbox,
        Err(error) => return CaseEnd { error: Some(redacted(stage, error)), remarks: Vec::new() },
    };
    let planned = clock.unwrap_or_else(|| sandbox.now().second);
    let mut run = CaseRun {
        stage,
        case,
        sandbox,
        standing: BTreeMap::new(),
        ran: BTreeSet::new(),
        log_marks: BTreeMap::new(),
        sessions: Sessions::default(),
        failing: Failing::default(),
        step: 0,
        planned,
        keep,
        launched: Stopwatch::start(),
        unmet: false,
        read: BTreeSet::new(),
        reading: Duration::ZERO,
        rates: BTreeMap::new(),
        counts: Counts::default(),
        stale: BTreeSet::new(),
        witnessed: BTreeSet::new(),
        emit,
    };
    // A motion or a wait that the budget cut short shows as another error; the budget is the reason.
    let result = run.play().map_err(|error| stage.allowance.ask().err().unwrap_or(error));
    run.keep_logs();
    // A sandbox that had lost a part of itself may have shown anything.
    let closed = run.sandbox.close().map_err(|error| harness(&error));
    let (remarks, lost) = closed.map_or_else(|error| (Vec::new(), Some(error)), |remarks| (remarks, None));
    CaseEnd { error: result.err().or(lost).map(|error| redacted(stage, error)), remarks }
}

impl CaseRun<'_> {
    fn play(&mut self) -> Result<(), CaseError> {
        let services: Vec<_> = self.stage.scenario.services.iter().collect();
        self.start(&services)?;
        let case = self.case;
        for (index, step) in case.steps.iter().enumerate() {
            self.stage.allowance.ask()?;
            self.step = index;
            self.note_ends()?;
            match step {
                Step::Check { checks } => self.check(checks)?,
                Step::Move { motion, to } => {
                    self.linger()?;
                    self.read_unread(index)?;
                    self.shift(*motion, *to)?;
                }
                Step::Rotate { rotation } => {
                    self.rotate(rotation)?;
                    self.failing.forget();
                }
                Step::Restart { services } => {
                    self.linger()?;
                    self.read_memory(index, services)?;
                    self.restart(services)?;
                    self.failing.forget();
                }
            }
            self.note_ends()?;
        }
        self.linger()?;
        self.read_every_memory(case.steps.len())?;
        self.sweep()?;
        self.demand_witnesses()
    }

    pub(super) fn emit(&mut self, event: Event) {
        (self.emit)(event);
    }

    /// Watches what was launched last for a while: one that ends at once has to be seen, or it would seem to work.
    fn linger(&mut self) -> Result<(), CaseError> {
        let left = self.stage.linger.saturating_sub(self.launched.elapsed());
        let mut patience = Patience::new(left, Duration::from_millis(5), Duration::from_millis(25));
        // Where the scenario itself does not work, that end says why.
        let asks_why = !self.unmet || self.case.purpose == Purpose::Control;
        while asks_why && self.standing.values().any(|standing| *standing == Standing::Ready) {
            self.stage.allowance.ask()?;
            if !patience.wait() {
                break;
            }
            self.note_ends()?;
        }
        Ok(())
    }

    fn shift(&mut self, motion: Motion, to: UnixTime) -> Result<(), CaseError> {
        let within = self.stage.allowance.at_most(LONGEST_MOTION);
        let moved = self.sandbox.move_clock(motion, to, within).map_err(|error| harness(&error))?;
        self.planned = to;
        let (case, now) = (self.case.id.clone(), self.sandbox.now());
        if now.second != to {
            let message = format!("the clock stands at {now} after a motion to {to}");
            return Err(CaseError::Harness { message });
        }
        let (jumps, woken, restless) = (moved.jumps, moved.woken, moved.restless);
        self.emit(Event::Moved { case, now, jumps, woken, restless });
        Ok(())
    }

    /// Collects the proofs so far.
    ///
    /// # Errors
    /// [`CaseError::Unshifted`] for the first process that has none.
    pub(super) fn sweep(&mut self) -> Result<(), CaseError> {
        let report = self.sandbox.witnesses().map_err(|error| harness(&error))?;
        for witness in report.witnesses {
            if self.witnessed.insert(witness.clone()) {
                let case = self.case.id.clone();
                self.emit(Event::Witnessed { case, witness });
            }
        }
        match report.unproven.into_iter().next() {
            None => Ok(()),
            Some(gap) => Err(CaseError::Unshifted { service: gap.service, pid: gap.pid, reason: gap.reason }),
        }
    }

    /// A back end that forgets a service must not make a case pass: each one that ran needs a proof of its own.
    fn demand_witnesses(&self) -> Result<(), CaseError> {
        if self.case.clock == CaseClock::Native {
            return Ok(());
        }
        let proven = |name: &ServiceName| self.witnessed.iter().any(|witness| witness.service == *name);
        match self.ran.iter().find(|name| !proven(name)) {
            None => Ok(()),
            Some(name) => Err(CaseError::Unshifted {
                service: name.clone(),
                pid: None,
                reason: "it ran, and there is no proof for any of its processes".to_owned(),
            }),
        }
    }

    /// Logs of services are kept as they stand when their processes are about to go.
    fn keep_logs(&mut self) {
        let names: Vec<ServiceName> = self.standing.keys().cloned().collect();
        for name in names {
            self.keep_log(&name);
        }
    }
}

/// The error of a back end with all of its causes.
pub(super) fn harness(error: &dyn std::error::Error) -> CaseError {
    CaseError::Harness { message: crate::error::chain(error) }
}

/// What a back end complains about may quote a command line or an environment.
fn redacted(stage: &Stage<'_>, error: CaseError) -> CaseError {
    match error {
        CaseError::Harness { message } => CaseError::Harness { message: stage.secrets.redact(&message) },
        CaseError::Unshifted { service, pid, reason } => {
            CaseError::Unshifted { service, pid, reason: stage.secrets.redact(&reason) }
        }
        CaseError::BudgetExceeded { .. } | CaseError::Interrupted | CaseError::NativeImpossible => error,
    }
}
