//! Many cases.

use super::case::Case;
use super::compare::differences;
use super::expected::Expected;
use super::guests::Guests;
use crate::stopwatch::Stopwatch;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What to do.
#[derive(Debug, Clone)]
pub struct Soak {
    /// The tool; `soak-peer` lies beside it.
    pub notafter: PathBuf,
    /// `fixtures/soak` of the repository.
    pub sources: PathBuf,
    /// An empty directory, in which cases that are missed stay.
    pub scratch: PathBuf,
    /// Where the random numbers start.
    pub seed: u64,
    /// The cases, by number.
    pub numbers: Vec<u64>,
    /// How many run side by side.
    pub jobs: usize,
}

/// What came of one case.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its number.
    pub number: u64,
    /// Its kind.
    pub kind: &'static str,
    /// What it is, in a line.
    pub what: String,
    /// What was expected, in a line.
    pub expected: String,
    /// Whether it had to be blocked.
    pub blocks: bool,
    /// What is otherwise; nothing where it was met.
    pub wrong: Vec<String>,
    /// How long the gate took.
    pub took: Duration,
}

/// Runs the cases, and gives what came of them in order of their numbers; tells each to `tell`.
///
/// # Errors
/// When a guest cannot be built, or a case cannot be written or run at all.
pub fn run(soak: &Soak, tell: &(dyn Fn(&Told) + Sync)) -> Result<Vec<Told>> {
    ensure!(!soak.numbers.is_empty(), "no case to run");
    let guests = Guests::build(&soak.sources, &soak.notafter, &soak.scratch.join("guests"))?;
    let next = AtomicU64::new(0);
    let all = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                let index = usize::try_from(next.fetch_add(1, Ordering::Relaxed))?;
                let Some(number) = soak.numbers.get(index) else { return Ok(()) };
                let told = one(soak, &guests, *number).with_context(|| format!("case {number}"))?;
                tell(&told);
                all.lock().unwrap_or_else(PoisonError::into_inner).push(told);
            }
        };
        let workers: Vec<_> = (0..soak.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.sort_by_key(|told| told.number);
    Ok(all)
}

fn one(soak: &Soak, guests: &Guests, number: u64) -> Result<Told> {
    let case = Case::draw(soak.seed, number);
    let directory = soak.scratch.join(format!("case-{number}"));
    let expected = case.write(guests, &directory)?;
    let watch = Stopwatch::start();
    let (code, report) = gate(&soak.notafter, &directory)?;
    let took = watch.elapsed();
    let wrong = differences(&expected, code, &report);
    if wrong.is_empty() {
        fs::remove_dir_all(&directory)?;
    }
    Ok(Told {
        number,
        kind: case.kind(),
        what: case.to_string(),
        expected: expected.to_string(),
        blocks: matches!(expected, Expected::Block { .. }),
        wrong,
        took,
    })
}

/// Gates the scenario in `directory`: the exit code, and the JSON report, which may be missing.
fn gate(notafter: &Path, directory: &Path) -> Result<(Option<i32>, Value)> {
    let text = fs::File::create(directory.join("report.txt"))?;
    let status = Command::new(notafter)
        .args(["gate", "scenario.yaml", "--report", "json=record.json"])
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(text.try_clone()?)
        .stderr(text)
        .status()
        .context("failed to run the gate")?;
    let report = fs::read_to_string(directory.join("record.json")).unwrap_or_default();
    Ok((status.code(), serde_json::from_str(&report).unwrap_or(Value::Null)))
}
