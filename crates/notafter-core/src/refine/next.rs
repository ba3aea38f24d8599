//! The public face of refining.

use super::full;
use super::investigate::investigate;
use super::plan::{case_id, cold_at_horizon, controls, walk};
use super::skewed;
use super::unattended::{first_restart, unattended};
use crate::{Case, RunRecord};

/// What to run next, in this order; nothing when there is nothing left to know.
///
/// The runner runs all of it, folds what happened into the record and asks again. At most 40 cases are ever asked
/// for; where more would be needed, the verdict says so.
#[must_use]
pub fn refine(record: &RunRecord) -> Vec<Case> {
    investigate(record).next
}

/// Every case that a run holds when nothing fails, as far as it can be told from what is known now: what
/// `notafter plan` shows.
#[must_use]
pub fn plan(record: &RunRecord) -> Vec<Case> {
    let mut cases = controls(record);
    let walk = walk(record, case_id("walk"));
    let unattended = first_restart(record, &walk).map(|_| unattended(walk.clone()));
    cases.extend([walk, cold_at_horizon(record)]);
    cases.extend(unattended);
    cases.extend(full::starts(record));
    cases.extend(skewed::starts(record));
    cases
}
