//! `notafter watch`: a scenario that somebody works on, gated again whenever a file changes that it rests on.

use crate::args::{DepthChoice, WatchArgs};
use crate::error::{Error, why};
use crate::exit::Exit;
use crate::live::Live;
use crate::printer::Printer;
use crate::{backends, loading};
use notafter_core::{Earlier, Judged, NightEntry, Scenario, Standing, changes, judge};
use notafter_report::night;
use notafter_runner::{Interrupt, Options, Stopwatch, Watched, unix_now};
use std::path::PathBuf;

pub(crate) fn run(args: &WatchArgs, printer: &mut Printer) -> Result<Exit, Error> {
    let interrupt = Interrupt::new();
    interrupt.on_signals()?;
    let mut last: Option<Earlier> = None;
    for round in 1.. {
        // Looked at before anything is read: what changes from here on is another round.
        let policy = notafter_scenario::policy_file(&args.scenario);
        let file = Watched::of(&args.scenario, None).and(policy.clone()).stamps();
        let scenario = scenario(args);
        let watched = Watched::of(&args.scenario, scenario.as_ref().ok()).and(policy);
        let stamps = watched.stamps().or_earlier(file);
        let entry = match scenario.and_then(|scenario| gate(args, &scenario, &interrupt, printer)) {
            Ok(entry) => entry,
            Err(error) => {
                printer.error(&error);
                let standing = match error.exit() {
                    Exit::Usage => Standing::Refused,
                    Exit::Allow | Exit::Block | Exit::Inconclusive => Standing::Inconclusive,
                };
                NightEntry::without_run(judged(args), standing, why(&error), unix_now())
            }
        };
        if interrupt.is_raised() {
            // What the gate had come to by then is no verdict, and the one before is out of date.
            return Ok(Exit::Inconclusive);
        }
        tell(&entry, last.as_ref(), printer)?;
        last = Some(Earlier { night: round, entry });
        let Some(changed) = watched.wait(&stamps, &interrupt) else { break };
        printer.note(&format!("changed: {}\n", names(&changed)));
    }
    // It was told to stop while nothing was left to gate: the last verdict stands.
    Ok(last.map_or(Exit::Inconclusive, |last| last.entry.standing.into()))
}

/// What one round came to, beside the one before.
fn tell(entry: &NightEntry, last: Option<&Earlier>, printer: &mut Printer) -> Result<(), Error> {
    let change = changes(std::slice::from_ref(entry), last.map(std::slice::from_ref).unwrap_or_default());
    let (mut page, styles) = (String::new(), printer.out_styles());
    // A String takes everything that is written to it.
    _ = night::line(&mut page, entry, &styles);
    _ = night::delta(&mut page, &change, &styles);
    printer.data(&page)
}

fn judged(args: &WatchArgs) -> Judged {
    let build = args.candidate.as_ref().map(|choice| choice.build.clone()).unwrap_or_default();
    Judged { scenario: args.scenario.display().to_string(), build }
}

fn scenario(args: &WatchArgs) -> Result<Scenario, Error> {
    Ok(DepthChoice::of(args.depth, loading::runnable(&args.scenario, args.candidate.clone())?))
}

fn gate(
    args: &WatchArgs,
    scenario: &Scenario,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<NightEntry, Error> {
    let watch = Stopwatch::start();
    let images = loading::images(&[scenario], args.volume, printer)?;
    let venue = backends::choose(args.backend, scenario.backend, args.isolation)?;
    let options = Options { interrupt: interrupt.clone(), ..Options::default() };
    let mut live = Live::new(printer, scenario, args.volume);
    let record = venue.run(scenario, &images, &options, &mut |event| live.tell(event));
    live.finish();
    let record = record?;
    let verdict = judge(&record);
    if args.volume.verbose {
        let mut page = String::new();
        _ = notafter_report::terminal::write(
            &mut page,
            &record,
            &verdict,
            args.volume.detail(),
            &printer.err_styles(),
        );
        printer.note(&page);
    }
    Ok(NightEntry::of_run(judged(args), String::new(), &record, &verdict, watch.elapsed()))
}

/// A few of them by name.
fn names(changed: &[PathBuf]) -> String {
    const FEW: usize = 3;
    let mut names: Vec<String> =
        changed.iter().take(FEW).map(|path| path.display().to_string().escape_debug().to_string()).collect();
    if changed.len() > FEW {
        names.push(format!("and {} more", changed.len() - FEW));
    }
    names.join(", ")
}
