//! What a blocking verdict rests on: the instant, the credential, the evidence, what falls with it.

use super::command::see_again;
use super::report::Report;
use crate::explain::explain;
use crate::page::{Page, clip, log_line};
use crate::words::{
    candidate, connections, count, credential, distance, edge_word, end_of, list, place, stands_for, subject,
    survivor,
};
use notafter_core::{
    Credential, CredentialKind, Edge, EdgeKind, Effect, Evidence, Finding, FindingCode, Fingerprint, Origin,
    RunRecord, Severity, Span,
};
use std::fmt;

/// Lines of a failing service's log that a report shows.
const LOG_LINES: usize = 8;
/// How far before a break nobody can explain an end is worth a word.
const SHORTLY_SECS: i64 = 7 * 86_400;
/// How many such ends a report shows.
const ENDED: usize = 2;
/// Places of one certificate that a report shows.
const PLACES: usize = 4;

pub(super) fn write(page: &mut Page<'_>, report: &Report<'_>) -> fmt::Result {
    let mut blocking = report.findings(Severity::Block);
    let record = report.record;
    let Some(first) = blocking.next() else {
        // Only a record that was tampered with comes here; it must not read as anything but a block.
        let text = format!("{}: the record holds no finding that says why", candidate(&record.scenario));
        return page.headline(page.styles.block, "block", &text);
    };
    let promise = format!("support is promised until {}", record.scenario.horizon);
    page.headline(page.styles.block, "block", &format!("{}; {promise}", headline(record, first)))?;
    details(page, record, first)?;
    for finding in blocking {
        page.blank()?;
        page.headline(page.styles.block, "also blocks", &headline(record, finding))?;
        details(page, record, finding)?;
    }
    Ok(())
}

/// The finding in one line: who breaks, when, how far that is from start.
fn headline(record: &RunRecord, finding: &Finding) -> String {
    let scenario = &record.scenario;
    let who = candidate(scenario);
    match (finding.code, &finding.bracket) {
        (FindingCode::BreaksInWindow, Some(bracket)) if bracket.is_exact() => {
            format!(
                "{who} breaks on {}, {}",
                bracket.first_fail,
                distance(scenario.start, bracket.first_fail)
            )
        }
        (FindingCode::BreaksInWindow, Some(bracket)) => format!(
            "{who} breaks between {} and {}, {} at the latest",
            bracket.last_pass,
            bracket.first_fail,
            distance(scenario.start, bracket.first_fail)
        ),
        (FindingCode::AlreadyBroken, Some(bracket)) => format!(
            "{who} is broken already, since {}, {}",
            bracket.first_fail,
            distance(scenario.start, bracket.first_fail)
        ),
        _ if finding.summary.starts_with(&who) => finding.summary.clone(),
        _ => format!("{who}: {}", finding.summary),
    }
}

/// Everything that a finding rests on, in the order in which a reader asks for it.
pub(super) fn details(page: &mut Page<'_>, record: &RunRecord, finding: &Finding) -> fmt::Result {
    because(page, record, finding)?;
    asked(page, finding)?;
    log(page, finding)?;
    falls(page, record, finding)?;
    if finding.case.is_some() {
        see_again(page, &record.scenario, finding)?;
    }
    page.blank()?;
    page.headline(page.styles.heading, "help", finding.help.as_deref().unwrap_or(explain(finding.code).mend))
}

fn because(page: &mut Page<'_>, record: &RunRecord, finding: &Finding) -> fmt::Result {
    if finding.bracket.is_none() && finding.culprit.is_none() && finding.evidence.is_empty() {
        return Ok(());
    }
    page.section_with("because", &cause(finding))?;
    match finding.culprit.map(|fingerprint| (fingerprint, record.inventory.find(fingerprint))) {
        Some((_, Some(culprit))) => certificate(page, record, culprit, finding)?,
        Some((fingerprint, None)) => {
            page.field("fingerprint", &format!("{fingerprint}, which the inventory does not hold"))?;
        }
        None if finding.evidence.is_empty() => {
            page.field(
                "look for",
                "a licence, a date written into the code, or a credential made in memory: nothing in the files or \
                 on the wire changes then",
            )?;
            ended_before(page, record, finding)?;
        }
        None => {}
    }
    for (index, evidence) in finding.evidence.iter().enumerate() {
        let text = told(record, finding, evidence);
        page.numbered(if index == 0 { "evidence" } else { "" }, index + 1, &text)?;
    }
    match &finding.uncontrolled {
        Some(missing) => page.field("no control", &clip(missing, 400)),
        None => Ok(()),
    }
}

/// What ended shortly before a break that nothing explains: some programs bear with a credential for a while after its
/// end, as validators of DNSSEC do for a tenth of a signature's life.
fn ended_before(page: &mut Page<'_>, record: &RunRecord, finding: &Finding) -> fmt::Result {
    let Some(bracket) = finding.bracket.filter(|bracket| bracket.is_exact()) else { return Ok(()) };
    let edges =
        record.inventory.edges_between(bracket.first_fail.plus_secs(-SHORTLY_SECS), bracket.last_pass);
    let ends = || edges.iter().rev().filter(|edge| edge.kind == EdgeKind::NotAfter);
    for (index, edge) in ends().take(ENDED).enumerate() {
        let Some(ended) = record.inventory.find(edge.credential) else { continue };
        let lag = Span::from_secs(bracket.first_fail.secs_since(edge.at));
        let text = format!("{} ({}), {lag} earlier", subject(&ended.subject), ended.fingerprint.short());
        page.field(if index == 0 { "ended before" } else { "" }, &text)?;
    }
    match ends().count().saturating_sub(ENDED) {
        0 => Ok(()),
        more => page.field("", &format!("and {more} more in the week before")),
    }
}

/// What the summary says beyond the headline: `X breaks at T: cause; what hides it`.
fn cause(finding: &Finding) -> String {
    let cause = finding.summary.split_once(": ").map_or(finding.summary.as_str(), |(_, cause)| cause);
    clip(cause, 400).into_owned()
}

fn certificate(
    page: &mut Page<'_>,
    record: &RunRecord,
    culprit: &Credential,
    finding: &Finding,
) -> fmt::Result {
    let named = format!("{} ({})", subject(&culprit.subject), culprit.fingerprint.short());
    match culprit.kind {
        CredentialKind::X509 => page.field("certificate", &named)?,
        other => page.field("credential", &format!("{} {named}", other.word()))?,
    }
    let issuer = if culprit.self_issued { "itself".to_owned() } else { subject(&culprit.issuer) };
    if !culprit.issuer.is_empty() || culprit.kind == CredentialKind::X509 {
        page.field("issued by", &issuer)?;
    }
    if !culprit.serial.is_empty() {
        page.field("serial", &clip(&culprit.serial, 60))?;
    }
    page.field("fingerprint", &culprit.fingerprint.to_string())?;
    match edge_of(finding).map(|edge| edge.kind) {
        Some(EdgeKind::NotBefore) => {
            page.field(
                "notBefore",
                &format!("{}, the first second in which it is valid", culprit.not_before),
            )?;
        }
        Some(EdgeKind::NotAfter) | None => {
            let meaning = match culprit.kind.end_lag_secs() {
                0 => "the last second in which it is valid",
                _ => "the first second in which it is not valid any more",
            };
            let end = culprit.written_end().unwrap_or(culprit.not_after);
            page.field(culprit.kind.end_word(), &format!("{end}, {meaning}"))?;
        }
    }
    for (index, at) in culprit.places.iter().take(PLACES).enumerate() {
        page.field(if index == 0 { "lies in" } else { "" }, &place(at))?;
    }
    if culprit.places.len() > PLACES {
        page.field("", &format!("and in {}", count(culprit.places.len() - PLACES, "more place")))?;
    }
    match &culprit.origin {
        Origin::Declared(name) => {
            let declared = record.scenario.credential(name);
            let location = declared.map_or_else(String::new, |spec| format!(" at {}", spec.location));
            page.field("known from", &format!("the scenario, which declares it as {name}{location}"))
        }
        Origin::Embedded => Ok(()),
        Origin::Memory => {
            page.field("known from", "the memory of a process: it lies in no file and was shown to no probe")
        }
        Origin::Served => page.field("known from", "the wire: a service showed it to a probe"),
    }
}

fn edge_of(finding: &Finding) -> Option<&Edge> {
    finding.evidence.iter().find_map(|evidence| match evidence {
        Evidence::Coincidence { edge } | Evidence::Delayed { edge } => Some(edge),
        Evidence::CausalControl { .. }
        | Evidence::InMemory { .. }
        | Evidence::NamedInLog { .. }
        | Evidence::Rotation { .. }
        | Evidence::SeenOnTheWire { .. } => None,
    })
}

/// Seconds from the edge to the instant that the format of the credential writes.
fn lag_secs(record: &RunRecord, edge: &Edge) -> i64 {
    let credential = record.inventory.find(edge.credential).filter(|_| edge.kind == EdgeKind::NotAfter);
    credential.map_or(0, |credential| credential.kind.end_lag_secs())
}

/// A credential beside the finding that may blame it.
fn named(record: &RunRecord, finding: &Finding, fingerprint: Fingerprint) -> String {
    match finding.culprit == Some(fingerprint) {
        true => "it".to_owned(),
        false => credential(&record.inventory, fingerprint),
    }
}

/// Evidence as a reader would say it.
pub(crate) fn told(record: &RunRecord, finding: &Finding, evidence: &Evidence) -> String {
    let it = if finding.culprit.is_some() { "it" } else { "a certificate" };
    match evidence {
        Evidence::CausalControl { effect, credentials, until, case } => {
            let names: Vec<String> = credentials.iter().map(|it| named(record, finding, *it)).collect();
            let together = if names.len() > 1 { " together" } else { "" };
            let came = match effect {
                Effect::Mends => "it works there",
                Effect::MendsPart => "some of it works there and some breaks all the same",
                Effect::MendsNothing => "it breaks all the same",
            };
            let names = list(&names);
            format!(
                "with {names} issued anew{together} to end at {until}, and nothing else changed, {came} (case {case})"
            )
        }
        Evidence::Coincidence { edge } => {
            let whose = if finding.culprit == Some(edge.credential) {
                format!("its {}", edge_word(&record.inventory, edge))
            } else {
                end_of(&record.inventory, edge)
            };
            let written = edge.at.plus_secs(lag_secs(record, edge));
            match finding.bracket.map(|bracket| bracket.first_fail.secs_since(written)) {
                Some(0) => format!("the first failure comes in the very second of {whose}"),
                Some(secs @ 1..=2) => {
                    format!("the first failure comes {} after {whose}", Span::from_secs(secs))
                }
                Some(secs @ 3..) => format!(
                    "the first failure comes {} after {whose}: verifiers grant such a leeway",
                    Span::from_secs(secs)
                ),
                Some(secs) => format!("the first failure comes {} before {whose}", Span::from_secs(secs)),
                None => format!("the failure coincides with {whose}, {}", edge.at),
            }
        }
        Evidence::Delayed { edge } => {
            let whose = if finding.culprit == Some(edge.credential) {
                format!("its {}", edge_word(&record.inventory, edge))
            } else {
                end_of(&record.inventory, edge)
            };
            format!("the same motions that stop short of {whose}, {}, do no harm", edge.at)
        }
        Evidence::Rotation { rotation, at, problems } => {
            let told = record.scenario.rotation(rotation).map_or_else(String::new, |rotation| {
                problems.iter().map(|problem| format!("; {}", problem.told(rotation))).collect()
            });
            format!("rotation {rotation} is at {at}{told}")
        }
        Evidence::SeenOnTheWire { reason } => format!("the look names {it}: {}", clip(reason, 200)),
        Evidence::InMemory { service, pid, exe, credential: held } => {
            let what = named(record, finding, *held);
            format!("process {pid} of {service} ({}) holds {what} in its memory", clip(exe, 200))
        }
        Evidence::NamedInLog { service, line } => {
            let line = log_line(line);
            let shown = finding.services.first() == Some(service)
                && shown_lines(finding).1.iter().any(|shown| shown.trim() == line.trim());
            if shown {
                format!("{service} names {it} in its log, below")
            } else {
                format!("{service} names {it} in its log: {line}")
            }
        }
    }
}

/// What was expected, what was seen, at which time, and the scenario line that asked.
pub(super) fn asked(page: &mut Page<'_>, finding: &Finding) -> fmt::Result {
    let mut fields: Vec<(&str, String)> = Vec::new();
    if let Some(expected) = &finding.expected {
        fields.push(("expected", clip(expected, 300).into_owned()));
    }
    if let Some(seen) = &finding.seen {
        fields.push(("seen", clip(seen, 300).into_owned()));
    }
    let last_pass = finding.bracket.map(|bracket| format!("it still worked at {}", bracket.last_pass));
    match (finding.seen_at, last_pass) {
        (Some(at), Some(last)) => fields.push(("at", format!("{at}; {last}"))),
        (Some(at), None) => fields.push(("at", at.to_string())),
        (None, Some(last)) => fields.push(("at", last)),
        (None, None) => {}
    }
    if let Some(location) = &finding.location {
        fields.push(("asked by", location.to_string()));
    }
    if !fields.is_empty() {
        page.section("what was seen")?;
    }
    fields.iter().try_for_each(|(label, value)| page.field(label, value))
}

pub(super) fn log(page: &mut Page<'_>, finding: &Finding) -> fmt::Result {
    let (hidden, lines) = shown_lines(finding);
    if lines.is_empty() {
        return Ok(());
    }
    let whose = finding
        .services
        .first()
        .map_or_else(|| "the log".to_owned(), |service| format!("the log of {service}"));
    page.section(&format!("the end of {whose}"))?;
    if hidden > 0 {
        page.paragraph(2, 0, &format!("({} above; --keep DIR keeps the whole log)", count(hidden, "line")))?;
    }
    lines.iter().try_for_each(|line| page.quote(line))
}

/// The last lines of a log that say something, and how many such lines stand above them.
fn shown_lines(finding: &Finding) -> (usize, Vec<String>) {
    let tail = finding.log_tail.as_deref().unwrap_or_default();
    let mut lines: Vec<String> = tail.lines().map(log_line).filter(|line| !line.trim().is_empty()).collect();
    let hidden = lines.len().saturating_sub(LOG_LINES);
    (hidden, lines.split_off(hidden))
}

fn falls(page: &mut Page<'_>, record: &RunRecord, finding: &Finding) -> fmt::Result {
    if finding.services.is_empty() && finding.checks.is_empty() && finding.still_working.is_empty() {
        return Ok(());
    }
    let all = record.scenario.checks.len();
    let checks = format!("{} of {}", finding.checks.len(), count(all, "check"));
    let sum = match finding.services.len() {
        0 | 1 => checks,
        services => format!("{} and {checks}", count(services - 1, "other service")),
    };
    page.section_with("falls with it", &sum)?;
    for (index, name) in finding.services.iter().enumerate() {
        let mut text = record.scenario.service(name).map_or_else(|| name.to_string(), stands_for);
        if index == 0 && finding.services.len() > 1 {
            text.push_str(", the first to fall");
        }
        page.field(if index == 0 { "services" } else { "" }, &text)?;
    }
    for (index, (check, kinds)) in finding.checks.iter().enumerate() {
        let text = if kinds.is_empty() {
            check.to_string()
        } else {
            format!("{check}, over {}", connections(kinds))
        };
        page.field(if index == 0 { "checks" } else { "" }, &text)?;
    }
    for (index, (check, kind)) in finding.still_working.iter().enumerate() {
        let falls = finding.checks.iter().any(|(name, kinds)| name == check && kinds.contains(kind));
        let text = match falls {
            // Fresh starts lose it; the walk does not.
            true => format!("{check}, in processes that have run since before the break"),
            false => format!("{check}, over {}", survivor(*kind)),
        };
        page.field(if index == 0 { "still works" } else { "" }, &text)?;
    }
    Ok(())
}
