//! `notafter nightly`: every build of every scenario in a folder, one after the other, whatever becomes of each.

use crate::args::{DepthChoice, NightlyArgs, Volume};
use crate::error::{Error, why};
use crate::exit::Exit;
use crate::live::Live;
use crate::printer::Printer;
use crate::{backends, folder, guarded, kept, loading};
use notafter_core::{Candidate, Gated, Judged, NightEntry, Scenario, Standing, UnixTime, changes, judge};
use notafter_report::night;
use notafter_runner::history::{Begin, History, Lock};
use notafter_runner::{Interrupt, Options, Stopwatch, unix_now};
use notafter_scenario::CandidateChoice;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// What an interrupted night has judged longer ago, in seconds of the host's clock, is judged again: half a day.
const COUNTS_FOR: i64 = 12 * 3_600;

pub(crate) fn run(args: &NightlyArgs, printer: &mut Printer) -> Result<Exit, Error> {
    let interrupt = Interrupt::new();
    interrupt.on_signals()?;
    let folder = args.directory.display().to_string();
    let scenarios = folder::scenarios(&args.directory)?.unwrap_or_else(|| vec![args.directory.clone()]);
    if scenarios.is_empty() {
        return Err(Error::NoScenario { folder: args.directory.clone() });
    }
    let _lock = Lock::take(&args.history)?;
    let mut history = History::open(&args.history)?;
    let now = unix_now();
    let how = match args.fresh {
        true => Begin::Fresh,
        false => Begin::Resume { since: now.plus_secs(-COUNTS_FOR) },
    };
    let tonight = history.begin(&folder, env!("CARGO_PKG_VERSION"), how, now)?;
    if !tonight.done.is_empty() && !args.volume.quiet {
        let (id, done) = (tonight.id, tonight.done.len());
        printer.note(&format!("night {id} goes on; judged before it was interrupted: {done}\n"));
    }
    let builds: Vec<Build> = scenarios.iter().flat_map(|path| builds(path, &args.directory)).collect();
    let mut entries: Vec<NightEntry> = Vec::new();
    for build in &builds {
        let done = tonight.done.iter().find(|done| done.is_of(&build.judged, &build.text_sha256));
        let entry = match done {
            Some(done) => done.clone(),
            None => {
                let entry = build.judge(args, &interrupt, printer);
                if interrupt.is_raised() {
                    let (mut page, styles) = (String::new(), printer.out_styles());
                    // A String takes everything that is written to it.
                    _ = night::interrupted(&mut page, tonight.id, entries.len(), builds.len(), &styles);
                    printer.data(&page)?;
                    return Ok(Exit::Inconclusive);
                }
                history.add(tonight.id, &entry)?;
                entry
            }
        };
        if !args.volume.quiet {
            let mut line = String::new();
            _ = night::line(&mut line, &entry, &printer.err_styles());
            printer.note(&line);
        }
        entries.push(entry);
    }
    let judged: Vec<Judged> = entries.iter().map(|entry| entry.judged.clone()).collect();
    history.end(tonight.id, &judged, unix_now())?;
    tell(&history, tonight.id, printer)?;
    let worst = entries.iter().map(|entry| entry.standing).max();
    Ok(worst.map_or(Exit::Inconclusive, Exit::from))
}

/// Prints the summary of a night that is through, from what the history holds of it.
pub(super) fn tell(history: &History, night: u64, printer: &mut Printer) -> Result<(), Error> {
    let head = history.night(night)?.ok_or(Error::NoNight { night })?;
    let filter = notafter_runner::history::Filter { night: Some(night), ..Default::default() };
    let entries: Vec<NightEntry> = history.entries(&filter)?.into_iter().map(|it| it.entry).collect();
    let change = changes(&entries, &history.before(&head.folder, night)?);
    let (mut page, styles) = (String::new(), printer.out_styles());
    // A String takes everything that is written to it.
    _ = night::summary(&mut page, &head, &entries, &change, &styles);
    printer.data(&page)
}

/// A build that is to be judged; or what stands for the builds of a scenario that cannot be read.
struct Build {
    judged: Judged,
    path: PathBuf,
    /// Empty where it cannot be read.
    text_sha256: String,
}

/// The builds of the scenario at `path`: each that it names, or the one image of its candidate.
fn builds(path: &Path, folder: &Path) -> Vec<Build> {
    let below = path.strip_prefix(folder).unwrap_or(path).display().to_string();
    let scenario = if below.is_empty() { ".".to_owned() } else { below };
    let source = loading::source(path);
    let hex = |bytes: Vec<u8>| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let text_sha256: String = source.as_ref().map(|source| hex(source.bytes())).unwrap_or_default();
    // What is wrong with it shows when it is judged.
    let named = source.and_then(|source| loading::scenario(&source, None)).map(|scenario| match scenario {
        Scenario { candidate: Candidate { build: None, .. }, builds, .. } => builds,
        _ => Vec::new(),
    });
    let mut names: Vec<String> =
        named.unwrap_or_default().iter().map(|build| build.name.to_string()).collect();
    if names.is_empty() {
        names.push(String::new());
    }
    let build = |build| Build {
        judged: Judged { scenario: scenario.clone(), build },
        path: path.to_owned(),
        text_sha256: text_sha256.clone(),
    };
    names.into_iter().map(build).collect()
}

impl Build {
    /// Gates it. Whatever fails is what it came to.
    fn judge(&self, args: &NightlyArgs, interrupt: &Interrupt, printer: &mut Printer) -> NightEntry {
        let at = unix_now();
        let failed = |standing, why| NightEntry {
            text_sha256: self.text_sha256.clone(),
            ..NightEntry::without_run(self.judged.clone(), standing, why, at)
        };
        let gated = guarded(|| match self.gate(args, at, interrupt, printer) {
            Ok(entry) => entry,
            Err(error) => {
                let standing = match error.exit() {
                    Exit::Usage => Standing::Refused,
                    Exit::Allow | Exit::Block | Exit::Inconclusive => Standing::Inconclusive,
                };
                failed(standing, why(&error))
            }
        });
        gated.unwrap_or_else(|| {
            failed(Standing::Inconclusive, "the gate itself failed, which is a bug in notafter".to_owned())
        })
    }

    fn gate(
        &self,
        args: &NightlyArgs,
        at: UnixTime,
        interrupt: &Interrupt,
        printer: &mut Printer,
    ) -> Result<NightEntry, Error> {
        let watch = Stopwatch::start();
        let scenario = self.scenario()?;
        let quiet = !args.volume.verbose;
        let volume = Volume { quiet, ..args.volume };
        let images = loading::images(&[&scenario], volume, printer)?;
        let venue = backends::choose(args.backend, scenario.backend, args.isolation)?;
        let keep = args.keep.as_ref().map(|keep| self.place_in(keep, at));
        let options = Options { keep: keep.clone(), interrupt: interrupt.clone(), ..Options::default() };
        let mut live = Live::new(printer, &scenario, volume);
        let record = venue.run(&scenario, &images, &options, &mut |event| live.tell(event));
        live.finish();
        let record = record?;
        let verdict = judge(&record);
        if let Some(directory) = keep {
            kept::write(&directory, Gated { record: &record, verdict: &verdict }, None)?;
        }
        let (judged, text_sha256) = (self.judged.clone(), self.text_sha256.clone());
        Ok(NightEntry::of_run(judged, text_sha256, &record, &verdict, watch.elapsed()))
    }

    /// What it means now, at full depth: a scenario that begins now begins when its own turn comes.
    fn scenario(&self) -> Result<Scenario, Error> {
        let source = loading::source(&self.path)?;
        let plain = loading::scenario(&source, None)?;
        let scenario = match self.judged.build.as_str() {
            "" => plain,
            build => {
                let service = plain.candidate.service.to_string();
                loading::scenario(&source, Some(CandidateChoice { service, build: build.to_owned() }))?
            }
        };
        Ok(DepthChoice::of(Some(DepthChoice::Full), scenario))
    }

    /// A directory of its own, whenever it is judged again.
    fn place_in(&self, keep: &Path, at: UnixTime) -> PathBuf {
        let mut place = keep.join(&self.judged.scenario);
        if !self.judged.build.is_empty() {
            place.push(&self.judged.build);
        }
        // Not every place that takes such directories takes colons.
        place.join(at.to_string().replace(':', ""))
    }
}
