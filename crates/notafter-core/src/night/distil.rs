//! From a record and its verdict to what a night remembers of them.

use super::{End, Judged, NightEntry, NightFinding, Outlook, Standing};
use crate::holder::{Holders, is_anchor, is_in_use};
use crate::{
    Credential, Decision, Finding, Inventory, Origin, RunRecord, ServiceName, Severity, UnixTime, Verdict,
};
use std::time::Duration;

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
            let key = key(finding, &record.inventory);
            if !findings.iter().any(|known| known.key == key) {
                findings.push(NightFinding {
                    key,
                    code: finding.code.as_str().to_owned(),
                    severity: finding.severity,
                    summary: finding.summary.clone(),
                    breaks_at: finding.bracket.map(|bracket| bracket.first_fail),
                });
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

fn headline(record: &RunRecord, verdict: &Verdict) -> String {
    let horizon = record.scenario.horizon;
    match (verdict.decision, verdict.findings.first()) {
        (Decision::Allow, _) => format!("nothing breaks through {horizon}"),
        (Decision::Block | Decision::Inconclusive, Some(worst)) => worst.summary.clone(),
        (Decision::Block | Decision::Inconclusive, None) => "no finding says why".to_owned(),
    }
}

/// What a finding is known by from night to night. A declared credential is made anew in every run, and so may be what a
/// service serves: the first goes by its name, the second by its subject. What lies in files goes by its fingerprint.
fn key(finding: &Finding, inventory: &Inventory) -> String {
    let mut parts = vec![finding.code.as_str().to_owned()];
    match finding.culprit {
        Some(culprit) => parts.push(match inventory.find(culprit) {
            Some(Credential { origin: Origin::Declared(name), .. }) => format!("declared {name}"),
            Some(Credential { origin: Origin::Served | Origin::Memory, subject, issuer, .. }) => {
                format!("served {subject} by {issuer}")
            }
            Some(Credential { origin: Origin::Embedded, .. }) | None => culprit.to_string(),
        }),
        None => {
            parts.extend(finding.checks.iter().map(|(check, _)| check.to_string()));
            parts.extend(finding.services.iter().map(ToString::to_string));
        }
    }
    parts.join("\n")
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
    let what = format!("{} {}", next.kind.word(), next.subject);
    Some(End { at: next.not_after, what: what.trim_end().to_owned() })
}

/// The first second in which `service` falls.
fn first_break(verdict: &Verdict, service: &ServiceName) -> Option<UnixTime> {
    let falls = verdict.findings.iter().filter(|finding| finding.services.contains(service));
    falls.filter_map(|finding| finding.bracket).map(|bracket| bracket.first_fail).min()
}
