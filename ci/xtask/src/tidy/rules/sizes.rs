//! Files that somebody can read in one go: at most [`LIMIT`] lines beside tests, or a reason at the top.

use super::super::Workspace;
use super::Violation;

pub(super) const NAME: &str = "sizes";

/// Lines beside tests that a file may have without a reason.
pub(super) const LIMIT: usize = 500;

/// What begins the line with the reason; it stands in the documentation at the top of the file.
pub(super) const REASON: &str = "//! size:";

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in workspace.files.iter().filter(|file| file.is_rust()) {
        let lines = file.lines.iter().filter(|line| !line.is_test).count();
        let mut top = file.lines.iter().take_while(|line| line.text.starts_with("//!"));
        let excused =
            top.any(|line| line.text.strip_prefix(REASON).is_some_and(|why| !why.trim().is_empty()));
        if lines > LIMIT && !excused {
            violations.push(Violation {
                rule: NAME,
                path: file.path.clone(),
                line: None,
                message: format!(
                    "{lines} lines beside tests, more than {LIMIT}; split it or say why with `{REASON}`"
                ),
            });
        }
    }
    violations
}
