//! How much the run looked at, and what it did not look into.

use super::describe::boundaries;
use super::plural::count;
use crate::page::clip;
use notafter_core::{Coverage, EdgeKind, RunRecord, ServiceName, Verdict};
use std::collections::BTreeMap;

/// How much of a path or a reason is shown, in characters.
const MAX_TEXT: usize = 160;

/// What an allow does not say: nothing is known of what a waived break hides. Empty where none is waived.
pub(crate) fn reservation(verdict: &Verdict) -> String {
    let waived = verdict.findings.iter().filter(|finding| finding.waived.is_some());
    let broken = waived.filter_map(|finding| finding.bracket).map(|bracket| bracket.first_fail).min();
    broken.map_or_else(String::new, |at| format!(", but for a waived break at {at} and whatever that hides"))
}

/// `12 of 14 expiring credentials exercised`.
pub(crate) fn coverage_sum(record: &RunRecord, coverage: &Coverage) -> String {
    let total = coverage.entries.len();
    if total > 0 {
        return format!("{} of {} exercised", coverage.exercised(), count(total, "expiring credential"));
    }
    // What a rotation has replaced by then ends as well, and nothing uses it any more.
    match boundaries(record).iter().any(|edge| edge.kind == EdgeKind::NotAfter) {
        true => "no credential that ends inside the support window is in use then".to_owned(),
        false => "no known credential ends inside the support window".to_owned(),
    }
}

/// What of files and memory was not looked into, or not to its end: one line for each file, and one for each program of a
/// service whose memory was not read to its end in some case.
pub(crate) struct Unseen {
    pub(crate) files: Vec<String>,
    pub(crate) memories: Vec<String>,
}

impl Unseen {
    pub(crate) fn of(record: &RunRecord) -> Self {
        let files = record.inventory.opaque.iter().map(|file| {
            format!("{}:{}: {}", file.service, clip(&file.path, MAX_TEXT), clip(&file.reason, MAX_TEXT))
        });
        Self { files: files.collect(), memories: memories(record) }
    }

    /// `2 files and the memory of 1 program`; empty where all was looked into.
    pub(crate) fn sum(&self) -> String {
        let programs = || format!("the memory of {}", count(self.memories.len(), "program"));
        match (self.files.len(), self.memories.len()) {
            (0, 0) => String::new(),
            (files, 0) => count(files, "file"),
            (0, _) => programs(),
            (files, _) => format!("{} and {}", count(files, "file"), programs()),
        }
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &String> {
        self.files.iter().chain(&self.memories)
    }
}

fn memories(record: &RunRecord) -> Vec<String> {
    let mut gaps: BTreeMap<(&ServiceName, &str), (&str, usize)> = BTreeMap::new();
    for case in &record.cases {
        let mut told: Vec<(&ServiceName, &str)> = Vec::new();
        for read in &case.memory {
            for process in &read.processes {
                let Some(gap) = &process.gap else { continue };
                let key = (&read.service, process.exe.as_str());
                let known = gaps.entry(key).or_insert((gap, 0));
                if !told.contains(&key) {
                    known.1 += 1;
                    told.push(key);
                }
            }
        }
    }
    let told = gaps.into_iter().map(|((service, exe), (gap, cases))| {
        let (exe, gap) = (clip(exe, MAX_TEXT), clip(gap, MAX_TEXT));
        format!("the memory of {service}, {exe}, {gap} (in {})", count(cases, "case"))
    });
    told.collect()
}
