//! What memory shows of a case, launch by launch of each service.

use super::{MemoryRead, ProcessRead};
use crate::checkpoint::first_instant;
use crate::{
    Case, CaseClock, CaseRecord, Credential, Fingerprint, Origin, Purpose, RunRecord, ServiceName, Step,
    UnixTime, is_anchor,
};
use std::collections::BTreeSet;

/// What is made now is often valid from a little earlier on, or from midnight.
const DAY_SECS: i64 = 86_400;

/// The processes of `case` that held it, with their services.
pub(crate) fn kept_by(
    case: &CaseRecord,
    fingerprint: Fingerprint,
) -> impl Iterator<Item = (&ServiceName, &ProcessRead)> {
    case.memory.iter().flat_map(move |read| {
        let holding = read.processes.iter().filter(move |process| process.held.contains(&fingerprint));
        holding.map(|process| (&read.service, process))
    })
}

/// Whether a process of `case` held it.
pub(crate) fn holds(case: &CaseRecord, fingerprint: Fingerprint) -> bool {
    kept_by(case, fingerprint).next().is_some()
}

/// What memory alone held in walks, before anything there was started anew: what a restart made is of that start alone.
pub(crate) fn lived(record: &RunRecord) -> BTreeSet<Fingerprint> {
    let walks = record.cases.iter().filter(|case| case.case.purpose == Purpose::Walk);
    let reads = walks.flat_map(|case| case.memory.iter().map(move |read| (&case.case, read)));
    let first = reads.filter(|(case, read)| launches_before(case, read) == 0);
    first.flat_map(|(_, read)| held(read)).filter(|held| matters(record, *held).is_some()).collect()
}

/// The instants at which what the control held in memory alone changes, for a walk that has not run. What seems to have
/// been made in the control is dated from the start of the walk.
pub(crate) fn predicted(record: &RunRecord) -> BTreeSet<UnixTime> {
    if record.cases.iter().any(|case| case.case.purpose == Purpose::Walk) {
        return BTreeSet::new();
    }
    let start = record.scenario.start.instant();
    let controls = record.cases.iter().filter(|case| case.case.purpose == Purpose::Control);
    let mut found = BTreeSet::new();
    for case in controls {
        let CaseClock::Shifted(at) = case.case.clock else { continue };
        for fingerprint in case.memory.iter().flat_map(held) {
            let Some(known) = matters(record, fingerprint) else { continue };
            let changes = known.not_after.plus_secs(1);
            let made_there = at.secs_since(known.not_before).abs() <= DAY_SECS;
            found.insert(if made_there { changes.plus_secs(-at.secs_since(start)) } else { changes });
        }
    }
    found
}

/// Whether it was seen in launches at one instant alone: those at another instant make another.
pub(crate) fn is_of_one_launch(record: &RunRecord, fingerprint: Fingerprint) -> bool {
    let holding = record.cases.iter().filter(|case| holds(case, fingerprint));
    let instants: BTreeSet<UnixTime> =
        holding.map(|case| first_instant(case.case.clock, &record.scenario)).collect();
    instants.len() == 1
}

/// What services of `case` gave up in memory for another certificate with a later end, while they ran: one of the same
/// name but for numbers, which may tell when it was made. In time order for each service.
pub(crate) fn given_up<'a>(
    record: &'a RunRecord,
    case: &'a CaseRecord,
) -> Vec<(&'a ServiceName, Vec<&'a Credential>)> {
    let mut found: Vec<(&ServiceName, Vec<&Credential>)> = Vec::new();
    for (index, later) in case.memory.iter().enumerate() {
        let life = launches_before(&case.case, later);
        let same =
            |read: &&MemoryRead| read.service == later.service && launches_before(&case.case, read) == life;
        let Some(earlier) = case.memory[..index].iter().find(same) else { continue };
        if case.ends.iter().any(|end| end.service == later.service) {
            continue;
        }
        let of = |read: &'a MemoryRead| {
            let all: BTreeSet<Fingerprint> = held(read).collect();
            let known = move |held: &Fingerprint| record.inventory.find(*held);
            all.iter().filter_map(known).filter(|it| it.origin == Origin::Memory).collect::<Vec<_>>()
        };
        let before = of(earlier);
        let is_new = |it: &&Credential| !before.iter().any(|old| old.fingerprint == it.fingerprint);
        let new: Vec<&Credential> = of(later).into_iter().filter(is_new).collect();
        let last_end = |old: &Credential| {
            let same = new.iter().filter(|it| stem(&it.subject) == stem(&old.subject));
            same.map(|it| it.not_after).max().filter(|end| *end > old.not_after)
        };
        let ends = |it: &&Credential| it.not_after < record.scenario.horizon;
        let mut old: Vec<&Credential> =
            before.iter().copied().filter(ends).filter(|it| last_end(it).is_some()).collect();
        let between = new.iter().copied().filter(ends).filter(|it| last_end(it).is_some());
        let between: Vec<&Credential> =
            between.filter(|it| old.iter().any(|old| stem(&old.subject) == stem(&it.subject))).collect();
        old.extend(between);
        old.sort_by_key(|it| it.not_after);
        if !old.is_empty() {
            found.push((&later.service, old));
        }
    }
    found
}

/// A name without the numbers in it.
fn stem(subject: &str) -> String {
    subject.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// How often the plan started the service anew before it was read.
fn launches_before(case: &Case, read: &MemoryRead) -> usize {
    let restarts = |step: &&Step| match step {
        Step::Restart { services } => services.contains(&read.service),
        Step::Check { .. } | Step::Move { .. } | Step::Rotate { .. } => false,
    };
    case.steps.iter().take(read.step).filter(restarts).count()
}

fn held(read: &MemoryRead) -> impl Iterator<Item = Fingerprint> {
    read.processes.iter().flat_map(|process| process.held.iter().copied())
}

/// What memory alone held, unless it is an anchor of a trust store that was read from somewhere: one that was made before
/// the scenario begins and has issued nothing that is known. Nothing here can be verified with it, so its end changes
/// nothing, and a process holds hundreds.
fn matters(record: &RunRecord, fingerprint: Fingerprint) -> Option<&Credential> {
    let known = record.inventory.find(fingerprint).filter(|known| known.origin == Origin::Memory)?;
    let made_here = || record.scenario.start.instant().secs_since(known.not_before) <= DAY_SECS;
    let issues = |other: &Credential| !other.self_issued && other.issuer == known.subject;
    let is_used = || made_here() || record.inventory.credentials.iter().any(issues);
    (!is_anchor(known) || is_used()).then_some(known)
}
