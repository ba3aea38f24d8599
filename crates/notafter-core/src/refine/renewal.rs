//! Stops in the renewal windows: is a failing walk the gate's own doing?
//!
//! A leap wakes a timer once, at its end. What a service would have renewed in good time it then renews too late, and
//! nobody would ever see it fail so. Before such a walk is believed it is made again with stops where services renew.
//! What must never happen here: a walk that passes by chance becoming an excuse. It counts only where the renewal
//! itself was seen.

use super::cold::Waiting;
use super::known::{Known, Ran, Wanted};
use super::plan::{case_id, check_all, elapse, walk};
use crate::checkpoint::{Failure, first_instant};
use crate::renewal::{is_rotated, leaf, renewed};
use crate::{Case, CaseId, Credential, Origin, Pace, RunRecord, Scenario, Span, Step, UnixTime, memory};
use std::collections::BTreeSet;

/// Where services renew, in days before the end.
const DAYS_BEFORE: [i64; 3] = [30, 7, 1];
/// Parts of a life between two stops, for certificates that are not known yet when the walk is planned: renewal at
/// two thirds of a life is then no later than at three quarters.
const PARTS: i64 = 12;
/// More stops than this no walk makes.
const MAX_STOPS: i64 = 500;
/// How often a walk is made again with the windows of the certificates that the one before it showed.
pub(super) const MAX_ROUNDS: usize = 3;

/// What stops in the renewal windows show of a failing walk.
#[derive(Debug)]
pub(super) enum Renewal<'a> {
    /// With them the service renewed, and what failed did not fail then.
    Helps(Box<Ran<'a>>),
    /// Nothing ran out before the failure that could have been renewed, or the stops change nothing.
    Irrelevant,
    /// What is shown lives so briefly that no walk can stop in each of its windows.
    TooBrief(Span),
}

/// Makes `walked` again with stops in the renewal windows of what was shown in it.
pub(super) fn investigate<'a>(
    known: &mut Known<'a>,
    walked: &Ran<'a>,
    failure: &Failure,
    round: usize,
) -> Result<Renewal<'a>, Waiting> {
    let ended: Vec<&Credential> = shown(walked, known.record)
        .into_iter()
        .filter(|credential| credential.not_after < failure.at)
        .collect();
    let Some(life) = shown(walked, known.record).into_iter().map(life).min().filter(|_| !ended.is_empty())
    else {
        return Ok(Renewal::Irrelevant);
    };
    if is_too_brief(&known.record.scenario, life) {
        return Ok(Renewal::TooBrief(Span::from_secs(life)));
    }
    let id = case_id(&format!("walk-renewals-{round}"));
    let case = stopping(known.record, walked, (life / PARTS).max(1), id);
    Ok(match known.want(case) {
        Wanted::Missing => return Err(Waiting),
        Wanted::Lost => Renewal::Irrelevant,
        Wanted::Ran(ran) => {
            let later = ran.failure.as_ref().is_none_or(|now| now.at > failure.at);
            // By what failed, not by another service.
            let seen =
                renewed(known.record, ran.record).iter().flat_map(|renewed| &renewed.given_up).any(|old| {
                    ended.iter().any(|ended| ended.subject == old.subject && old.not_after <= failure.at)
                });
            match later && seen {
                true => Renewal::Helps(ran),
                false => Renewal::Irrelevant,
            }
        }
    })
}

/// The walk over the ends of what `walked` was served, with stops where services renew that: what comes after it is served
/// then too, and a renewal that fails one day shows, however many went well before.
pub(super) fn served(record: &RunRecord, walked: &Ran<'_>) -> Case {
    let id = case_id("walk-served");
    match shown(walked, record).into_iter().map(life).min() {
        Some(life) if !is_too_brief(&record.scenario, life) => {
            stopping(record, walked, (life / PARTS).max(1), id)
        }
        Some(_) | None => walk(record, id),
    }
}

/// Certificates that services made or got by themselves in a walk, and showed or held in memory alone.
fn shown<'a>(walked: &Ran<'a>, record: &'a RunRecord) -> Vec<&'a Credential> {
    let scenario = &record.scenario;
    let looks = walked.record.observations.iter();
    let own = looks.filter(|observation| !is_rotated(scenario, &observation.served));
    let leaves = own.filter_map(|observation| leaf(&observation.served));
    let served = leaves.filter(|credential| credential.origin == Origin::Served && life(credential) > 0);
    let held = walked.record.memory.iter().flat_map(|read| &read.processes).flat_map(|process| &process.held);
    let held = held.filter_map(|held| record.inventory.find(*held));
    let held = held.filter(|it| it.origin == Origin::Memory && !is_too_brief(scenario, life(it)));
    let mut seen = BTreeSet::new();
    served
        .chain(held.filter(|it| memory::is_of_one_launch(record, it.fingerprint)))
        .filter(|credential| credential.not_after != UnixTime::NO_EXPIRY)
        .filter(|credential| seen.insert(credential.fingerprint))
        .collect()
}

/// Whether no walk can stop in each window of what lives for so many seconds.
fn is_too_brief(scenario: &Scenario, life: i64) -> bool {
    scenario.horizon.secs_since(scenario.start.instant()) / MAX_STOPS > life / PARTS
}

fn life(credential: &Credential) -> i64 {
    credential.not_after.secs_since(credential.not_before)
}

/// The walk with stops in the windows of what `walked` showed, and every `cadence` seconds for what nobody has seen
/// yet.
fn stopping(record: &RunRecord, walked: &Ran<'_>, cadence: i64, id: CaseId) -> Case {
    let scenario = &record.scenario;
    let mut windows: BTreeSet<UnixTime> = BTreeSet::new();
    for credential in shown(walked, record) {
        let (begin, end) = (credential.not_before, credential.not_after);
        let days = DAYS_BEFORE.iter().map(|days| end.plus_secs(-days * 86_400));
        let thirds = begin.plus_secs(life(credential) / 3 * 2 + 1);
        windows.extend(days.chain([thirds]).filter(|at| *at > begin));
    }
    let known: Vec<UnixTime> =
        windows.iter().copied().take(usize::try_from(MAX_STOPS).unwrap_or(0)).collect();

    let base = walk(record, id);
    let start = first_instant(base.clock, scenario);
    let regular = (1..=MAX_STOPS).map(|part| start.plus_secs(part.saturating_mul(cadence)));
    let stops: BTreeSet<UnixTime> = regular.chain(known.iter().copied()).collect();
    let mut now = start;
    let mut steps = Vec::new();
    for original in base.steps {
        if let Step::Move { to, .. } = original {
            for at in stops.iter().copied().filter(|at| *at < to) {
                if at <= now {
                    continue;
                }
                steps.extend([elapse(Pace::Leap, at), check_all(scenario)]);
                now = at;
                // A daily timer fires in a window at the latest a day after it opens.
                let dwelt =
                    at.plus_secs(scenario.planning.dwell_secs().min(cadence / 2)).min(to.plus_secs(-1));
                if known.contains(&at) && dwelt > now {
                    steps.extend([elapse(Pace::Walk, dwelt), check_all(scenario)]);
                    now = dwelt;
                }
            }
            now = to;
        }
        steps.push(original);
    }
    let reason = format!("{}, with stops where what it showed is renewed", base.reason);
    Case { reason, steps, ..base }
}
