//! What a case came to, step by step: each look beside what the scenario expects of it.
//!
//! Refining, judging and the runner's outcome all read a case through here, so that they cannot disagree.

use crate::{
    CaseClock, CaseRecord, Check, Connection, Observation, Outcome, Reading, Restart, Rotation, RotationName,
    Scenario, Seen, ServiceEnd, ServiceName, Step, Test, UnixTime,
};
use std::collections::BTreeMap;

/// Who crashes so soon after a start does so at every start.
pub(crate) const LOOP_SECS: i64 = 600;

/// One look and whether it met its expectation; none where it decides nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) check: &'a Check,
    pub(crate) connection: Connection,
    pub(crate) observation: &'a Observation,
    pub(crate) met: Option<bool>,
}

impl Look<'_> {
    /// The service or host at which it ended.
    pub(crate) fn target(&self) -> &str {
        self.observation.target(self.check)
    }
}

/// One `Check` step and everything seen in it.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoint<'a> {
    /// Index of the step.
    pub(crate) step: usize,
    /// Where the clock stands, by the plan.
    pub(crate) at: UnixTime,
    /// What was restarted since the clock stands there.
    pub(crate) restarted: Vec<ServiceName>,
    pub(crate) looks: Vec<Look<'a>>,
    /// The rotation just before it that failed, and why.
    pub(crate) botched: Option<(&'a RotationName, &'a str)>,
}

impl Checkpoint<'_> {
    pub(crate) fn failed(&self) -> bool {
        self.botched.is_some() || self.failing().next().is_some()
    }

    /// Looks that were made and were not as expected. One that was not due stands for an earlier failure.
    fn failing(&self) -> impl Iterator<Item = &Look<'_>> {
        self.looks.iter().filter(|look| look.met == Some(false) && look.observation.tries > 0)
    }
}

/// Where a case fails first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Index of the step that showed it.
    pub(crate) step: usize,
    /// When, on the candidate's clock.
    pub(crate) at: UnixTime,
    /// The last checkpoint before it at which everything was as expected.
    pub(crate) last_pass: Option<UnixTime>,
    /// What was restarted just before, while the clock stood.
    pub(crate) restarted: Vec<ServiceName>,
}

/// Where the clock of `case` stands when its services start; a native one stands at the scenario's start.
pub(crate) fn first_instant(clock: CaseClock, scenario: &Scenario) -> UnixTime {
    match clock {
        CaseClock::Native => scenario.start.instant(),
        CaseClock::Shifted(at) => at,
    }
}

/// Every `Check` step of `case`, in order, whether or not it was reached.
pub(crate) fn checkpoints<'a>(case: &'a CaseRecord, scenario: &'a Scenario) -> Vec<Checkpoint<'a>> {
    let mut now = first_instant(case.case.clock, scenario);
    let mut restarted = Vec::new();
    let (mut found, mut botched) = (Vec::new(), None);
    let mut by_step: BTreeMap<usize, Vec<&Observation>> = BTreeMap::new();
    for observation in &case.observations {
        by_step.entry(observation.step).or_default().push(observation);
    }
    for (index, step) in case.case.steps.iter().enumerate() {
        match step {
            Step::Move { to, .. } => {
                now = *to;
                restarted.clear();
            }
            Step::Restart { services } => restarted.extend(services.iter().cloned()),
            Step::Rotate { .. } => {
                let done = case.rotated.iter().find(|rotated| rotated.step == index);
                let failed = done.and_then(|rotated| Some((&rotated.rotation, rotated.failed.as_deref()?)));
                botched = botched.or(failed);
            }
            Step::Check { .. } => found.push(Checkpoint {
                step: index,
                at: now,
                restarted: restarted.clone(),
                looks: looks(by_step.get(&index).map_or(&[], Vec::as_slice), scenario),
                botched: botched.take(),
            }),
        }
    }
    found
}

fn looks<'a>(observations: &[&'a Observation], scenario: &'a Scenario) -> Vec<Look<'a>> {
    let mut looks: Vec<Look<'a>> = Vec::new();
    for observation in observations.iter().copied() {
        let Some(check) = scenario.check(&observation.check) else { continue };
        let met = check.is_met_by(observation);
        let look = Look { check, connection: observation.connection, observation, met };
        match looks.iter_mut().find(|l| l.check.name == check.name && l.connection == look.connection) {
            Some(known) => *known = look,
            None => looks.push(look),
        }
    }
    excuse_lost_sessions(&mut looks);
    looks
}

/// Services close idle sessions by themselves, and a long walk leaves every session idle. A held connection that is
/// gone breaks nobody while a new one works.
fn excuse_lost_sessions(looks: &mut [Look<'_>]) {
    for index in 0..looks.len() {
        let look = looks[index];
        let lost = look.connection == Connection::Held
            && look.met == Some(false)
            && matches!(look.observation.seen, Seen::Absent { .. });
        let fresh_works = || {
            looks.iter().any(|other| {
                other.check.name == look.check.name
                    && other.connection == Connection::Fresh
                    && other.met == Some(true)
            })
        };
        if lost && fresh_works() {
            looks[index].met = Some(true);
        }
    }
}

/// Whether the end of a main process is a failure by itself, whatever the checks say.
pub(crate) fn counts(end: &ServiceEnd, case: &CaseRecord, scenario: &Scenario) -> bool {
    let forbidden = |rotation: &Rotation| {
        let served = rotation.served.as_ref().filter(|served| served.by == end.service);
        let performed = case.rotated.iter().any(|rotated| rotated.rotation == rotation.name);
        let meanwhile = rotation.at <= end.at.second && rotation.deadline() >= Some(end.at.second);
        performed && meanwhile && served.is_some_and(|served| served.without_restart)
    };
    if scenario.rotations.iter().any(forbidden) {
        return true;
    }
    let recovered = || case.ready.iter().any(|(name, at)| *name == end.service && *at >= end.at);
    let restart = scenario.service(&end.service).map_or(Restart::Never, |service| service.restart);
    match (restart, end.before_ready) {
        (Restart::Always, _) => !recovered() || is_of_loop(end, case),
        (Restart::Never, true) => true,
        // A peer that is done exits with 0; a candidate that goes away is gone, whatever it says of itself.
        (Restart::Never, false) => end.code != Some(0) || end.service == scenario.candidate.service,
    }
}

/// Whether the service crashed again soon after it was started anew behind `end`, or `end` is such a crash itself. Whoever
/// crashes once may have read new files; whoever does so again and again serves nobody.
fn is_of_loop(end: &ServiceEnd, case: &CaseRecord) -> bool {
    let crashes = || case.ends.iter().filter(|it| it.service == end.service && it.code != Some(0));
    let again = |first: &ServiceEnd, then: &ServiceEnd| {
        let between = case.ready.iter().filter(|(name, at)| {
            *name == end.service && *at >= first.at && *at <= then.at && first.at <= then.at
        });
        // The clock stands while it is started anew: what is ready in the instant of `then` is so behind it, unless nothing
        // else was between them.
        let (at_once, before): (Vec<_>, Vec<_>) = between.partition(|(_, at)| *at == then.at);
        let ready = before.last().or(at_once.last());
        ready.is_some_and(|(_, ready)| then.at.second.secs_since(ready.second) <= LOOP_SECS)
    };
    end.code != Some(0) && crashes().any(|other| other != end && (again(end, other) || again(other, end)))
}

/// Where `case` fails first, as its observations and ends tell it.
pub(crate) fn first_failure(case: &CaseRecord, scenario: &Scenario) -> Option<Failure> {
    let ends: Vec<&ServiceEnd> = case.ends.iter().filter(|end| counts(end, case, scenario)).collect();
    let mut last_pass = None;
    let points = checkpoints(case, scenario);
    for (index, point) in points.iter().enumerate() {
        let ended = ends.iter().any(|end| {
            // The record does not order ends and looks within a second. Where the service is restarted in that
            // second and nothing failed before, its end belongs to the restart.
            end.at.second <= point.at && !is_restarted_later(case, scenario, point, end)
        });
        if point.failed() || ended {
            let restarted = point.restarted.clone();
            if !ended && point.failing().next().is_some() && point.failing().all(is_stream) {
                last_pass = point.failing().filter_map(|look| last_seen_going(&points[..index], look)).min();
            }
            return Some(Failure { step: point.step, at: point.at, last_pass, restarted });
        }
        if !point.looks.is_empty() && point.looks.iter().all(|look| look.met == Some(true)) {
            last_pass = Some(point.at);
        }
    }
    ends.first().map(|end| Failure {
        step: points.last().map_or(0, |point| point.step),
        at: end.at.second,
        last_pass,
        restarted: points.last().map(|point| point.restarted.clone()).unwrap_or_default(),
    })
}

fn is_stream(look: &Look<'_>) -> bool {
    let falters =
        |reading: &Reading| matches!(reading.assertion.test, Test::Rises { .. }) && !reading.holds();
    look.check.probe.stretch().is_some()
        || look.observation.readings.iter().any(|reading| falters(reading) && reading.control.is_some())
}

/// When what had ceased at `look` certainly still went on: at the look before the last one that saw a line, which may have
/// been written right behind it.
fn last_seen_going(before: &[Checkpoint<'_>], look: &Look<'_>) -> Option<UnixTime> {
    let due = |point: &&Checkpoint<'_>| {
        point.looks.iter().any(|other| other.check.name == look.check.name && other.observation.is_due())
    };
    let begun = before.first().map(|point| point.at);
    before.iter().filter(due).rev().nth(1).map(|point| point.at).or(begun)
}

/// Ends that count and belong to the first failure of a case.
pub(crate) fn fatal_ends<'a>(
    case: &'a CaseRecord,
    scenario: &Scenario,
    failure: &Failure,
) -> Vec<&'a ServiceEnd> {
    let through = match case.case.clock {
        CaseClock::Shifted(_) => failure.at,
        // The host's clock runs on from where the plan saw it.
        CaseClock::Native => {
            let looks = case.observations.iter().filter(|look| look.step <= failure.step);
            looks.map(|look| look.end.second).max().map_or(failure.at, |seen| seen.max(failure.at))
        }
    };
    let counting = case.ends.iter().filter(|end| counts(end, case, scenario));
    counting.filter(|end| end.at.second <= through).collect()
}

/// Whether the service that ended is restarted in the second of its end, after `point`.
fn is_restarted_later(
    case: &CaseRecord,
    scenario: &Scenario,
    point: &Checkpoint<'_>,
    end: &ServiceEnd,
) -> bool {
    let mut now = first_instant(case.case.clock, scenario);
    case.case.steps.iter().enumerate().any(|(index, step)| match step {
        Step::Move { to, .. } => {
            now = *to;
            false
        }
        Step::Restart { services } => {
            index > point.step && now == end.at.second && services.contains(&end.service)
        }
        Step::Check { .. } | Step::Rotate { .. } => false,
    })
}

impl CaseRecord {
    /// The looks that count, in the order of the steps, and whether each met its expectation: a session that was lost
    /// while a new one works counts as met. None where a look decides nothing.
    #[must_use]
    pub fn looks<'a>(&'a self, scenario: &'a Scenario) -> Vec<(&'a Observation, Option<bool>)> {
        let points = checkpoints(self, scenario);
        points.iter().flat_map(|point| &point.looks).map(|look| (look.observation, look.met)).collect()
    }

    /// What the observations and ends of the case amount to: `Fail` where an expectation was not met or a service
    /// did not get or stay up, else `Pass`. It says nothing of how complete the case is; see [`crate::judge`].
    #[must_use]
    pub fn outcome_from_observations(&self, scenario: &Scenario) -> Outcome {
        match first_failure(self, scenario) {
            None => Outcome::Pass,
            Some(_) => Outcome::Fail,
        }
    }
}

/// Where the clock of a case stands at its end; none where no step moves it.
pub(crate) fn last_instant(case: &crate::Case) -> Option<UnixTime> {
    case.steps.iter().rev().find_map(|step| match step {
        Step::Move { to, .. } => Some(*to),
        Step::Check { .. } | Step::Restart { .. } | Step::Rotate { .. } => None,
    })
}
