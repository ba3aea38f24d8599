//! Which command runs.

use super::{
    check, completions, doctor, explain, gate, history, init, judge, man, nightly, plan, replay, scan,
    schema, sweep, verify, watch,
};
use crate::args::{Command, Volume};
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;

/// Runs a command to its exit code.
///
/// # Errors
/// Where it has nothing to tell; see [`Error::exit`].
pub(crate) fn run(command: Command, printer: &mut Printer) -> Result<Exit, Error> {
    match command {
        Command::At { .. } => Ok(Exit::Usage), // it never comes here: it ends as its command ends
        Command::Check(args) => check::run(&args, printer),
        Command::Completions { shell } => completions::run(shell, printer),
        Command::Doctor => doctor::run(printer),
        Command::Explain { code } => explain::run(code.as_deref(), printer),
        Command::Gate(args) => gate::run(&args, printer),
        Command::History(args) => history::run(&args, printer),
        Command::Init { directory } => init::run(&directory, printer),
        Command::Judge { record, against, reports, verbose } => {
            let detail = Volume { verbose, ..Volume::default() }.detail();
            judge::run(&record, against.as_deref(), &reports, detail, printer)
        }
        Command::Man { directory } => man::run(&directory, printer),
        Command::Nightly(args) => nightly::run(&args, printer),
        Command::Plan(args) => plan::run(args, printer),
        Command::Replay(args) => replay::run(&args, printer),
        Command::Scan(args) => scan::run(&args, printer),
        Command::Schema { of } => schema::run(of, printer),
        Command::Sweep => sweep::run(printer),
        Command::Verify(args) => verify::run(&args, printer),
        Command::Watch(args) => watch::run(&args, printer),
    }
}
