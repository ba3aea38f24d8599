//! What a scan costs, against the least that reading the same bytes costs.

use super::figure::{Bound, Figure, median};
use crate::printer;
use crate::stopwatch::Stopwatch;
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const GIGABYTE: u64 = 1_000_000_000;
const RUNS: usize = 5;
/// Where the bytes come from: programs and libraries of the system, as a scan meets them.
const SOURCES: [&str; 2] = ["/usr/bin", "/usr/lib"];
const TREE: &str = "/usr";

/// Takes every figure in one run; what it writes lies below `room` and goes away with the caller.
pub(super) fn measure(notafter: &Path, room: &Path) -> Result<Vec<Figure>> {
    let one = room.join("binaries");
    gather(&one)?;
    let packed = room.join("binaries.tar.gz");
    let tar = Command::new("tar").args(["-C", "/usr", "-czf"]).arg(&packed).arg("bin").status();
    ensure!(tar.context("failed to start tar")?.success(), "tar failed");
    let scan = |target: &Path, threads: &'static str| {
        let mut command = Command::new(notafter);
        command
            .args(["scan", "--format", "json", "--until", "1d"])
            .arg(target)
            .env("RAYON_NUM_THREADS", threads);
        command
    };
    let (scanned, peak) = timed(|| scan(&one, "1"))?;
    let passed = read_times(|| search(&one))?;
    let (packed_scan, packed_peak) = timed(|| scan(&packed, "2"))?;
    let (decoded, _) = timed(|| {
        let mut gzip = Command::new("gzip");
        gzip.arg("-dc").arg(&packed);
        gzip
    })?;
    let (tree, tree_peak) = timed(|| scan(Path::new(TREE), "2"))?;
    let (read, _) = timed(|| {
        let mut cat = Command::new("find");
        cat.args([TREE, "-xdev", "-type", "f", "-exec", "cat", "{}", "+"]);
        cat
    })?;
    let searched = match timed(ripgrep) {
        Ok((searched, _)) => Some(searched),
        Err(error) => {
            printer::text(&format!("not compared with ripgrep (Debian package `ripgrep`): {error:#}\n"));
            None
        }
    };
    let ratio = |what, measured: Duration, against: Duration, limit, from: &str| Figure {
        what,
        measured: measured.as_secs_f64() / against.as_secs_f64(),
        bound: Bound::Ratio(limit),
        from: format!("{:.2} s against {:.2} s, {from}", measured.as_secs_f64(), against.as_secs_f64()),
    };
    let mut figures = vec![
        Figure {
            what: "scan of 1 GB of system binaries, one thread",
            measured: scanned.as_secs_f64() * 1e3,
            bound: Bound::Millis(200.0),
            from: format!("{:.1} GB/s, warm, median of {RUNS}, start to end", 1.0 / scanned.as_secs_f64()),
        },
        ratio("the same over a bare memchr pass", scanned, passed, 1.5, "read and searched for one byte"),
        ratio("scan of `/usr`, two threads, over `cat` of its files", tree, read, 2.0, "warm"),
        ratio("scan of `/usr/bin` as tar.gz over `gzip -dc`", packed_scan, decoded, 2.0, "warm"),
        Figure {
            what: "peak memory of these scans",
            measured: f64::from(peak.max(tree_peak).max(packed_peak)) / 1024.0,
            bound: Bound::Mebibytes(200.0),
            from: "VmHWM of its process".to_owned(),
        },
    ];
    figures.extend(searched.map(|searched| {
        ratio("scan of `/usr` over ripgrep for `BEGIN CERTIFICATE`", tree, searched, 1.5, "two threads each")
    }));
    Ok(figures)
}

/// Looks for armour alone, in every file and as bytes.
fn ripgrep() -> Command {
    let mut command = Command::new("rg");
    command.args([
        "-uuu",
        "--text",
        "--count",
        "--threads",
        "2",
        "--one-file-system",
        "BEGIN CERTIFICATE",
        TREE,
    ]);
    command
}

/// One file of a gigabyte.
fn gather(into: &Path) -> Result<()> {
    let mut file = File::create(into).context("failed to make room for a gigabyte")?;
    let mut left = GIGABYTE;
    let mut pending: Vec<PathBuf> = SOURCES.iter().map(PathBuf::from).collect();
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory)?.flatten() {
            let kind = entry.file_type()?;
            if kind.is_dir() {
                pending.push(entry.path());
            } else if kind.is_file() && left > 0 {
                left -= io::copy(&mut File::open(entry.path())?.take(left), &mut file)?;
            }
        }
    }
    ensure!(left == 0, "this machine has less than a gigabyte of programs and libraries");
    file.flush().context("failed to write")
}

/// The median of several runs, and the highest peak of resident memory in kibibytes.
fn timed(command: impl Fn() -> Command) -> Result<(Duration, u32)> {
    let (mut took, mut peak) = (Vec::new(), 0);
    for run in 0..=RUNS {
        let mut command = command();
        let watch = Stopwatch::start();
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("failed to start")?;
        let status = loop {
            peak = super::replay::resident_peak(child.id()).unwrap_or(peak).max(peak);
            if let Some(status) = child.try_wait()? {
                break status;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        ensure!(status.success(), "{command:?} failed: {status}");
        if run > 0 {
            took.push(watch.elapsed()); // the first one warms the cache
        }
    }
    Ok((median(took), peak))
}

fn read_times(read: impl Fn() -> Result<u64>) -> Result<Duration> {
    let mut took = Vec::new();
    for _ in 0..RUNS {
        let watch = Stopwatch::start();
        ensure!(read()? > 0, "nothing was read");
        took.push(watch.elapsed());
    }
    Ok(median(took))
}

/// Reads `file` and looks for one rare byte, as any scanner must at the least.
fn search(file: &Path) -> Result<u64> {
    let (mut file, mut room) = (File::open(file)?, vec![0; (1 << 20) + 4096]);
    let begin = room.as_ptr().align_offset(4096); // the kernel copies to a page four times as fast
    let (buffer, mut found) = (&mut room[begin..begin + (1 << 20)], 0);
    loop {
        match file.read(buffer)? {
            0 => return Ok(found),
            read => found += memchr::memchr_iter(0xf7, &buffer[..read]).count() as u64,
        }
    }
}
