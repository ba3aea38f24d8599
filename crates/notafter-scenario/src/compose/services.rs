//! What is said of a service in all → the service of a scenario.

use super::dotenv::{self, Format};
use super::folder::{At, Folder};
use super::partial::{Bounds, Grant, Health, Mount, MountSource, Partial, Said, Variable};
use super::project::{Definition, Definitions, wrong_line};
use crate::bounds::{self, Named};
use crate::resolve::is_user;
use crate::source::Entry;
use crate::source::plain;
use crate::variables::Lookup;
use crate::{Code, MAX_BYTES};
use notafter_core::{
    EnvValue, Hidden, ImageRef, MountedFile, MountedSource, ReadyProbe, Restart, Restrictions, RootAccess,
    Service, ServiceName, SourceLocation, Volume, VolumeName, VolumeState,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// How long a service may take to get ready, whatever its health check says.
const SHORTEST_READY: Duration = Duration::from_secs(30);
const LONGEST_READY: Duration = Duration::from_secs(3600);
/// What the specification says where a file says nothing.
const USUAL_INTERVAL: Duration = Duration::from_secs(30);
const USUAL_RETRIES: u32 = 3;
/// Files below one directory that is mounted.
const MAX_FILES: usize = 2_000;
const MAX_DEPTH: usize = 12;

/// A service of a project.
#[derive(Debug)]
pub(crate) struct ComposeService {
    pub(crate) name: String,
    pub(crate) at: At,
    /// Where it says that it is built.
    pub(crate) build: Option<At>,
    /// None where something is wrong with it, which is reported.
    pub(crate) service: Option<Service>,
    /// TCP ports that it is said to listen on.
    pub(crate) ports: Vec<u16>,
    /// What it waits for.
    pub(crate) needs: Vec<String>,
    /// What is said of it and does not hold here.
    pub(crate) remarks: Vec<String>,
}

/// The services of a project, each with all that is said of it.
pub(crate) fn finished(
    folder: &Folder<'_>,
    partials: Vec<Partial>,
    definitions: &Definitions,
    lookup: Lookup<'_>,
) -> Vec<ComposeService> {
    let names: Vec<String> = partials.iter().map(|partial| partial.name.clone()).collect();
    let finishing = Finishing { folder, names: &names, definitions, lookup };
    partials.into_iter().enumerate().map(|(index, partial)| finishing.finished(index, partial)).collect()
}

struct Finishing<'a> {
    folder: &'a Folder<'a>,
    names: &'a [String],
    definitions: &'a Definitions,
    lookup: Lookup<'a>,
}

impl Finishing<'_> {
    fn finished(&self, index: usize, partial: Partial) -> ComposeService {
        let mut remarks = Vec::new();
        if !partial.passed_over.is_empty() {
            let keys = partial.passed_over.iter().map(|key| {
                let SourceLocation { file, line, .. } = self.folder.locate(key.at);
                format!("`{}` at {file}:{line}", key.value)
            });
            let keys: Vec<String> = keys.collect();
            let name = &partial.name;
            remarks.push(format!("{name}: not applied, so that it may do more here: {}", keys.join(", ")));
        }
        let needs = self.needs(&partial);
        ComposeService {
            at: partial.at,
            build: partial.build,
            ports: partial.ports.clone(),
            service: self.service(index, &partial, &needs, &mut remarks).filter(|_| !partial.has_bad_image),
            needs,
            remarks,
            name: partial.name,
        }
    }

    fn service(
        &self,
        index: usize,
        partial: &Partial,
        needs: &[String],
        remarks: &mut Vec<String>,
    ) -> Option<Service> {
        let name = self.name(&partial.name, partial.at)?;
        let mut volumes = Vec::new();
        let mut files = Vec::new();
        for (number, mount) in partial.mounts.iter().enumerate() {
            let unnamed = format!("compose.{index}.{number}");
            self.mount(mount, &unnamed, &mut volumes, &mut files);
        }
        let granted = [
            (&partial.configs, &self.definitions.configs, "/"),
            (&partial.secrets, &self.definitions.secrets, "/run/secrets/"),
        ];
        for (grants, definitions, below) in granted {
            files.extend(grants.iter().filter_map(|grant| self.grant(grant, definitions, below)));
        }
        let command = |said: &Option<Said<Option<Vec<String>>>>| {
            let said = said.as_ref()?;
            if said.value.as_ref().is_some_and(|words| words.first().is_none_or(String::is_empty)) {
                let message = "an empty command, in place of the image's own, cannot be had";
                self.folder.report(said.at, Code::EmptyCommand, message);
            }
            said.value.clone()
        };
        if let Some(user) = partial.user.as_ref().filter(|user| !is_user(&user.value)) {
            self.folder.report(user.at, Code::BadName, format!("`{}` is no user", user.value));
        }
        let workdir = partial.working_dir.as_ref().map(|workdir| {
            if !workdir.value.starts_with('/') || workdir.value.contains("..") {
                let message = format!("`{}` is no absolute path", workdir.value);
                self.folder.report(workdir.at, Code::PathNotAbsolute, message);
            }
            plain(Path::new(&workdir.value)).display().to_string()
        });
        let health = partial.health.as_ref();
        let test = health.and_then(|health| health.test.as_ref());
        Some(Service {
            name,
            aliases: self.aliases(partial),
            image: partial.image.as_ref().map(|image| ImageRef::Reference(image.value.clone())),
            entrypoint: command(&partial.entrypoint),
            command: command(&partial.command),
            env: self.environment(partial),
            user: partial.user.as_ref().map(|user| user.value.clone()),
            workdir,
            files,
            scan: Vec::new(),
            volumes,
            ready: test.map(|test| ReadyProbe::Exec(test.value.clone())),
            restrictions: restrictions(partial),
            ready_within: health.map_or(SHORTEST_READY, ready_within),
            needs: needs.iter().filter_map(|name| ServiceName::new(name.clone()).ok()).collect(),
            after: Vec::new(),
            restart: self.restart(partial, remarks),
            stands_for: Vec::new(),
            location: self.folder.locate(partial.at),
        })
    }

    fn name(&self, text: &str, at: At) -> Option<ServiceName> {
        let name = ServiceName::new(text);
        name.map_err(|error| self.folder.report(at, Code::BadName, error.to_string())).ok()
    }

    fn needs(&self, partial: &Partial) -> Vec<String> {
        let mut needs = Vec::new();
        for dependency in &partial.depends_on {
            let name = &dependency.value.service;
            if self.names.contains(name) {
                needs.push(name.clone());
            } else if dependency.value.required {
                let message = format!(
                    "there is no service `{name}`, or none of its profiles is active: COMPOSE_PROFILES names them"
                );
                self.folder.report(dependency.at, Code::UndefinedService, message);
            }
        }
        needs
    }

    fn aliases(&self, partial: &Partial) -> Vec<ServiceName> {
        let mut aliases = Vec::new();
        for alias in partial.aliases.iter().filter(|alias| alias.value != partial.name) {
            if self.names.contains(&alias.value) {
                let message = format!("`{}` is a service of its own: both would have one name", alias.value);
                self.folder.report(alias.at, Code::BadName, message);
            } else {
                aliases.extend(self.name(&alias.value, alias.at));
            }
        }
        aliases
    }

    fn environment(&self, partial: &Partial) -> BTreeMap<String, EnvValue> {
        let mut environment = BTreeMap::new();
        for file in &partial.env_files {
            let path = &file.value.path;
            if !file.value.required && matches!(self.folder.look(path), Ok(Entry::Missing)) {
                continue;
            }
            let number = match self.folder.open(path) {
                Ok(number) => number,
                Err(why) => {
                    self.folder.report(file.at, Code::ComposeUnreadable, why);
                    continue;
                }
            };
            let format = if file.value.raw { Format::Raw } else { Format::Interpolated };
            match dotenv::parse(&self.folder.text(number), format, self.lookup, MAX_BYTES) {
                Ok(lines) => {
                    let known = |line: dotenv::Line| {
                        let value = line.value.or_else(|| (self.lookup)(&line.name))?;
                        Some((line.name, EnvValue::Hidden(Hidden::new(value))))
                    };
                    environment.extend(lines.into_iter().filter_map(known));
                }
                Err((span, wrong)) => wrong_line(self.folder, self.folder.at(number, span), wrong),
            }
        }
        for (name, said) in &partial.environment {
            match &said.value {
                Variable::Literal(value) => {
                    environment.insert(name.clone(), EnvValue::Plain(value.clone()));
                }
                Variable::Hidden(value) => {
                    environment.insert(name.clone(), EnvValue::Hidden(Hidden::new(value.clone())));
                }
                Variable::Unset => {
                    environment.remove(name);
                }
            }
        }
        environment
    }

    fn restart(&self, partial: &Partial, remarks: &mut Vec<String>) -> Restart {
        let Some(said) = &partial.restart else { return Restart::Never };
        match said.value.split(':').next().unwrap_or_default() {
            "always" | "unless-stopped" => Restart::Always,
            "no" | "false" => Restart::Never,
            "on-failure" => {
                let line = self.folder.locate(said.at);
                let name = &partial.name;
                remarks.push(format!(
                    "{name}: not applied: `restart: on-failure` at {line}; once it ends it stays down"
                ));
                Restart::Never
            }
            other => {
                self.folder.report(said.at, Code::UnknownValue, format!("`{other}` is no way to restart"));
                Restart::Never
            }
        }
    }

    fn mount(
        &self,
        mount: &Said<Mount>,
        unnamed: &str,
        volumes: &mut Vec<Volume>,
        files: &mut Vec<MountedFile>,
    ) {
        let target = mount.value.target.clone();
        let volume = |name: &str, state: VolumeState| {
            let name = VolumeName::new(name);
            let name =
                name.map_err(|error| self.folder.report(mount.at, Code::BadName, error.to_string())).ok()?;
            Some(Volume { name, path: target.clone(), state })
        };
        match &mount.value.source {
            MountSource::Anonymous => volumes.extend(volume(unnamed, VolumeState::Carried)),
            MountSource::Tmpfs => volumes.extend(volume(unnamed, VolumeState::Fresh)),
            MountSource::Named(name) => {
                if !self.definitions.volumes.contains(name) {
                    let message = format!("there is no volume `{name}` under `volumes`");
                    self.folder.report(mount.at, Code::UndefinedVolume, message);
                }
                volumes.extend(volume(name, VolumeState::Carried));
            }
            MountSource::Bind { path, must_exist } => match self.folder.look(path) {
                Ok(Entry::Missing) if !must_exist => volumes.extend(volume(unnamed, VolumeState::Carried)),
                Ok(Entry::Directory(names)) if names.is_empty() => {
                    volumes.extend(volume(unnamed, VolumeState::Carried));
                }
                Ok(_) => {
                    if let Err(why) = self.files_below(path, &target, mount.at, MAX_DEPTH, files) {
                        self.folder.report(mount.at, Code::ComposeUnreadable, why);
                    }
                }
                Err(error) => {
                    let message = format!("cannot look at `{}`: {error}", path.display());
                    self.folder.report(mount.at, Code::ComposeUnreadable, message);
                }
            },
        }
    }

    /// Every file at and below `path`, laid in at `target`.
    fn files_below(
        &self,
        path: &Path,
        target: &str,
        at: At,
        depth: usize,
        files: &mut Vec<MountedFile>,
    ) -> Result<(), String> {
        let shown = path.display();
        match self.folder.look(path).map_err(|error| format!("cannot look at `{shown}`: {error}"))? {
            Entry::File { mode } => {
                if files.len() >= MAX_FILES {
                    return Err(format!(
                        "`{shown}` is one file too many: a service takes {MAX_FILES} at most"
                    ));
                }
                files.push(self.file(target.to_owned(), MountedSource::Source(path.to_owned()), mode, at));
                Ok(())
            }
            Entry::Directory(names) => {
                let depth = depth.checked_sub(1).ok_or_else(|| format!("`{shown}` lies too deep"))?;
                names.into_iter().try_for_each(|name| {
                    let below = path.join(&name);
                    let name = name
                        .into_string()
                        .map_err(|_| format!("the name of `{}` is no text", below.display()))?;
                    self.files_below(&below, &format!("{target}/{name}"), at, depth, files)
                })
            }
            Entry::Missing => Err(format!("there is no `{shown}`")),
            Entry::Special => Err(format!(
                "`{shown}` is a socket, a pipe or a device: services reach nothing of this machine"
            )),
        }
    }

    fn file(&self, path: String, source: MountedSource, mode: u32, at: At) -> MountedFile {
        MountedFile { path, source, mode, folder: None, location: self.folder.locate(at) }
    }

    fn grant(
        &self,
        grant: &Said<Grant>,
        definitions: &[(String, Said<Definition>)],
        below: &str,
    ) -> Option<MountedFile> {
        let Grant { source, target, mode } = &grant.value;
        let Some((_, definition)) = definitions.iter().find(|(name, _)| name == source) else {
            let message = format!("there is no `{source}` under `configs` or `secrets`");
            self.folder.report(grant.at, Code::UndefinedFile, message);
            return None;
        };
        let target = target.as_ref().unwrap_or(source);
        let target = if target.starts_with('/') { target.clone() } else { format!("{below}{target}") };
        let path = plain(Path::new(&target));
        if target.contains("..") || target.contains('\0') || path == Path::new("/") {
            self.folder.report(
                grant.at,
                Code::PathNotPlain,
                format!("`{target}` is not the plain form of a path"),
            );
            return None;
        }
        let path = path.display().to_string();
        let (contents, usual_mode) = match &definition.value {
            Definition::Content(text) => (MountedSource::Content(text.clone()), 0o444),
            Definition::File(file) => match self.folder.look(file) {
                Ok(Entry::File { mode }) => (MountedSource::Source(file.clone()), mode),
                _ => {
                    let message = format!("`{}` is no file that can be read", file.display());
                    self.folder.report(definition.at, Code::ComposeUnreadable, message);
                    return None;
                }
            },
        };
        Some(self.file(path, contents, mode.unwrap_or(usual_mode), grant.at))
    }
}

fn restrictions(partial: &Partial) -> Restrictions {
    let Bounds { memory_bytes, milli_cpus, pids, read_only } = &partial.bounds;
    let named = |list: &[Said<Named>]| -> Vec<Named> { list.iter().map(|said| said.value).collect() };
    let root = |read_only: bool| if read_only { RootAccess::ReadOnly } else { RootAccess::ReadWrite };
    Restrictions {
        memory_bytes: memory_bytes.as_ref().and_then(|said| said.value),
        pids: pids.as_ref().and_then(|said| said.value),
        milli_cpus: milli_cpus.as_ref().and_then(|said| said.value),
        root: read_only.map(root),
        capabilities: bounds::left(&named(&partial.cap_drop), &named(&partial.cap_add)),
    }
}

/// How long an engine would wait before it calls the service unhealthy.
fn ready_within(health: &Health) -> Duration {
    let interval = health.interval.unwrap_or(USUAL_INTERVAL);
    let tries = interval.saturating_mul(health.retries.unwrap_or(USUAL_RETRIES));
    let timeout = health.timeout.unwrap_or(USUAL_INTERVAL);
    let whole = health.start_period.unwrap_or_default().saturating_add(tries).saturating_add(timeout);
    whole.clamp(SHORTEST_READY, LONGEST_READY)
}
