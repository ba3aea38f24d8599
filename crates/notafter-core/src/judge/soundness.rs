//! Findings about the run itself: whether the gate looked at everything that it has to.

use super::finding::finding;
use crate::refine::{Investigation, max_launches, reductions};
use crate::soundness::{Fault, fault};
use crate::{Case, CaseRecord, Check, Finding, FindingCode, Purpose, RunRecord, ServiceName, Severity, Step};
use std::collections::BTreeSet;

/// Every reason why the record does not support an allow. `broken` is whether a break that may be believed is
/// known: what was still to be run then could only have made it more precise.
pub(super) fn findings(record: &RunRecord, investigation: &Investigation, broken: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(nothing_checked(record));
    found.extend(never_due(record));
    for case in &record.cases {
        if let Some(fault) = fault(case, record) {
            found.push(of_fault(fault, case, record));
        }
    }
    found.extend(never_idle(record));
    found.extend(doubled(record));
    found.extend(incomplete(record, investigation, broken, found.is_empty()));
    found.extend(reduced(record, investigation));
    found
}

/// What the plan left out or took together, where the plan was carried out at all.
fn reduced(record: &RunRecord, investigation: &Investigation) -> Vec<Finding> {
    if !investigation.complete {
        return Vec::new();
    }
    let note = |summary| {
        let mut note = finding(FindingCode::PlanReduced, Severity::Note, summary);
        note.help = super::words::help(FindingCode::PlanReduced).map(str::to_owned);
        note
    };
    let usual = investigation.usual.as_ref().map(|usual| {
        format!(
            "at {} something fails as it does at {}, before anything ends: {} fails then, and was made again without looks \
             at those hours",
            usual.at, usual.before, usual.walk
        )
    });
    reductions(record).into_iter().chain(usual).map(note).collect()
}

fn inconclusive(code: FindingCode, summary: String) -> Finding {
    let mut finding = finding(code, Severity::Inconclusive, summary);
    finding.help = super::words::help(code).map(str::to_owned);
    finding
}

fn of_fault(fault: Fault, case: &CaseRecord, record: &RunRecord) -> Finding {
    let mut finding = inconclusive(fault.code, fault.message);
    finding.case = Some(case.case.id.clone());
    finding.services = fault.service.into_iter().collect();
    if matches!(finding.code, FindingCode::BudgetExceeded | FindingCode::Interrupted) {
        name_what_was_waited_for(&mut finding, case, record);
    }
    finding
}

/// A run that is ended while a service does not get ready has been waiting for that service.
fn name_what_was_waited_for(finding: &mut Finding, case: &CaseRecord, record: &RunRecord) {
    let Some(end) = case.ends.last().filter(|end| end.before_ready && end.code.is_none()) else { return };
    finding.expected = Some(format!("{} gets ready", end.service));
    finding.seen.clone_from(&end.reason);
    finding.seen_at = Some(end.at.second);
    finding.services = vec![end.service.clone()];
    finding.location = record.scenario.service(&end.service).map(|service| service.location.clone());
    finding.log_tail = Some(end.log_tail.clone()).filter(|tail| !tail.is_empty());
}

/// A scenario that asks for nothing, or cases that ask for nothing.
fn nothing_checked(record: &RunRecord) -> Option<Finding> {
    let scenario = &record.scenario;
    let summary = if scenario.checks.is_empty() {
        "the scenario has no checks".to_owned()
    } else if let Some(check) = scenario.checks.iter().find(|check| check.connections.is_empty()) {
        format!("check {} looks over no connection", check.name)
    } else if scenario.service(&scenario.candidate.service).is_none() {
        format!("the scenario has no service {}, which is to be its candidate", scenario.candidate.service)
    } else {
        let looks = |step: &Step| matches!(step, Step::Check { checks } if !checks.is_empty());
        let case = record.cases.iter().find(|case| !case.case.steps.iter().any(looks))?;
        format!("case {} looks at nothing", case.case.id)
    };
    Some(inconclusive(FindingCode::NothingChecked, summary))
}

/// What must go on, and was looked at by no walk, because so long a stretch did not go by between two checkpoints.
fn never_due(record: &RunRecord) -> Vec<Finding> {
    let walks = || record.cases.iter().filter(|case| case.case.purpose == Purpose::Walk);
    let missed = |check: &&Check| {
        let mut looks = walks().flat_map(|walk| &walk.observations);
        check.stretch().is_some() && !looks.any(|look| look.check == check.name && check.was_due_in(look))
    };
    let missed = record.scenario.checks.iter().filter(missed).filter(|_| walks().next().is_some());
    missed
        .map(|check| {
            let summary = format!("no walk came to look at check {}: its `every` never went by", check.name);
            let mut found = inconclusive(FindingCode::NothingChecked, summary);
            found.location = Some(check.location.clone());
            found.help = Some("let `every` be shorter than the support window".to_owned());
            found
        })
        .collect()
}

/// Services for which time did not wait, each once. What was seen to break in their cases breaks all the same; that
/// nothing was seen to break proves nothing.
fn never_idle(record: &RunRecord) -> Vec<Finding> {
    let seen = || {
        let cases = record.cases.iter();
        cases.flat_map(|case| case.restless.iter().map(move |process| (&case.case.id, process)))
    };
    let services: BTreeSet<&ServiceName> = seen().map(|(_, process)| &process.service).collect();
    let of_service = |service: &ServiceName| {
        let mut own = seen().filter(|(_, process)| process.service == *service);
        let (case, process) = own.next()?;
        let more = match own.count() {
            0 => String::new(),
            1 => ", and once more".to_owned(),
            count => format!(", and {count} times more"),
        };
        let mut found = inconclusive(
            FindingCode::NeverIdle,
            format!(
                "{service} never rested: in case {case} time went on from {} without waiting for its process {} \
                 ({}){more}",
                process.at, process.pid, process.process
            ),
        );
        found.case = Some(case.clone());
        found.services = vec![service.clone()];
        found.seen_at = Some(process.at.second);
        found.location = record.scenario.service(service).map(|service| service.location.clone());
        Some(found)
    };
    services.into_iter().filter_map(of_service).collect()
}

/// Two cases of one id: the second hides behind the first.
fn doubled(record: &RunRecord) -> Option<Finding> {
    let mut seen = BTreeSet::new();
    let case = record.cases.iter().find(|case| !seen.insert(&case.case.id))?;
    let summary = format!("case {} is in the record twice", case.case.id);
    Some(inconclusive(FindingCode::PlanIncomplete, summary))
}

/// Whether something planned has not run. `silent` is whether no other reason is known.
fn incomplete(
    record: &RunRecord,
    investigation: &Investigation,
    broken: bool,
    silent: bool,
) -> Option<Finding> {
    // What is named as the cause may rest on less; whether it breaks does not change.
    let owed = |case: &&Case| !matches!(case.purpose, Purpose::Reissued { .. });
    if let Some(case) = investigation.next.iter().find(owed) {
        let others = investigation.next.iter().filter(owed).count() - 1;
        let more = if others == 0 { String::new() } else { format!(" and {others} more") };
        let summary = format!("case {}{more} has not run: {}", case.id, case.reason);
        return Some(inconclusive(FindingCode::PlanIncomplete, summary));
    }
    if let Some(life) = investigation.too_brief.filter(|_| !broken) {
        let summary = format!(
            "what a service shows lives for {life} only, and no walk through the window can stop wherever it is to be renewed"
        );
        return Some(inconclusive(FindingCode::PlanIncomplete, summary));
    }
    if investigation.capped && !broken {
        let most = max_launches(record);
        let summary = format!("the search needs more than {most} launches of the whole scenario");
        return Some(inconclusive(FindingCode::PlanIncomplete, summary));
    }
    let explained = investigation.complete || investigation.control_failure.is_some() || broken;
    if !explained && silent {
        let ran = record.cases.len();
        let summary = format!("what ran is not what was planned, in one of {ran} cases");
        return Some(inconclusive(FindingCode::PlanIncomplete, summary));
    }
    None
}
