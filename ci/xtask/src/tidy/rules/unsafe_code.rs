//! `unsafe` exists in notafter-sys alone, in files that say how they keep it sound, and the roots of all other crates
//! forbid it.
//!
//! Fixtures stand for software that others wrote: some of them must do what safe code cannot.

use super::super::{TextFile, Workspace};
use super::Violation;
use super::rule::has_word;

pub(super) const NAME: &str = "unsafe-code";

const HOME: &str = "crates/notafter-sys/";
const FIXTURES: &str = "fixtures/";
const FORBID: &str = "#![forbid(unsafe_code)]";
/// Heading in the documentation at the top of a file with raw operations.
const SAFETY: &str = "//! # Safety";

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = roots_without_forbid(workspace);
    violations.extend(files_without_safety(workspace));
    for file in workspace.files.iter().filter(|file| file.is_rust() && !is_free(&file.path)) {
        for (number, _) in file.numbered().filter(|(_, line)| has_word(&line.code, "unsafe")) {
            violations.push(Violation {
                rule: NAME,
                path: file.path.clone(),
                line: Some(number),
                message: "`unsafe` belongs into notafter-sys".to_owned(),
            });
        }
    }
    violations
}

fn roots_without_forbid(workspace: &Workspace) -> Vec<Violation> {
    let roots = workspace.members.iter().flat_map(|member| &member.roots).filter(|root| !is_free(root));
    let forbids = |root: &&String| {
        workspace.file(root).is_some_and(|file| file.lines.iter().any(|line| line.code.trim() == FORBID))
    };
    let silent = roots.filter(|root| !forbids(root));
    silent
        .map(|root| Violation {
            rule: NAME,
            path: root.clone(),
            line: None,
            message: format!("the root of a crate needs `{FORBID}`"),
        })
        .collect()
}

fn files_without_safety(workspace: &Workspace) -> Vec<Violation> {
    let raw = workspace.files.iter().filter(|file| file.is_rust() && file.path.starts_with(HOME));
    let unsafe_lines = |file: &TextFile| file.lines.iter().any(|line| has_word(&line.code, "unsafe"));
    let says_how = |file: &TextFile| file.lines.iter().any(|line| line.text == SAFETY);
    raw.filter(|file| unsafe_lines(file) && !says_how(file))
        .map(|file| Violation {
            rule: NAME,
            path: file.path.clone(),
            line: None,
            message: format!("a file with `unsafe` needs a section `{SAFETY}` at its top"),
        })
        .collect()
}

fn is_free(path: &str) -> bool {
    path.starts_with(HOME) || path.starts_with(FIXTURES)
}
