//! `notafter explain`: what a code means.

use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;
use notafter_report::explain;

pub(crate) fn run(code: &str, printer: &mut Printer) -> Result<Exit, Error> {
    let found = explain::find(code).ok_or_else(|| Error::UnknownCode { code: code.to_owned() })?;
    let mut page = String::new();
    // A String takes everything that is written to it.
    _ = explain::write(&mut page, found, &printer.out_styles());
    printer.data(&page)?;
    Ok(Exit::Allow)
}
