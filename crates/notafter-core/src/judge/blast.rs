//! Blast radius: what falls with a break, and what does not.

use super::words;
use crate::checkpoint::{Checkpoint, Look, checkpoints, fatal_ends, first_failure};
use crate::holder::{Holders, needs, reach};
use crate::refine::boundaries;
use crate::{
    CaseRecord, Check, CheckName, Connection, Expectation, Finding, Fingerprint, Purpose, RunRecord,
    Scenario, Seen, ServiceEnd, ServiceName,
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
    let points: Vec<Vec<Checkpoint<'_>>> = cases.iter().map(|case| fallen_points(record, case)).collect();
    let ends: Vec<&ServiceEnd> = cases.iter().flat_map(|case| fallen_ends(record, case)).collect();
    let looks: Vec<&Look<'_>> = points
        .iter()
        .flatten()
        .flat_map(|point| &point.looks)
        .filter(|look| look.met == Some(false))
        .collect();

    finding.case = Some(case.case.id.clone());
    finding.still_working = still_working(&points, &looks);
    finding.checks = fallen_checks(scenario, &looks, &finding.still_working);
    finding.services = fallen_services(record, &looks, &ends, finding.culprit);
    let first = finding.services.first();
    finding.log_tail = first.and_then(|first| {
        let of_first = ends.iter().filter(|end| end.service == *first);
        of_first.map(|end| end.log_tail.clone()).find(|tail| !tail.is_empty())
    });
    // What came first says most, and of that the look at the service that breaks first.
    let onset = points.iter().flatten().filter(|point| point.failed()).map(|point| point.at).min();
    let mut earliest = points
        .iter()
        .flatten()
        .filter(|point| Some(point.at) == onset)
        .flat_map(|point| &point.looks)
        .filter(|look| look.met == Some(false))
        .peekable();
    let any = earliest.peek().copied();
    let telling = earliest.find(|look| first.is_some_and(|first| look.target() == first.as_str())).or(any);
    let botched = points.iter().flatten().find_map(|point| Some((point.at, point.botched?)));
    match (telling, ends.first()) {
        (None, None) if botched.is_some() => {
            let Some((at, (rotation, reason))) = botched else { return };
            finding.expected = Some(format!("rotation {rotation} ends well"));
            finding.seen = Some(reason.to_owned());
            finding.seen_at = Some(at);
            finding.location = scenario.rotation(rotation).map(|rotation| rotation.location.clone());
        }
        (Some(look), _) => {
            tell(finding, look);
            let gone = ends.iter().find(|end| end.service.as_str() == look.target());
            let gone = gone.filter(|end| end.code.is_some()).map(|end| words::ended(end));
            if let (Seen::Absent { .. }, Some(gone), Some(seen)) =
                (&look.observation.seen, gone, &mut finding.seen)
                && !seen.contains(&gone)
            {
                *seen += &format!("; {gone}");
            }
        }
        (None, Some(end)) => tell_end(finding, end, scenario),
        (None, None) => {}
    }
}

/// What `look` was to see, what it saw, when, and which line of the scenario asks for it.
pub(super) fn tell(finding: &mut Finding, look: &Look<'_>) {
    let at = look.observation.begin.second;
    let span = look.check.expectation_at(at);
    finding.expected = span.map(|span| words::expected_of(look.check, &span.expectation, look.observation));
    finding.location = Some(span.map_or(&look.check.location, |span| &span.location).clone());
    finding.seen = Some(match span.map(|span| &span.expectation) {
        Some(Expectation::Serves { .. }) => words::shown(look.observation),
        Some(Expectation::Works(works)) => words::looked(look.observation, works),
        Some(Expectation::Rejected { .. }) | None => words::seen(&look.observation.seen),
    });
    finding.seen_at = Some(at);
}

/// The same of a main process that ended.
pub(super) fn tell_end(finding: &mut Finding, end: &ServiceEnd, scenario: &Scenario) {
    finding.expected = Some(format!("{} runs", end.service));
    finding.location = scenario.service(&end.service).map(|service| service.location.clone());
    finding.seen = Some(words::ended(end));
    finding.seen_at = Some(end.at.second);
}

/// The checkpoints of a failing case that show this break: from its first failure on, and of a walk only those
/// before the next boundary and as long as time elapses behind one; later something else may have fallen.
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
        .filter(|point| !walks || point.at.secs_since(failure.at) <= scenario.planning.dwell_secs())
        .collect()
}

/// Ends that belong to the first failure of a case.
fn fallen_ends<'a>(record: &'a RunRecord, case: &'a CaseRecord) -> Vec<&'a ServiceEnd> {
    let scenario = &record.scenario;
    let Some(failure) = first_failure(case, scenario) else { return Vec::new() };
    fatal_ends(case, scenario, &failure)
}

/// Failing checks in the order of the scenario, with the connections over which they fail. A connection that outlived
/// the break and is lost later is no part of it: services close idle sessions by themselves.
fn fallen_checks(
    scenario: &Scenario,
    looks: &[&Look<'_>],
    outlived: &[(CheckName, Connection)],
) -> Vec<(CheckName, Vec<Connection>)> {
    let belongs = |look: &Look<'_>| {
        is_over_its_kind(look) && !outlived.contains(&(look.check.name.clone(), look.connection))
    };
    let fallen = |check: &Check| {
        let of_check = || looks.iter().filter(|look| look.check.name == check.name);
        let mut over: BTreeSet<Connection> =
            of_check().filter(|look| belongs(look)).map(|look| look.connection).collect();
        if over.is_empty() {
            over.extend(of_check().map(|look| look.connection));
        }
        (check.name.clone(), over.into_iter().collect::<Vec<_>>())
    };
    scenario.checks.iter().map(fallen).filter(|(_, connections)| !connections.is_empty()).collect()
}

/// What worked in a failing case at an instant at which the same check fails over another connection, or in another case,
/// and was not refused later by the same processes: sessions, and processes that live on. Another verifier may refuse a
/// second later; what works until then does not live on.
fn still_working(cases: &[Vec<Checkpoint<'_>>], fallen: &[&Look<'_>]) -> Vec<(CheckName, Connection)> {
    let fails_by = |look: &Look<'_>| {
        let mut failing = fallen.iter().filter(|other| other.check.name == look.check.name);
        failing.any(|other| other.observation.begin.second <= look.observation.begin.second)
    };
    let mut working = Vec::new();
    for points in cases {
        let same = points.iter().enumerate();
        let same = same.take_while(|(index, point)| *index == 0 || point.restarted.is_empty());
        let looks: Vec<&Look<'_>> = same.flat_map(|(_, point)| &point.looks).collect();
        for look in looks.iter().filter(|look| look.met == Some(true) && is_over_its_kind(look)) {
            let refused = looks.iter().any(|other| {
                other.check.name == look.check.name
                    && other.connection == look.connection
                    && other.met == Some(false)
                    && is_over_its_kind(other)
                    && !matches!(other.observation.seen, Seen::Absent { .. })
            });
            let entry = (look.check.name.clone(), look.connection);
            if fails_by(look) && !refused && !working.contains(&entry) {
                working.push(entry);
            }
        }
    }
    working
}

/// Whether a look tells of the kind of connection that it was meant for. Where none could be held from an earlier
/// checkpoint, a look over a held connection opens a new one, and its failure says nothing of held ones.
fn is_over_its_kind(look: &Look<'_>) -> bool {
    match look.connection {
        Connection::Fresh | Connection::Resumed => true,
        Connection::Held => {
            let begin = look.observation.begin.second;
            look.observation.opened.is_some_and(|opened| opened.second < begin)
        }
    }
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
        .filter_map(|look| ServiceName::new(look.target()).ok())
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
