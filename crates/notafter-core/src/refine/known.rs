//! What the cases so far have come to, and what is wanted of those still to run.

use super::full::MAX_STARTS;
use super::plan::CONTROL_AT_MOST_SECS;
use crate::checkpoint::{Failure, first_failure, last_instant};
use crate::soundness::fault;
use crate::{Case, CaseClock, CaseId, CaseRecord, Depth, Outcome, Purpose, RunRecord, Step};

/// More launches of the whole scenario than this no run of quick depth makes.
const MAX_LAUNCHES: usize = 40;

/// More launches of the whole scenario than this the run does not make.
pub(crate) fn max_launches(record: &RunRecord) -> usize {
    match record.scenario.planning.depth {
        Depth::Quick => MAX_LAUNCHES,
        Depth::Full => MAX_LAUNCHES + MAX_STARTS,
    }
}

/// A case that ran and may be believed.
#[derive(Debug, Clone)]
pub(crate) struct Ran<'a> {
    pub(crate) record: &'a CaseRecord,
    /// Where it fails first; none where it passed.
    pub(crate) failure: Option<Failure>,
}

impl Ran<'_> {
    pub(crate) fn id(&self) -> &CaseId {
        &self.record.case.id
    }
}

/// Launches that searching leaves to repetitions.
const RESERVED: usize = 2;

/// How a wanted case stands.
#[derive(Debug, Clone)]
pub(crate) enum Wanted<'a> {
    /// It ran and may not be believed, or ran otherwise than planned: this line of questions ends.
    Lost,
    /// It ran.
    Ran(Box<Ran<'a>>),
    /// It is still to run.
    Missing,
}

/// The record, read.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) record: &'a RunRecord,
    pub(crate) next: Vec<Case>,
    /// Whether more launches would be needed than a run may make.
    pub(crate) capped: bool,
}

impl<'a> Known<'a> {
    pub(crate) fn new(record: &'a RunRecord) -> Self {
        Self { record, next: Vec::new(), capped: false }
    }

    /// What came of `case`; where it has not run yet it is put on the list of what runs next.
    pub(crate) fn want(&mut self, case: Case) -> Wanted<'a> {
        self.want_below(case, max_launches(self.record))
    }

    /// The same for a case that only makes an answer more precise: it leaves launches for the repetitions without
    /// which nothing blocks.
    pub(crate) fn want_to_search(&mut self, case: Case) -> Wanted<'a> {
        self.want_below(case, max_launches(self.record) - RESERVED)
    }

    fn want_below(&mut self, case: Case, limit: usize) -> Wanted<'a> {
        match self.record.case(&case.id) {
            Some(found) => match believed(self.record, found) {
                Some(ran) if is_as_planned(&case, &found.case) => Wanted::Ran(Box::new(ran)),
                _ => Wanted::Lost,
            },
            None => {
                let listed = self.next.iter().any(|next| next.id == case.id);
                if !listed && self.record.cases.len() + self.next.len() >= limit {
                    self.capped = true;
                    return Wanted::Lost;
                }
                if !listed {
                    self.next.push(case);
                }
                Wanted::Missing
            }
        }
    }
}

/// The case as far as it may be believed.
pub(crate) fn believed<'a>(record: &'a RunRecord, case: &'a CaseRecord) -> Option<Ran<'a>> {
    let decided = matches!(case.outcome, Some(Outcome::Fail | Outcome::Pass));
    if !decided || fault(case, record).is_some() {
        return None;
    }
    Some(Ran { record: case, failure: first_failure(case, &record.scenario) })
}

/// Whether what ran is what was asked for. Boundaries learnt later move the control and add stops to a walk, so that
/// of those only the frame is compared.
fn is_as_planned(wanted: &Case, ran: &Case) -> bool {
    match wanted.purpose {
        Purpose::Control => is_control_clock(wanted.clock, ran.clock) && wanted.steps == ran.steps,
        Purpose::Skewed { .. } | Purpose::Stale { .. } => {
            let is_same = wanted.purpose == ran.purpose && wanted.steps == ran.steps;
            is_same && is_control_clock(wanted.clock, ran.clock)
        }
        Purpose::Walk => {
            let end = |case: &Case| last_instant(case);
            // The last checkpoint and the motion or restart before it.
            let tail = |case: &Case| case.steps.iter().rev().take(2).cloned().collect::<Vec<Step>>();
            let checks = |case: &Case| {
                let all = case.steps.iter().filter(|step| matches!(step, Step::Check { .. }));
                all.cloned().collect::<Vec<Step>>()
            };
            let every_check = checks(wanted).pop();
            let rotations = |case: &Case| {
                let all = case.steps.iter().filter(|step| matches!(step, Step::Rotate { .. }));
                all.cloned().collect::<Vec<Step>>()
            };
            wanted.clock == ran.clock
                && rotations(wanted) == rotations(ran)
                && end(wanted) == end(ran)
                && tail(wanted) == tail(ran)
                && checks(ran).iter().all(|step| Some(step) == every_check.as_ref())
        }
        Purpose::Cold | Purpose::PastControl | Purpose::Repeat(_) => {
            wanted.clock == ran.clock && wanted.steps == ran.steps
        }
        Purpose::Reissued { .. } => {
            wanted.purpose == ran.purpose && wanted.clock == ran.clock && wanted.steps == ran.steps
        }
    }
}

/// An edge that was learnt later can only bring the control closer to the start.
fn is_control_clock(wanted: CaseClock, ran: CaseClock) -> bool {
    match (wanted, ran) {
        (CaseClock::Native, CaseClock::Native) => true,
        (CaseClock::Shifted(wanted), CaseClock::Shifted(ran)) => {
            ran >= wanted && ran.secs_since(wanted) <= CONTROL_AT_MOST_SECS
        }
        (CaseClock::Native, CaseClock::Shifted(_)) | (CaseClock::Shifted(_), CaseClock::Native) => false,
    }
}
