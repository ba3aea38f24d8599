//! The command: builds the tool and the guests, runs cases, prints a table.

use super::run::{Soak, Told, run};
use crate::bench::Table;
use crate::printer;
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How many cases run, and which.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// How many, from case 0 on.
    pub cases: u64,
    /// This one alone.
    pub only: Option<u64>,
    /// Where the random numbers start; drawn where none is given.
    pub seed: Option<u64>,
    /// How many side by side.
    pub jobs: usize,
}

/// Runs cases and prints what came of them; those that are missed stay in a directory, which is named.
///
/// # Errors
/// When any case is missed; as [`run`]; when the tool cannot be built.
pub fn chore(root: &Path, wanted: &Wanted) -> Result<()> {
    // With everything else, or other features would have everything compiled anew.
    let build = ["build", "--quiet", "--release", "--workspace", "--bins"];
    let built =
        Command::new("cargo").args(build).current_dir(root).status().context("failed to run cargo")?;
    if !built.success() {
        bail!("cargo cannot build the tool");
    }
    let here = std::env::current_exe().context("failed to find this program")?;
    let seed = wanted.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 32);
    let scratch = std::env::temp_dir().join(format!("notafter-soak-{}", std::process::id()));
    let soak = Soak {
        notafter: here.with_file_name("notafter"),
        sources: root.join("fixtures/soak"),
        scratch: scratch.clone(),
        seed,
        numbers: wanted.only.map_or_else(|| (0..wanted.cases).collect(), |number| vec![number]),
        jobs: wanted.jobs,
    };
    printer::progress(&format!("seed {seed}"));
    let all = run(&soak, &|told| printer::progress(&line(told, seed, &scratch)))?;
    printer::text(&table(&all)?.to_string());
    let missed = all.iter().filter(|told| !told.wrong.is_empty()).count();
    ensure!(missed == 0, "{missed} of {} cases missed; {} holds them", all.len(), scratch.display());
    fs::remove_dir_all(&scratch).with_context(|| format!("failed to remove {}", scratch.display()))
}

fn line(told: &Told, seed: u64, scratch: &Path) -> String {
    let Told { number, what, expected, wrong, took, .. } = told;
    let seconds = took.as_secs_f64();
    if wrong.is_empty() {
        return format!("case {number}: {what}: {expected} ({seconds:.1} s)");
    }
    format!(
        "case {number}: MISSED: {what}: expected {expected}; came: {} ({seconds:.1} s); kept in {}; again: cargo xtask \
         soak --seed {seed} --only {number}",
        wrong.join("; "),
        scratch.join(format!("case-{number}")).display()
    )
}

fn table(all: &[Told]) -> Result<Table> {
    let mut kinds: BTreeMap<&str, Vec<&Told>> = BTreeMap::new();
    for told in all {
        kinds.entry(told.kind).or_default().push(told);
    }
    let mut table =
        Table::new(&["kind", "cases", "to block", "to allow", "missed", "seconds, on average", "at most"]);
    for (kind, of_kind) in &kinds {
        let count = |wanted: fn(&Told) -> bool| of_kind.iter().filter(|told| wanted(told)).count();
        let took: Duration = of_kind.iter().map(|told| told.took).sum();
        let longest = of_kind.iter().map(|told| told.took).max().unwrap_or_default();
        table.push(vec![
            (*kind).to_owned(),
            of_kind.len().to_string(),
            count(|told| told.blocks).to_string(),
            count(|told| !told.blocks).to_string(),
            count(|told| !told.wrong.is_empty()).to_string(),
            format!("{:.1}", took.as_secs_f64() / of_kind.len() as f64),
            format!("{:.1}", longest.as_secs_f64()),
        ])?;
    }
    Ok(table)
}
