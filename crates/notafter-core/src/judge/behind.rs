//! What else falls behind a break that is waived. The search ends at the first break; the walk goes on.

use super::blast::{describe, tell};
use super::finding::finding;
use super::words;
use crate::checkpoint::{Look, checkpoints};
use crate::refine::{Investigation, believed, is_mended};
use crate::{CaseRecord, CheckName, Finding, FindingCode, Purpose, RunRecord, ServiceName, Severity};
use std::collections::{BTreeMap, BTreeSet};

/// What fails in a walk or a fresh start and is no part of any of `known`, and what fails though that is issued anew which
/// is waived.
pub(super) fn findings(record: &RunRecord, known: &[Finding]) -> Vec<Finding> {
    let mended = record.cases.iter().filter(|case| is_mended(case, record));
    let failing = mended.filter(|case| believed(record, case).is_some_and(|ran| ran.failure.is_some()));
    let mut found: Vec<Finding> = failing.map(|case| of_mended(record, case)).collect();
    found.dedup_by(|one, other| (&one.services, &one.checks) == (&other.services, &other.checks));
    found.extend(of_checks(record, known));
    found
}

/// Where the break comes so early that no walk was made: then nobody has lived through the window at all.
pub(super) fn unlived(investigation: &Investigation) -> Option<Finding> {
    let code = FindingCode::PlanIncomplete;
    let summary = "a break that is waived comes before the control, and the window was not lived through";
    (!investigation.complete).then(|| Finding {
        help: Some(words::BEFORE_CONTROL.to_owned()),
        ..finding(code, Severity::Inconclusive, summary.to_owned())
    })
}

fn of_mended(record: &RunRecord, case: &CaseRecord) -> Finding {
    let mut found = finding(FindingCode::BreaksInWindow, Severity::Inconclusive, String::new());
    describe(record, &mut found, case, None);
    let what = found.services.first().map_or_else(|| "a check".to_owned(), ToString::to_string);
    let at = found.seen_at.map(|at| format!(" at {at}")).unwrap_or_default();
    found.summary = format!(
        "{what} is seen to fail{at} though what is waived was issued anew, and what breaks it was not searched for"
    );
    found.help = Some(words::BEHIND_WAIVED.to_owned());
    found
}

/// One finding for each check.
fn of_checks(record: &RunRecord, known: &[Finding]) -> Vec<Finding> {
    let scenario = &record.scenario;
    let fallen: BTreeSet<&CheckName> =
        known.iter().flat_map(|finding| &finding.checks).map(|(check, _)| check).collect();
    let is_searched = |case: &&CaseRecord| matches!(case.case.purpose, Purpose::Cold | Purpose::Walk);
    let mut first: BTreeMap<&CheckName, Finding> = BTreeMap::new();
    for case in record.cases.iter().filter(is_searched).filter(|case| believed(record, case).is_some()) {
        for point in checkpoints(case, scenario) {
            let failing = point.looks.iter().filter(|look| {
                look.met == Some(false) && look.observation.tries > 0 && !fallen.contains(&look.check.name)
            });
            for look in failing {
                let earlier = first.get(&look.check.name).and_then(|found| found.seen_at);
                if earlier.is_none_or(|earlier| look.observation.begin.second < earlier) {
                    first.insert(&look.check.name, of(look, case));
                }
            }
        }
    }
    first.into_values().collect()
}

fn of(look: &Look<'_>, case: &CaseRecord) -> Finding {
    let check = look.check;
    let summary = format!(
        "check {} is seen to fail at {} too, behind a break that is waived, and what breaks it was not searched for",
        check.name, look.observation.begin.second
    );
    let mut found = finding(FindingCode::BreaksInWindow, Severity::Inconclusive, summary);
    tell(&mut found, look);
    found.services = ServiceName::new(look.target()).into_iter().collect();
    found.checks = vec![(check.name.clone(), vec![look.connection])];
    found.case = Some(case.case.id.clone());
    found.help = Some(words::BEHIND_WAIVED.to_owned());
    found
}
