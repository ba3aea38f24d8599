//! `notafter sweep`: takes away containers whose runs are dead.

use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;

pub(crate) fn run(printer: &mut Printer) -> Result<Exit, Error> {
    let page = match notafter_runner::sweep()? {
        0 => "nothing was left\n".to_owned(),
        1 => "1 container of a dead run was taken away\n".to_owned(),
        count => format!("{count} containers of dead runs were taken away\n"),
    };
    printer.data(&page)?;
    Ok(Exit::Allow)
}
