//! The cases that every run holds: controls, walk, cold start at the horizon.

use super::boundary::{Boundary, MAX_STOPS, boundaries, grouped};
use super::calendar::moments;
use super::full;
use super::hours;
use crate::{
    Case, CaseClock, CaseId, Check, CheckName, CredentialName, Motion, Pace, Purpose, RestartOrder,
    RunRecord, Scenario, ServiceName, Start, Step, UnixTime,
};
use std::collections::BTreeSet;

/// The control stands at most this long after `start`.
pub(super) const CONTROL_AT_MOST_SECS: i64 = 86_400;
/// So long behind each boundary a walk looks between it and the end of the time that elapses there.
const SOON_SECS: i64 = 3_600;
/// A stale list has ended so long before `start`: further back than any verifier takes clocks to be off.
const STALE_SINCE_SECS: i64 = 30 * 86_400;
/// An id of letters that [`CaseId`] accepts by construction.
pub(super) fn case_id(text: &str) -> CaseId {
    CaseId::new(text).expect("ids are made here from short words and digits")
}

/// `cold-2018-12-06T043000Z`.
pub(super) fn instant_id(prefix: &str, at: UnixTime) -> CaseId {
    let plain: String = at.to_string().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    case_id(&format!("{prefix}-{plain}"))
}

/// Runs every check of the scenario but those that are asked while a list is stale.
pub(super) fn check_all(scenario: &Scenario) -> Step {
    let checks = scenario.checks.iter().filter(|check| check.stale.is_empty());
    Step::Check { checks: checks.map(|check| check.name.clone()).collect() }
}

/// The same as the control, with revocation lists that have ended; none where no check asks for it.
fn stale(scenario: &Scenario, at: UnixTime) -> Option<Case> {
    let asking = scenario.checks.iter().filter(|check| !check.stale.is_empty());
    let checks: Vec<CheckName> = asking.clone().map(|check| check.name.clone()).collect();
    let lists: BTreeSet<&CredentialName> = asking.flat_map(|check| &check.stale).collect();
    let credentials: Vec<CredentialName> = lists.into_iter().cloned().collect();
    let names: Vec<&str> = credentials.iter().map(CredentialName::as_str).collect();
    let until = scenario.start.instant().plus_secs(-STALE_SINCE_SECS);
    let reason = format!(
        "at {at}, with {} that ended at {until}, to show that nobody is let in on a stale list",
        names.join(" and ")
    );
    (!credentials.is_empty()).then(|| Case {
        id: case_id("stale-list"),
        purpose: Purpose::Stale { credentials, until },
        reason,
        clock: CaseClock::Shifted(at),
        steps: vec![Step::Check { checks }],
    })
}

pub(super) fn elapse(pace: Pace, to: UnixTime) -> Step {
    Step::Move { motion: Motion::Elapse(pace), to }
}

pub(super) fn every_service(scenario: &Scenario) -> Vec<ServiceName> {
    scenario.services.iter().map(|service| service.name.clone()).collect()
}

/// Where the shifted control stands: beyond `start`, short of the first boundary and of the horizon.
pub(super) fn control_instant(record: &RunRecord) -> UnixTime {
    let (start, horizon) = (record.scenario.start.instant(), record.scenario.horizon);
    let first = boundaries(record, start, horizon).first().map_or(horizon, Boundary::before);
    let half = first.secs_since(start).max(0) / 2;
    start.plus_secs(half.min(CONTROL_AT_MOST_SECS))
}

/// One to three cases in which nothing may fail.
pub(super) fn controls(record: &RunRecord) -> Vec<Case> {
    let scenario = &record.scenario;
    let steps = vec![check_all(scenario)];
    let native = match scenario.start {
        Start::Fixed(_) => None,
        Start::Now(_) => Some(Case {
            id: case_id("control-native"),
            purpose: Purpose::Control,
            reason: "on the machine's own clock with no engine, to show that the scenario itself works"
                .to_owned(),
            clock: CaseClock::Native,
            steps: steps.clone(),
        }),
    };
    let at = control_instant(record);
    let shifted = Case {
        id: case_id("control"),
        purpose: Purpose::Control,
        reason: format!("at {at}, before anything in the window changes, to show that all works there"),
        clock: CaseClock::Shifted(at),
        steps,
    };
    native.into_iter().chain([shifted]).chain(stale(scenario, at)).collect()
}

/// A fresh start of everything at `at`.
pub(super) fn cold(record: &RunRecord, id: CaseId, at: UnixTime, reason: String) -> Case {
    let steps = vec![check_all(&record.scenario)];
    Case { id, purpose: Purpose::Cold, reason, clock: CaseClock::Shifted(at), steps }
}

/// A fresh start of everything at the end of the support window.
pub(super) fn cold_at_horizon(record: &RunRecord) -> Case {
    let at = record.scenario.horizon;
    let reason = format!("a fresh start at {at}, the end of the support window");
    cold(record, case_id("cold"), at, reason)
}

/// One launch that lives through every boundary of the window that is known so far.
pub(super) fn walk(record: &RunRecord, id: CaseId) -> Case {
    let scenario = &record.scenario;
    let (start, horizon) = (scenario.start.instant(), scenario.horizon);
    let all = boundaries(record, start, horizon);
    let count = all.len();
    let stops = grouped(all);
    let moments = moments(record);
    let grouping = match count > MAX_STOPS {
        true => format!(", {count} boundaries grouped into {} stops", stops.len()),
        false => String::new(),
    };
    let reason = match count {
        0 => format!("from {start} to {horizon} with the same processes, across no known boundary"),
        1 => format!("from {start} to {horizon} with the same processes, across 1 boundary"),
        _ => {
            format!("from {start} to {horizon} with the same processes, across {count} boundaries{grouping}")
        }
    };
    let reason = match moments.len() {
        0 => reason,
        more => format!("{reason}, with {more} stops more of full depth"),
    };
    let clock = CaseClock::Shifted(start);
    let steps = full::with_moments(walk_steps(scenario, &stops), &moments, scenario);
    let steps = hours::with_looks(steps, &hours::looks(scenario, &stops), scenario);
    let steps = with_rotations(scenario, start, steps);
    Case { id, purpose: Purpose::Walk, reason, clock, steps }
}

/// `steps`, which begin at `begin`, with every rotation at its instant: motions across one are split there.
pub(super) fn with_rotations(scenario: &Scenario, begin: UnixTime, steps: Vec<Step>) -> Vec<Step> {
    let mut now = begin;
    let mut found = Vec::with_capacity(steps.len());
    for step in steps {
        let Step::Move { motion, to } = step else {
            found.push(step);
            continue;
        };
        let from = now;
        for rotation in scenario.rotations.iter().filter(|rotation| rotation.at > from && rotation.at <= to) {
            if rotation.at > now {
                found.push(Step::Move { motion, to: rotation.at });
                now = rotation.at;
            }
            found.push(Step::Rotate { rotation: rotation.name.clone() });
        }
        if to > now {
            found.push(Step::Move { motion, to });
            now = to;
        }
    }
    found
}

/// The restarts behind a stop, with a look after each.
fn restarts_on_the_way(scenario: &Scenario) -> Vec<Step> {
    let restarted = match scenario.planning.restart {
        RestartOrder::Candidate => vec![scenario.candidate.service.clone()],
        RestartOrder::Rolling => every_service(scenario),
    };
    one_by_one(restarted, scenario)
}

/// A restart of each of `services` for itself, with a look after each.
pub(super) fn one_by_one(services: Vec<ServiceName>, scenario: &Scenario) -> Vec<Step> {
    let restart = |service| [Step::Restart { services: vec![service] }, check_all(scenario)];
    services.into_iter().flat_map(restart).collect()
}

/// Check, live through each stop, dwell behind it, restart the candidate where the stop is its own; at the horizon
/// restart everything.
fn walk_steps(scenario: &Scenario, stops: &[Boundary]) -> Vec<Step> {
    let (horizon, dwell) = (scenario.horizon, scenario.planning.dwell_secs());
    let mut now = scenario.start.instant();
    let mut steps = vec![check_all(scenario)];
    let mut restart = false;
    let go = |steps: &mut Vec<Step>, now: &mut UnixTime, pace: Pace, to: UnixTime| {
        if to > *now {
            steps.extend([elapse(pace, to), check_all(scenario)]);
            *now = to;
        }
    };
    for (index, stop) in stops.iter().enumerate() {
        let limit = stops.get(index + 1).map_or(horizon, Boundary::before).max(stop.last);
        if stop.expected {
            // In the last second of a span either answer is accepted; the one before it shows which is given.
            go(&mut steps, &mut now, Pace::Leap, stop.before().plus_secs(-1));
        }
        go(&mut steps, &mut now, Pace::Leap, stop.before());
        let across = if stop.last.secs_since(stop.before()) > dwell { Pace::Leap } else { Pace::Walk };
        go(&mut steps, &mut now, across, stop.last);
        // Caches have lapsed by then, and nightly jobs have not yet mended what fell.
        if dwell > SOON_SECS {
            go(&mut steps, &mut now, Pace::Walk, stop.last.plus_secs(SOON_SECS).min(limit));
        }
        // Restarting earlier would hide what only a process that lives on can show.
        go(&mut steps, &mut now, Pace::Walk, stop.last.plus_secs(dwell).min(limit));
        // A restart would hide that old material is still in use.
        restart |= stop.own || full::restarts_everywhere(scenario);
        if restart && !scenario.is_rotating(now) {
            restart = false;
            steps.extend(restarts_on_the_way(scenario));
        }
    }
    // What must go on must have come in the last stretch of all. Over a longer one a line at its beginning would do.
    let mut stretches: Vec<i64> = scenario.checks.iter().filter_map(Check::stretch).collect();
    stretches.sort_unstable();
    for stretch in stretches.into_iter().rev() {
        go(&mut steps, &mut now, Pace::Leap, horizon.plus_secs(stretch.saturating_neg()));
    }
    go(&mut steps, &mut now, Pace::Leap, horizon);
    steps.extend([Step::Restart { services: every_service(scenario) }, check_all(scenario)]);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_names() {
        for (at, id) in [
            (UnixTime::parse("2018-12-06T04:30:00Z").unwrap(), "cold-2018-12-06T043000Z"),
            (UnixTime::MIN, "cold--009999-01-02T015959Z"),
            (UnixTime::NO_EXPIRY, "cold-9999-12-31T235959Z"),
        ] {
            assert_eq!(instant_id("cold", at).as_str(), id);
        }
    }
}
