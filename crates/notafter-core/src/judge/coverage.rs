//! Expiry coverage: which ends did checks live through?

use super::finding::finding;
use super::words;
use crate::checkpoint::{Checkpoint, Look, checkpoints};
use crate::holder::{Holders, edges_in, is_anchor, is_in_use};
use crate::refine::{believed, is_mended};
use crate::renewal::{Renewed, renewed};
use crate::{
    CaseRecord, Check, Coverage, CoverageEntry, Credential, CredentialKind, Edge, EdgeKind, Evidence,
    Finding, FindingCode, Origin, PresentButUnused, Purpose, RunRecord, Severity, Touch, UnixTime, memory,
};

/// Edges inside the window of what is in use then, in time order.
fn window(record: &RunRecord) -> Vec<Edge> {
    let mut edges = edges_in(record, record.scenario.start.instant(), record.scenario.horizon);
    edges.retain(|edge| {
        let credential = record.inventory.find(edge.credential);
        credential.is_none_or(|credential| is_in_use(&record.scenario, credential, edge.changed_at()))
    });
    edges
}

/// The walks that can be believed, checkpoint by checkpoint.
fn walks(record: &RunRecord) -> Vec<Vec<Checkpoint<'_>>> {
    let is_walk = |case: &CaseRecord| case.case.purpose == Purpose::Walk || is_mended(case, record);
    let walks = record.cases.iter().filter(|case| is_walk(case) && believed(record, case).is_some());
    walks.map(|case| checkpoints(case, &record.scenario)).collect()
}

/// How closely the run looked at each credential with a boundary inside the window.
pub(super) fn coverage(record: &RunRecord) -> Coverage {
    let walks = walks(record);
    let edges = window(record);
    let holders = Holders::new(record);
    let mut entries: Vec<CoverageEntry> = Vec::new();
    for edge in &edges {
        if entries.iter().any(|entry| entry.credential == edge.credential) {
            continue;
        }
        let Some(credential) = record.inventory.find(edge.credential) else { continue };
        let mut own = edges.iter().filter(|other| other.credential == edge.credential);
        let meets = |check: &Check| holders.meets(check, credential);
        let touch = if own.all(|edge| walks.iter().any(|walk| crosses(record, &meets, walk, edge))) {
            Touch::Exercised
        } else if holders.is_served(credential.fingerprint) {
            Touch::Served
        } else if record.cases.iter().any(|case| memory::holds(case, credential.fingerprint)) {
            Touch::Loaded
        } else {
            Touch::Never
        };
        entries.push(CoverageEntry { credential: credential.fingerprint, touch });
    }
    Coverage { entries }
}

/// Whether TLS checks that verify were shown `credential` in a walk, and got their answer on both sides of each of its
/// edges. That is more than [`Touch::Exercised`] asks: a command that passes is evidence where an owner chose it for the
/// purpose, and none where it came with an image.
fn is_seen_through(record: &RunRecord, walks: &[Vec<Checkpoint<'_>>], credential: &Credential) -> bool {
    let is_shown = |look: &Look<'_>| {
        look.observation.shown().any(|served| served.credential.fingerprint == credential.fingerprint)
    };
    let was_shown = |check: &Check| {
        let can_tell = match credential.kind {
            CredentialKind::SqlRole => check.is_role(credential),
            _ => check.probes().any(|probe| probe.tls().is_some() && probe.exercises()),
        };
        can_tell && {
            let mut looks = walks.iter().flatten().flat_map(|point| &point.looks);
            looks.any(|look| look.check.name == check.name && is_shown(look))
        }
    };
    let edges = window(record);
    let mut own = edges.iter().filter(|edge| edge.credential == credential.fingerprint).peekable();
    own.peek().is_some() && own.all(|edge| walks.iter().any(|walk| crosses(record, &was_shown, walk, edge)))
}

/// Whether one check that meets the credential got its answer on both sides of `edge`. Before it the check must
/// have been met. Behind it too, or it is this very edge at which it first failed: a service that has been down
/// since an earlier break shows nothing.
///
/// A certificate that OpenSSL refuses in its last second has been left behind in that second.
fn crosses(
    record: &RunRecord,
    meets: &impl Fn(&Check) -> bool,
    walk: &[Checkpoint<'_>],
    edge: &Edge,
) -> bool {
    let changed = edge.changed_at();
    record.scenario.checks.iter().filter(|check| meets(check)).any(|check| {
        let looks: Vec<_> = walk
            .iter()
            .flat_map(|point| point.looks.iter().map(move |look| (point.at, look)))
            .filter(|(_, look)| look.check.name == check.name && look.observation.tries > 0)
            .collect();
        let behind = |at: UnixTime, look: &Look<'_>| {
            at >= changed || (edge.kind == EdgeKind::NotAfter && at == edge.at && look.met == Some(false))
        };
        let before = looks.iter().rfind(|(at, look)| !behind(*at, look));
        let after = looks.iter().find(|(at, look)| behind(*at, look));
        before.is_some_and(|(_, look)| look.met == Some(true))
            && after.is_some_and(|(_, look)| look.met.is_some())
    })
}

/// What coverage and policy make of it. `known` are the findings so far: nothing is said twice.
pub(super) fn findings(record: &RunRecord, coverage: &Coverage, known: &[Finding]) -> Vec<Finding> {
    let broken = known.iter().any(|finding| finding.severity == Severity::Block);
    let looked = !known.iter().any(|finding| finding.code == FindingCode::ControlFails);
    let mut found = Vec::new();
    if !broken && looked {
        found.extend(unlooked(record, coverage));
    }
    found.extend(unused(record, coverage, known));
    found
}

/// Where the run did not look closely enough.
fn unlooked(record: &RunRecord, coverage: &Coverage) -> Vec<Finding> {
    uncrossed(record, coverage, false).into_iter().chain(below_policy(record, coverage)).collect()
}

/// The same behind a break that is waived: who fails from there on shows nothing of what comes later.
pub(super) fn hidden(record: &RunRecord, coverage: &Coverage) -> Vec<Finding> {
    uncrossed(record, coverage, true).into_iter().chain(below_policy(record, coverage)).collect()
}

/// Declared and served credentials whose end no check lived through, and `own` ones of the candidate. Where the policy is
/// to doubt, only a TLS check that was shown a served one did.
fn uncrossed(record: &RunRecord, coverage: &Coverage, own: bool) -> Vec<Finding> {
    let holders = Holders::new(record);
    let doubts = record.scenario.policy.present_but_unused == PresentButUnused::Doubt;
    let walks = walks(record);
    let known = coverage.entries.iter().filter_map(|entry| {
        record.inventory.find(entry.credential).map(|credential| (entry.touch, credential))
    });
    known
        .filter(|(touch, credential)| match credential.origin {
            Origin::Declared(_) => *touch != Touch::Exercised,
            Origin::Served => {
                *touch != Touch::Exercised || (doubts && !is_seen_through(record, &walks, credential))
            }
            Origin::Embedded => own && *touch != Touch::Exercised && holders.is_own(credential),
            Origin::Memory => false,
        })
        .map(|(_, credential)| {
            let code = FindingCode::CredentialNotCrossed;
            let name = match &credential.origin {
                Origin::Declared(name) => format!("{name} ({})", credential.subject),
                Origin::Embedded | Origin::Memory | Origin::Served => credential.subject.clone(),
            };
            let summary = format!(
                "no check lived through the validity of {name}, which ends at {}",
                credential.not_after
            );
            let mut found = finding(code, Severity::Inconclusive, summary);
            found.culprit = Some(credential.fingerprint);
            found.help = words::help(code).map(str::to_owned);
            found
        })
        .collect()
}

fn below_policy(record: &RunRecord, coverage: &Coverage) -> Option<Finding> {
    let required = usize::from(record.scenario.policy.require_coverage?);
    let (exercised, total) = (coverage.exercised(), coverage.entries.len());
    if exercised * 100 >= required * total {
        return None;
    }
    let code = FindingCode::CoverageBelowPolicy;
    let summary = format!(
        "{exercised} of {total} expiring credentials were exercised, and policy demands {required} percent"
    );
    let mut found = finding(code, Severity::Inconclusive, summary);
    found.help = words::help(code).map(str::to_owned);
    Some(found)
}

/// Credentials in the files of the candidate, or in its memory alone, that end inside the window though nothing breaks with
/// them. Trust
/// stores carry such as a matter of course and are not counted.
fn unused(record: &RunRecord, coverage: &Coverage, known: &[Finding]) -> Vec<Finding> {
    let scenario = &record.scenario;
    let policy = scenario.policy.present_but_unused;
    if policy == PresentButUnused::Ignore {
        return Vec::new();
    }
    let walks = walks(record);
    // A leap-second list is read by what keeps clocks, and ends twice a year in every image.
    let doubtful = |credential: &Credential| {
        policy == PresentButUnused::Doubt
            && credential.kind != CredentialKind::LeapSeconds
            && !is_seen_through(record, &walks, credential)
    };
    let broken = known.iter().any(|finding| finding.severity == Severity::Block);
    let was_looked_at = |credential: &Credential| {
        let mut entries = coverage.entries.iter();
        !broken || entries.any(|it| it.credential == credential.fingerprint && it.touch == Touch::Exercised)
    };
    let blamed = |credential: &Credential| {
        known.iter().any(|finding| {
            finding.culprit == Some(credential.fingerprint)
                || finding.evidence.iter().any(|evidence| match evidence {
                    Evidence::Coincidence { edge } | Evidence::Delayed { edge } => {
                        edge.credential == credential.fingerprint
                    }
                    Evidence::CausalControl { .. }
                    | Evidence::InMemory { .. }
                    | Evidence::NamedInLog { .. }
                    | Evidence::Rotation { .. }
                    | Evidence::SeenOnTheWire { .. } => false,
                })
        })
    };
    let in_window = |credential: &Credential| {
        let ends = credential.not_after.plus_secs(1);
        ends > scenario.start.instant() && ends <= scenario.horizon
    };
    let lived = memory::lived(record);
    let renewed: Vec<Renewed<'_>> = record.cases.iter().flat_map(|case| renewed(record, case)).collect();
    let is_renewed = |credential: &Credential| {
        let mut given_up = renewed.iter().flat_map(|renewed| &renewed.given_up);
        given_up.any(|old| old.fingerprint == credential.fingerprint)
    };
    let mut ending: Vec<&Credential> = record
        .inventory
        .credentials
        .iter()
        .filter(|credential| !is_anchor(credential))
        .filter(|credential| match credential.origin {
            Origin::Declared(_) | Origin::Served => false,
            Origin::Embedded => true,
            Origin::Memory => lived.contains(&credential.fingerprint) && !is_renewed(credential),
        })
        .filter(|credential| in_window(credential) && !blamed(credential))
        .collect();
    ending.sort_by_key(|credential| credential.not_after);
    ending
        .into_iter()
        .filter_map(|credential| {
            let candidate = &scenario.candidate.service;
            let place = credential.places.iter().find(|place| place.service == *candidate)?;
            let code = FindingCode::ExpiredEmbeddedCredential;
            let doubtful = doubtful(credential);
            let severity = match policy {
                PresentButUnused::Block => Severity::Block,
                PresentButUnused::Doubt if doubtful => Severity::Inconclusive,
                PresentButUnused::Doubt | PresentButUnused::Ignore | PresentButUnused::Warn => Severity::Note,
            };
            let what = match (doubtful, was_looked_at(credential)) {
                (true, _) => "no check shows what that does",
                (false, true) => "nothing breaks",
                (false, false) => "a break hides what that does",
            };
            let lies = match credential.origin {
                Origin::Memory => "memory",
                Origin::Declared(_) | Origin::Embedded | Origin::Served => &place.path,
            };
            let summary = format!(
                "{} in {lies} of {candidate} ends at {}, and {what}",
                credential.subject, credential.not_after
            );
            let mut found = finding(code, severity, summary);
            found.culprit = Some(credential.fingerprint);
            found.seen_at = Some(credential.not_after);
            found.services = vec![candidate.clone()];
            found.help = match doubtful {
                true => Some(words::DOUBT.to_owned()),
                false => words::help(code).map(str::to_owned),
            };
            Some(found)
        })
        .collect()
}
