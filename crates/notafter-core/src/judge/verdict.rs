//! The verdict itself.

use super::{behind, breaks, coverage, finding, policy, renewal, rotation, soundness};
use crate::holder::{is_in_use, relevant_edges};
use crate::refine::investigate;
use crate::{Decision, Edge, Finding, RunRecord, Severity, Verdict};

/// May this release ship? Follows from the record alone, so that a saved one can be judged again anywhere.
///
/// A block needs a check that passed in control and fails under shift, in cases that may be believed, twice. Allow
/// needs every planned case to have run and to be believed, with nothing left to ask.
#[must_use]
pub fn judge(record: &RunRecord) -> Verdict {
    let investigation = investigate(record);
    let mut findings = breaks::findings(record, &investigation);
    // Behind a break nothing more can be seen; that part of the window is not what the release fails for.
    let broken = findings.iter().any(|finding| finding.severity == Severity::Block);
    findings.extend(soundness::findings(record, &investigation, broken));
    let coverage = coverage::coverage(record);
    findings.extend(coverage::findings(record, &coverage, &findings));
    findings.extend(renewal::findings(record, &investigation));
    findings.extend(rotation::findings(record, &findings));
    policy::waive(record, &mut findings);
    // A waiver lets a break pass, not what the break hides.
    if broken && !findings.iter().any(|finding| finding.severity == Severity::Block) {
        let mut hidden = behind::findings(record, &findings);
        hidden.extend(behind::unlived(&investigation));
        hidden.extend(coverage::hidden(record, &coverage));
        policy::waive(record, &mut hidden);
        findings.extend(hidden);
    }
    let about_waivers = policy::findings(record, &findings);
    findings.extend(about_waivers);
    finding::sort(&mut findings);
    Verdict { decision: decide(&findings), findings, coverage, next_edge: next_edge(record) }
}

fn decide(findings: &[Finding]) -> Decision {
    match findings.iter().map(|finding| finding.severity).max() {
        Some(Severity::Block) => Decision::Block,
        Some(Severity::Inconclusive) => Decision::Inconclusive,
        Some(Severity::Note) | None => Decision::Allow,
    }
}

fn next_edge(record: &RunRecord) -> Option<Edge> {
    let horizon = record.scenario.horizon;
    // Whom the release must refuse at any time is no part of how long it lives.
    let is_stranger = |name: &crate::CredentialName| {
        let mut used = record
            .scenario
            .checks
            .iter()
            .filter(|check| check.probes().flat_map(crate::Probe::shown).any(|shown| shown == name));
        let refused = |check: &crate::Check| {
            check.expect.iter().all(|span| matches!(span.expectation, crate::Expectation::Rejected { .. }))
        };
        used.clone().next().is_some() && used.all(refused)
    };
    let in_use = |edge: &Edge| {
        let credential = record.inventory.find(edge.credential);
        credential.is_some_and(|credential| {
            let stranger = match &credential.origin {
                crate::Origin::Declared(name) => is_stranger(name),
                crate::Origin::Embedded | crate::Origin::Memory | crate::Origin::Served => false,
            };
            !stranger && is_in_use(&record.scenario, credential, horizon)
        })
    };
    relevant_edges(record).into_iter().find(|edge| edge.changed_at() > horizon && in_use(edge))
}
