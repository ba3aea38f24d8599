//! Every crate from outside has its reason in docs/dependencies.md, and only those do.
//!
//! A row there begins with the package's name in backquotes. What the workspace declares and no crate uses is to go.

use super::super::{Source, TextFile, Workspace};
use super::Violation;
use std::collections::BTreeSet;

pub(super) const NAME: &str = "dependencies";

pub(super) const REASONS: &str = "docs/dependencies.md";
const MANIFEST: &str = "Cargo.toml";

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let declared = workspace.file(MANIFEST).map(declared).unwrap_or_default();
    let reasoned = workspace.file(REASONS).map(reasoned).unwrap_or_default();
    let used: BTreeSet<&str> = workspace
        .members
        .iter()
        .flat_map(|member| &member.dependencies)
        .filter(|dependency| dependency.source == Source::Outside)
        .map(|dependency| dependency.name.as_str())
        .collect();
    let violation =
        |path: &str, message| Violation { rule: NAME, path: path.to_owned(), line: None, message };

    let without_reason = used.union(&declared).filter(|name| !reasoned.contains(*name));
    let unused = declared.difference(&used);
    let stale = reasoned.iter().filter(|name| !used.contains(*name) && !declared.contains(*name));
    let mut violations = Vec::new();
    violations.extend(without_reason.map(|name| violation(REASONS, format!("`{name}` has no reason here"))));
    violations.extend(unused.map(|name| violation(MANIFEST, format!("no crate uses `{name}`"))));
    violations.extend(stale.map(|name| violation(REASONS, format!("`{name}` is no dependency any more"))));
    violations
}

/// Packages from outside in `[workspace.dependencies]`, where every dependency is one line.
fn declared(manifest: &TextFile) -> BTreeSet<&str> {
    let lines = manifest.lines.iter().map(|line| line.text.as_str());
    lines
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.contains("path = "))
        .filter_map(|line| {
            let (name, rest) = line.split_once(" = ")?;
            let renamed = rest.split_once("package = \"").and_then(|(_, package)| package.split('"').next());
            Some(renamed.unwrap_or(name))
        })
        .collect()
}

/// Packages that have a row in the table of reasons.
fn reasoned(document: &TextFile) -> BTreeSet<&str> {
    let rows = document.lines.iter().filter_map(|line| line.text.strip_prefix("| `"));
    rows.filter_map(|row| row.split_once("` | ").filter(|(_, why)| why.len() > 2).map(|(name, _)| name))
        .collect()
}
