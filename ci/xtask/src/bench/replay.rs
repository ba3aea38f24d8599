//! What the whole replay of the O2 outage costs, and how much memory the runner takes for it.

use super::figure::{Bound, Figure};
use crate::stopwatch::Stopwatch;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

pub(super) fn measure(root: &Path, notafter: &Path) -> Result<[Figure; 2]> {
    replay(root, notafter)?; // builds the fixtures
    let (took, peak) = replay(root, notafter)?;
    let from = "four builds, warm".to_owned();
    Ok([
        Figure {
            what: "replay of `scenarios/o2-ericsson-2018`",
            measured: took.as_secs_f64(),
            bound: Bound::Seconds(20.0),
            from: from.clone(),
        },
        Figure {
            what: "peak memory of the runner in that replay",
            measured: f64::from(peak) / 1024.0,
            bound: Bound::Mebibytes(64.0),
            from: "VmHWM of its process".to_owned(),
        },
    ])
}

/// How long it took, and the peak of its resident memory in kibibytes.
fn replay(root: &Path, notafter: &Path) -> Result<(Duration, u32)> {
    let watch = Stopwatch::start();
    let mut child = Command::new(notafter)
        .args(["replay", "--quiet", "scenarios/o2-ericsson-2018"])
        .current_dir(root)
        .stdout(Stdio::null())
        .spawn()
        .context("failed to start the replay")?;
    let mut peak = 0;
    let status = loop {
        peak = resident_peak(child.id()).unwrap_or(peak).max(peak);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    ensure!(status.success(), "the replay did not come out as told: {status}");
    Ok((watch.elapsed(), peak))
}

/// Peak of the resident memory of a process, in kibibytes.
pub(super) fn resident_peak(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}
