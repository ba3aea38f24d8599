//! `notafter plan`: what a gate would begin with.

use crate::args::{DepthChoice, ScenarioArgs, Volume};
use crate::error::Error;
use crate::exit::Exit;
use crate::loading;
use crate::printer::Printer;

pub(crate) fn run(args: ScenarioArgs, printer: &mut Printer) -> Result<Exit, Error> {
    let scenario = DepthChoice::of(args.depth, loading::runnable(&args.scenario, args.candidate)?);
    let images = loading::images(&[&scenario], Volume::default(), printer)?;
    let (record, cases) = notafter_runner::plan(&scenario, &images)?;
    let mut page = String::new();
    // A String takes everything that is written to it.
    _ = notafter_report::plan::write(&mut page, &record, &cases, &printer.out_styles());
    printer.data(&page)?;
    Ok(Exit::Allow)
}
