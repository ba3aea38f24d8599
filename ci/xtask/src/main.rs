//! The command line of `cargo xtask`.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use xtask::{bench, chaos, ci, corpus, dist, fuzz, jumps, picture, printer, reference, servers, soak, tidy};

/// Chores of this repository. Works from any directory inside it.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Measures what the tool promises to cost, and fails where a promise is missed.
    Bench {
        /// Measures this instead of everything else, on a quiet machine.
        what: Option<Measured>,
        /// Measures one row of the clock's table alone.
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
        /// Writes the figures to `docs/benchmarks.md`.
        #[arg(long)]
        record: bool,
    },
    /// Kills the runner, keepers and inits of a gate at random moments: nothing may be left, nothing allowed.
    Chaos {
        /// How many kills must hit.
        #[arg(long, default_value_t = 200)]
        kills: u32,
        /// Repeats the moments of an earlier run.
        #[arg(long)]
        seed: Option<u64>,
        /// Disturb gates in containers, each with another beside it; needs root and an engine
        #[arg(long, conflicts_with = "without_namespaces")]
        engine: bool,
        /// Disturb gates that run with `--isolation none`; needs root
        #[arg(long)]
        without_namespaces: bool,
    },
    /// Runs exactly what CI runs and stops at the first failure; the tests come last.
    Ci {
        /// Prints the steps and runs none.
        #[arg(long)]
        list: bool,
    },
    /// Scans packages that other people made, and compares what is found with what other tools find there.
    Corpus {
        /// Which packages; all where none is named.
        names: Vec<String>,
        /// Writes the table to `docs/inventory.md`.
        #[arg(long)]
        record: bool,
    },
    /// Makes what is shipped: a static binary with manual pages and completions, as an archive and as a package for Debian.
    Dist {
        /// Where it is written.
        #[arg(long, value_name = "DIR", default_value = "target/shipped")]
        out: PathBuf,
        /// Packs this program in place of building one, which takes some minutes.
        #[arg(long, value_name = "FILE")]
        binary: Option<PathBuf>,
    },
    /// Feeds broken input to every parser of untrusted bytes: none may panic, none may take long.
    Fuzz {
        /// How long, in all.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Other inputs than the usual ones.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Moves the clock of two crowds of waiters under load: no wake-up may be lost, nobody may die.
    Jumps {
        /// How often.
        #[arg(long, default_value_t = 10_000)]
        count: u32,
        /// Repeats the jumps of an earlier run.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Writes `docs/report.svg` from a report in colours: `notafter gate SCENARIO --color always | cargo xtask picture`.
    Picture,
    /// Writes `docs/reference.md` from the schema of scenarios: `notafter schema | cargo xtask reference`.
    Reference,
    /// Runs servers of the machine's packages under a shifted clock and across jumps of it.
    Servers {
        /// Which ones; all where none is named.
        names: Vec<String>,
        /// Writes the table to `docs/servers.md`.
        #[arg(long)]
        record: bool,
    },
    /// Gates random scenarios, and compares verdict, second and cause with what was planted.
    Soak {
        /// How many.
        #[arg(long, default_value_t = 100)]
        cases: u64,
        /// Repeats the cases of an earlier run.
        #[arg(long)]
        seed: Option<u64>,
        /// Runs this case alone.
        #[arg(long, value_name = "NUMBER")]
        only: Option<u64>,
        /// How many side by side.
        #[arg(long, default_value_t = 1)]
        jobs: usize,
    },
    /// Checks the rules of the house: ranks of crates, file sizes, unsafe code, clocks, documents.
    Tidy,
}

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measured {
    /// The clock engine beside libfaketime.
    Clock,
    /// A case in containers beside the same containers through the engine's API; needs root.
    Docker,
    /// A year of daily jobs in each runtime.
    Jobs,
    /// Scans of binaries, trees and archives; needs some gigabytes of room.
    Scan,
}

fn main() -> ExitCode {
    // Benchmarks start this program again, in sandboxes and as a guest of them.
    notafter_backend::run_if_sandbox(notafter_runner::host_now);
    match std::env::args().nth(1).as_deref() {
        Some("guest-nothing") => return ExitCode::SUCCESS,
        Some("guest-stay") => loop {
            std::thread::park();
        },
        Some("guest-read-clock") => {
            printer::text(&format!("{}\n", bench::read_clock_as_guest()));
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            printer::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let root = workspace_root()?;
    match &arguments.command {
        Chore::Bench { what, only, record } => {
            let recording = if *record { bench::Recording::Document } else { bench::Recording::Nowhere };
            match what {
                Some(Measured::Clock) => bench::run_clock(&root, only.as_deref(), recording),
                None | Some(Measured::Docker | Measured::Jobs | Measured::Scan) if only.is_some() => {
                    bail!("only `bench clock` has rows")
                }
                None => bench::run(&root, recording),
                Some(Measured::Docker) => bench::run_docker(&root, recording),
                Some(Measured::Jobs) => bench::run_jobs(&root, recording),
                Some(Measured::Scan) => bench::run_scan(&root, recording),
            }
        }
        Chore::Chaos { kills, seed, engine, without_namespaces } => {
            let ground = match (engine, without_namespaces) {
                (true, _) => chaos::Ground::Containers,
                (false, true) => chaos::Ground::Machine,
                (false, false) => chaos::Ground::Namespaces,
            };
            chaos::chore(&root, *kills, *seed, ground)
        }
        Chore::Ci { list: true } => {
            printer::text(&ci::describe(&ci::steps(&ci::Tools::detect())));
            Ok(())
        }
        Chore::Ci { list: false } => ci::run(&root),
        Chore::Corpus { names, record } => corpus::chore(&root, names, *record),
        Chore::Dist { out, binary } => dist::chore(&root, out, binary.as_deref()),
        Chore::Fuzz { seconds, seed } => fuzz::chore(&root, *seconds, *seed),
        Chore::Jumps { count, seed } => jumps::chore(&root, *count, *seed),
        Chore::Picture => picture::chore(&root),
        Chore::Reference => reference::chore(&root),
        Chore::Servers { names, record } => servers::chore(&root, names, *record),
        Chore::Soak { cases, seed, only, jobs } => {
            soak::chore(&root, &soak::Wanted { cases: *cases, only: *only, seed: *seed, jobs: *jobs })
        }
        Chore::Tidy => tidy::run(&root),
    }
}

/// The directory of the workspace that the current directory lies in.
fn workspace_root() -> Result<PathBuf> {
    let here = std::env::current_dir().context("failed to read the current directory")?;
    match here.ancestors().find(|directory| directory.join("ci/xtask/Cargo.toml").is_file()) {
        Some(root) => Ok(root.to_path_buf()),
        None => bail!("{} lies in no checkout of this repository", here.display()),
    }
}
