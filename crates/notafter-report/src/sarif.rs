//! SARIF 2.1.0 (OASIS): each finding at the line of the scenario that asked, and at the place where its credential lies.
//!
//! Only what code hosts show is written. Structs of our own: a record of one tool needs a small part of the format.

use crate::Error;
use crate::explain::{CODES, explain};
use crate::identity::{identity, location, uri};
use crate::page;
use crate::words::{candidate, place};
use notafter_core::{Decision, Finding, Place, RunRecord, Severity, SourceLocation, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
const HOME: &str = "https://github.com/notafter/notafter";
/// Places of one credential that a result names.
const PLACES: usize = 16;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool,
    invocations: [Invocation; 1],
    automation_details: Id,
    original_uri_base_ids: BTreeMap<String, Described>,
    results: Vec<ResultOf<'a>>,
    column_kind: &'static str,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    information_uri: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Text,
    full_description: Text,
    help: Text,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    exit_code: u8,
    start_time_utc: String,
}

#[derive(Serialize)]
struct Id {
    id: String,
}

#[derive(Serialize)]
struct Described {
    description: Text,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultOf<'a> {
    rule_id: &'static str,
    rule_index: usize,
    kind: &'static str,
    level: &'static str,
    message: Text,
    locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    partial_fingerprints: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Suppression<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: Physical,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Text>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri_base_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase", untagged)]
enum Region {
    Bytes {
        #[serde(rename = "byteOffset")]
        offset: u64,
        #[serde(rename = "byteLength")]
        len: u64,
    },
    Text {
        #[serde(rename = "startLine")]
        line: u32,
        #[serde(rename = "startColumn")]
        column: u32,
    },
}

#[derive(Serialize)]
struct Suppression<'a> {
    kind: &'static str,
    status: &'static str,
    justification: &'a str,
}

/// The log of one run.
///
/// # Errors
/// [`Error::Unwritable`].
pub fn sarif(record: &RunRecord, verdict: &Verdict) -> Result<String, Error> {
    let scenario = &record.scenario;
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "notafter",
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    information_uri: HOME,
                    rules: rules(),
                },
            },
            invocations: [Invocation {
                execution_successful: verdict.decision != Decision::Inconclusive,
                exit_code: match verdict.decision {
                    Decision::Allow => 0,
                    Decision::Block => 1,
                    Decision::Inconclusive => 3,
                },
                start_time_utc: record.started.to_string(),
            }],
            automation_details: Id { id: format!("notafter/{}/{}", scenario.name, candidate(scenario)) },
            original_uri_base_ids: bases(record, verdict),
            results: verdict.findings.iter().map(|finding| result(record, finding)).collect(),
            column_kind: "unicodeCodePoints",
        }],
    };
    crate::json::safe(&log)
}

fn rules() -> Vec<Rule> {
    let text = |text: &str| Text { text: text.to_owned() };
    CODES
        .iter()
        .map(|&code| {
            let explained = explain(code);
            let first =
                explained.meaning.split_inclusive(". ").next().unwrap_or(explained.meaning).trim_end();
            Rule {
                id: code.as_str(),
                short_description: text(first),
                full_description: text(&format!("{} {}", explained.meaning, explained.why)),
                help: text(explained.mend),
            }
        })
        .collect()
}

fn result<'a>(record: &'a RunRecord, finding: &'a Finding) -> ResultOf<'a> {
    let (kind, level) = match finding.severity {
        Severity::Block => ("fail", "error"),
        // What nobody saw is to be treated as a block.
        Severity::Inconclusive => ("fail", "error"),
        Severity::Note => ("fail", "note"),
    };
    let places: Vec<&Place> = places(record, finding);
    let mut message = format!("{}: {}.", candidate(&record.scenario), escape(&finding.summary));
    if let (Some(expected), Some(seen)) = (&finding.expected, &finding.seen) {
        message.push_str(&format!(" Expected: {}. Seen: {}.", escape(expected), escape(seen)));
    }
    if !places.is_empty() {
        message.push_str(" The credential lies [here](1).");
    }
    if let Some(help) = &finding.help {
        message.push_str(&format!(" Help: {}.", escape(help)));
    }
    ResultOf {
        rule_id: finding.code.as_str(),
        rule_index: CODES.iter().position(|code| *code == finding.code).unwrap_or_default(),
        kind,
        level,
        message: Text { text: message },
        locations: location(record, finding).map(in_scenario).into_iter().collect(),
        related_locations: places
            .into_iter()
            .enumerate()
            .map(|(index, place)| embedded(index + 1, place))
            .collect(),
        partial_fingerprints: BTreeMap::from([("notafterFinding/v1", identity(record, finding))]),
        suppressions: finding
            .waived
            .iter()
            .map(|waived| Suppression { kind: "inSource", status: "accepted", justification: waived })
            .collect(),
    }
}

/// Text from outside; brackets would make a link of it (§3.11.6).
fn escape(text: &str) -> String {
    page::escape(text).replace('[', "\\[").replace(']', "\\]")
}

fn in_scenario(location: &SourceLocation) -> Location {
    Location {
        id: None,
        physical_location: Physical {
            artifact_location: Artifact { uri: uri(&location.file), uri_base_id: None },
            region: Region::Text { line: location.line, column: location.column },
        },
        message: None,
    }
}

/// A place inside an image: no file of the repository, so it starts at a base of its own.
fn embedded(id: usize, at: &Place) -> Location {
    Location {
        id: Some(id),
        physical_location: Physical {
            artifact_location: Artifact {
                uri: uri(at.path.trim_start_matches('/')),
                uri_base_id: Some(base(at)),
            },
            region: Region::Bytes { offset: at.offset, len: at.len },
        },
        message: Some(Text { text: place(at) }),
    }
}

fn base(place: &Place) -> String {
    format!("IMAGE-{}", place.service)
}

fn places<'a>(record: &'a RunRecord, finding: &Finding) -> Vec<&'a Place> {
    let culprit = finding.culprit.and_then(|culprit| record.inventory.find(culprit));
    culprit.into_iter().flat_map(|culprit| culprit.places.iter().take(PLACES)).collect()
}

fn bases(record: &RunRecord, verdict: &Verdict) -> BTreeMap<String, Described> {
    let places = verdict.findings.iter().flat_map(|finding| places(record, finding));
    let described = |place: &Place| Described {
        description: Text { text: format!("The root directory of the image that {} runs.", place.service) },
    };
    places.map(|place| (base(place), described(place))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use serde_json::Value;

    fn of((record, verdict): &(RunRecord, Verdict)) -> Value {
        serde_json::from_str(&sarif(record, verdict).unwrap()).unwrap()
    }

    #[test]
    fn a_result_points_to_the_scenario_and_into_the_image() {
        let mut log = of(&sample::block());
        let rules = log["runs"][0]["tool"]["driver"]["rules"].take();
        assert_eq!(rules.as_array().unwrap().len(), CODES.len());
        log["runs"][0]["tool"]["driver"]["semanticVersion"] = "VERSION".into();
        insta::assert_json_snapshot!(log);
    }

    #[test]
    fn a_run_that_could_not_look_was_not_successful() {
        assert_eq!(of(&sample::unshifted())["runs"][0]["invocations"][0]["executionSuccessful"], false);
        assert_eq!(of(&sample::allow())["runs"][0]["invocations"][0]["exitCode"], 0);
    }

    #[test]
    fn a_waiver_suppresses() {
        let (record, mut verdict) = sample::allow();
        verdict.findings[0].waived = Some("ops until 2027-01-01T00:00:00Z: replaced in May".to_owned());
        let log = of(&(record, verdict));
        assert_eq!(log["runs"][0]["results"][0]["suppressions"][0]["status"], "accepted");
    }

    #[test]
    fn text_from_outside_makes_no_links() {
        let (record, mut verdict) = sample::block();
        verdict.findings[0].summary = "CN=[look](https://evil.example)".to_owned();
        let text = of(&(record, verdict))["runs"][0]["results"][0]["message"]["text"].to_string();
        assert!(text.contains(r"CN=\\[look\\](https"), "{text}");
    }
}
