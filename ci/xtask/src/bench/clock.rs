//! What reading the clock costs under shift, against reading it natively.

use super::figure::{Bound, Figure, median};
use crate::stopwatch::Stopwatch;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const READS: u32 = 4_000_000;
/// Alternating, so that whatever else the machine does falls on both sides.
const ROUNDS: usize = 7;

/// Reads the clock as often as told and prints how many nanoseconds it took: what runs on either side.
#[must_use]
pub fn read_clock_as_guest() -> String {
    let watch = Stopwatch::start();
    for _ in 0..READS {
        std::hint::black_box(Stopwatch::start());
    }
    watch.elapsed().as_nanos().to_string()
}

pub(super) fn measure(notafter: &Path) -> Result<Figure> {
    let own = std::env::current_exe().context("failed to find this program")?;
    let (mut native, mut shifted) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        native.push(took(Command::new(&own).arg("guest-read-clock"))?);
        shifted
            .push(took(Command::new(notafter).args(["at", "+1y", "--"]).arg(&own).arg("guest-read-clock"))?);
    }
    let per_read = |durations| median(durations).as_secs_f64() * 1e9 / f64::from(READS);
    let (native, shifted) = (per_read(native), per_read(shifted));
    Ok(Figure {
        what: "reading the clock under shift, over native",
        measured: shifted / native,
        bound: Bound::Ratio(1.15),
        from: format!("{shifted:.1} ns against {native:.1} ns, medians of {ROUNDS} alternating runs"),
    })
}

fn took(command: &mut Command) -> Result<Duration> {
    let output = command.output().context("failed to start a guest")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "a guest failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(Duration::from_nanos(text.trim().parse().context("a guest printed no number")?))
}
