//! `notafter completions`: what a shell has to know to complete our command line.

use crate::args::Cli;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;
use clap::CommandFactory;
use clap_complete::Shell;

pub(crate) fn run(shell: Shell, printer: &mut Printer) -> Result<Exit, Error> {
    // Into memory first: the generator panics where its writer fails, as a pipe does whose reader went away.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "notafter", &mut script);
    printer.data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Allow)
}
