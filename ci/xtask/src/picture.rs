//! The picture of a report that the README shows: `docs/report.svg`, from what the tool writes on a terminal.

use anyhow::{Context, Result, bail};
use std::path::Path;

/// The beginning of a report with ANSI colours, up to its table of cases, as a picture.
#[must_use]
pub fn render(report: &str) -> String {
    let is_table = |line: &str| line.replace("\x1b[1m", "").replace("\x1b[0m", "") == "cases:";
    let lines: Vec<&str> = report.lines().take_while(|line| !is_table(line)).collect();
    anstyle_svg::Term::new().render_svg(lines.join("\n").trim_end())
}

/// Writes `docs/report.svg` of the repository at `root` from the text on standard input.
///
/// # Errors
/// Where that is no text or has no colours, or the picture cannot be written.
pub fn chore(root: &Path) -> Result<()> {
    let text = std::io::read_to_string(std::io::stdin().lock()).context("standard input is no text")?;
    if !text.contains('\x1b') {
        bail!("standard input has no colours: `notafter gate SCENARIO --color always | cargo xtask picture`");
    }
    let path = root.join("docs/report.svg");
    std::fs::write(&path, render(&text)).with_context(|| format!("failed to write {}", path.display()))
}
