//! A first scenario for a Compose project: what can be asked of services from their files alone.

use super::project::{self, Project};
use super::services::ComposeService;
use crate::diagnostic::{Diagnostics, Draft as Report, Lines, Sink, Span};
use crate::{Code, Context, Source};
use notafter_core::{
    Check, CheckName, Connection, Draft, DraftedCheck, Expectation, ExpectedSpan, Probe, ReadyProbe,
    ScenarioName, Service, SourceLocation, Works,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a look may take.
const WITHIN: Duration = Duration::from_secs(10);
/// How long a failure may last before it counts.
const SETTLE: Duration = Duration::from_secs(1);

/// A scenario that takes its services from the Compose files `paths`, relative to `directory`: every service must run, be
/// healthy where it says how that shows, and take connections on the ports that it names. Without a `candidate` the
/// release is the first service that is built here, else the first that no other waits for.
///
/// # Errors
/// What is wrong with the files, or that they have no such candidate.
pub fn compose_draft(
    paths: &[PathBuf],
    directory: &Path,
    context: &Context<'_>,
    candidate: Option<&str>,
    support: &str,
) -> Result<Draft, Diagnostics> {
    // Stands for the lines of the scenario that is going to name the files.
    let text: String = paths.iter().map(|path| format!("{}\n", path.display())).collect();
    let source = Source::new("(command line)".to_owned(), text, directory.to_owned());
    let lines = Lines::of(&source.text);
    let mut begin = 0;
    let mut named: Vec<(&str, Span)> = Vec::new();
    for path in source.text.lines() {
        named.push((path, Span { begin, end: begin + path.len() }));
        begin += path.len() + 1;
    }
    let sink = Sink::default();
    let project = project::read(&named, directory, context, &|name| Some(name) == candidate, &sink);
    let draft = project.as_ref().and_then(|project| drafted(project, paths, candidate, support, &sink));
    let folder_is_sound = project.as_ref().is_some_and(|project| project.folder.is_sound());
    match draft {
        Some(draft) if sink.is_empty() && folder_is_sound => Ok(draft),
        _ => {
            let rest = project.map(Project::into_diagnostics).unwrap_or_default();
            if sink.is_empty() && rest.is_empty() {
                let message = "these files name no service that could be gated";
                sink.report(Report::new(Code::MissingKey, Span::default(), message));
            }
            Err(sink.into_diagnostics(&source, &lines).with(rest))
        }
    }
}

fn drafted(
    project: &Project<'_>,
    paths: &[PathBuf],
    candidate: Option<&str>,
    support: &str,
    sink: &Sink,
) -> Option<Draft> {
    let chosen = match candidate {
        Some(name) => {
            let found = project.service(name);
            if found.is_none() {
                let names: Vec<String> = project.services.iter().map(|it| format!("`{}`", it.name)).collect();
                let message = format!("there is no service `{name}`; the services are {}", names.join(", "));
                sink.report(Report::new(Code::UndefinedService, Span::default(), message));
            }
            found?
        }
        None => likeliest(project)?,
    };
    let service = chosen.service.clone()?;
    let checks = project.services.iter().flat_map(checks).collect();
    let mut remarks = project.remarks();
    if service.image.is_none() {
        let name = &service.name;
        remarks.push(format!(
            "{name} is built from files here: `docker compose build {name}`, and gate with `--candidate {name}=IMAGE`"
        ));
    }
    let at = paths.first().and_then(|path| path.parent()).and_then(Path::file_name);
    let called = at.and_then(|name| ScenarioName::new(name.to_string_lossy()).ok());
    Some(Draft {
        name: called.or_else(|| ScenarioName::new(service.name.as_str()).ok())?,
        start: None,
        support: support.to_owned(),
        compose: paths.to_vec(),
        service,
        checks,
        remarks,
    })
}

fn likeliest<'p>(project: &'p Project<'_>) -> Option<&'p ComposeService> {
    let services = &project.services;
    let is_last = |it: &&ComposeService| !services.iter().any(|other| other.needs.contains(&it.name));
    services.iter().find(|it| it.build.is_some()).or_else(|| services.iter().find(is_last))
}

fn checks(service: &ComposeService) -> Vec<DraftedCheck> {
    let Some(Service { name, ready, location, .. }) = &service.service else { return Vec::new() };
    let mut checks = Vec::new();
    let mut add = |what: &str, probe: Probe, works: Works, why: &str| {
        // A name that is too long with its end is cut where it begins.
        let text = format!("{name}-{what}");
        let cut: String = text.chars().skip(text.chars().count().saturating_sub(63)).collect();
        let cut = cut.trim_start_matches(['.', '_', '-']);
        let Ok(label) = CheckName::new(cut) else { return };
        checks.push(DraftedCheck { check: check(label, probe, works, location), why: why.to_owned() });
    };
    let alive = Probe::Alive { service: name.clone() };
    add("alive", alive, Works::default(), "it goes on running");
    if let Some(ReadyProbe::Exec(command)) = ready {
        let probe = Probe::Exec { service: name.clone(), command: command.clone() };
        add(
            "healthy",
            probe,
            Works { exit: Some(0), ..Works::default() },
            "the command of its health check succeeds",
        );
    }
    for port in &service.ports {
        let probe = Probe::Tcp { host: name.to_string(), port: *port };
        add(&format!("port-{port}"), probe, Works::default(), "its port takes connections");
    }
    checks
}

fn check(name: CheckName, probe: Probe, works: Works, location: &SourceLocation) -> Check {
    let expectation = Expectation::Works(works);
    let expect = vec![ExpectedSpan { after: None, through: None, expectation, location: location.clone() }];
    Check {
        name,
        probe,
        from: None,
        connections: vec![Connection::Fresh],
        within: WITHIN,
        settle: SETTLE,
        before: Vec::new(),
        stale: Vec::new(),
        expect,
        location: location.clone(),
    }
}
