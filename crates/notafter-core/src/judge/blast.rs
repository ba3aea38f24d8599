//! Blast radius: what falls with a break, and what does not.

use super::words;
use crate::checkpoint::{Checkpoint, Look, checkpoints, counts, first_failure};
use crate::holder::{Holders, needs, reach};
use crate::refine::boundaries;
use crate::{
    CaseRecord, CheckName, Connection, Finding, Fingerprint, Purpose, RunRecord, Scenario, ServiceEnd,
    ServiceName,
};
use std::collections::BTreeSet;

/// Fills in what `case`, and the walk beside it, show of a break.
pub(super) fn describe(
    record: &RunRecord,
    finding: &mut Finding,
    case: &CaseRecord,
    walk: Option<&CaseRecord>,
) {
    let scenario = &record.scenario;
    let cases: Vec<&CaseRecord> =
        [case].into_iter().chain(walk.filter(|walk| walk.case.id != case.case.id)).collect();
    let points: Vec<Checkpoint<'_>> = cases.iter().flat_map(|case| fallen_points(record, case)).collect();
    let ends: Vec<&ServiceEnd> = cases.iter().flat_map(|case| fallen_ends(record, case)).collect();
    let looks: Vec<&Look<'_>> =
        points.iter().flat_map(|point| &point.looks).filter(|look| look.met == Some(false)).collect();

    finding.case = Some(case.case.id.clone());
    finding.checks = fallen_checks(scenario, &looks);
    finding.still_working = still_working(&points);
    finding.services = fallen_services(record, &looks, &ends, finding.culprit);
    let first = finding.services.first();
    finding.log_tail = first.and_then(|first| {
        let of_first = ends.iter().filter(|end| end.service == *first);
        of_first.map(|end| end.log_tail.clone()).find(|tail| !tail.is_empty())
    });
    // The look at the service that breaks first says most.
    let telling = looks
        .iter()
        .find(|look| first.is_some_and(|first| look.check.probe.target() == first.as_str()))
        .or_else(|| looks.first());
    match (telling, ends.first()) {
        (Some(look), _) => {
            let at = look.observation.begin.second;
            let span = look.check.expectation_at(at);
            finding.expected =
                span.map(|span| format!("{} {}", look.check.name, words::expected(&span.expectation)));
            finding.location = Some(span.map_or(&look.check.location, |span| &span.location).clone());
            finding.seen = Some(words::seen(&look.observation.seen));
            finding.seen_at = Some(at);
        }
        (None, Some(end)) => {
            finding.expected = Some(format!("{} runs", end.service));
            finding.location = scenario.service(&end.service).map(|service| service.location.clone());
            finding.seen = Some(match (&end.reason, end.code) {
                (Some(reason), _) => reason.clone(),
                (None, Some(code)) => format!("{} ended with exit code {code}", end.service),
                (None, None) => format!("{} did not run", end.service),
            });
            finding.seen_at = Some(end.at.second);
        }
        (None, None) => {}
    }
}

/// The checkpoints of a failing case that show this break: from its first failure on, and of a walk only those
/// before the next boundary, behind which something else may fall.
fn fallen_points<'a>(record: &'a RunRecord, case: &'a CaseRecord) -> Vec<Checkpoint<'a>> {
    let scenario = &record.scenario;
    let Some(failure) = first_failure(case, scenario) else { return Vec::new() };
    let walks = case.case.purpose == Purpose::Walk;
    let next = boundaries(record, scenario.start.instant(), scenario.horizon)
        .into_iter()
        .find(|boundary| boundary.before() > failure.at)
        .filter(|_| walks);
    checkpoints(case, scenario)
        .into_iter()
        .filter(|point| point.step >= failure.step)
        .filter(|point| next.as_ref().is_none_or(|next| point.at < next.first))
        .collect()
}

/// Ends that belong to the first failure of a case.
fn fallen_ends<'a>(record: &'a RunRecord, case: &'a CaseRecord) -> Vec<&'a ServiceEnd> {
    let scenario = &record.scenario;
    let Some(failure) = first_failure(case, scenario) else { return Vec::new() };
    let counting = case.ends.iter().filter(|end| counts(end, case, scenario));
    counting.filter(|end| end.at.second <= failure.at).collect()
}

/// Failing checks in the order of the scenario, with the connections over which they fail.
fn fallen_checks(scenario: &Scenario, looks: &[&Look<'_>]) -> Vec<(CheckName, Vec<Connection>)> {
    scenario
        .checks
        .iter()
        .map(|check| {
            let of_check = looks.iter().filter(|look| look.check.name == check.name);
            let connections: BTreeSet<Connection> = of_check.map(|look| look.connection).collect();
            (check.name.clone(), connections.into_iter().collect::<Vec<_>>())
        })
        .filter(|(_, connections)| !connections.is_empty())
        .collect()
}

/// Connections that worked at the first failing checkpoint while others of the same check failed.
fn still_working(points: &[Checkpoint<'_>]) -> Vec<(CheckName, Connection)> {
    let Some(first) = points.first() else { return Vec::new() };
    let fails = |name: &CheckName| first.looks.iter().any(|l| l.met == Some(false) && l.check.name == *name);
    let working = first.looks.iter().filter(|look| look.met == Some(true) && fails(&look.check.name));
    working.map(|look| (look.check.name.clone(), look.connection)).collect()
}

/// The service that breaks first, those that fall because they depend on it, and what else fell.
fn fallen_services(
    record: &RunRecord,
    looks: &[&Look<'_>],
    ends: &[&ServiceEnd],
    culprit: Option<Fingerprint>,
) -> Vec<ServiceName> {
    let scenario = &record.scenario;
    let targets: BTreeSet<ServiceName> = looks
        .iter()
        .filter_map(|look| ServiceName::new(look.check.probe.target()).ok())
        .filter(|target| scenario.service(target).is_some())
        .collect();
    let Some(first) = first_to_break(record, looks, ends, culprit, &targets) else { return Vec::new() };
    let ended = |name: &ServiceName| ends.iter().any(|end| end.service == *name);
    let mut fallen: Vec<ServiceName> = scenario
        .services
        .iter()
        .map(|service| service.name.clone())
        .filter(|name| *name != first && (targets.contains(name) || ended(name)))
        .collect();
    fallen.sort_by_key(|name| !needs(scenario, name).contains(&first));
    [first].into_iter().chain(fallen).collect()
}

fn first_to_break(
    record: &RunRecord,
    looks: &[&Look<'_>],
    ends: &[&ServiceEnd],
    culprit: Option<Fingerprint>,
    targets: &BTreeSet<ServiceName>,
) -> Option<ServiceName> {
    let scenario = &record.scenario;
    let candidate = &scenario.candidate.service;
    if let Some(end) = ends.first() {
        return Some(end.service.clone());
    }
    let own = culprit.and_then(|f| record.inventory.find(f)).is_some_and(|c| Holders::new(record).is_own(c));
    let reached = looks.iter().any(|look| reach(scenario, look.check).contains(candidate));
    if own && reached {
        return Some(candidate.clone());
    }
    // Start order puts a service behind what it needs, so that the first that needs the candidate, if not the
    // candidate itself, is the nearest.
    let names =
        || scenario.services.iter().map(|service| &service.name).filter(|name| targets.contains(name));
    names().find(|name| needs(scenario, name).contains(candidate)).or_else(|| names().next()).cloned()
}
