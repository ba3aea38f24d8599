//! The window without the breaks that are waived. A waiver lets one break pass, and what fails from there on shows nothing
//! of what comes later; where the gate made the credential behind it, the window can be lived through without that break.

use super::investigate::Investigation;
use super::known::Known;
use super::plan::case_id;
use super::reissue::BEYOND_SECS;
use crate::checkpoint::{first_instant, last_instant};
use crate::{Case, CaseRecord, CredentialName, Origin, Purpose, RunRecord, UnixTime, Waived};
use std::collections::BTreeSet;

/// Asks for the walk and the fresh start at the horizon once more, with the causes of breaks issued anew that a waiver
/// names.
pub(super) fn investigate(known: &mut Known<'_>, found: &Investigation) {
    let record = known.record;
    let causes = found.controls.values().filter_map(|control| control.cause);
    let causes = causes.filter_map(|cause| match &record.inventory.find(cause)?.origin {
        Origin::Declared(name) => Some((cause, name)),
        Origin::Embedded | Origin::Memory | Origin::Served => None,
    });
    let policy = &record.scenario.policy;
    let is_waived = |(cause, name): &(_, &CredentialName)| {
        policy.in_force(record.started).any(|waiver| match &waiver.waives {
            Waived::Code(_) => false,
            Waived::Credential(waived) => waived == *name,
            Waived::Fingerprint(waived) => waived == cause,
        })
    };
    let waived: BTreeSet<CredentialName> = causes.filter(is_waived).map(|(_, name)| name.clone()).collect();
    if waived.is_empty() {
        return;
    }
    let credentials: Vec<CredentialName> = waived.into_iter().collect();
    let walk = record.cases.iter().rfind(|case| is_whole_walk(case, record));
    let cold = record.case(&case_id("cold"));
    for case in walk.into_iter().chain(cold) {
        known.want(mended(&case.case, &credentials, record.scenario.horizon));
    }
}

pub(super) fn is_whole_walk(case: &CaseRecord, record: &RunRecord) -> bool {
    case.case.purpose == Purpose::Walk && is_whole(case, record)
}

/// Whether `case` lives through the whole window.
fn is_whole(case: &CaseRecord, record: &RunRecord) -> bool {
    let scenario = &record.scenario;
    first_instant(case.case.clock, scenario) == scenario.start.instant()
        && last_instant(&case.case) == Some(scenario.horizon)
}

/// Whether `case` lives through the whole window with what is waived issued anew, or starts at its end so.
pub(crate) fn is_mended(case: &CaseRecord, record: &RunRecord) -> bool {
    let Purpose::Reissued { of, .. } = &case.case.purpose else { return false };
    let is_start = record.case(of).is_some_and(|of| of.case.purpose == Purpose::Cold);
    case.case.id == mended_id(of.as_str()) && (is_start || is_whole(case, record))
}

fn mended_id(of: &str) -> crate::CaseId {
    case_id(&format!("{of}-mended"))
}

fn mended(of: &Case, credentials: &[CredentialName], horizon: UnixTime) -> Case {
    let until = horizon.plus_secs(BEYOND_SECS).min(UnixTime::NO_EXPIRY);
    let names: Vec<&str> = credentials.iter().map(CredentialName::as_str).collect();
    Case {
        id: mended_id(of.id.as_str()),
        purpose: Purpose::Reissued { of: of.id.clone(), credentials: credentials.to_vec(), until },
        reason: format!(
            "{} with {} issued anew to end at {until}, to see what the waived break hides",
            of.id,
            names.join(" and ")
        ),
        clock: of.clock,
        steps: of.steps.clone(),
    }
}
