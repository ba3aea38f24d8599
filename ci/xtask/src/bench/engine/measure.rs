//! Taking turns, and what comes of it.

use super::guests::Guests;
use super::rows::{Asked, ROWS, Row, Work};
use super::servers::Server;
use super::side::{self, CLOCKS, Clock, Cpus};
use crate::bench::Table;
use crate::bench::figure::median;
use crate::printer;
use crate::stopwatch::Stopwatch;
use anyhow::{Context, Result, bail, ensure};
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// How often each side has its turn.
const ROUNDS: usize = 5;
/// What has not ended by then does not end.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);

/// The figures, and how many bounds were missed.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) table: Table,
    pub(crate) missed: usize,
}

/// What one side took, in the middle of its rounds; or why there is nothing.
type Taken = Result<Duration, String>;

/// Measures every row, or the one of this name.
///
/// # Errors
/// Where the name is unknown, guests cannot be built, or something does not run natively or under this tool's clock.
pub(crate) fn measure(root: &Path, notafter: &Path, only: Option<&str>) -> Result<Measured> {
    let rows = match only {
        None => ROWS.to_vec(),
        Some(name) => vec![Row::named(name).with_context(|| {
            let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
            format!("there is no row `{name}`, but {}", names.join(", "))
        })?],
    };
    if let Some(program) = side::missing(&["cc", "taskset"]) {
        bail!("{program} is needed: apt-get install gcc util-linux");
    }
    if side::missing(&["faketime"]).is_some() {
        printer::progress("faketime is missing: its column stays empty (apt-get install faketime)");
    }
    let bench = Bench { root, notafter, guests: Guests::build(root)? };
    let table =
        Table::new(&["what", "processors", "at most", "`notafter at`", "", "libfaketime", "natively"]);
    let mut measured = Measured { table, missed: 0 };
    for row in rows {
        if let Some(program) = side::missing(row.needs) {
            let package = if program == "ab" { "apache2-utils" } else { program };
            printer::progress(&format!(
                "SKIPPED: {}: {program} is missing (apt-get install {package})",
                row.what
            ));
            continue;
        }
        for (cpus, asked) in row.asked {
            // A server that shares its one processor with its load tells nothing of itself.
            if matches!(row.work, Work::Server) && cpus == Cpus::One {
                continue;
            }
            let taken = bench.take(&row, cpus).with_context(|| format!("failed to measure {}", row.what))?;
            measured.add(&row, cpus, asked, &taken)?;
        }
    }
    Ok(measured)
}

struct Bench<'bench> {
    root: &'bench Path,
    notafter: &'bench Path,
    guests: Guests,
}

impl Bench<'_> {
    /// What the row takes under each clock, in the order of [`CLOCKS`].
    fn take(&self, row: &Row, cpus: Cpus) -> Result<[Taken; 3]> {
        let mut durations: [Result<Vec<Duration>, String>; 3] = CLOCKS.map(|clock| match clock {
            Clock::Faketime if side::missing(&["faketime"]).is_some() => Err("not installed".to_owned()),
            Clock::Faketime | Clock::Native | Clock::Notafter => Ok(Vec::new()),
        });
        let mut servers = Vec::new();
        for (clock, taken) in CLOCKS.into_iter().zip(&mut durations) {
            if !matches!(row.work, Work::Server) || taken.is_err() {
                servers.push(None);
                continue;
            }
            let script = self.root.join(format!("fixtures/bench/{}.sh", row.name));
            match Server::start(self.notafter, &script, self.guests.place(), cpus, clock) {
                Ok(server) => {
                    server.load("load")?; // warm
                    servers.push(Some(server));
                }
                Err(error) if clock == Clock::Faketime => {
                    printer::progress(&format!("under libfaketime: {error:#}"));
                    *taken = Err("does not start".to_owned());
                    servers.push(None);
                }
                Err(error) => return Err(error.context(format!("{clock:?}"))),
            }
        }
        for _ in 0..ROUNDS {
            for ((clock, taken), server) in CLOCKS.into_iter().zip(&mut durations).zip(&servers) {
                let Ok(list) = taken else { continue };
                let took = match (row.work, server) {
                    (Work::Server, Some(server)) => server.load("load"),
                    (Work::Server, None) => continue,
                    (Work::Program(_) | Work::Way(_), _) => self.run(row, cpus, clock),
                };
                match took {
                    Ok(took) => list.push(took),
                    Err(error) if clock == Clock::Faketime => {
                        printer::progress(&format!("under libfaketime: {error:#}"));
                        *taken = Err("does not end".to_owned());
                    }
                    Err(error) => return Err(error.context(format!("{clock:?}"))),
                }
            }
        }
        Ok(durations.map(|taken| taken.map(median)))
    }

    /// Runs a guest once; how long its work took, as it says itself.
    fn run(&self, row: &Row, cpus: Cpus, clock: Clock) -> Result<Duration> {
        let place = self.guests.place().to_string_lossy();
        let words: Vec<String> = match row.work {
            Work::Way(count) => vec![row.name.to_owned(), count.to_string()],
            Work::Program(words) => std::iter::once("run".to_owned())
                .chain(words.iter().map(|word| word.replace('@', &place)))
                .collect(),
            Work::Server => Vec::new(),
        };
        let mut command =
            side::command(self.notafter, row.options, cpus, clock, &self.guests.costs().to_string_lossy());
        let mut child = command
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("failed to start a guest")?;
        let watch = Stopwatch::start();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if watch.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                bail!("it has not ended after {} s", PATIENCE.as_secs());
            }
            std::thread::sleep(PAUSE);
        };
        let mut text = String::new();
        if let Some(mut out) = child.stdout.take() {
            out.read_to_string(&mut text)?;
        }
        ensure!(status.success(), "a guest failed: {status}");
        Ok(Duration::from_nanos(text.trim().parse().context("a guest printed no number")?))
    }
}

impl Measured {
    fn add(&mut self, row: &Row, cpus: Cpus, asked: Asked, taken: &[Taken; 3]) -> Result<()> {
        let [Ok(native), Ok(ours), theirs] = taken else { bail!("a side has no figure") };
        let ratio = |took: &Duration| took.as_secs_f64() / native.as_secs_f64();
        let each = |took: &Duration| match row.work {
            Work::Way(count) => *took / count,
            Work::Program(_) | Work::Server => *took,
        };
        let micros = each(ours).as_secs_f64() * 1e6;
        let (bound, kept) = match asked {
            Asked::Micros(limit) => (format!("{limit:.0} µs"), Some(micros <= limit)),
            Asked::Nothing => ("—".to_owned(), None),
            Asked::Ratio(limit) => (format!("× {limit:.2}"), Some(ratio(ours) <= limit)),
        };
        let own = match asked {
            Asked::Micros(_) => format!("{micros:.1} µs"),
            Asked::Nothing | Asked::Ratio(_) => format!("× {:.2}", ratio(ours)),
        };
        let cells = vec![
            row.what.to_owned(),
            match cpus {
                Cpus::All => "all".to_owned(),
                Cpus::One => "one".to_owned(),
            },
            bound,
            own,
            match kept {
                None => String::new(),
                Some(true) => "kept".to_owned(),
                Some(false) => "missed".to_owned(),
            },
            theirs.as_ref().map_or_else(Clone::clone, |took| format!("× {:.2}", ratio(took))),
            shown(each(native)),
        ];
        printer::text(&format!("{}\n", cells.join("  ")));
        self.missed += usize::from(kept == Some(false));
        self.table.push(cells)
    }
}

fn shown(duration: Duration) -> String {
    match duration.as_nanos() {
        nanos @ 0..1_000 => format!("{nanos} ns"),
        nanos @ 1_000..1_000_000 => format!("{:.1} µs", nanos as f64 / 1e3),
        nanos => format!("{:.0} ms", nanos as f64 / 1e6),
    }
}
