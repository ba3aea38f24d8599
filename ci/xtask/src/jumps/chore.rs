//! The command: builds the crowd, moves its clock, prints a table.

use super::{Jumps, run};
use crate::bench::Table;
use crate::printer;
use crate::stopwatch::Stopwatch;
use anyhow::{Context, Result, ensure};
use notafter_backend::Embedded;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::process::Command;

/// Moves the clock of two crowds `count` times and prints what came of it. Without a seed one is drawn; it is printed.
///
/// # Errors
/// As [`run`], and when the guest cannot be built.
pub fn chore(root: &Path, count: u32, seed: Option<u64>) -> Result<()> {
    let room = tempfile::tempdir().context("failed to make room")?;
    let guest = room.path().join("crowd");
    let source = root.join("fixtures/guests/crowd.c");
    let built = Command::new("cc")
        .args(["-O1", "-static", "-o"])
        .args([&guest, &source])
        .args(["-lpthread", "-lrt"])
        .status()
        .context("failed to start cc")?;
    ensure!(built.success(), "cc cannot build {}", source.display());
    let seed = seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    printer::progress(&format!("seed {seed}"));
    let backend = Embedded::new(notafter_runner::host_now)?;
    let spinners = std::thread::available_parallelism().map_or(1, usize::from);
    let jumps = Jumps { backend: &backend, guest: &guest, count, seed, spinners, sabotage: None };
    let watch = Stopwatch::start();
    let told = run(&jumps, &mut printer::progress)?;
    let mut table = Table::new(&["jumps", "waiters", "wake-ups", "least of one", "latest", "took"]);
    table.push(vec![
        count.to_string(),
        told.waiters.to_string(),
        told.wakes.to_string(),
        told.least.to_string(),
        format!("{} ms", told.latest.as_millis()),
        format!("{:.0} s", watch.elapsed().as_secs_f64()),
    ])?;
    printer::text(&table.to_string());
    Ok(())
}
