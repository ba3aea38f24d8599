//! `notafter check`: a verdict about a program that nobody has written a scenario for.
//!
//! What it found out is written down as a scenario and read back: what `--save` keeps is what was gated.

use super::gate::Gate;
use crate::args::CheckArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::pointed::{self, named};
use crate::printer::Printer;
use crate::{backends, loading};
use notafter_core::{Draft, EnvValue, ImageRef, ScenarioName, ServiceName};
use notafter_report::UNSAVED;
use notafter_runner::{Interrupt, Options};
use notafter_scenario::Source;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

pub(crate) fn run(args: &CheckArgs, printer: &mut Printer) -> Result<Exit, Error> {
    let interrupt = Interrupt::new();
    interrupt.on_signals()?;
    if let Some(path) = args.save.as_ref().filter(|path| path.exists()) {
        return Err(Error::AlreadyThere { path: path.clone() });
    }
    let directory = args.save.as_deref().map_or_else(|| PathBuf::from("."), directory_of);
    let draft = begun(args, &directory)?;
    // The first reading finds the image; what it says of itself then completes the draft.
    let first = loading::scenario(&source(args, &directory, &draft)?, None)?;
    let images = loading::images(&[&first], args.run.volume, printer)?;
    let venue = backends::choose(args.run.backend, first.backend, args.run.isolation)?;
    if !args.run.volume.quiet {
        printer.status("looking at what it does where the window begins");
    }
    let options = Options { interrupt: interrupt.clone(), ..Options::default() };
    let completed = venue.complete(draft, &first, &images, &args.ports, &options);
    printer.status("");
    let draft = completed?;
    let source = source(args, &directory, &draft)?;
    let scenario = loading::scenario(&source, None)?;
    if let Some(path) = &args.save {
        save(path, &source.text)?;
    }
    if !args.run.volume.quiet {
        printer.note(&notafter_report::drafted(&draft));
    }
    let gate = Gate {
        source: &source,
        scenario: &scenario,
        images: &images,
        venue,
        only: None,
        production: None,
        interrupt,
    };
    gate.run(&args.run, printer)
}

/// What can be said before anything has run.
fn begun(args: &CheckArgs, directory: &Path) -> Result<Draft, Error> {
    let pointed = pointed::pointed(&args.target, &args.command, directory != Path::new("."))?;
    let no = |error: notafter_core::NameError| Error::Target {
        target: args.target.clone(),
        reason: error.to_string(),
    };
    let name = named(&pointed.name);
    let scenario = ScenarioName::new(format!("check-{name}")).map_err(no)?;
    let service = ServiceName::new(name).map_err(no)?;
    let is_host = pointed.image == ImageRef::Host;
    let mut draft = notafter_runner::starting_point(service, scenario, pointed.image, &args.support);
    draft.start.clone_from(&args.start);
    draft.service.command = pointed.command;
    draft.service.workdir = pointed.workdir;
    for variable in &args.env {
        let (name, value) = match variable.split_once('=') {
            Some((name, value)) => (name, EnvValue::Plain(value.to_owned())),
            None => (variable.as_str(), EnvValue::Secret(variable.clone())),
        };
        draft.service.env.insert(name.to_owned(), value);
    }
    if is_host {
        draft.remarks.push(
            "it runs on this machine's own files, of which only the program itself is searched: `scan:` in a scenario \
             names more"
                .to_owned(),
        );
    }
    Ok(draft)
}

fn source(args: &CheckArgs, directory: &Path, draft: &Draft) -> Result<Source, Error> {
    let file = args.save.as_ref().map_or_else(|| UNSAVED.to_owned(), |path| path.display().to_string());
    Ok(Source::new(file, notafter_report::scenario_text(draft), directory.to_owned()).sharing()?)
}

fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Writes a file that is not there yet.
pub(super) fn save(path: &Path, text: &str) -> Result<(), Error> {
    let written = File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| Error::ReportUnwritable { path: path.to_owned(), source })
}
