//! Attribution: which credential is behind a break, and why the gate believes so.
//!
//! What must never happen here: a guess. Where two credentials are equally likely none is named, and all the
//! evidence is shown.

use crate::checkpoint::{checkpoints, fatal_ends, first_failure};
use crate::holder::{Holders, is_anchor, reach, relevant_edges};
use crate::{
    Bracket, CaseId, CaseRecord, Credential, CredentialKind, Edge, EdgeKind, Evidence, Fingerprint,
    Observation, Origin, ProcessRead, Refusal, RunRecord, Seen, ServiceName, UnixTime, memory,
};
use std::collections::BTreeSet;

/// Shorter serial numbers turn up in log lines by chance.
const SHORTEST_SERIAL: usize = 6;
/// What verifiers grant beyond an end, for clocks that differ: OpenSSL's tools and curl five minutes to an OCSP response,
/// libraries for tokens mostly one.
const LEEWAYS_SECS: [i64; 5] = [30, 60, 120, 180, 300];
/// What breaks so soon behind a change breaks because of that one.
const SOON_SECS: i64 = 60;
/// As much evidence of a kind as a reader can use.
const MAX_EVIDENCE: usize = 8;

/// The credential behind a break that `case` shows, where exactly one is most likely, and the evidence, strongest
/// first. Evidence that speaks for another credential is not left out.
///
/// Ranks: the edge coincides with the break to the second (an exact bracket only; a verifier may refuse in the last
/// valid second), or where none does, an end lies before it by as much as verifiers grant; the probe refused it by name; a process of a service that fails held it in memory; a process
/// that ended named it in its log; it belongs to the candidate.
#[must_use]
pub fn attribute(
    record: &RunRecord,
    bracket: Option<Bracket>,
    case: &CaseId,
) -> (Option<Fingerprint>, Vec<Evidence>) {
    let Some(case) = record.case(case) else { return (None, Vec::new()) };
    let coinciding = coinciding(record, bracket, case);
    let wire = refused_by_name(record, case);
    let logged = named_in_log(record, case);
    let failing = failing_services(record, case);
    let culprit = match rank(record, bracket, case).as_slice() {
        [] => None,
        [first, second, ..] if first.0 == second.0 => None,
        [first, ..] => Some(first.1),
    };

    let mut evidence: Vec<Evidence> = Vec::new();
    // The culprit's own edge first; the rest in time order.
    let mut edges = coinciding;
    edges.sort_by_key(|edge| (Some(edge.credential) != culprit, *edge));
    let mut told: Vec<Fingerprint> =
        culprit.into_iter().chain(edges.iter().map(|it| it.credential)).collect();
    told.dedup();
    evidence.extend(edges.into_iter().take(MAX_EVIDENCE).map(|edge| Evidence::Coincidence { edge }));
    let reasons: BTreeSet<String> = wire.into_iter().map(|(_, reason)| reason).collect();
    evidence.extend(reasons.into_iter().take(MAX_EVIDENCE).map(|reason| Evidence::SeenOnTheWire { reason }));
    evidence.extend(told.into_iter().take(MAX_EVIDENCE).filter_map(|it| kept(case, &failing, it)));
    let lines: BTreeSet<(ServiceName, String)> =
        logged.into_iter().map(|(_, service, line)| (service, line)).collect();
    evidence.extend(
        lines.into_iter().take(MAX_EVIDENCE).map(|(service, line)| Evidence::NamedInLog { service, line }),
    );
    (culprit, evidence)
}

/// What speaks for a credential, in the order that [`attribute`] names: first that its edge coincides.
pub(crate) type Rank = [bool; 5];

/// Every credential for which something speaks, the most likely first.
pub(crate) fn rank(
    record: &RunRecord,
    bracket: Option<Bracket>,
    case: &CaseRecord,
) -> Vec<(Rank, Fingerprint)> {
    let coinciding = coinciding(record, bracket, case);
    let wire = refused_by_name(record, case);
    let logged = named_in_log(record, case);
    let failing = failing_services(record, case);
    let holders = Holders::new(record);
    let mut ranked: Vec<(Rank, Fingerprint)> = Vec::new();
    for credential in &record.inventory.credentials {
        let fingerprint = credential.fingerprint;
        let coincides = coinciding.iter().any(|edge| edge.credential == fingerprint);
        // What has not changed yet cannot be behind the break, whoever names it.
        let changed = |edge: Edge| bracket.is_none_or(|b| edge.changed_at() <= b.first_fail.plus_secs(1));
        let ended = credential.edges().any(|edge| edge.kind == EdgeKind::NotAfter && changed(edge));
        let wire = ended && wire.iter().any(|(named, _)| *named == fingerprint);
        let logged = ended && logged.iter().any(|(named, _, _)| *named == fingerprint);
        if coincides || wire || logged {
            let loaded = keepers(case, &failing, fingerprint).next().is_some();
            ranked.push(([coincides, wire, loaded, logged, holders.is_own(credential)], fingerprint));
        }
    }
    ranked.sort_unstable_by(|a, b| b.cmp(a));
    ranked
}

/// Edges that coincide with a break that `case` shows, in time order.
pub(crate) fn coinciding(record: &RunRecord, bracket: Option<Bracket>, case: &CaseRecord) -> Vec<Edge> {
    bracket.filter(Bracket::is_exact).map_or_else(Vec::new, |exact| {
        let mut edges = relevant_edges(record);
        edges.retain(|edge| is_there(record, case, edge.credential));
        let there = |edge: &&Edge| coincides(edge, &exact);
        let at_once: Vec<Edge> = edges.iter().filter(there).copied().collect();
        match at_once.is_empty() {
            true => edges.into_iter().filter(|edge| is_granted(record, edge, &exact)).collect(),
            false => at_once,
        }
    })
}

/// Whether a break in `bracket` comes behind the end `edge` of what is shown to others by what verifiers grant.
fn is_granted(record: &RunRecord, edge: &Edge, bracket: &Bracket) -> bool {
    let late = bracket.first_fail.secs_since(edge.changed_at());
    let is_shown = record.inventory.find(edge.credential).is_some_and(|credential| !is_anchor(credential));
    is_shown
        && edge.kind == EdgeKind::NotAfter
        && LEEWAYS_SECS.iter().any(|leeway| late.abs_diff(*leeway) <= 1)
}

/// What may be behind a break at `first_fail` that comes behind the change at `changed`: what changes then, and where some
/// timer put the break off all that changed before it, within as long as time elapses behind a boundary.
pub(crate) fn put_off(record: &RunRecord, changed: UnixTime, first_fail: UnixTime) -> Vec<Edge> {
    let is_soon = first_fail.secs_since(changed) <= SOON_SECS;
    let since = changed.plus_secs(-record.scenario.planning.dwell_secs());
    let mut edges = relevant_edges(record);
    edges.retain(|edge| {
        let at = edge.changed_at();
        let has_ended = edge.kind == EdgeKind::NotAfter && at >= since && at < changed;
        at == changed || (!is_soon && has_ended)
    });
    edges
}

/// Of `edges` the one that is behind the break which `case` shows: the only one, or that of the only credential that a
/// failing process holds in memory.
pub(crate) fn most_likely(record: &RunRecord, case: &CaseRecord, edges: &[Edge]) -> Option<Edge> {
    let credentials =
        |edges: &[Edge]| edges.iter().map(|edge| edge.credential).collect::<BTreeSet<_>>().len();
    if credentials(edges) == 1 {
        return edges.last().copied();
    }
    let mut held = edges.to_vec();
    held.retain(|edge| in_memory(record, case, edge.credential).is_some());
    held.last().copied().filter(|_| credentials(&held) == 1)
}

/// Whether a break in `bracket` falls on `edge`: in the first second of the new state, one later, or in the last of
/// the old one.
pub(crate) fn coincides(edge: &Edge, bracket: &Bracket) -> bool {
    bracket.is_exact() && bracket.first_fail.secs_since(edge.changed_at()).abs() <= 1
}

/// Services that may be behind the first failure of `case`: those that ended, and all that a failing check passes through.
fn failing_services(record: &RunRecord, case: &CaseRecord) -> BTreeSet<ServiceName> {
    let scenario = &record.scenario;
    let Some(failure) = first_failure(case, scenario) else { return BTreeSet::new() };
    let points = checkpoints(case, scenario);
    let looks = points.iter().filter(|point| point.step == failure.step).flat_map(|point| &point.looks);
    let failing = looks.filter(|look| look.met == Some(false));
    let mut found: BTreeSet<ServiceName> = failing.flat_map(|look| reach(scenario, look.check)).collect();
    found.extend(fatal_ends(case, scenario, &failure).into_iter().map(|end| end.service.clone()));
    found
}

/// That a process of a service which fails in `case` held `credential` in memory; none where none did.
pub(crate) fn in_memory(record: &RunRecord, case: &CaseRecord, credential: Fingerprint) -> Option<Evidence> {
    kept(case, &failing_services(record, case), credential)
}

fn kept(case: &CaseRecord, failing: &BTreeSet<ServiceName>, credential: Fingerprint) -> Option<Evidence> {
    let (service, process) = keepers(case, failing, credential).next()?;
    let (service, exe) = (service.clone(), process.exe.clone());
    Some(Evidence::InMemory { service, pid: process.pid, exe, credential })
}

/// Their processes that held it in memory.
fn keepers<'a>(
    case: &'a CaseRecord,
    failing: &'a BTreeSet<ServiceName>,
    fingerprint: Fingerprint,
) -> impl Iterator<Item = (&'a ServiceName, &'a ProcessRead)> {
    memory::kept_by(case, fingerprint).filter(|(service, _)| failing.contains(*service))
}

/// What a service made for itself in one launch is not behind a break in another.
fn is_there(record: &RunRecord, case: &CaseRecord, fingerprint: Fingerprint) -> bool {
    let credential = record.inventory.find(fingerprint);
    credential.is_some_and(|credential| match credential.origin {
        Origin::Declared(_) | Origin::Embedded => true,
        // Who is refused is not told when the role ends, and it was told with that end before.
        Origin::Served if credential.kind == CredentialKind::SqlRole => true,
        Origin::Memory | Origin::Served => {
            let mut served = case.observations.iter().flat_map(Observation::shown);
            served.any(|served| served.credential.fingerprint == fingerprint)
                || memory::holds(case, fingerprint)
        }
    })
}

/// Credentials that the first failure of `case` names, on the wire or in a log.
pub(crate) fn named(record: &RunRecord, case: &CaseRecord) -> BTreeSet<Fingerprint> {
    let wire = refused_by_name(record, case).into_iter().map(|(fingerprint, _)| fingerprint);
    let logged = named_in_log(record, case).into_iter().map(|(fingerprint, _, _)| fingerprint);
    wire.chain(logged).collect()
}

fn refused_by_name(record: &RunRecord, case: &CaseRecord) -> Vec<(Fingerprint, String)> {
    let Some(failure) = first_failure(case, &record.scenario) else { return Vec::new() };
    let points = checkpoints(case, &record.scenario);
    points
        .iter()
        .filter(|point| point.step == failure.step)
        .flat_map(|point| &point.looks)
        .filter(|look| look.met == Some(false))
        .flat_map(|look| match &look.observation.seen {
            Seen::Refused(Refusal { culprit: Some(culprit), reason, .. }) => vec![(*culprit, reason.clone())],
            Seen::Refused(Refusal { culprit: None, reason, .. }) => named_in(record, case, reason),
            Seen::Absent { reason } => named_in(record, case, reason),
            Seen::Answered(answer) => named_in(record, case, answer.text().unwrap_or_default()),
        })
        .collect()
}

/// Credentials that `text`, which came back, names, each with the line that does.
fn named_in(record: &RunRecord, case: &CaseRecord, text: &str) -> Vec<(Fingerprint, String)> {
    let there = record.inventory.credentials.iter().filter(|it| is_there(record, case, it.fingerprint));
    let line = |credential: &Credential| text.lines().find(|line| names(line, credential));
    there
        .filter_map(|credential| Some((credential.fingerprint, line(credential)?.trim().to_owned())))
        .collect()
}

fn named_in_log(record: &RunRecord, case: &CaseRecord) -> Vec<(Fingerprint, ServiceName, String)> {
    let Some(failure) = first_failure(case, &record.scenario) else { return Vec::new() };
    let mut found = Vec::new();
    for end in fatal_ends(case, &record.scenario, &failure) {
        for credential in &record.inventory.credentials {
            if !is_there(record, case, credential.fingerprint) {
                continue;
            }
            if let Some(line) = end.log_tail.lines().rev().find(|line| names(line, credential)) {
                found.push((credential.fingerprint, end.service.clone(), line.trim().to_owned()));
            }
        }
    }
    found
}

/// Whether a log line names `credential` by subject, serial number or end.
fn names(line: &str, credential: &Credential) -> bool {
    let serial = credential.serial.to_ascii_uppercase();
    let plain: String = line.to_ascii_uppercase().chars().filter(|c| *c != ':').collect();
    let by_serial = serial.len() >= SHORTEST_SERIAL && holds_word(&plain, &serial);
    let by_subject = !credential.subject.is_empty() && holds_word(line, &credential.subject);
    let by_second = || {
        let second = credential.written_end().map(|end| end.as_secs().to_string());
        second.is_some_and(|second| word_starts(line, &second).any(|at| tells_of_end(&line[..at])))
    };
    let by_end = || {
        let mut ends = ends_as_text(credential).into_iter();
        ends.any(|end| line.match_indices(&end).any(|(at, _)| tells_of_end(&line[..at])))
    };
    by_subject || by_serial || by_end() || by_second()
}

/// Whether what comes `before` an instant makes it that of an end: logs are stamped with the time, which is that of an
/// end where one is met.
fn tells_of_end(before: &str) -> bool {
    let is_of_end = |word: &str| {
        let word = word.to_ascii_lowercase();
        let others = ["end", "enddate", "ended", "ends", "exp", "nextupdate", "through", "till", "validto"];
        let is_stem = word.ends_with("after") || word.ends_with("until") || word.contains("expir");
        is_stem || others.contains(&word.as_str())
    };
    before.split(|c: char| !c.is_alphabetic()).any(is_of_end)
}

/// The end of validity as programs write it.
fn ends_as_text(credential: &Credential) -> Vec<String> {
    let Some(end) = credential.written_end() else { return Vec::new() };
    let Ok(end) = jiff::Timestamp::from_second(end.as_secs()) else { return Vec::new() };
    let zoned = end.to_zoned(jiff::tz::TimeZone::UTC);
    [
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M:%S",
        "%b %e %H:%M:%S %Y",
        // Of GnuTLS and of Java.
        "%b %e %H:%M:%S UTC %Y",
        "%b %d %H:%M:%S UTC %Y",
    ]
    .iter()
    .map(|format| zoned.strftime(format).to_string())
    .collect()
}

/// Whether `text` holds `word` and not as part of a longer one: `CN=hss` is not named by `CN=hss-2`.
fn holds_word(text: &str, word: &str) -> bool {
    word_starts(text, word).next().is_some()
}

/// Where `text` holds `word` and not as part of a longer one, in bytes.
fn word_starts<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> {
    let joins = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(joins) && !after.is_some_and(joins)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines_name_credentials_by_subject_serial_and_end() {
        let credential = Credential {
            subject: "CN=hss".to_owned(),
            issuer: "CN=root".to_owned(),
            serial: "0A1B2C3D".to_owned(),
            not_after: UnixTime::parse("2018-12-06T04:29:59Z").unwrap(),
            ..Credential::found(crate::CredentialKind::X509, Fingerprint::from_bytes([1; 32]))
        };
        for (line, expected) in [
            ("certificate CN=hss has expired", true),
            ("certificate CN=hss-2 has expired", false),
            ("certificate CN=hss_old has expired", false),
            ("serial 0a:1b:2c:3d refused", true),
            ("serial FF0A1B2C3D refused", false),
            ("notAfter=Dec  6 04:29:59 2018 GMT", true),
            ("ended 2018-12-06T04:29:59Z", true),
            ("ended 2018-12-06T04:29:58Z", false),
            ("NotAfter: Thu Dec 06 04:29:59 UTC 2018", true),
            ("expired: Thu Dec  6 04:29:59 UTC 2018", true),
            ("certificate is not valid after 1544070599 (86279 seconds ago)", true),
            ("certificate is not valid after 15440705990", false),
            ("all is well", false),
            ("2018-12-06 04:29:59 VERIFY OK: depth=1, CN=root", false),
            ("level=info ts=2018-12-06T04:29:59Z msg=\"asked again\"", false),
            (r#"{"ts":1544070599,"msg":"sent to the endpoint"}"#, false),
            ("2018-12-06 04:29:59 refused: expired on 2018-12-06 04:29:59", true),
            (r#"{"iss":"login","exp":1544070599}"#, true),
            (r#"{"msg":"refused","validUntil":"2018-12-06T04:29:59Z"}"#, true),
            ("refused: tokenExpires=1544070599", true),
        ] {
            assert_eq!(names(line, &credential), expected, "{line}");
        }
    }
}
