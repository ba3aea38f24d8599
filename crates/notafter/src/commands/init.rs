//! `notafter init`: a first scenario for a folder, without a question.

use super::check::save;
use crate::error::Error;
use crate::exit::Exit;
use crate::loading;
use crate::pointed::named;
use crate::printer::Printer;
use notafter_scenario::{CandidateChoice, Source};
use std::path::{Path, PathBuf};

/// How long the release of a first scenario must run.
const SUPPORT: &str = "2y";
/// What Compose takes where it is told no file, the first of them.
const COMPOSE: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

pub(crate) fn run(directory: &Path, printer: &mut Printer) -> Result<Exit, Error> {
    let path = directory.join("scenario.yaml");
    if path.exists() {
        return Err(Error::AlreadyThere { path });
    }
    let horizon = notafter_scenario::instant(&format!("+{SUPPORT}"), notafter_runner::unix_now())?;
    let found = notafter_runner::found_in(directory, SUPPORT, horizon, &named);
    let draft = match COMPOSE.into_iter().find(|name| directory.join(name).is_file()) {
        Some(name) => {
            let mut draft = loading::compose(&[PathBuf::from(name)], directory, None, SUPPORT)?;
            draft.remarks.extend(found.into_iter().flat_map(|found| found.remarks));
            draft
        }
        None => found?,
    };
    let text = notafter_report::scenario_text(&draft);
    let source = Source::new(path.display().to_string(), text, directory.to_owned()).sharing()?;
    // What is written must be read again.
    let unbuilt = draft.service.image.is_none();
    let stand_in = CandidateChoice { service: draft.service.name.to_string(), build: "host".to_owned() };
    loading::scenario(&source, unbuilt.then_some(stand_in))?;
    save(&path, &source.text)?;
    printer.note(&notafter_report::drafted(&draft));
    printer.note(&format!("wrote {0}; `notafter plan {0}` shows what a gate runs\n", source.file));
    Ok(Exit::Allow)
}
