//! Waivers: who lets what pass, and until when; and what is wrong with waivers themselves.

use super::finding::finding;
use super::words;
use crate::{CheckName, Effect, Evidence, Finding, FindingCode, Origin, RunRecord, Severity, Waived, Waiver};

/// What a waiver must say to let a finding pass.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Terms {
    /// Its code will do: it is about the run or a service.
    Code,
    /// Which credential, or where none is behind it which checks: there may be a second of its kind tomorrow.
    Named,
    /// Nothing lets it pass: it says that the gate did not look, and nobody can answer for what nobody saw.
    Never,
}

fn terms(code: FindingCode) -> Terms {
    match code {
        FindingCode::CoverageBelowPolicy
        | FindingCode::Flaky
        | FindingCode::JumpIntolerant
        | FindingCode::NeverIdle => Terms::Code,
        FindingCode::BreaksInWindow
        | FindingCode::CredentialNotCrossed
        | FindingCode::ExpiredEmbeddedCredential
        | FindingCode::FailOpen
        | FindingCode::RenewalNeeded
        | FindingCode::RotationNeeded
        | FindingCode::RotationNotPickedUp => Terms::Named,
        FindingCode::AlreadyBroken
        | FindingCode::BudgetExceeded
        | FindingCode::ControlFails
        | FindingCode::HarnessError
        | FindingCode::Interrupted
        | FindingCode::NothingChecked
        | FindingCode::PlanIncomplete
        | FindingCode::PlanReduced
        | FindingCode::SkewIntolerant
        | FindingCode::Unshifted
        | FindingCode::WaiverExpired
        | FindingCode::WaiverTooBroad
        | FindingCode::WaiverUnmatched => Terms::Never,
    }
}

/// Whether a waiver can let a finding of this code pass at all.
#[must_use]
pub fn is_waivable(code: FindingCode) -> bool {
    terms(code) != Terms::Never
}

/// How a waiver stands to a finding.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// It is about something else, or about what cannot be waived.
    None,
    /// It would cover it, and much else.
    TooBroad,
    /// It covers it.
    Covers,
}

fn fit(record: &RunRecord, waiver: &Waiver, finding: &Finding) -> Fit {
    let declared = || match &record.inventory.find(finding.culprit?)?.origin {
        Origin::Declared(name) => Some(name),
        Origin::Embedded | Origin::Memory | Origin::Served => None,
    };
    let (is_meant, is_by_code) = match &waiver.waives {
        Waived::Code(code) => (code == finding.code.as_str(), true),
        Waived::Credential(name) => (declared() == Some(name) && !is_not_alone(finding), false),
        Waived::Fingerprint(fingerprint) => {
            (finding.culprit == Some(*fingerprint) && !is_not_alone(finding), false)
        }
    };
    let only = &waiver.only;
    let is_within = only.code.as_ref().is_none_or(|code| code == finding.code.as_str())
        && only.service.as_ref().is_none_or(|service| finding.services.first() == Some(service))
        && (only.checks.is_empty() || falls_within(finding, &only.checks));
    if !is_meant || !is_within {
        return Fit::None;
    }
    match terms(finding.code) {
        Terms::Never => Fit::None,
        Terms::Code => Fit::Covers,
        Terms::Named if !is_by_code => Fit::Covers,
        Terms::Named if finding.culprit.is_none() && !only.checks.is_empty() => Fit::Covers,
        Terms::Named => Fit::TooBroad,
    }
}

/// Whether the finding stays though nothing but its culprit was issued anew: then something else is behind it, or beside it.
fn is_not_alone(finding: &Finding) -> bool {
    finding.evidence.iter().any(|evidence| match evidence {
        Evidence::CausalControl { effect, credentials, .. } => {
            *effect != Effect::Mends && credentials.as_slice() == finding.culprit.as_slice()
        }
        Evidence::Coincidence { .. }
        | Evidence::Delayed { .. }
        | Evidence::InMemory { .. }
        | Evidence::NamedInLog { .. }
        | Evidence::Rotation { .. }
        | Evidence::SeenOnTheWire { .. } => false,
    })
}

fn falls_within(finding: &Finding, checks: &[CheckName]) -> bool {
    !finding.checks.is_empty() && finding.checks.iter().all(|(check, _)| checks.contains(check))
}

/// Lets findings pass that a waiver in force covers.
pub(super) fn waive(record: &RunRecord, findings: &mut [Finding]) {
    for finding in findings.iter_mut().filter(|finding| finding.severity > Severity::Note) {
        let mut in_force = record.scenario.policy.in_force(record.started);
        if let Some(waiver) = in_force.find(|waiver| fit(record, waiver, finding) == Fit::Covers) {
            finding.severity = Severity::Note;
            finding.waived = Some(format!("{} until {}: {}", waiver.owner, waiver.until, waiver.reason));
        }
    }
}

/// What is wrong with waivers: those that have run out, that are too broad for what they are about, and that cover
/// nothing of `found`, which they were applied to.
pub(super) fn findings(record: &RunRecord, found: &[Finding]) -> Vec<Finding> {
    // A waiver may be for what the gate did not see: where it could not look, and behind a break, a waived one too.
    let saw_all = found
        .iter()
        .all(|it| it.severity == Severity::Note && !(it.waived.is_some() && it.bracket.is_some()));
    let about = |waiver: &Waiver| {
        let Waiver { owner, waives, until, .. } = waiver;
        let written = |code, severity, summary| {
            let help = words::help(code).map(str::to_owned);
            let location = Some(waiver.location.clone());
            Some(Finding { location, help, ..finding(code, severity, summary) })
        };
        if *until < record.started {
            let summary = format!("the waiver of {owner} for {waives} ran out at {until}");
            return written(FindingCode::WaiverExpired, Severity::Block, summary);
        }
        let fits = |wanted: Fit| {
            let counts = |it: &&Finding| it.severity > Severity::Note || it.waived.is_some();
            found.iter().filter(counts).any(|it| fit(record, waiver, it) == wanted)
        };
        if fits(Fit::TooBroad) {
            let summary = format!("the waiver of {owner} for {waives} does not say for which credential");
            return written(FindingCode::WaiverTooBroad, Severity::Note, summary);
        }
        if saw_all && !waiver.shared && !fits(Fit::Covers) {
            let summary = format!("the waiver of {owner} for {waives} covers nothing that was found");
            return written(FindingCode::WaiverUnmatched, Severity::Note, summary);
        }
        None
    };
    record.scenario.policy.waivers.iter().filter_map(about).collect()
}
