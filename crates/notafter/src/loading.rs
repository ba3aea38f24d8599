//! From what the user named to a scenario.

use crate::args::Volume;
use crate::error::Error;
use crate::printer::Printer;
use notafter_core::{Draft, Scenario, UnixTime};
use notafter_runner::Images;
use notafter_scenario::{CandidateChoice, Context, Disk, Source};
use std::path::{Path, PathBuf};

/// Reads the text of the scenario at `path`.
///
/// # Errors
/// [`Error::Scenario`].
pub(crate) fn source(path: &Path) -> Result<Source, Error> {
    Ok(notafter_scenario::load(path)?)
}

/// Reads what `source` means now, in this environment, for this choice of the candidate's build.
///
/// # Errors
/// [`Error::Scenario`].
pub(crate) fn scenario(source: &Source, candidate: Option<CandidateChoice>) -> Result<Scenario, Error> {
    scenario_at(source, candidate, notafter_runner::unix_now())
}

/// The same for a `now` of the host's clock: two builds that are compared begin in the same second.
///
/// # Errors
/// [`Error::Scenario`].
pub(crate) fn scenario_at(
    source: &Source,
    candidate: Option<CandidateChoice>,
    now: UnixTime,
) -> Result<Scenario, Error> {
    let variables = |name: &str| std::env::var(name).ok();
    let context = Context { now, variables: &variables, candidate, files: &Disk };
    Ok(notafter_scenario::parse(source, &context).map_err(notafter_scenario::Error::Invalid)?)
}

/// A scenario for the Compose files `files`, which are relative to `directory`.
///
/// # Errors
/// [`Error::Scenario`].
pub(crate) fn compose(
    files: &[PathBuf],
    directory: &Path,
    candidate: Option<&str>,
    support: &str,
) -> Result<Draft, Error> {
    let variables = |name: &str| std::env::var(name).ok();
    let context =
        Context { now: notafter_runner::unix_now(), variables: &variables, candidate: None, files: &Disk };
    let draft = notafter_scenario::compose_draft(files, directory, &context, candidate, support);
    Ok(draft.map_err(notafter_scenario::Error::Invalid)?)
}

/// The same, with a build chosen wherever there are several.
///
/// # Errors
/// [`Error::Scenario`], or [`Error::NoBuildChosen`].
pub(crate) fn runnable(path: &Path, candidate: Option<CandidateChoice>) -> Result<Scenario, Error> {
    chosen(&source(path)?, candidate, notafter_runner::unix_now())
}

/// The same for a text that was read before, and a `now` of the host's clock.
///
/// # Errors
/// [`Error::Scenario`], or [`Error::NoBuildChosen`].
pub(crate) fn chosen(
    source: &Source,
    candidate: Option<CandidateChoice>,
    now: UnixTime,
) -> Result<Scenario, Error> {
    let scenario = scenario_at(source, candidate, now)?;
    if scenario.candidate.build.is_none() && !scenario.builds.is_empty() {
        return Err(Error::NoBuildChosen {
            service: scenario.candidate.service.to_string(),
            builds: scenario.builds.iter().map(|build| build.name.to_string()).collect(),
        });
    }
    Ok(scenario)
}

/// Finds and builds the images of `scenarios`, and tells how it goes.
///
/// # Errors
/// [`Error::Run`].
pub(crate) fn images(
    scenarios: &[&Scenario],
    volume: Volume,
    printer: &mut Printer,
) -> Result<Images, Error> {
    let images = Images::resolve(scenarios, &mut |line| match volume {
        Volume { quiet: true, .. } => {}
        Volume { verbose: true, .. } => printer.note(&format!("{line}\n")),
        Volume { .. } => printer.status(line.trim_start()),
    })?;
    printer.status("");
    Ok(images)
}
