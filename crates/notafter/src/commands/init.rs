//! `notafter init`: a first scenario for a folder, without a question.

use super::check::save;
use crate::error::Error;
use crate::exit::Exit;
use crate::loading;
use crate::pointed::named;
use crate::printer::Printer;
use notafter_scenario::Source;
use std::path::Path;

/// How long the release of a first scenario must run.
const SUPPORT: &str = "2y";

pub(crate) fn run(directory: &Path, printer: &mut Printer) -> Result<Exit, Error> {
    let path = directory.join("scenario.yaml");
    if path.exists() {
        return Err(Error::AlreadyThere { path });
    }
    let horizon = notafter_scenario::instant(&format!("+{SUPPORT}"), notafter_runner::unix_now())?;
    let draft = notafter_runner::found_in(directory, SUPPORT, horizon, &named)?;
    let text = notafter_report::scenario_text(&draft);
    let source = Source { file: path.display().to_string(), text, directory: directory.to_owned() };
    // What is written must be read again.
    loading::scenario(&source, None)?;
    save(&path, &source.text)?;
    printer.note(&notafter_report::drafted(&draft));
    printer.note(&format!("wrote {0}; `notafter plan {0}` shows what a gate runs\n", source.file));
    Ok(Exit::Allow)
}
