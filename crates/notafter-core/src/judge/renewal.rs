//! What a release does for itself: renewals that its working rests on.

use super::finding::finding;
use super::words;
use crate::refine::{Investigation, believed};
use crate::renewal::{Renewed, renewed};
use crate::{CaseRecord, Finding, FindingCode, Purpose, RunRecord, ServiceName, Severity, Span};
use std::collections::BTreeMap;

/// One note for each service that renewed what it shows in a walk; the walk that shows the most speaks.
pub(super) fn findings(record: &RunRecord, investigation: &Investigation) -> Vec<Finding> {
    if investigation.control_failure.is_some() {
        return Vec::new();
    }
    let mut most: BTreeMap<ServiceName, (Renewed<'_>, &CaseRecord)> = BTreeMap::new();
    let walks = record.cases.iter().filter(|case| case.case.purpose == Purpose::Walk);
    for case in walks.filter(|case| believed(record, case).is_some()) {
        for renewed in renewed(record, case) {
            let known = most.get(&renewed.service).map_or(0, |(known, _)| known.given_up.len());
            if renewed.given_up.len() > known {
                most.insert(renewed.service.clone(), (renewed, case));
            }
        }
    }
    most.into_values().filter_map(|(renewed, case)| note(investigation, &renewed, case)).collect()
}

fn note(investigation: &Investigation, renewed: &Renewed<'_>, case: &CaseRecord) -> Option<Finding> {
    let code = FindingCode::RenewalNeeded;
    let first = renewed.given_up.first()?;
    let times = match renewed.given_up.len() {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    };
    let life = Span::from_secs(first.not_after.secs_since(first.not_before));
    let hurried = match &investigation.hurried {
        None => String::new(),
        Some(walk) => format!("; {walk}, which did not stop where that happens, failed"),
    };
    let summary = format!(
        "{} renews {} by itself, seen {times} in {}; each lives for {life}, the first one to {}{hurried}",
        renewed.service, first.subject, case.case.id, first.not_after
    );
    let mut found = finding(code, Severity::Note, summary);
    found.culprit = Some(first.fingerprint);
    found.seen_at = Some(first.not_after);
    found.services = vec![renewed.service.clone()];
    found.case = Some(case.case.id.clone());
    found.help = words::help(code).map(str::to_owned);
    Some(found)
}
