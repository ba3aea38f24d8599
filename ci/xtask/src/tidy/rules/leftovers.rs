//! Nothing is left for later: no notes to oneself, no test that is switched off.
//!
//! Known gaps stand in one list with reasons; documents may speak of the words themselves.

use super::super::Workspace;
use super::Violation;
use super::rule::has_word;

pub(super) const NAME: &str = "leftovers";

/// Written in halves, so that this file does not break its own rule.
pub(super) const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in workspace.files.iter().filter(|file| !file.path.ends_with(".md")) {
        for (number, line) in file.numbered() {
            let note = NOTES.iter().copied().find(|note| has_word(&line.text, note));
            let switched_off = file.is_rust() && line.code.contains("#[ignore");
            if let Some(what) = note.or(switched_off.then_some("#[ignore]")) {
                violations.push(Violation {
                    rule: NAME,
                    path: file.path.clone(),
                    line: Some(number),
                    message: format!("`{what}` is left over"),
                });
            }
        }
    }
    violations
}
