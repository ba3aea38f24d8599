//! What the causal control has shown of a break.

use super::breaks::help;
use crate::refine::Investigation;
use crate::{CaseId, Effect, Evidence, Finding, Fingerprint, RunRecord};

/// Adds it to `found`, the finding of the break that `case` shows. The credential whose reissuing alone mends the break is
/// the cause, whatever else speaks for another. Severity and code stay what they are.
pub(super) fn apply(record: &RunRecord, investigation: &Investigation, found: &mut Finding, case: &CaseId) {
    let Some(control) = investigation.controls.get(case) else { return };
    found.culprit = control.cause.or(found.culprit);
    found.evidence.extend(control.shown.iter().cloned());
    found.evidence.sort();
    found.uncontrolled.clone_from(&control.missing);
    found.help = Some(help(record, found.code, found));
}

/// What a headline says of it beside the credential that it names; empty where that one alone is behind the break.
pub(super) fn beyond(record: &RunRecord, found: &Finding) -> String {
    let trials = || {
        found.evidence.iter().filter_map(|evidence| match evidence {
            Evidence::CausalControl { effect, credentials, .. } => Some((*effect, credentials)),
            Evidence::Coincidence { .. }
            | Evidence::Delayed { .. }
            | Evidence::InMemory { .. }
            | Evidence::NamedInLog { .. }
            | Evidence::Rotation { .. }
            | Evidence::SeenOnTheWire { .. } => None,
        })
    };
    let subject =
        |it: &Fingerprint| record.inventory.find(*it).map_or_else(|| it.short(), |it| it.subject.clone());
    let alone = found.culprit.map(|culprit| vec![culprit]);
    let not_alone = trials().any(|(effect, tried)| effect != Effect::Mends && Some(tried) == alone.as_ref());
    let mending = trials().find(|(effect, tried)| *effect == Effect::Mends && tried.len() > 1);
    let contested = match (
        not_alone,
        mending.is_some_and(|(_, tried)| found.culprit.is_some_and(|it| tried.contains(&it))),
    ) {
        (false, _) => "",
        (true, true) => "; not that alone",
        (true, false) => "; not that, or not that alone: it breaks with a later end too",
    };
    let together = mending.map(|(_, tried)| {
        let subjects: Vec<String> = tried.iter().map(subject).collect();
        format!("; it takes {} issued anew together to mend it", subjects.join(" and "))
    });
    format!("{contested}{}", together.unwrap_or_default())
}
