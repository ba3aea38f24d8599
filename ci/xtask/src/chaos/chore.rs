//! The command: builds the tool, disturbs the scenario of the tests, prints a table.

use super::{Chaos, Ground, Summary, run};
use crate::bench::Table;
use crate::printer;
use anyhow::{Context, Result, bail};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::process::Command;

/// Kills parts of a gate `kills` times, and prints what came of it. Without a seed one is drawn; it is printed.
///
/// # Errors
/// As [`run`], and when the tool cannot be built.
pub fn chore(root: &Path, kills: u32, seed: Option<u64>, ground: Ground) -> Result<()> {
    let build = ["build", "--quiet", "--release", "--package", "notafter", "--bin", "notafter"];
    let built =
        Command::new("cargo").args(build).current_dir(root).status().context("failed to run cargo")?;
    if !built.success() {
        bail!("cargo cannot build the tool");
    }
    let here = std::env::current_exe().context("failed to find this program")?;
    let scratch = std::env::temp_dir().join(format!("notafter-chaos-{}", std::process::id()));
    let chaos = Chaos {
        notafter: here.with_file_name("notafter"),
        scenarios: root.join("fixtures/scenarios"),
        scratch: scratch.clone(),
        ground,
        kills,
        seed: seed.unwrap_or_else(|| RandomState::new().build_hasher().finish()),
    };
    let summary = run(&chaos, &mut printer::progress)?;
    std::fs::remove_dir_all(&scratch).with_context(|| format!("failed to remove {}", scratch.display()))?;
    printer::text(&table(&summary)?.to_string());
    printer::progress(&format!("{} more runs were over before the kill", summary.too_late));
    Ok(())
}

fn table(summary: &Summary) -> Result<Table> {
    let mut table = Table::new(&["what", "kills", "exit codes", "nothing left after, at most"]);
    for (kill, (count, codes, longest)) in &summary.kinds {
        let codes: Vec<String> = codes.iter().map(|(code, count)| format!("{code} ({count} ×)")).collect();
        let cleared = format!("{} ms", longest.as_millis());
        table.push(vec![kill.to_string(), count.to_string(), codes.join(", "), cleared])?;
    }
    Ok(table)
}
