//! `notafter gate`: one build, one verdict.

use crate::against::{Beside, Production};
use crate::args::{DepthChoice, GateArgs, RunArgs, Volume};
use crate::attesting::Attesting;
use crate::backends;
use crate::error::Error;
use crate::exit::Exit;
use crate::live::Live;
use crate::printer::Printer;
use crate::reports::{self, Page};
use crate::{kept, loading};
use notafter_core::{CaseId, CaseRecord, Gated, Outcome, RunRecord, Scenario, judge};
use notafter_report::{UNSAVED, terminal};
use notafter_runner::{Images, Interrupt, Options, Venue, unix_now};
use notafter_scenario::{CandidateChoice, Source};
use std::path::Path;

pub(crate) fn run(args: &GateArgs, printer: &mut Printer) -> Result<Exit, Error> {
    let interrupt = Interrupt::new();
    interrupt.on_signals()?;
    let (source, choice) = match &args.scenario {
        Some(path) => (loading::source(path)?, args.candidate.as_deref().map(str::parse).transpose()?),
        None => of_compose(args, printer)?,
    };
    // Taken once: whatever else is different between two builds that are compared, their time is not.
    let now = unix_now();
    let scenario = DepthChoice::of(args.run.depth, loading::chosen(&source, choice, now)?);
    let production = match &args.against {
        Some(against) => Some(Production::prepare(against, &source, &scenario, now, printer)?),
        None => None,
    };
    let wanted: Vec<&Scenario> =
        [&scenario].into_iter().chain(production.as_ref().and_then(Production::scenario)).collect();
    let images = loading::images(&wanted, args.run.volume, printer)?;
    let venue = backends::choose(args.run.backend, scenario.backend, args.run.isolation)?;
    let gate = Gate {
        source: &source,
        scenario: &scenario,
        images: &images,
        venue,
        only: args.case.as_ref(),
        production,
        interrupt,
    };
    gate.run(&args.run, printer)
}

/// The scenario that stands for Compose files, and the image of its candidate where one is chosen.
fn of_compose(args: &GateArgs, printer: &mut Printer) -> Result<(Source, Option<CandidateChoice>), Error> {
    let candidate = args.candidate.as_deref().unwrap_or_default();
    let (service, choice) = match candidate.split_once('=') {
        Some((service, _)) => (service, Some(candidate.parse()?)),
        None => (candidate, None),
    };
    let here = Path::new(".");
    let mut draft = loading::compose(&args.compose, here, Some(service), &args.support)?;
    draft.start.clone_from(&args.start);
    if !args.run.volume.quiet {
        printer.note(&notafter_report::drafted(&draft));
    }
    let text = notafter_report::scenario_text(&draft);
    Ok((Source::new(UNSAVED.to_owned(), text, here.to_owned()).sharing()?, choice))
}

/// A scenario that is ready to be gated.
pub(super) struct Gate<'a> {
    pub(super) source: &'a Source,
    pub(super) scenario: &'a Scenario,
    pub(super) images: &'a Images,
    pub(super) venue: Venue,
    /// The only case to run.
    pub(super) only: Option<&'a CaseId>,
    /// What the candidate is held against.
    pub(super) production: Option<Production>,
    pub(super) interrupt: Interrupt,
}

impl Gate<'_> {
    /// Runs, judges and tells.
    pub(super) fn run(self, args: &RunArgs, printer: &mut Printer) -> Result<Exit, Error> {
        let Self { source, scenario, images, venue, only, production, interrupt } = self;
        let scenario = &DepthChoice::of(args.depth, scenario.clone());
        let attesting = Attesting::prepare(args, source, scenario, images)?;
        let options = Options {
            only: only.cloned(),
            keep: args.keep.clone(),
            interrupt: interrupt.clone(),
            ..Options::default()
        };
        // A case that runs alone is run to be looked at.
        let verbose = args.volume.verbose || (only.is_some() && !args.volume.quiet);
        let mut live = Live::new(printer, scenario, Volume { verbose, ..args.volume });
        let record = venue.run(scenario, images, &options, &mut |event| live.tell(event));
        live.finish();
        let record = record?;
        let verdict = judge(&record);
        let exit = match only {
            None => verdict.decision.into(),
            Some(_) => exit_of_one_case(&record),
        };
        let gated = Gated { record: &record, verdict: &verdict };
        let place = (&venue, images, &interrupt);
        let beside = production.map(|production| production.beside(gated, place, args, printer));
        // Whatever fails from here on must not turn the verdict around.
        let told = tell(args, only, gated, beside.as_ref(), printer);
        let told =
            told.and_then(|()| attesting.map_or(Ok(()), |attesting| attesting.write(&record, &verdict)));
        if let Err(error) = told {
            printer.error(&error);
            return Ok(exit.or_inconclusive());
        }
        // It takes its time where an engine or a slow machine has to put things away, and nobody asks any more behind it.
        drop(venue);
        if exit == Exit::Allow && interrupt.is_raised() {
            // Who stops a gate wants no rollout, however far the gate had come.
            printer.note("inconclusive: interrupted before it ended; the verdict above does not count\n");
            return Ok(exit.or_inconclusive());
        }
        Ok(exit)
    }
}

fn tell(
    args: &RunArgs,
    only: Option<&CaseId>,
    gated: Gated<'_>,
    beside: Option<&Beside>,
    printer: &mut Printer,
) -> Result<(), Error> {
    let record = gated.record;
    let comparison = beside.map(|beside| &beside.comparison);
    let mut page = String::new();
    match record.cases.as_slice() {
        [case] if only.is_some() && case.error.is_none() => page.push_str(&one_case(case, record)),
        _ => {
            let styles = printer.out_styles();
            // A String takes everything that is written to it.
            _ = terminal::write_beside(&mut page, gated, comparison, args.volume.detail(), &styles);
        }
    }
    let place = reports::write(&args.reports, gated, comparison, printer)?;
    if let Some(directory) = &args.keep {
        kept::write(directory, gated, comparison)?;
        beside.map_or(Ok(()), |beside| beside.keep(directory))?;
    }
    match place {
        Page::Data => printer.data(&page),
        Page::Note => {
            printer.note(&page);
            Ok(())
        }
    }
}

/// One case is no plan: without its controls a pass shows nothing, and a failure only that it fails.
fn exit_of_one_case(record: &RunRecord) -> Exit {
    match record.cases.as_slice() {
        [case] if case.outcome == Some(Outcome::Fail) => Exit::Block,
        _ => Exit::Inconclusive,
    }
}

fn one_case(case: &CaseRecord, record: &RunRecord) -> String {
    let id = &case.case.id;
    let mut page = match case.outcome {
        Some(Outcome::Fail) => format!("case {id} fails; one case alone is no verdict\n"),
        Some(Outcome::Pass) => format!("inconclusive: one case only; case {id} passes\n"),
        Some(Outcome::Error | Outcome::Skip) | None => {
            format!("inconclusive: one case only; case {id} did not run\n")
        }
    };
    for end in &case.ends {
        let how = match (&end.reason, end.code) {
            (Some(reason), _) => reason.clone(),
            (None, Some(code)) => format!("ended with exit code {code}"),
            (None, None) => "ended".to_owned(),
        };
        page.push_str(&format!("  {} at {}: {}\n", end.service, end.at, escape(&how)));
        for line in end.log_tail.lines() {
            page.push_str(&format!("    | {}\n", escape(line)));
        }
    }
    let unmet = case.observations.iter().filter(|observation| {
        let check = record.scenario.check(&observation.check);
        check.and_then(|check| check.is_met_by(observation)) == Some(false)
    });
    for observation in unmet {
        page.push_str(&format!(
            "  {} ({}) at {} is not as expected\n",
            observation.check, observation.connection, observation.planned
        ));
    }
    page
}

/// Services write what they like; none of it may steer the terminal.
fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|char| if char.is_control() { char.escape_debug().collect() } else { vec![char] })
        .collect()
}
