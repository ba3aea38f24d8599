//! Runs every rule and says what it found.

use super::{RULES, Violation, Workspace};
use crate::printer;
use anyhow::{Result, bail};
use std::path::Path;

/// Everything that any rule finds, in the order of the rules.
#[must_use]
pub fn check(workspace: &Workspace) -> Vec<Violation> {
    RULES.iter().flat_map(|rule| (rule.check)(workspace)).collect()
}

/// Checks the repository at `root` and prints what is wrong.
///
/// # Errors
/// When anything is, or when the repository cannot be read.
pub fn run(root: &Path) -> Result<()> {
    let workspace = Workspace::load(root)?;
    let violations = check(&workspace);
    for violation in &violations {
        printer::progress(&violation.to_string());
    }
    if !violations.is_empty() {
        bail!("tidy: {} found", count(violations.len(), "violation"));
    }
    printer::progress(&format!(
        "tidy: {} hold over {} and {}",
        count(RULES.len(), "rule"),
        count(workspace.members.len(), "crate"),
        count(workspace.files.len(), "file"),
    ));
    Ok(())
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
