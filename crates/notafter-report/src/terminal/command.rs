//! The command line that shows a finding again.

use crate::draft::UNSAVED;
use crate::page::Page;
use notafter_core::{CaseId, Depth, Finding, Scenario};
use std::fmt;

/// The file that a directory stands for.
const DEFAULT_FILE: &str = "/scenario.yaml";

/// What shows a finding again: the command line, or, of a draft that nobody keeps, how to keep it.
pub(super) fn see_again(page: &mut Page<'_>, scenario: &Scenario, finding: &Finding) -> fmt::Result {
    page.section("see it again")?;
    if path(scenario) != UNSAVED {
        return page.command(&repeating(scenario, finding));
    }
    let case = finding.case.as_ref().filter(|case| runs_alone(case));
    let case = case.map(|case| format!(" --case {case}")).unwrap_or_default();
    page.paragraph(2, 0, &format!("check it with `--save FILE`, then run `notafter gate FILE{case}`"))
}

/// The words of `notafter gate PATH --candidate S=B --case ID`; options and their values stay together.
pub(crate) fn repeating(scenario: &Scenario, finding: &Finding) -> Vec<String> {
    let mut words = vec!["notafter gate".to_owned(), quoted(&path(scenario))];
    if let Some(build) = &scenario.candidate.build {
        words.push(format!(
            "--candidate {}",
            quoted(&format!("{}={}", scenario.candidate.service, build.name))
        ));
    }
    if scenario.planning.depth == Depth::Full {
        words.push("--depth full".to_owned());
    }
    if let Some(case) = finding.case.as_ref().filter(|case| runs_alone(case)) {
        words.push(format!("--case {case}"));
    }
    words
}

/// Whether `--case` knows this case without what was found out before it: those of the plan, and cold starts at an
/// instant. Anything else takes the whole gate.
fn runs_alone(case: &CaseId) -> bool {
    match case.as_str() {
        "cold" | "control" | "control-native" | "skew-ahead" | "skew-behind" | "stale-list" | "walk" => true,
        other => other.starts_with("cold-") && !other.ends_with("-again"),
    }
}

/// The scenario as its user named it.
fn path(scenario: &Scenario) -> String {
    let file = scenario.checks.first().map(|check| check.location.file.as_str());
    match file {
        Some(file) => match file.strip_suffix(DEFAULT_FILE) {
            Some(directory) if !directory.is_empty() => directory.to_owned(),
            Some(_) | None => file.to_owned(),
        },
        None => scenario.directory.display().to_string(),
    }
}

/// One word for a POSIX shell.
fn quoted(word: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "@%+=:,./_-".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cases_that_run_alone_are_named() {
        let alone = |id: &str| runs_alone(&CaseId::new(id).unwrap());
        assert!(alone("walk") && alone("stale-list") && alone("cold-2018-12-06T043000Z"));
        assert!(!alone("walk-served") && !alone("aged-2") && !alone("cold-2018-12-06T043000Z-again"));
    }

    #[test]
    fn words_survive_a_shell() {
        for (word, shown) in [
            ("a/b.yaml", "a/b.yaml"),
            ("my file", "'my file'"),
            ("it's", r"'it'\''s'"),
            ("$(x)", "'$(x)'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }
}
