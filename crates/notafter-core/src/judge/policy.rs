//! Waivers: who lets what pass, and until when.

use super::finding::finding;
use crate::{Finding, FindingCode, RunRecord, Severity, Waived, Waiver};

/// Whether a waiver may let a finding of this code pass. One that says that the gate did not look may not: nobody
/// can answer for what nobody saw.
fn is_waivable(code: FindingCode) -> bool {
    match code {
        FindingCode::BreaksInWindow
        | FindingCode::CoverageBelowPolicy
        | FindingCode::CredentialNotCrossed
        | FindingCode::ExpiredEmbeddedCredential
        | FindingCode::FailOpen
        | FindingCode::Flaky
        | FindingCode::JumpIntolerant
        | FindingCode::NeverIdle
        | FindingCode::RenewalNeeded
        | FindingCode::RotationNeeded
        | FindingCode::RotationNotPickedUp => true,
        FindingCode::AlreadyBroken
        | FindingCode::BudgetExceeded
        | FindingCode::ControlFails
        | FindingCode::HarnessError
        | FindingCode::Interrupted
        | FindingCode::NothingChecked
        | FindingCode::PlanIncomplete
        | FindingCode::Unshifted
        | FindingCode::WaiverExpired => false,
    }
}

fn covers(waiver: &Waiver, finding: &Finding) -> bool {
    match &waiver.waives {
        Waived::Code(code) => code == finding.code.as_str(),
        Waived::Fingerprint(fingerprint) => finding.culprit == Some(*fingerprint),
    }
}

/// Lets findings pass that a waiver in force covers, and adds one for every waiver that has run out.
pub(super) fn waive(record: &RunRecord, findings: &mut Vec<Finding>) {
    let waivers = &record.scenario.policy.waivers;
    for finding in findings.iter_mut().filter(|finding| finding.severity > Severity::Note) {
        let holding = waivers.iter().find(|waiver| waiver.until >= record.started && covers(waiver, finding));
        if let Some(waiver) = holding.filter(|_| is_waivable(finding.code)) {
            finding.severity = Severity::Note;
            finding.waived = Some(format!("{} until {}: {}", waiver.owner, waiver.until, waiver.reason));
        }
    }
    let known = |waiver: &Waiver, findings: &[Finding]| {
        findings
            .iter()
            .any(|f| f.code == FindingCode::WaiverExpired && f.location == Some(waiver.location.clone()))
    };
    for waiver in waivers.iter().filter(|waiver| waiver.until < record.started) {
        if known(waiver, findings) {
            continue;
        }
        let what = match &waiver.waives {
            Waived::Code(code) => code.clone(),
            Waived::Fingerprint(fingerprint) => fingerprint.short(),
        };
        let summary = format!("the waiver of {} for {what} ran out at {}", waiver.owner, waiver.until);
        let mut expired = finding(FindingCode::WaiverExpired, Severity::Block, summary);
        expired.location = Some(waiver.location.clone());
        expired.help = super::words::help(FindingCode::WaiverExpired).map(str::to_owned);
        findings.push(expired);
    }
}
