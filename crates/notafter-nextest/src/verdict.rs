//! What a gate of a build means for one of its checks.

use crate::tool::{EXIT, OUTPUT, RECORD};
use notafter_core::{Check, Decision, RunRecord, Verdict};
use notafter_report::replay::{self, Columns};
use notafter_report::testcases::{TestOutcome, outcome};
use notafter_report::{Detail, StyleSheet, json, terminal};
use std::fs;
use std::path::Path;

/// Which verdict a test waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// Allow, as far as its check is concerned.
    Allow,
    /// What the scenario tells of the build.
    Told,
}

/// What the gate that left `directory` says of `check`.
///
/// # Errors
/// A text for whoever reads that the test failed.
pub(crate) fn of_check(directory: &Path, check: &str, awaited: Awaited) -> Result<(), String> {
    let text = |name| fs::read_to_string(directory.join(name)).unwrap_or_default();
    let exit = text(EXIT);
    let unheard = |why: &str| {
        Err(format!("inconclusive: {why}; the tool ended with {exit} and said:\n{}", text(OUTPUT)))
    };
    let (record, verdict) = match json::read(&text(RECORD)) {
        Ok(read) => read,
        Err(_) if exit != "0" => return unheard("there is no record"),
        Err(error) => return unheard(&format!("the record cannot be read ({error})")),
    };
    let expected = match verdict.decision {
        Decision::Allow => "0",
        Decision::Block => "1",
        Decision::Inconclusive => "3",
    };
    if exit != expected {
        return unheard(&format!("the record says {}", verdict.decision));
    }
    let Some(check) = record.scenario.checks.iter().find(|known| known.name.as_str() == check) else {
        return unheard(&format!("the record knows no check {check}"));
    };
    match awaited {
        Awaited::Allow => allowed(&record, &verdict, check),
        Awaited::Told => told(&record, &verdict),
    }
}

fn allowed(record: &RunRecord, verdict: &Verdict, check: &Check) -> Result<(), String> {
    match outcome(verdict, &check.name) {
        TestOutcome::Passed => Ok(()),
        TestOutcome::Errored(_) => {
            Err(format!("{} could not be looked at\n\n{}", check.name, report(record, verdict)))
        }
        TestOutcome::Failed(_) => Err(format!("{} falls\n\n{}", check.name, report(record, verdict))),
    }
}

fn told(record: &RunRecord, verdict: &Verdict) -> Result<(), String> {
    let build = record.scenario.candidate.build.as_ref().map(|build| &build.name);
    let Some(entry) = record.scenario.replay.iter().find(|entry| Some(&entry.build) == build) else {
        return Err("the scenario tells nothing of this build".to_owned());
    };
    if replay::compare(entry, record, verdict).is_empty() {
        return Ok(());
    }
    let mut line = String::new();
    // A String takes everything that is written to it.
    _ = replay::write(&mut line, &Columns::default(), entry, record, verdict, &StyleSheet::plain());
    Err(format!("{line}\n{}", report(record, verdict)))
}

fn report(record: &RunRecord, verdict: &Verdict) -> String {
    let mut page = String::new();
    // A String takes everything that is written to it.
    _ = terminal::write(&mut page, record, verdict, Detail::Brief, &StyleSheet::plain());
    page
}
