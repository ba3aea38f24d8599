//! A case as the instants on which its clock stands.

use notafter_core::{Case, CaseClock, Motion, Pace, Step, UnixTime};

/// One instant on which the clock of a case stands, and what happens there.
#[derive(Debug)]
pub(crate) struct Stop<'a> {
    /// On the candidate's clock; none for a native case, which runs on the host's.
    pub(crate) at: Option<UnixTime>,
    /// How the clock came here; none where the services start.
    pub(crate) arrived: Option<Motion>,
    /// What happens before the clock moves on.
    pub(crate) steps: Vec<&'a Step>,
}

/// The stops of a case, the start of its services first.
pub(crate) fn stops(case: &Case) -> Vec<Stop<'_>> {
    let at = match case.clock {
        CaseClock::Native => None,
        CaseClock::Shifted(at) => Some(at),
    };
    let mut current = Stop { at, arrived: None, steps: Vec::new() };
    let mut stops = Vec::new();
    for step in &case.steps {
        match step {
            Step::Check { .. } | Step::Restart { .. } | Step::Rotate { .. } => current.steps.push(step),
            Step::Move { motion, to } => {
                let next = Stop { at: Some(*to), arrived: Some(*motion), steps: Vec::new() };
                stops.push(std::mem::replace(&mut current, next));
            }
        }
    }
    stops.push(current);
    stops
}

/// The instants at which a case runs checks, in time order, each once; none for a native case.
pub(crate) fn checked_instants(case: &Case) -> Vec<UnixTime> {
    let checks = |stop: &Stop<'_>| stop.steps.iter().any(|step| matches!(step, Step::Check { .. }));
    let mut instants: Vec<UnixTime> =
        stops(case).iter().filter(|stop| checks(stop)).filter_map(|stop| stop.at).collect();
    instants.sort_unstable();
    instants.dedup();
    instants
}

/// How the clock came to a stop.
pub(crate) fn motion(motion: Motion) -> &'static str {
    match motion {
        Motion::Elapse(Pace::Leap) => "time elapses in one leap",
        Motion::Elapse(Pace::Walk) => "time elapses timer by timer",
        Motion::Step => "the wall clock alone is set",
    }
}
