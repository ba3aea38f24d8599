//! The chore: reads the schema on standard input and writes the page.

use super::page;
use anyhow::{Context, Result};
use std::path::Path;

/// Writes `docs/reference.md` of the repository at `root` from the JSON Schema on standard input.
///
/// # Errors
/// Where that is no schema of the kind that scenarios have, or the page cannot be written.
pub fn chore(root: &Path) -> Result<()> {
    let schema = serde_json::from_reader(std::io::stdin().lock())
        .context("standard input is no JSON: `notafter schema | cargo xtask reference`")?;
    let path = root.join("docs/reference.md");
    std::fs::write(&path, page(&schema)?).with_context(|| format!("failed to write {}", path.display()))
}
