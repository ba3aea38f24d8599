//! `notafter schema`: the JSON Schema of scenario files and shared policies, for editors, or of records, for
//! whoever reads them.

use crate::args::SchemaChoice;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;

pub(crate) fn run(of: SchemaChoice, printer: &mut Printer) -> Result<Exit, Error> {
    let schema = match of {
        SchemaChoice::Policy => notafter_scenario::policy_schema(),
        SchemaChoice::Record => notafter_report::json::schema(),
        SchemaChoice::Scenario => notafter_scenario::schema(),
    };
    printer.data(&format!("{schema:#}\n"))?;
    Ok(Exit::Allow)
}
