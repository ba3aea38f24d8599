//! From a record and its verdict to what a night remembers of them.

use super::identity::key;
use super::{End, Judged, NightEntry, NightFinding, Outlook, Standing};
use crate::holder::{Holders, is_anchor, is_in_use};
use crate::{Decision, Finding, Inventory, RunRecord, ServiceName, Severity, UnixTime, Verdict};
use std::time::Duration;

impl NightFinding {
    /// What is compared of `finding`, whose culprit stands in `inventory`.
    pub(crate) fn of(finding: &Finding, inventory: &Inventory) -> Self {
        Self {
            key: key(finding, inventory),
            code: finding.code.as_str().to_owned(),
            severity: finding.severity,
            summary: finding.summary.clone(),
            breaks_at: finding.bracket.map(|bracket| bracket.first_fail),
        }
    }
}

impl NightEntry {
    /// What a night remembers of a gate that ran. The text of the scenario is that of `text_sha256`.
    #[must_use]
    pub fn of_run(
        judged: Judged,
        text_sha256: String,
        record: &RunRecord,
        verdict: &Verdict,
        took: Duration,
    ) -> Self {
        let scenario = &record.scenario;
        let mut findings: Vec<NightFinding> = Vec::new();
        for finding in &verdict.findings {
            let finding = NightFinding::of(finding, &record.inventory);
            if !findings.iter().any(|known| known.key == finding.key) {
                findings.push(finding);
            }
        }
        let holders = Holders::new(record);
        let outlooks = scenario.services.iter().map(|service| Outlook {
            service: service.name.clone(),
            end: next_end(record, &holders, &service.name),
            breaks_at: first_break(verdict, &service.name),
        });
        Self {
            judged,
            standing: verdict.decision.into(),
            headline: headline(record, verdict),
            at: record.started,
            start: Some(scenario.start.instant()),
            horizon: Some(scenario.horizon),
            took,
            text_sha256,
            findings,
            outlooks: outlooks.collect(),
        }
    }

    /// What a night remembers of a build that no gate ran for, or whose gate failed: why, and when that was tried.
    #[must_use]
    pub fn without_run(judged: Judged, standing: Standing, why: String, at: UnixTime) -> Self {
        let code = match standing {
            Standing::Refused => "refused",
            Standing::Allow | Standing::Block | Standing::Inconclusive => "gate-failed",
        };
        // Nothing may pass for a verdict that no gate came to.
        let standing = if standing == Standing::Refused { standing } else { Standing::Inconclusive };
        let finding = NightFinding {
            key: code.to_owned(),
            code: code.to_owned(),
            severity: Severity::Inconclusive,
            summary: why.clone(),
            breaks_at: None,
        };
        Self {
            judged,
            standing,
            headline: why,
            at,
            start: None,
            horizon: None,
            took: Duration::ZERO,
            text_sha256: String::new(),
            findings: vec![finding],
            outlooks: Vec::new(),
        }
    }
}

/// What a verdict comes to, as one sentence without a final period.
pub(crate) fn headline(record: &RunRecord, verdict: &Verdict) -> String {
    let horizon = record.scenario.horizon;
    match (verdict.decision, verdict.findings.first()) {
        (Decision::Allow, _) => format!("nothing breaks through {horizon}"),
        (Decision::Block | Decision::Inconclusive, Some(worst)) => worst.summary.clone(),
        (Decision::Block | Decision::Inconclusive, None) => "no finding says why".to_owned(),
    }
}

/// The next end of what `service` holds and what is then in use.
fn next_end(record: &RunRecord, holders: &Holders<'_>, service: &ServiceName) -> Option<End> {
    let scenario = &record.scenario;
    let start = scenario.start.instant();
    let ahead = record.inventory.credentials.iter().filter(|credential| {
        credential.not_after >= start
            && credential.not_after != UnixTime::NO_EXPIRY
            && !is_anchor(credential)
            && is_in_use(scenario, credential, credential.not_after.plus_secs(1))
            && holders.of(credential).contains(service)
    });
    let next =
        ahead.min_by(|one, other| (one.not_after, &one.subject).cmp(&(other.not_after, &other.subject)))?;
    Some(End { at: next.not_after, what: next.title() })
}

/// The first second in which `service` falls.
fn first_break(verdict: &Verdict, service: &ServiceName) -> Option<UnixTime> {
    let falls = verdict.findings.iter().filter(|finding| finding.services.contains(service));
    falls.filter_map(|finding| finding.bracket).map(|bracket| bracket.first_fail).min()
}
