//! `notafter replay`: does every build come out as the incident tells?

use crate::args::{ReplayArgs, Volume};
use crate::error::Error;
use crate::exit::Exit;
use crate::live::Live;
use crate::printer::Printer;
use crate::{backends, folder, kept, loading};
use notafter_core::{Decision, Gated, ReplayEntry, Scenario, judge};
use notafter_report::replay::{self, Columns};
use notafter_runner::{Images, Interrupt, Options, Venue};
use notafter_scenario::CandidateChoice;
use std::path::{Path, PathBuf};

/// A scenario with the builds that it retells.
struct Retold {
    name: String,
    /// Each build's scenario beside what it must come to.
    builds: Vec<(Scenario, ReplayEntry)>,
}

pub(crate) fn run(args: &ReplayArgs, printer: &mut Printer) -> Result<Exit, Error> {
    let interrupt = Interrupt::new();
    interrupt.on_signals()?;
    // Everything is read before anything runs: a mistake in the last scenario shows at once.
    let retold = read_all(&args.scenarios)?;
    let scenarios: Vec<&Scenario> =
        retold.iter().flat_map(|retold| retold.builds.iter().map(|(scenario, _)| scenario)).collect();
    let images = loading::images(&scenarios, args.volume, printer)?;
    let columns = Columns::of(
        retold
            .iter()
            .flat_map(|told| told.builds.iter().map(|(_, entry)| (told.name.as_str(), &entry.build))),
    );
    let (mut worst, mut as_told) = (Exit::Allow, 0);
    for retold in &retold {
        let wanted = retold.builds.first().and_then(|(scenario, _)| scenario.backend);
        let venue = backends::choose(args.backend, wanted, args.isolation)?;
        for (scenario, entry) in &retold.builds {
            let keep = args.keep.as_ref().map(|keep| keep.join(&retold.name).join(entry.build.as_str()));
            let options = Options { keep, interrupt: interrupt.clone(), ..Options::default() };
            let (columns, images) = (&columns, &images);
            let build = Build { scenario, entry, columns, images, options: &options, volume: args.volume };
            let exit = build.gate(&venue, printer)?;
            worst = worse(worst, exit);
            as_told += usize::from(exit == Exit::Allow);
            if interrupt.is_raised() {
                return Ok(worse(worst, Exit::Inconclusive));
            }
        }
    }
    if retold.len() > 1 {
        let (mut sum, styles) = (String::new(), printer.out_styles());
        _ = replay::write_sum(&mut sum, retold.len(), scenarios.len(), as_told, &styles);
        printer.data(&sum)?;
    }
    Ok(worst)
}

/// What came out otherwise than told weighs more than what could not run: it is a statement.
fn worse(one: Exit, other: Exit) -> Exit {
    let weight = |exit| match exit {
        Exit::Allow => 0,
        Exit::Inconclusive => 1,
        Exit::Block => 2,
        Exit::Usage => 3,
    };
    if weight(other) > weight(one) { other } else { one }
}

/// What the paths name: scenarios, each of which must retell something, and folders of scenarios, in which those that
/// retell nothing are none of a replay's business.
fn read_all(paths: &[PathBuf]) -> Result<Vec<Retold>, Error> {
    let mut retold = Vec::new();
    for path in paths {
        match folder::scenarios(path)? {
            None => retold.push(read(path)?),
            Some(found) => {
                let known = retold.len();
                for path in found {
                    let outline = notafter_scenario::outline(&loading::source(&path)?);
                    if outline.map_err(notafter_scenario::Error::Invalid)?.retold {
                        retold.push(read(&path)?);
                    }
                }
                if retold.len() == known {
                    return Err(Error::NothingRetold { folder: path.clone() });
                }
            }
        }
    }
    Ok(retold)
}

fn read(path: &Path) -> Result<Retold, Error> {
    let source = loading::source(path)?;
    let scenario = loading::scenario(&source, None)?;
    if scenario.replay.is_empty() {
        return Err(Error::NothingToReplay { file: source.file });
    }
    let builds = scenario
        .replay
        .iter()
        .map(|entry| {
            let (service, build) = (scenario.candidate.service.to_string(), entry.build.to_string());
            let chosen = loading::scenario(&source, Some(CandidateChoice { service, build }))?;
            Ok((chosen, entry.clone()))
        })
        .collect::<Result<_, Error>>()?;
    Ok(Retold { name: scenario.name.to_string(), builds })
}

struct Build<'a> {
    scenario: &'a Scenario,
    entry: &'a ReplayEntry,
    columns: &'a Columns,
    images: &'a Images,
    options: &'a Options,
    volume: Volume,
}

impl Build<'_> {
    /// Gates one build and prints its line.
    fn gate(&self, venue: &Venue, printer: &mut Printer) -> Result<Exit, Error> {
        let quiet = self.volume.quiet || !self.volume.verbose;
        let styles = printer.out_styles();
        let mut live = Live::new(printer, self.scenario, Volume { quiet, ..self.volume });
        let ran = venue.run(self.scenario, self.images, self.options, &mut |event| {
            live.tell(event);
        });
        live.finish();
        let mut line = String::new();
        // A String takes everything that is written to it.
        let record = match ran {
            Ok(record) => record,
            Err(error) => {
                let error = Error::from(error);
                let build = (self.scenario.name.as_str(), &self.entry.build);
                _ = replay::write_failure(&mut line, self.columns, build, &error.to_string(), &styles);
                printer.data(&line)?;
                printer.error(&error);
                return Ok(error.exit());
            }
        };
        let verdict = judge(&record);
        _ = replay::write(&mut line, self.columns, self.entry, &record, &verdict, &styles);
        printer.data(&line)?;
        if let Some(directory) = &self.options.keep {
            self.keep(directory.clone(), &record, &verdict)?;
        }
        if replay::compare(self.entry, &record, &verdict).is_empty() {
            return Ok(Exit::Allow);
        }
        // One line cannot say why it came out otherwise.
        let mut page = String::new();
        _ = notafter_report::terminal::write(
            &mut page,
            &record,
            &verdict,
            self.volume.detail(),
            &printer.err_styles(),
        );
        printer.note(&page);
        Ok(match verdict.decision {
            Decision::Inconclusive => Exit::Inconclusive,
            Decision::Allow | Decision::Block => Exit::Block,
        })
    }

    fn keep(
        &self,
        directory: PathBuf,
        record: &notafter_core::RunRecord,
        verdict: &notafter_core::Verdict,
    ) -> Result<(), Error> {
        kept::write(&directory, Gated { record, verdict }, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_build_that_came_out_otherwise_decides_the_exit_code() {
        for (one, other, expected) in [
            (Exit::Allow, Exit::Allow, Exit::Allow),
            (Exit::Allow, Exit::Inconclusive, Exit::Inconclusive),
            (Exit::Block, Exit::Inconclusive, Exit::Block),
            (Exit::Inconclusive, Exit::Block, Exit::Block),
            (Exit::Block, Exit::Allow, Exit::Block),
        ] {
            assert_eq!(worse(one, other), expected, "{one:?} {other:?}");
        }
    }
}
