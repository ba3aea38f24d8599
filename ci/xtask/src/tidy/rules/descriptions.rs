//! Every crate says in its manifest what it is for.

use super::super::Workspace;
use super::Violation;

pub(super) const NAME: &str = "descriptions";

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let silent =
        |description: &Option<String>| description.as_ref().is_none_or(|text| text.trim().is_empty());
    workspace
        .members
        .iter()
        .filter(|member| silent(&member.description))
        .map(|member| Violation {
            rule: NAME,
            path: format!("{}/Cargo.toml", member.directory),
            line: None,
            message: format!("{} has no description", member.name),
        })
        .collect()
}
