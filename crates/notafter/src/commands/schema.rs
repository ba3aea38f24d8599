//! `notafter schema`: the JSON Schema of scenario files, for editors.

use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;

pub(crate) fn run(printer: &mut Printer) -> Result<Exit, Error> {
    printer.data(&format!("{:#}\n", notafter_scenario::schema()))?;
    Ok(Exit::Allow)
}
