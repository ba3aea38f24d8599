//! Whether a case may be believed at all. A case with a fault proves nothing, neither that the release works nor
//! that it breaks.

use crate::checkpoint::{checkpoints, counts, first_failure};
use crate::{
    Answer, CaseClock, CaseError, CaseRecord, FindingCode, ImageRef, Outcome, Probe, RunRecord, Scenario,
    Seen, Service, ServiceName, Start, Step,
};

/// Why a case cannot be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: FindingCode,
    /// A sentence without a final period.
    pub(crate) message: String,
    pub(crate) service: Option<ServiceName>,
}

impl Fault {
    fn new(code: FindingCode, message: String) -> Self {
        Self { code, message, service: None }
    }
}

/// Whether `service` has a main process, or is only a place for commands.
fn runs_something(scenario: &Scenario, service: &Service) -> bool {
    let image = scenario.image_of(service);
    service.command.is_some()
        || matches!(image, Some(ImageRef::Binary(_) | ImageRef::Cargo { .. }))
        || image.is_some_and(ImageRef::has_configuration)
}

/// The native control may be left out where simulated time does not begin now, and no other case ever.
fn may_be_skipped(case: &CaseRecord, scenario: &Scenario) -> bool {
    case.case.clock == CaseClock::Native && matches!(scenario.start, Start::Fixed(_))
}

/// The first reason not to believe `case`; none where it may be believed.
pub(crate) fn fault(case: &CaseRecord, record: &RunRecord) -> Option<Fault> {
    let scenario = &record.scenario;
    let id = &case.case.id;
    match case.outcome {
        None => {
            let message = format!("case {id} began and never ended");
            Some(Fault::new(FindingCode::PlanIncomplete, message))
        }
        Some(Outcome::Error) => Some(fault_of_error(case)),
        Some(Outcome::Skip) if may_be_skipped(case, scenario) => None,
        Some(Outcome::Skip) => {
            Some(Fault::new(FindingCode::PlanIncomplete, format!("case {id} was skipped")))
        }
        Some(Outcome::Fail | Outcome::Pass) => {
            unproven(case, scenario).or_else(|| unseen(case, scenario)).or_else(|| unstarted(case, scenario))
        }
    }
}

fn fault_of_error(case: &CaseRecord) -> Fault {
    let id = &case.case.id;
    match &case.error {
        Some(CaseError::BudgetExceeded { budget }) => Fault::new(
            FindingCode::BudgetExceeded,
            format!("the run took longer than its budget of {} s, in case {id}", budget.as_secs()),
        ),
        Some(CaseError::Interrupted) => {
            Fault::new(FindingCode::Interrupted, format!("the run was told to stop, in case {id}"))
        }
        Some(CaseError::Harness { message }) => {
            Fault::new(FindingCode::HarnessError, format!("case {id} could not be run: {message}"))
        }
        Some(CaseError::NativeImpossible) => Fault::new(
            FindingCode::HarnessError,
            format!("case {id} runs natively, and simulated time does not begin now"),
        ),
        Some(CaseError::Unshifted { service, pid, reason }) => {
            let process = pid.map_or_else(String::new, |pid| format!(", process {pid}"));
            Fault {
                code: FindingCode::Unshifted,
                message: format!("{service}{process} may have seen another clock in case {id}: {reason}"),
                service: Some(service.clone()),
            }
        }
        None => Fault::new(FindingCode::HarnessError, format!("case {id} could not be run")),
    }
}

/// Every service of which a process ran, and every service in which a command ran, needs a witness.
fn unproven(case: &CaseRecord, scenario: &Scenario) -> Option<Fault> {
    if case.case.clock == CaseClock::Native {
        return None;
    }
    let ran = |service: &&Service| {
        let name = &service.name;
        let was_ready = case.ready.iter().any(|(ready, _)| ready == name);
        let has_ended = case.ends.iter().any(|end| end.service == *name && end.code.is_some());
        runs_something(scenario, service) && was_ready || has_ended || commanded(case, scenario, name)
    };
    let proven = |service: &&Service| case.witnesses.iter().any(|witness| witness.service == service.name);
    let service = scenario.services.iter().filter(ran).find(|service| !proven(service))?;
    let name = service.name.clone();
    let message = format!("nothing proves that {name} saw the shifted clock in case {}", case.case.id);
    Some(Fault { code: FindingCode::Unshifted, message, service: Some(name) })
}

/// Whether a command of a check ran inside `service`.
fn commanded(case: &CaseRecord, scenario: &Scenario, service: &ServiceName) -> bool {
    case.observations.iter().any(|observation| {
        let Some(check) = scenario.check(&observation.check) else { return false };
        let is_command =
            |probe: &Probe| matches!(probe, Probe::Exec { service: target, .. } if target == service);
        let in_step = check.before.iter().zip(&observation.steps);
        let mut in_step = in_step.filter(|(step, taken)| taken.is_met && is_command(&step.probe));
        in_step.next().is_some()
            || is_command(&check.probe) && matches!(observation.seen, Seen::Answered(Answer::Exited { .. }))
    })
}

/// A rotation that a step before `last` asked for and that was not performed, or at another instant.
fn unrotated(case: &CaseRecord, last: usize) -> Option<Fault> {
    let mut now = None;
    for (index, step) in case.case.steps.iter().enumerate().take_while(|(index, _)| *index < last) {
        match step {
            Step::Move { to, .. } => now = Some(*to),
            Step::Rotate { rotation } => {
                let done = case.rotated.iter().find(|rotated| rotated.step == index);
                if !done.is_some_and(|done| done.rotation == *rotation && Some(done.at.second) == now) {
                    let message = format!("case {} did not perform rotation {rotation}", case.case.id);
                    return Some(Fault::new(FindingCode::PlanIncomplete, message));
                }
            }
            Step::Check { .. } | Step::Restart { .. } => {}
        }
    }
    None
}

/// A step that looked at nothing, looked at another instant than planned, or could not decide.
fn unseen(case: &CaseRecord, scenario: &Scenario) -> Option<Fault> {
    let id = &case.case.id;
    let failure = first_failure(case, scenario);
    // A failing case may end early; what it saw until it failed must be complete all the same.
    let last = match (&failure, case.outcome) {
        (Some(failure), _) => failure.step,
        (None, Some(Outcome::Fail)) => {
            let message = format!("case {id} is said to have failed, and nothing that it saw shows it");
            return Some(Fault::new(FindingCode::HarnessError, message));
        }
        (None, _) => usize::MAX,
    };
    if let Some(fault) = unrotated(case, last) {
        return Some(fault);
    }
    let down = |at| case.ends.iter().any(|end| counts(end, case, scenario) && end.at.second <= at);
    for point in checkpoints(case, scenario).into_iter().filter(|point| point.step <= last) {
        let Some(Step::Check { checks }) = case.case.steps.get(point.step) else { continue };
        if point.step == last && down(point.at) && point.looks.is_empty() {
            continue; // what was to be looked at never started
        }
        for name in checks {
            let Some(check) = scenario.check(name) else {
                let message = format!("case {id} asks for check {name}, which the scenario does not have");
                return Some(Fault::new(FindingCode::PlanIncomplete, message));
            };
            for connection in &check.connections {
                let look = point.looks.iter().find(|l| l.check.name == *name && l.connection == *connection);
                let wrong = match look {
                    None => "was not made".to_owned(),
                    Some(look) if look.met.is_none() => {
                        "straddles a change of what is expected and decides nothing".to_owned()
                    }
                    Some(look) => match case.case.clock {
                        CaseClock::Native => continue,
                        CaseClock::Shifted(_) => {
                            let seen = (look.observation.begin, look.observation.end);
                            if seen.0.second == point.at && seen.1.second == point.at {
                                continue;
                            }
                            format!("was made from {} to {} on the candidate's clock", seen.0, seen.1)
                        }
                    },
                };
                let message =
                    format!("in case {id} the look of {name} ({connection}) at {} {wrong}", point.at);
                return Some(Fault::new(FindingCode::PlanIncomplete, message));
            }
        }
    }
    None
}

/// A passed case in which a service was never reported ready, or not again after a restart.
fn unstarted(case: &CaseRecord, scenario: &Scenario) -> Option<Fault> {
    if first_failure(case, scenario).is_some() {
        return None;
    }
    let starts = |service: &Service| {
        let restarts =
            case.case.steps.iter().filter(
                |step| matches!(step, Step::Restart { services } if services.contains(&service.name)),
            );
        1 + restarts.count()
    };
    let readied = |service: &Service| case.ready.iter().filter(|(ready, _)| *ready == service.name).count();
    let service = scenario.services.iter().find(|service| readied(service) < starts(service))?;
    let message = format!(
        "{} was started {} times in case {} and reported ready {} times",
        service.name,
        starts(service),
        case.case.id,
        readied(service)
    );
    Some(Fault { code: FindingCode::HarnessError, message, service: Some(service.name.clone()) })
}
