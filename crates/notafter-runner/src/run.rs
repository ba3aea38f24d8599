//! A whole run: refine, run what it asks for, fold what happened, until nothing is left to know.

use crate::case::{self, CaseEnd};
use crate::host_clock::{Stopwatch, unix_now};
use crate::images::Images;
use crate::interrupt::Interrupt;
use crate::keep::Keep;
use crate::secrets::Secrets;
use crate::stage::Stage;
use crate::{Error, Variables, single, stocktake};
use notafter_backend::Backend;
use notafter_core::{
    Case, CaseClock, CaseError, CaseId, Event, FileTimes, Outcome, Purpose, RunRecord, Scenario, Start,
    UnixTime,
};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// How long a launch is watched before its instant is left, where nothing else is said. What a program checks as it
/// starts it may check after it is ready, and without a readiness probe it is ready at once.
const LINGER: Duration = Duration::from_millis(250);

/// What a run is told beside its scenario.
#[derive(Debug, Clone)]
pub struct Options {
    /// Runs this case of the plan and no other; its record can never be judged as allowed.
    pub only: Option<CaseId>,
    /// Directory for logs and served chains: absent or empty when the run begins.
    pub keep: Option<PathBuf>,
    /// How the run is told to stop.
    pub interrupt: Interrupt,
    /// How long a launch is watched, on the host's clock, before a motion, a restart or the end of the case, unless
    /// a check was not met already.
    pub linger: Duration,
    /// Where secrets are taken from.
    pub variables: Variables,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            only: None,
            keep: None,
            interrupt: Interrupt::default(),
            linger: LINGER,
            variables: Variables::default(),
        }
    }
}

/// What decides which cases run; the functions of `notafter-core` but in tests.
pub(crate) struct Planner<'a> {
    /// Which run next.
    pub(crate) refine: &'a dyn Fn(&RunRecord) -> Vec<Case>,
    /// Which one can be picked from to run alone.
    pub(crate) plan: &'a dyn Fn(&RunRecord) -> Vec<Case>,
}

/// Runs `scenario`, whose candidate has its build, on `backend`. Every event reaches `sink` as it happens, on the
/// calling thread. The budget of the scenario counts from the first case on: building and scanning are no part of it.
///
/// # Errors
/// Where the run cannot begin: see [`Error`]. Once it has begun, everything that goes wrong is in the record.
pub fn run(
    scenario: &Scenario,
    images: &Images,
    backend: &dyn Backend,
    options: &Options,
    sink: &mut dyn FnMut(&Event),
) -> Result<RunRecord, Error> {
    let planner = Planner { refine: &notafter_core::refine, plan: &notafter_core::plan };
    run_planned(scenario, images, backend, options, &planner, sink)
}

/// The record of a run in which nothing has run yet, with the inventory of `scenario`, and the cases that it holds
/// when nothing fails.
///
/// # Errors
/// As for [`run`].
pub fn plan(scenario: &Scenario, images: &Images) -> Result<(RunRecord, Vec<Case>), Error> {
    crate::usage::check(scenario)?;
    let mut record = RunRecord::new(scenario.clone(), unix_now());
    let pki = crate::stage::pki(scenario)?;
    let stock = stocktake::take(scenario, images, &pki, &Variables::of_this_process())?;
    record.remarks = stock.remarks;
    record.images = stock.images;
    record.fold(Event::InventoryLearnt { inventory: stock.inventory });
    let cases = notafter_core::plan(&record);
    Ok((record, cases))
}

pub(crate) fn run_planned(
    scenario: &Scenario,
    images: &Images,
    backend: &dyn Backend,
    options: &Options,
    planner: &Planner<'_>,
    sink: &mut dyn FnMut(&Event),
) -> Result<RunRecord, Error> {
    crate::usage::check(scenario)?;
    let secrets = Secrets::collect(scenario, |variable| options.variables.value(variable))?;
    let keep = options.keep.as_deref().map(Keep::create).transpose()?;
    let pki = crate::stage::pki(scenario)?;
    let stock = stocktake::take(scenario, images, &pki, &options.variables)?;
    let mut run = Run {
        record: RunRecord::new(scenario.clone(), unix_now()),
        stage: Stage::build(scenario, images, pki, secrets, options)?,
        backend,
        keep,
        sink,
    };
    run.record.isolation = backend.isolation();
    run.record.remarks = stock.remarks;
    run.record.images = stock.images;
    for remark in said_beforehand(scenario, unix_now()) {
        run.remark(remark);
    }
    run.tell(Event::InventoryLearnt { inventory: stock.inventory });
    match &options.only {
        None => run.all(planner)?,
        Some(id) => run.only(id, planner)?,
    }
    Ok(run.finish())
}

/// What every reader of the record must know, whatever happens. `now` is the host's.
fn said_beforehand(scenario: &Scenario, now: UnixTime) -> Vec<String> {
    let files = match scenario.file_times {
        FileTimes::Real => "the times of files (unless the scenario says `file_times: shifted`)",
        FileTimes::Shifted => "the times of files that were there before",
    };
    let mut remarks = vec![format!(
        "not shifted, and so seen as they are today: {files}, the machine's start in /proc, the processor's own counter"
    )];
    remarks.extend(scenario.remarks.iter().cloned());
    if scenario.horizon < now {
        let end = scenario.horizon;
        remarks.push(format!(
            "the support window ended at {end}: this says nothing about a release from today on"
        ));
    }
    remarks
}

struct Run<'a> {
    record: RunRecord,
    stage: Stage<'a>,
    backend: &'a dyn Backend,
    keep: Option<Keep>,
    sink: &'a mut dyn FnMut(&Event),
}

impl Run<'_> {
    fn all(&mut self, planner: &Planner<'_>) -> Result<(), Error> {
        let mut begun = BTreeSet::new();
        loop {
            let cases = (planner.refine)(&self.record);
            if cases.is_empty() {
                return Ok(());
            }
            for case in cases {
                if !begun.insert(case.id.clone()) {
                    return Err(Error::PlanRepeats { case: case.id });
                }
                self.case(case);
            }
            // Every case that was asked for has its end on record; asking for more would be pointless.
            if self.stage.allowance.ask().is_err() {
                return Ok(());
            }
        }
    }

    fn only(&mut self, id: &CaseId, planner: &Planner<'_>) -> Result<(), Error> {
        let plan = (planner.plan)(&self.record);
        let known = plan.iter().map(|case| case.id.clone()).collect();
        let case = single::find(&self.record, plan, id)
            .ok_or_else(|| Error::UnknownCase { case: id.clone(), known })?;
        self.case(case);
        Ok(())
    }

    fn case(&mut self, case: Case) {
        let watch = Stopwatch::start();
        let id = case.id.clone();
        self.tell(Event::CaseStarted { case: case.clone() });
        let end = match self.impossible(&case) {
            Some(error) => CaseEnd { error: Some(error), remarks: Vec::new() },
            None => self.play(&case),
        };
        for remark in end.remarks {
            let redacted = self.stage.secrets.redact(&remark);
            self.remark(redacted);
        }
        let scenario = self.stage.scenario;
        let outcome = match (&end.error, self.record.case(&id)) {
            (None, Some(case)) => case.outcome_from_observations(scenario),
            (Some(CaseError::NativeImpossible), _) => Outcome::Skip,
            (None, None) | (Some(_), _) => Outcome::Error,
        };
        self.tell(Event::CaseEnded { case: id, outcome, error: end.error, took: watch.elapsed() });
    }

    /// Runs `case` on the material that it asks for.
    fn play(&mut self, case: &Case) -> CaseEnd {
        let repeated = match &case.purpose {
            Purpose::Repeat(of) => self.record.case(of).map(|of| &of.case.purpose),
            Purpose::Cold
            | Purpose::Control
            | Purpose::PastControl
            | Purpose::Reissued { .. }
            | Purpose::Skewed { .. }
            | Purpose::Stale { .. }
            | Purpose::Walk => None,
        };
        let own = match repeated.unwrap_or(&case.purpose).material() {
            None => None,
            Some((credentials, until)) => {
                match self.stage.material.reissued(self.stage.scenario, credentials, until) {
                    Ok(anew) => Some(std::mem::replace(&mut self.stage.material, anew)),
                    Err(error) => {
                        let message = crate::error::chain(&error);
                        return CaseEnd { error: Some(CaseError::Harness { message }), remarks: Vec::new() };
                    }
                }
            }
        };
        let (record, sink) = (&mut self.record, &mut self.sink);
        let mut emit = |event: Event| {
            sink(&event);
            record.fold(event);
        };
        let end = case::run(&self.stage, case, self.backend, self.keep.as_ref(), &mut emit);
        if let Some(own) = own {
            self.stage.material = own;
        }
        end
    }

    /// Why `case` cannot run at all.
    fn impossible(&self, case: &Case) -> Option<CaseError> {
        match (case.clock, self.record.scenario.start) {
            (CaseClock::Native, Start::Fixed(_)) => Some(CaseError::NativeImpossible),
            (CaseClock::Native, Start::Now(_)) | (CaseClock::Shifted(_), _) => None,
        }
    }

    fn tell(&mut self, event: Event) {
        (self.sink)(&event);
        self.record.fold(event);
    }

    fn remark(&mut self, remark: String) {
        if !self.record.remarks.contains(&remark) {
            self.record.remarks.push(remark);
        }
    }

    fn finish(mut self) -> RunRecord {
        if let Some(keep) = self.keep.take() {
            keep.chains(&self.record);
            for failure in keep.into_failures() {
                self.remark(failure);
            }
        }
        self.record
    }
}
