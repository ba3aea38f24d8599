//! From two records with their verdicts to what is different.

use super::difference::{Comparison, Difference, Gated, Production, Side};
use super::ground::{Incomparable, is_comparable};
use crate::night::cause;
use crate::{
    Bracket, Credential, Decision, Finding, FindingCode, NightFinding, Origin, Place, RunRecord, ServiceName,
    Severity, UnixTime,
};

/// What `candidate` has that `production` has not, and the other way round. Where the gate could not look at one of them
/// nothing is called new or defused.
///
/// # Errors
/// [`Incomparable`] where the two did not run under the same conditions.
pub fn compare(candidate: Gated<'_>, production: Gated<'_>) -> Result<Comparison, Incomparable> {
    is_comparable(&candidate.record.scenario, &production.record.scenario)?;
    let sides = [(Side::Candidate, candidate), (Side::Production, production)];
    let unjudged: Vec<Side> = sides
        .iter()
        .filter(|(_, gated)| gated.verdict.decision == Decision::Inconclusive)
        .map(|(side, _)| *side)
        .collect();
    let differences = match unjudged.as_slice() {
        [] => differences(&Bombs::of(candidate), &Bombs::of(production)),
        _ => Vec::new(),
    };
    Ok(Comparison {
        production: Production::of(production),
        unjudged,
        other_peers: other_peers(candidate.record, production.record),
        differences,
    })
}

/// What is wrong with one build, earliest first, each cause once.
struct Bombs<'a> {
    record: &'a RunRecord,
    found: Vec<&'a Finding>,
}

impl<'a> Bombs<'a> {
    fn of(gated: Gated<'a>) -> Self {
        let Gated { record, verdict } = gated;
        // A waiver lets a break pass; the build breaks all the same.
        let is_bomb = |finding: &&Finding| {
            finding.severity == Severity::Block || (finding.waived.is_some() && finding.bracket.is_some())
        };
        let mut all: Vec<&Finding> = verdict.findings.iter().filter(is_bomb).collect();
        all.sort_by_key(|finding| shows_at(record, finding));
        let mut found: Vec<&Finding> = Vec::new();
        for finding in all {
            if !found.iter().any(|known| is_same((record, known), (record, finding))) {
                found.push(finding);
            }
        }
        Self { record, found }
    }

    /// The first second in which the build is broken: what comes then and later, a run does not see.
    fn blind_from(&self) -> Option<UnixTime> {
        let broken = self.found.iter().filter(|it| it.bracket.is_some() || it.code == FindingCode::FailOpen);
        broken.map(|finding| shows_at(self.record, finding)).min()
    }
}

fn differences(candidate: &Bombs<'_>, production: &Bombs<'_>) -> Vec<Difference> {
    let mut left: Vec<&Finding> = production.found.clone();
    let mut rest: Vec<&Finding> = Vec::new();
    let mut found = Vec::new();
    let brief = |side: &Bombs<'_>, finding: &Finding| NightFinding::of(finding, &side.record.inventory);
    let mut pair = |one: &Finding, other: &Finding| {
        found.push(moved((one.bracket, brief(candidate, one)), (other.bracket, brief(production, other))));
    };
    for one in &candidate.found {
        let same = |other: &&Finding| is_same((candidate.record, one), (production.record, other));
        match left.iter().position(same) {
            Some(index) => pair(one, left.remove(index)),
            None => rest.push(one),
        }
    }
    // What was renewed has another fingerprint; where it lies tells it first, and its subject where it has moved.
    for is_renewed in [lies_where, is_called] {
        let mut unpaired = Vec::new();
        for one in std::mem::take(&mut rest) {
            let fits = |other: &&Finding| {
                let credentials = embedded(candidate.record, one).zip(embedded(production.record, other));
                family(one.code) == family(other.code)
                    && credentials.is_some_and(|(one, other)| is_renewed(one, other))
            };
            let fitting: Vec<usize> = (0..left.len()).filter(|index| fits(&left[*index])).collect();
            match fitting.as_slice() {
                [only] => pair(one, left.remove(*only)),
                _ => unpaired.push(one),
            }
        }
        rest = unpaired;
    }
    let behind = |side: &Bombs<'_>, at: UnixTime| side.blind_from().filter(|from| at >= *from);
    for finding in rest {
        let at = shows_at(candidate.record, finding);
        let candidate = brief(candidate, finding);
        found.push(match behind(production, at) {
            Some(blind_from) => Difference::UnseenInProduction { candidate, blind_from },
            None => Difference::New { candidate },
        });
    }
    for finding in left {
        let at = shows_at(production.record, finding);
        let production = brief(production, finding);
        found.push(match behind(candidate, at) {
            Some(blind_from) => Difference::UnseenInCandidate { production, blind_from },
            None => Difference::Defused { production },
        });
    }
    found.sort_by_key(|difference| (difference.rank(), difference.finding().breaks_at));
    found
}

/// Two breaks by the same cause.
fn moved(
    (one, candidate): (Option<Bracket>, NightFinding),
    (other, production): (Option<Bracket>, NightFinding),
) -> Difference {
    let Some((one, other)) = one.zip(other) else { return Difference::Same { candidate, production } };
    // Brackets that overlap may hold the same second.
    if one.last_pass < other.first_fail && other.last_pass < one.first_fail {
        return Difference::Same { candidate, production };
    }
    match one.first_fail.secs_since(other.first_fail) {
        0 => Difference::Same { candidate, production },
        secs @ 1.. => Difference::Later { candidate, production, secs },
        sooner => Difference::Earlier { candidate, production, secs: -sooner },
    }
}

/// When a finding shows: the first failing second, the end of the credential of one that breaks nothing, or the end of the
/// window. Who is let in wrongly is so from the start on.
fn shows_at(record: &RunRecord, finding: &Finding) -> UnixTime {
    let ends = || {
        let credential = record.inventory.find(finding.culprit?)?;
        Some(credential.not_after.plus_secs(1))
    };
    match (finding.bracket, finding.code) {
        (Some(bracket), _) => bracket.first_fail,
        (None, FindingCode::FailOpen) => record.scenario.start.instant(),
        (None, _) => ends().unwrap_or(record.scenario.horizon),
    }
}

/// Whether two findings are of one cause, by what they are known by in every run.
fn is_same((here, one): (&RunRecord, &Finding), (there, other): (&RunRecord, &Finding)) -> bool {
    family(one.code) == family(other.code) && cause(one, &here.inventory) == cause(other, &there.inventory)
}

/// A build that is broken already breaks by what another will break by.
fn family(code: FindingCode) -> FindingCode {
    if code == FindingCode::AlreadyBroken { FindingCode::BreaksInWindow } else { code }
}

/// The culprit, where it lies in files.
fn embedded<'a>(record: &'a RunRecord, finding: &Finding) -> Option<&'a Credential> {
    let credential = record.inventory.find(finding.culprit?)?;
    (credential.origin == Origin::Embedded).then_some(credential)
}

/// Whether one credential has taken the place of another: the same in kind and name, in the same file.
fn lies_where(one: &Credential, other: &Credential) -> bool {
    let is_there = |here: &Place, there: &Place| {
        (&here.service, &here.path, &here.inside) == (&there.service, &there.path, &there.inside)
    };
    let share = one.places.iter().any(|here| other.places.iter().any(|there| is_there(here, there)));
    one.kind == other.kind && one.subject == other.subject && share
}

/// The same in another file of the service: files of programs are called after their version.
fn is_called(one: &Credential, other: &Credential) -> bool {
    let share = one.places.iter().any(|here| other.places.iter().any(|there| here.service == there.service));
    one.kind == other.kind && one.subject == other.subject && !one.subject.is_empty() && share
}

/// Services beside the candidate whose images are known by their content, and are not the same.
fn other_peers(candidate: &RunRecord, production: &RunRecord) -> Vec<ServiceName> {
    let own = &candidate.scenario.candidate.service;
    let mut peers = Vec::new();
    for image in candidate.images.iter().filter(|image| image.service != *own) {
        let there = production.images.iter().find(|there| there.service == image.service);
        let ids = image.id.as_ref().zip(there.and_then(|there| there.id.as_ref()));
        if ids.is_some_and(|(here, there)| here != there) {
            peers.push(image.service.clone());
        }
    }
    peers
}
