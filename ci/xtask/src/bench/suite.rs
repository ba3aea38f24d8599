//! All measurements in one run.

use super::figure::Figure;
use super::{Table, clock, docker, engine, jobs, record, replay, scan, start};
use crate::printer;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What becomes of the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// They are written to `docs/benchmarks.md`.
    Document,
    /// They are printed alone.
    Nowhere,
}

/// Builds the tool, measures, and prints every figure beside its bound.
///
/// # Errors
/// When something cannot be measured, or a figure misses its bound.
pub fn run(root: &Path, recording: Recording) -> Result<()> {
    let notafter = built(root)?;
    let mut figures = vec![clock::measure(&notafter)?, start::measure()?];
    figures.extend(replay::measure(root, &notafter)?);
    report(root, "figures", &figures, recording)
}

/// The same for the scan alone, which takes some gigabytes of room.
///
/// # Errors
/// As [`run`].
pub fn run_scan(root: &Path, recording: Recording) -> Result<()> {
    let notafter = built(root)?;
    let room = tempfile::tempdir().context("failed to make room")?;
    report(root, "scan", &scan::measure(&notafter, room.path())?, recording)
}

/// The same for a year of daily jobs in each runtime; needs the packages of `fixtures/jobs`.
///
/// # Errors
/// As [`run`]; also where a job is missed, or not answered in time.
pub fn run_jobs(root: &Path, recording: Recording) -> Result<()> {
    let room = tempfile::tempdir().context("failed to make room")?;
    report(root, "jobs", &jobs::measure(root, room.path())?, recording)
}

/// The same for containers of an engine on this machine; needs root.
///
/// # Errors
/// As [`run`], and where no engine answers.
pub fn run_docker(root: &Path, recording: Recording) -> Result<()> {
    report(root, "docker", &[docker::measure()?], recording)
}

/// The same for the clock engine beside libfaketime, which takes some minutes; `only` names one row.
///
/// # Errors
/// As [`run`], and where there is no such row.
pub fn run_clock(root: &Path, only: Option<&str>, recording: Recording) -> Result<()> {
    let notafter = built(root)?;
    ensure!(
        only.is_none() || recording == Recording::Nowhere,
        "the table is written whole: leave either --only or --record out"
    );
    let measured = engine::measure(root, &notafter, only)?;
    if recording == Recording::Document {
        record(&root.join("docs/benchmarks.md"), "engine", &measured.table)?;
    }
    ensure!(measured.missed == 0, "{} figures missed", measured.missed);
    Ok(())
}

fn built(root: &Path) -> Result<PathBuf> {
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--locked", "--package", "notafter"])
        .current_dir(root)
        .status()
        .context("failed to start cargo")?;
    ensure!(status.success(), "notafter does not build");
    let own = std::env::current_exe().context("failed to find this program")?;
    let notafter = own.with_file_name("notafter");
    ensure!(notafter.is_file(), "{} is missing", notafter.display());
    Ok(notafter)
}

fn report(root: &Path, name: &str, figures: &[Figure], recording: Recording) -> Result<()> {
    let mut table = Table::new(&["what", "at most", "measured", "", "from"]);
    for figure in figures {
        printer::text(&format!("{figure}\n"));
        table.push(figure.row())?;
    }
    if recording == Recording::Document {
        record(&root.join("docs/benchmarks.md"), name, &table)?;
    }
    let missed = figures.iter().filter(|figure| !figure.is_kept()).count();
    ensure!(missed == 0, "{missed} of {} figures missed", figures.len());
    Ok(())
}
