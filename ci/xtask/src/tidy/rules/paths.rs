//! No path of the machine on which somebody worked: such a file works there and nowhere else.

use super::super::Workspace;
use super::Violation;

pub(super) const NAME: &str = "paths";

/// Where people keep checkouts. Written in halves, so that this file does not break its own rule.
pub(super) const PLACES: &[&str] =
    &[concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in &workspace.files {
        for (number, line) in file.numbered() {
            if let Some(place) = PLACES.iter().find(|place| begins_with(&line.text, place)) {
                violations.push(Violation {
                    rule: NAME,
                    path: file.path.clone(),
                    line: Some(number),
                    message: format!("a path below `{place}` belongs to one machine"),
                });
            }
        }
    }
    violations
}

/// Whether `text` holds an absolute path that begins with `place`, rather than one in which it comes later.
fn begins_with(text: &str, place: &str) -> bool {
    text.match_indices(place).any(|(begin, _)| {
        let before = text.get(..begin).and_then(|before| before.chars().next_back());
        !before.is_some_and(|character| character.is_alphanumeric() || "_-.}~/*".contains(character))
    })
}
