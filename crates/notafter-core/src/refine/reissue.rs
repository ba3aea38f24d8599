//! The causal control: does a break go away when nothing but the credential that is blamed for it ends later?
//!
//! Where the gate made the credential it can make it once more, with another last second, and run the case that broke
//! again. No other evidence is as strong. It is asked for last and decides nothing but what is named: what must never
//! happen here is a break that stops being one.

use super::cold::Repeat;
use super::investigate::Investigation;
use super::known::{Known, Wanted};
use super::plan::case_id;
use crate::attribute::{Rank, attribute, put_off, rank};
use crate::checkpoint::{Failure, checkpoints, counts, first_failure};
use crate::soundness::fault;
use crate::{
    Bracket, Case, CaseId, CaseRecord, CheckName, Connection, Credential, CredentialName, Effect, Evidence,
    Expectation, Fingerprint, Origin, Purpose, RunRecord, Scenario, ServiceName, UnixTime, X509Issuer,
};
use std::collections::BTreeSet;

/// What is issued anew ends so long after the horizon: far enough for whoever warns or renews ahead of an end.
pub(super) const BEYOND_SECS: i64 = 365 * 86_400;
/// A run whose break lies at a known end makes at most so many launches. The first trial of a break is made even behind a
/// longer search.
const MAX_LAUNCHES: usize = 8;
/// The same where nothing is known to change where it breaks, and what ended a while before is tried.
const MAX_GUESSING_LAUNCHES: usize = 32;
/// How long before a break that nothing else explains an end may lie: caches and timers of a week are common.
const LATELY_SECS: i64 = 7 * 86_400;
/// So many of those are tried, the last first.
const MAX_GUESSES: usize = 3;

/// What reissuing showed of one break.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Control {
    /// Every trial that could be made, as evidence.
    pub(crate) shown: Vec<Evidence>,
    /// What is missing and why, as a lower-case fragment.
    pub(crate) missing: Option<String>,
    /// The credential with which alone the break goes away.
    pub(crate) cause: Option<Fingerprint>,
}

/// A declared credential that ended before the break or in its second.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Suspect {
    fingerprint: Fingerprint,
    name: CredentialName,
    issuer: Option<CredentialName>,
}

impl Suspect {
    /// Whether one of both is the issuer of the other, so that who verifies one looks at both.
    fn is_related(&self, other: &Self) -> bool {
        self.issuer.as_ref() == Some(&other.name) || other.issuer.as_ref() == Some(&self.name)
    }
}

/// Whom to try.
#[derive(Debug, Default)]
struct Suspects {
    /// The most likely first.
    all: Vec<Suspect>,
    /// Whether nothing speaks for them but that they ended a while before: then only what mends the break says something.
    guessed: bool,
}

/// One thing that fails.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Symptom {
    Check(CheckName, Connection),
    End(ServiceName),
}

/// Asks for the trials of every break that `found` has established, and reads those that ran.
pub(super) fn investigate(known: &mut Known<'_>, found: &mut Investigation) {
    let record = known.record;
    let is_sure = |repeat: Repeat| repeat == Repeat::Failed;
    let fresh = found.past.iter().chain(&found.cold).filter(|cold| is_sure(cold.repeat));
    let fresh = fresh.map(|cold| (cold.last_pass, cold.first_fail, cold.case.clone(), None));
    let walked = found.motion.iter().filter(|motion| is_sure(motion.repeat) && motion.is_break(record));
    let walked =
        walked.map(|motion| (motion.last_pass, motion.first_fail, motion.case.clone(), motion.behind));
    for (last_pass, first_fail, case, behind) in fresh.chain(walked).collect::<Vec<_>>() {
        let bracket = Bracket::around(last_pass, first_fail, record);
        if let Some(control) = record.case(&case).and_then(|case| control(known, bracket, case, behind)) {
            found.controls.insert(case, control);
        }
    }
}

/// None where no credential of the scenario is blamed.
fn control(
    known: &mut Known<'_>,
    bracket: Bracket,
    case: &CaseRecord,
    behind: Option<UnixTime>,
) -> Option<Control> {
    let record = known.record;
    let scenario = &record.scenario;
    let suspects = suspects(record, bracket, case, behind);
    let failure = first_failure(case, scenario).filter(|_| !suspects.all.is_empty())?;
    let mut control = Control::default();
    match expected_works(case, &failure, scenario) {
        Some(true) => {}
        Some(false) => {
            let why = "what fails is a check that asks for a refusal, and a later end brings no refusal";
            control.missing = Some(why.to_owned());
            return Some(control);
        }
        None => return None,
    }
    let before = symptoms(case, &failure, scenario);
    if before.is_empty() {
        return None; // a rotation failed, and that needs no credential to explain it
    }
    let until = scenario.horizon.plus_secs(BEYOND_SECS).min(UnixTime::NO_EXPIRY);
    let mut untried: Option<Vec<Suspect>> = None;
    let most_launches = if suspects.guessed { MAX_GUESSING_LAUNCHES } else { MAX_LAUNCHES };
    for (index, trial) in trials(&suspects.all).into_iter().enumerate() {
        let wanted = reissuing(case, &failure, &trial, until);
        let id = wanted.id.clone();
        let launches = record.cases.len() + known.next.len();
        if index > 0 && record.case(&id).is_none() && launches >= most_launches {
            untried.get_or_insert(trial);
            continue;
        }
        let ran = match known.want(wanted) {
            Wanted::Ran(ran) => ran,
            Wanted::Missing => {
                control.missing = Some(format!("case {id} has not run"));
                return Some(control);
            }
            Wanted::Lost => {
                control.missing = Some(lost(record, &id));
                return Some(control);
            }
        };
        let Some(effect) = effect(&before, ran.record, &failure, scenario) else {
            control.missing = Some(format!("case {id} came out otherwise than {}", case.case.id));
            return Some(control);
        };
        let credentials: Vec<Fingerprint> = trial.iter().map(|suspect| suspect.fingerprint).collect();
        if effect == Effect::Mends {
            control.cause = Some(credentials[0]).filter(|_| credentials.len() == 1);
        }
        control.shown.push(Evidence::CausalControl { effect, credentials, until, case: id });
        if effect == Effect::Mends {
            return Some(control);
        }
    }
    if suspects.guessed {
        return None;
    }
    control.missing = untried.map(|trial| {
        let names: Vec<&str> = trial.iter().map(|suspect| suspect.name.as_str()).collect();
        let names = match names.as_slice() {
            [one] => format!("{one} was not issued anew alone"),
            all => format!("{} were not issued anew together", all.join(" and ")),
        };
        format!("{names}: that takes more than {MAX_LAUNCHES} launches")
    });
    Some(control)
}

/// Declared credentials that may be behind the break; none where it is one that the gate did not make that is blamed.
fn suspects(record: &RunRecord, bracket: Bracket, case: &CaseRecord, behind: Option<UnixTime>) -> Suspects {
    let ranked = rank(record, Some(bracket), case);
    let Some((first, _)) = ranked.first().cloned() else {
        let (_, evidence) = attribute(record, Some(bracket), &case.case.id);
        return match (evidence.is_empty(), behind) {
            (false, _) => Suspects::default(),
            (true, None) => Suspects { all: ended_lately(record, bracket), guessed: true },
            (true, Some(at)) => {
                let edges = put_off(record, at, bracket.first_fail).into_iter().rev();
                let mut all: Vec<Suspect> =
                    edges.filter_map(|edge| suspect(record, edge.credential, bracket)).collect();
                all.dedup();
                Suspects { all, guessed: false }
            }
        };
    };
    let mut found: Vec<(bool, Suspect)> = ranked
        .into_iter()
        .filter(|(rank, _)| *rank == first || coincides(rank))
        .filter_map(|(rank, it)| suspect(record, it, bracket).map(|it| (rank == first, it)))
        .collect();
    if !found.iter().any(|(foremost, _)| *foremost) {
        return Suspects::default();
    }
    // Fingerprints are others in every run.
    found.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.name.cmp(&other.name)));
    Suspects { all: found.into_iter().map(|(_, suspect)| suspect).collect(), guessed: false }
}

/// Declared credentials that ended a while before an exact break, the last first.
fn ended_lately(record: &RunRecord, bracket: Bracket) -> Vec<Suspect> {
    let declared = record.inventory.credentials.iter().filter(|_| bracket.is_exact());
    let lately = declared.filter(|it| {
        let late = bracket.first_fail.secs_since(it.not_after);
        (0..=LATELY_SECS).contains(&late)
    });
    let mut found: Vec<(UnixTime, Suspect)> = lately
        .filter_map(|it| suspect(record, it.fingerprint, bracket).map(|suspect| (it.not_after, suspect)))
        .collect();
    found.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.name.cmp(&other.name)));
    found.into_iter().take(MAX_GUESSES).map(|(_, suspect)| suspect).collect()
}

/// Whether the credential of this rank ends in the second of the break.
fn coincides(rank: &Rank) -> bool {
    rank[0]
}

fn suspect(record: &RunRecord, fingerprint: Fingerprint, bracket: Bracket) -> Option<Suspect> {
    let credential: &Credential = record.inventory.find(fingerprint)?;
    let Origin::Declared(name) = &credential.origin else { return None };
    let has_ended = credential.not_after <= bracket.first_fail;
    let issuer = match record.scenario.credential(name).map(|spec| &spec.x509.issuer) {
        Some(X509Issuer::Intermediate(issuer) | X509Issuer::IssuedBy(issuer)) => Some(issuer.clone()),
        Some(X509Issuer::Root | X509Issuer::SelfSigned) | None => None,
    };
    has_ended.then(|| Suspect { fingerprint, name: name.clone(), issuer })
}

/// What to issue anew, in this order until something helps: the most likely one alone, the same with those that who
/// verifies it looks at too, each other one alone, all together.
fn trials(suspects: &[Suspect]) -> Vec<Vec<Suspect>> {
    let [first, others @ ..] = suspects else { return Vec::new() };
    let related = others.iter().filter(|other| other.is_related(first));
    let chain: Vec<Suspect> = [first].into_iter().chain(related).cloned().collect();
    let mut found = vec![vec![first.clone()], chain];
    found.extend(others.iter().map(|other| vec![other.clone()]));
    found.push(suspects.to_vec());
    let mut seen: BTreeSet<Vec<CredentialName>> = BTreeSet::new();
    found.retain(|trial| {
        let mut names: Vec<CredentialName> = trial.iter().map(|suspect| suspect.name.clone()).collect();
        names.sort();
        seen.insert(names)
    });
    found
}

/// `case` up to its failure, with `trial` issued anew.
fn reissuing(case: &CaseRecord, failure: &Failure, trial: &[Suspect], until: UnixTime) -> Case {
    let of = case.case.id.clone();
    let credentials: Vec<CredentialName> = trial.iter().map(|suspect| suspect.name.clone()).collect();
    let (id, what) = match credentials.as_slice() {
        [one] => (format!("reissued-{one}-{of}"), format!("{one} alone")),
        all => {
            let names: Vec<&str> = all.iter().map(CredentialName::as_str).collect();
            (format!("reissued-{}-together-{of}", all.len()), names.join(" and "))
        }
    };
    let id = id.get(..63).unwrap_or(&id); // as long as an id may be
    let reason = format!("{of} with {what} issued anew to end at {until}, to tell whether that is the cause");
    let steps = case.case.steps.iter().take(failure.step + 1).cloned().collect();
    let purpose = Purpose::Reissued { of, credentials, until };
    Case { id: case_id(id), purpose, reason, clock: case.case.clock, steps }
}

/// Whether every check that fails asks for something that works; none where one asks whose certificate is shown, which
/// is a question to rotations.
fn expected_works(case: &CaseRecord, failure: &Failure, scenario: &Scenario) -> Option<bool> {
    let points = checkpoints(case, scenario);
    let looks = points.iter().filter(|point| point.step == failure.step).flat_map(|point| &point.looks);
    let mut works = true;
    for look in looks.filter(|look| look.met == Some(false)) {
        match look.check.expectation_at(look.observation.begin.second).map(|span| &span.expectation) {
            Some(Expectation::Works(_)) | None => {}
            Some(Expectation::Rejected { .. }) => works = false,
            Some(Expectation::Serves { .. }) => return None,
        }
    }
    Some(works)
}

/// What fails at the step of `failure`. A check that asks for a refusal is none of it: it may have been right to ask
/// before the credential was issued anew.
fn symptoms(case: &CaseRecord, failure: &Failure, scenario: &Scenario) -> BTreeSet<Symptom> {
    let points = checkpoints(case, scenario);
    let looks = points.iter().filter(|point| point.step == failure.step).flat_map(|point| &point.looks);
    let asks_refusal = |check: &crate::Check, at| {
        let span = check.expectation_at(at);
        span.is_some_and(|span| matches!(span.expectation, Expectation::Rejected { .. }))
    };
    let failing = looks.filter(|look| look.met == Some(false));
    let failing = failing.filter(|look| !asks_refusal(look.check, look.observation.begin.second));
    let mut found: BTreeSet<Symptom> =
        failing.map(|look| Symptom::Check(look.check.name.clone(), look.connection)).collect();
    let ended = case.ends.iter().filter(|end| counts(end, case, scenario) && end.at.second <= failure.at);
    found.extend(ended.map(|end| Symptom::End(end.service.clone())));
    found
}

/// What of the symptoms `before` is left in `ran`; none where others have come, or where it was not looked at.
fn effect(
    before: &BTreeSet<Symptom>,
    ran: &CaseRecord,
    failure: &Failure,
    scenario: &Scenario,
) -> Option<Effect> {
    let looked = ran.observations.iter().any(|look| look.step == failure.step);
    let left = symptoms(ran, failure, scenario);
    let others = left.difference(before).next().is_some();
    if others || (left.is_empty() && !looked) {
        return None;
    }
    Some(match (left.is_empty(), left.len() == before.len()) {
        (true, _) => Effect::Mends,
        (false, false) => Effect::MendsPart,
        (false, true) => Effect::MendsNothing,
    })
}

/// Why there is nothing to be read of a case that was asked for.
fn lost(record: &RunRecord, id: &CaseId) -> String {
    match record.case(id) {
        None => "no launches are left for it".to_owned(),
        Some(case) => match fault(case, record) {
            Some(fault) => fault.message,
            None => format!("case {id} is not what was asked for"),
        },
    }
}
