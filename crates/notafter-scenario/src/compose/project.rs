//! The files of a project → its services, with `extends`, several files and profiles applied.

use super::decode::Decoding;
use super::dotenv::{self, Format, Wrong};
use super::folder::{At, Folder};
use super::partial::{Partial, Said, keyed};
use super::services::{self, ComposeService};
use crate::decode::{Key, Kind, Node};
use crate::diagnostic::{Diagnostics, Draft, Sink, Span};
use crate::source::Entry;
use crate::variables::Lookup;
use crate::{Code, Context, MAX_BYTES};
use std::path::{Path, PathBuf};

/// Services that extend services that extend others.
const MAX_EXTENDS: usize = 16;

/// What stands behind the name of a config or a secret.
#[derive(Debug, Clone)]
pub(crate) enum Definition {
    /// This text.
    Content(String),
    /// A file, relative to the scenario's directory.
    File(PathBuf),
}

/// What the top of the files defines for the services.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    pub(crate) configs: Vec<(String, Said<Definition>)>,
    pub(crate) secrets: Vec<(String, Said<Definition>)>,
    pub(crate) volumes: Vec<String>,
}

/// A project: its services, and the files that they stand in.
pub(crate) struct Project<'a> {
    pub(crate) folder: Folder<'a>,
    /// Whether a file could not be read, so that services are missing.
    pub(crate) is_broken: bool,
    /// Those whose profiles are active, in the order of the files.
    pub(crate) services: Vec<ComposeService>,
}

impl Project<'_> {
    pub(crate) fn service(&self, name: &str) -> Option<&ComposeService> {
        self.services.iter().find(|service| service.name == name)
    }

    /// What its files say and what does not hold here.
    pub(crate) fn remarks(&self) -> Vec<String> {
        self.services.iter().flat_map(|service| service.remarks.clone()).collect()
    }

    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostics> {
        self.folder.into_diagnostics()
    }
}

/// Reads the project of the Compose files `paths`, which are relative to `directory` and stand at their spans in the
/// scenario. `named` services belong to it whatever their profiles.
pub(crate) fn read<'a>(
    paths: &[(&str, Span)],
    directory: &Path,
    context: &'a Context<'a>,
    named: &dyn Fn(&str) -> bool,
    sink: &Sink,
) -> Option<Project<'a>> {
    let folder = Folder::new(context.files, directory.to_owned());
    let mut files = Vec::new();
    for (path, span) in paths {
        match folder.open(Path::new(path)) {
            Ok(file) => files.push(file),
            Err(why) => {
                sink.report(Draft::new(Code::ComposeUnreadable, *span, why));
                return None;
            }
        }
    }
    let mut is_broken = false;
    let base = folder.around(*files.first()?);
    let dotenv = variables_beside(&folder, &base, context.variables);
    let lookup = |name: &str| {
        let beside = || dotenv.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        (context.variables)(name).or_else(beside)
    };
    let mut services: Vec<Partial> = Vec::new();
    let mut definitions = Definitions::default();
    for file in files {
        let Some(root) = folder.nodes(file, &lookup) else {
            is_broken = true;
            continue;
        };
        let decoding = Decoding { folder: &folder, file, base: &base, lookup: &lookup };
        for partial in decoding.document(&root, &mut definitions) {
            match services.iter_mut().find(|known| known.name == partial.name) {
                Some(known) => *known = known.clone().under(partial),
                None => services.push(partial),
            }
        }
    }
    let profiles = lookup("COMPOSE_PROFILES").unwrap_or_default();
    let is_active = |partial: &Partial| {
        let wanted =
            |profile: &String| profiles.split(',').any(|active| active == "*" || active.trim() == profile);
        partial.profiles.is_empty() || partial.profiles.iter().any(wanted) || named(&partial.name)
    };
    services.retain(is_active);
    let services = services::finished(&folder, services, &definitions, &lookup);
    Some(Project { folder, is_broken, services })
}

/// The variables of the file `.env` in the project's directory, where there is one.
fn variables_beside(folder: &Folder<'_>, base: &Path, variables: Lookup<'_>) -> Vec<(String, String)> {
    let path = base.join(".env");
    let Ok(Entry::File { .. }) = folder.look(&path) else { return Vec::new() };
    let Ok(file) = folder.open(&path) else { return Vec::new() };
    let lines = match dotenv::parse(&folder.text(file), Format::Interpolated, variables, MAX_BYTES) {
        Ok(lines) => lines,
        Err((span, wrong)) => {
            wrong_line(folder, folder.at(file, span), wrong);
            return Vec::new();
        }
    };
    lines.into_iter().filter_map(|line| Some((line.name, line.value?))).collect()
}

pub(crate) fn wrong_line(folder: &Folder<'_>, at: At, wrong: Wrong) {
    match wrong {
        Wrong::Expand(error) => folder.report_draft(at, error.draft(at.span)),
        Wrong::Malformed(why) => folder.report(at, Code::BadText, format!("this is no variable: {why}")),
    }
}

impl Decoding<'_> {
    fn document(&self, root: &Node, definitions: &mut Definitions) -> Vec<Partial> {
        let mut services = Vec::new();
        for (key, node) in self.map(root) {
            match key.text.as_str() {
                "configs" => {
                    let configs = self.definitions(node);
                    definitions.configs =
                        keyed(std::mem::take(&mut definitions.configs), configs, |it| it.0.clone());
                }
                "name" | "networks" | "version" => {}
                "secrets" => {
                    let secrets = self.definitions(node);
                    definitions.secrets =
                        keyed(std::mem::take(&mut definitions.secrets), secrets, |it| it.0.clone());
                }
                "services" => {
                    for (name, service) in self.map(node) {
                        services.extend(self.extended(node, name, service, &mut Vec::new()));
                    }
                }
                "volumes" => {
                    let volumes = self.volumes(node);
                    definitions.volumes.extend(volumes);
                }
                key if key.starts_with("x-") => {}
                "include" | "models" => self.unsupported(self.key_at(key), &format!("`{}`", key.text)),
                other => {
                    let message = format!("`{other}` is no key of a Compose file");
                    self.folder.report(self.key_at(key), Code::UnknownKey, message);
                }
            }
        }
        services
    }

    /// What `node` says of the service `name` over what it extends. `path` holds the services that led here.
    fn extended(
        &self,
        siblings: &Node,
        name: &Key,
        node: &Node,
        path: &mut Vec<(usize, String)>,
    ) -> Option<Partial> {
        let own = self.service(name, node);
        let Some((key, extends)) = self.map(node).into_iter().find(|(key, _)| key.text == "extends") else {
            return Some(own);
        };
        let at = self.key_at(key);
        path.push((self.file, name.text.clone()));
        let (mut file, mut wanted) = (None, None);
        match &extends.kind {
            Kind::Map(_) => {
                for (key, value) in self.map(extends) {
                    match key.text.as_str() {
                        "file" => file = Some(value),
                        "service" => wanted = self.scalar(value),
                        other => self.unsupported(self.key_at(key), &format!("`{other}` of `extends`")),
                    }
                }
            }
            _ => wanted = self.scalar(extends),
        }
        let Some(wanted) = wanted else {
            self.folder.report(at, Code::MissingKey, "`service` is missing: which one is extended?");
            return None;
        };
        let below = match file {
            None => self.sibling(siblings, &wanted, at, path),
            Some(file) => {
                let opened = self.folder.open(&self.path(file)?);
                let number = opened
                    .map_err(|why| self.folder.report(self.at(file), Code::ComposeUnreadable, why))
                    .ok()?;
                let root = self.folder.nodes(number, self.lookup)?;
                let base = self.folder.around(number);
                let other = Decoding { file: number, base: &base, ..*self };
                let services = other.map(&root).into_iter().find(|(key, _)| key.text == "services");
                match services {
                    Some((_, services)) => other.sibling(services, &wanted, at, path),
                    None => other.sibling(&Node { span: root.span, kind: Kind::Null }, &wanted, at, path),
                }
            }
        };
        path.pop();
        let mut below = below?;
        // What a service waits for is its own, whatever it extends.
        below.depends_on.clear();
        below.profiles.clear();
        Some(below.under(own))
    }

    fn sibling(
        &self,
        siblings: &Node,
        wanted: &str,
        at: At,
        path: &mut Vec<(usize, String)>,
    ) -> Option<Partial> {
        if path.len() > MAX_EXTENDS || path.iter().any(|(file, name)| *file == self.file && name == wanted) {
            self.folder.report(at, Code::DependencyCycle, format!("`{wanted}` extends itself in the end"));
            return None;
        }
        match self.map(siblings).into_iter().find(|(key, _)| key.text == wanted) {
            Some((name, node)) => self.extended(siblings, name, node, path),
            None => {
                self.folder.report(
                    at,
                    Code::UndefinedService,
                    format!("there is no service `{wanted}` to extend"),
                );
                None
            }
        }
    }

    /// Configs or secrets.
    fn definitions(&self, node: &Node) -> Vec<(String, Said<Definition>)> {
        let mut definitions = Vec::new();
        for (name, node) in self.map(node) {
            let mut found = None;
            for (key, value) in self.map(node) {
                match key.text.as_str() {
                    "content" => found = self.scalar(value).map(Definition::Content),
                    "file" => found = self.path(value).map(Definition::File),
                    "labels" | "name" => {}
                    other => {
                        self.unsupported(
                            self.key_at(key),
                            &format!("`{other}`: what only an engine or the environment holds"),
                        );
                        found = Some(Definition::Content(String::new()));
                    }
                }
            }
            match found {
                Some(value) => definitions.push((name.text.clone(), Said { at: self.key_at(name), value })),
                None => {
                    self.folder.report(self.key_at(name), Code::MissingKey, "`file` or `content` is missing")
                }
            }
        }
        definitions
    }

    fn volumes(&self, node: &Node) -> Vec<String> {
        let mut names = Vec::new();
        for (name, node) in self.map(node) {
            names.push(name.text.clone());
            for (key, value) in self.map(node) {
                let is_fine = match key.text.as_str() {
                    "labels" | "name" => true,
                    "driver" => self.scalar(value).is_none_or(|driver| driver == "local"),
                    "external" => self.boolean(value) != Some(true),
                    _ => false,
                };
                if !is_fine {
                    self.unsupported(
                        self.key_at(key),
                        &format!("`{}` of a volume, which begins empty here", key.text),
                    );
                }
            }
        }
        names
    }
}
