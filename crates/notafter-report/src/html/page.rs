//! Everything that the template shows, as text: whatever comes from outside has passed the escaping of pages, and the
//! template escapes it once more as HTML.

use super::graph::Graph;
use super::timeline::Timeline;
use crate::against;
use crate::explain::explain;
use crate::page::{clip, escape, log_line};
use crate::terminal::{repeating, told};
use crate::words::{
    Unseen, boundaries, candidate, case_error, connections, count, coverage_sum, credential, distance,
    duration, edge_word, end_of, ended, looked, place, purpose, reservation, seen, stands_for, subject,
};
use notafter_core::{
    CaseRecord, Comparison, CoverageEntry, Credential, Decision, Finding, Gated, Outcome, RunRecord,
    Severity, Span, Touch, Verdict,
};
use serde::Serialize;

/// Looks of one case that are shown; the JSON record holds all.
const LOOKS: usize = 300;
/// Rows of other tables.
const ROWS: usize = 500;

/// A name and its value.
#[derive(Serialize)]
struct Fact {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
pub(super) struct HtmlPage {
    title: String,
    decision: String,
    headline: String,
    facts: Vec<Fact>,
    findings: Vec<FindingView>,
    against: Option<AgainstView>,
    notes: Vec<Note>,
    timeline: Timeline,
    graph: Graph,
    coverage_sum: String,
    coverage: Vec<Covered>,
    cases: Vec<CaseView>,
    more_coverage: String,
    opaque: Vec<String>,
    remarks: Vec<String>,
    version: &'static str,
}

#[derive(Serialize)]
struct FindingView {
    code: &'static str,
    severity: &'static str,
    summary: String,
    facts: Vec<Fact>,
    evidence: Vec<String>,
    services: Vec<String>,
    checks: Vec<String>,
    log: Vec<String>,
    log_of: String,
    command: String,
    help: String,
    meaning: &'static str,
    why: &'static str,
    mend: &'static str,
}

/// The build that is in production.
#[derive(Serialize)]
struct AgainstView {
    who: String,
    verdict: String,
    lines: Vec<Fact>,
}

#[derive(Serialize)]
struct Note {
    code: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Covered {
    touch: &'static str,
    at: String,
    credential: String,
    places: String,
}

#[derive(Serialize)]
struct CaseView {
    id: String,
    purpose: &'static str,
    reason: String,
    outcome: &'static str,
    took: String,
    error: String,
    looks: Vec<LookView>,
    more_looks: String,
    ends: Vec<EndView>,
    served: Vec<String>,
    processes: usize,
}

#[derive(Serialize)]
struct LookView {
    at: String,
    check: String,
    connection: String,
    met: &'static str,
    seen: String,
}

#[derive(Serialize)]
struct EndView {
    text: String,
    log: Vec<String>,
}

impl HtmlPage {
    pub(super) fn new(gated: Gated<'_>, comparison: Option<&Comparison>) -> Self {
        let Gated { record, verdict } = gated;
        let scenario = &record.scenario;
        let who = candidate(scenario);
        let of = |severity| verdict.findings.iter().filter(move |finding| finding.severity == severity);
        let total = verdict.coverage.entries.len();
        Self {
            title: safe(&format!("{}: {who}", verdict.decision)),
            decision: verdict.decision.to_string(),
            headline: safe(&headline(record, verdict, &who)),
            facts: facts(record, verdict, &who),
            findings: of(Severity::Block)
                .chain(of(Severity::Inconclusive))
                .map(|finding| FindingView::new(record, finding))
                .collect(),
            against: comparison.map(|comparison| beside(record, comparison)),
            notes: of(Severity::Note).map(note).collect(),
            timeline: Timeline::new(record, verdict),
            graph: Graph::new(record, verdict),
            coverage_sum: coverage_sum(record, &verdict.coverage),
            coverage: verdict
                .coverage
                .entries
                .iter()
                .take(ROWS)
                .map(|entry| covered(record, entry))
                .collect(),
            cases: record.cases.iter().take(ROWS).map(|case| CaseView::new(record, case)).collect(),
            more_coverage: match total.saturating_sub(ROWS) {
                0 => String::new(),
                more => count(more, "more credential"),
            },
            opaque: unseen(record),
            remarks: record.remarks.iter().take(ROWS).map(|remark| safe(&clip(remark, 400))).collect(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

fn beside(record: &RunRecord, comparison: &Comparison) -> AgainstView {
    let lines = against::lines(record, comparison);
    AgainstView {
        who: safe(&against::production(comparison)),
        verdict: safe(&against::verdict(comparison)),
        lines: lines
            .iter()
            .take(ROWS)
            .map(|line| Fact { name: line.label, value: safe(&line.text) })
            .collect(),
    }
}

fn unseen(record: &RunRecord) -> Vec<String> {
    let unseen = Unseen::of(record);
    let mut lines: Vec<String> = unseen.lines().take(ROWS).map(|text| safe(text)).collect();
    match unseen.lines().count().saturating_sub(ROWS) {
        0 => {}
        more => lines.push(format!("and {more} more; the JSON record lists them")),
    }
    lines
}

fn safe(text: &str) -> String {
    escape(text).into_owned()
}

fn headline(record: &RunRecord, verdict: &Verdict, who: &str) -> String {
    let scenario = &record.scenario;
    let until = scenario.horizon;
    let first = verdict.findings.first();
    match verdict.decision {
        Decision::Allow => {
            let but = reservation(verdict);
            format!("{who} passes every check through {until}, the end of its support window{but}")
        }
        Decision::Block => match first.and_then(|finding| finding.bracket) {
            Some(bracket) => format!(
                "{who} breaks on {}, {}; support is promised until {until}",
                bracket.first_fail,
                distance(scenario.start, bracket.first_fail)
            ),
            None => format!("{who} must not ship"),
        },
        Decision::Inconclusive => format!("{who} is not cleared for release: the gate could not look"),
    }
}

fn facts(record: &RunRecord, verdict: &Verdict, who: &str) -> Vec<Fact> {
    let scenario = &record.scenario;
    let (start, horizon) = (scenario.start.instant(), scenario.horizon);
    let image = scenario.service(&scenario.candidate.service).and_then(|service| scenario.image_of(service));
    let image = image.map_or_else(String::new, |image| format!(", {}", clip(&image.to_string(), 200)));
    let next = verdict.next_edge.map(|edge| format!("{}, {}", edge.at, end_of(&record.inventory, &edge)));
    let mut facts = vec![
        Fact { name: "scenario", value: scenario.name.to_string() },
        Fact { name: "candidate", value: safe(&format!("{who}{image}")) },
        Fact {
            name: "support window",
            value: format!("{start} to {horizon} ({})", Span::from_secs(horizon.secs_since(start))),
        },
        Fact { name: "begun", value: format!("{} by the host's clock", record.started) },
    ];
    facts.extend(next.map(|value| Fact { name: "next edge after it", value: safe(&value) }));
    facts
}

fn note(finding: &Finding) -> Note {
    let waived = finding
        .waived
        .as_ref()
        .map_or_else(String::new, |waived| format!("; waived by {}", clip(waived, 300)));
    Note { code: finding.code.as_str(), text: safe(&format!("{}{waived}", clip(&finding.summary, 400))) }
}

fn covered(record: &RunRecord, entry: &CoverageEntry) -> Covered {
    let known = record.inventory.find(entry.credential);
    let edge = boundaries(record).into_iter().find(|edge| edge.credential == entry.credential);
    Covered {
        touch: match entry.touch {
            Touch::Exercised => "exercised",
            Touch::Loaded => "only loaded",
            Touch::Never => "never used",
            Touch::Served => "only served",
        },
        at: edge
            .map_or_else(String::new, |edge| format!("{} {}", edge_word(&record.inventory, &edge), edge.at)),
        credential: safe(&credential(&record.inventory, entry.credential)),
        places: safe(&places(known).join("; ")),
    }
}

fn places(known: Option<&Credential>) -> Vec<String> {
    known.into_iter().flat_map(|known| known.places.iter().take(8).map(place)).collect()
}

impl FindingView {
    fn new(record: &RunRecord, finding: &Finding) -> Self {
        let explained = explain(finding.code);
        let mut facts = Vec::new();
        let mut fact =
            |name, value: Option<String>| facts.extend(value.map(|value| Fact { name, value: safe(&value) }));
        let culprit = finding.culprit.and_then(|culprit| record.inventory.find(culprit));
        fact("breaks", finding.bracket.map(|bracket| bracket.first_fail.to_string()));
        fact("still worked", finding.bracket.map(|bracket| bracket.last_pass.to_string()));
        fact(
            "because of",
            culprit.map(|known| match known.title() == known.subject {
                true => subject(&known.subject),
                false => format!("{}, {}", subject(&known.subject), known.kind.word()),
            }),
        );
        fact("fingerprint", culprit.map(|known| known.fingerprint.to_string()));
        fact("issued by", culprit.map(|known| subject(&known.issuer)));
        for place in places(culprit) {
            fact("lies in", Some(place));
        }
        fact("no control", finding.uncontrolled.as_ref().map(|text| clip(text, 400).into_owned()));
        fact("expected", finding.expected.as_ref().map(|text| clip(text, 400).into_owned()));
        fact("seen", finding.seen.as_ref().map(|text| clip(text, 400).into_owned()));
        fact("seen at", finding.seen_at.map(|at| format!("{at} on the candidate's clock")));
        fact("asked by", finding.location.as_ref().map(ToString::to_string));
        fact("case", finding.case.as_ref().map(ToString::to_string));
        Self {
            code: finding.code.as_str(),
            severity: match finding.severity {
                Severity::Block => "block",
                Severity::Inconclusive => "inconclusive",
                Severity::Note => "note",
            },
            summary: safe(&clip(&finding.summary, 600)),
            facts,
            evidence: finding
                .evidence
                .iter()
                .map(|evidence| safe(&told(record, finding, evidence)))
                .collect(),
            services: finding
                .services
                .iter()
                .map(|name| safe(&record.scenario.service(name).map_or_else(|| name.to_string(), stands_for)))
                .collect(),
            checks: finding
                .checks
                .iter()
                .map(|(check, kinds)| match kinds.as_slice() {
                    [] => check.to_string(),
                    kinds => format!("{check}, over {}", connections(kinds)),
                })
                .collect(),
            log: log(finding.log_tail.as_deref().unwrap_or_default()),
            log_of: finding.services.first().map_or_else(String::new, ToString::to_string),
            command: safe(&repeating(&record.scenario, finding).join(" ")),
            help: safe(finding.help.as_deref().unwrap_or(explained.mend)),
            meaning: explained.meaning,
            why: explained.why,
            mend: explained.mend,
        }
    }
}

fn log(tail: &str) -> Vec<String> {
    tail.lines().map(|line| safe(&log_line(line))).filter(|line| !line.trim().is_empty()).collect()
}

impl CaseView {
    fn new(record: &RunRecord, case: &CaseRecord) -> Self {
        let looks = case.looks(&record.scenario);
        let more = looks.len().saturating_sub(LOOKS);
        let mut served: Vec<String> = case
            .observations
            .iter()
            .flat_map(|look| &look.served)
            .map(|served| {
                let known = &served.credential;
                let name = subject(&known.subject);
                safe(&format!(
                    "{name} ({}), {} to {}",
                    known.fingerprint.short(),
                    known.not_before,
                    known.not_after
                ))
            })
            .collect();
        served.sort();
        served.dedup();
        let mut processes: Vec<_> =
            case.witnesses.iter().map(|witness| (&witness.service, witness.pid)).collect();
        processes.sort();
        processes.dedup();
        Self {
            id: case.case.id.to_string(),
            purpose: purpose(&case.case.purpose),
            reason: safe(&case.case.reason),
            outcome: match case.outcome {
                Some(Outcome::Error) => "error",
                Some(Outcome::Fail) => "fail",
                Some(Outcome::Pass) => "pass",
                Some(Outcome::Skip) => "skip",
                None => "unfinished",
            },
            took: duration(case.took),
            error: case.error.as_ref().map_or_else(String::new, |error| safe(&case_error(error))),
            looks: looks
                .into_iter()
                .take(LOOKS)
                .map(|(look, met)| LookView {
                    at: look.planned.to_string(),
                    check: look.check.to_string(),
                    connection: look.connection.to_string(),
                    met: match met {
                        Some(true) => "as expected",
                        Some(false) => "not as expected",
                        None => "decides nothing",
                    },
                    seen: safe(&if met == Some(false) { looked(look) } else { seen(&look.seen) }),
                })
                .collect(),
            more_looks: if more == 0 { String::new() } else { count(more, "more look") },
            ends: case
                .ends
                .iter()
                .map(|end| EndView {
                    text: safe(&format!("{} at {}", ended(end), end.at)),
                    log: log(&end.log_tail),
                })
                .collect(),
            served,
            processes: processes.len(),
        }
    }
}
