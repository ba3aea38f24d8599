//! `notafter plan`: what a gate would begin with, for each build where none is chosen.

use crate::args::{DepthChoice, ScenarioArgs, Volume};
use crate::error::Error;
use crate::exit::Exit;
use crate::loading;
use crate::printer::Printer;
use notafter_core::Scenario;
use notafter_scenario::CandidateChoice;

pub(crate) fn run(args: ScenarioArgs, printer: &mut Printer) -> Result<Exit, Error> {
    let depth = args.depth;
    let scenarios: Vec<Scenario> =
        chosen(args)?.into_iter().map(|scenario| DepthChoice::of(depth, scenario)).collect();
    let images = loading::images(&scenarios.iter().collect::<Vec<_>>(), Volume::default(), printer)?;
    let mut page = String::new();
    for scenario in &scenarios {
        if !page.is_empty() {
            page.push('\n');
        }
        let (record, cases) = notafter_runner::plan(scenario, &images)?;
        // A String takes everything that is written to it.
        _ = notafter_report::plan::write(&mut page, &record, &cases, &printer.out_styles());
    }
    printer.data(&page)?;
    Ok(Exit::Allow)
}

/// The scenario with the build that was chosen, or once with each of its builds.
fn chosen(args: ScenarioArgs) -> Result<Vec<Scenario>, Error> {
    let source = loading::source(&args.scenario)?;
    let whole = loading::scenario(&source, args.candidate)?;
    if whole.candidate.build.is_some() || whole.builds.is_empty() {
        return Ok(vec![whole]);
    }
    let with = |build: &notafter_core::Build| {
        let service = whole.candidate.service.to_string();
        loading::scenario(&source, Some(CandidateChoice { service, build: build.name.to_string() }))
    };
    whole.builds.iter().map(with).collect()
}
