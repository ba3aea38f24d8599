//! Nodes of a Compose file → what it says of services.

use super::folder::{At, Folder};
use super::keys::{NOT_APPLIED, READ, UNSUPPORTED, WITHOUT_EFFECT};
use super::partial::{Dependency, EnvFile, Grant, Health, Partial, Said, Variable};
use super::words;
use crate::Code;
use crate::decode::{Key, Kind, Node};
use crate::diagnostic::Draft;
use crate::nearest::nearest;
use crate::variables::{Expansion, Lookup};
use notafter_core::ImageName;
use std::path::{Path, PathBuf};

/// Ports of one service.
const MAX_PORTS: u16 = 256;

/// One file being decoded.
#[derive(Clone, Copy)]
pub(crate) struct Decoding<'a> {
    pub(crate) folder: &'a Folder<'a>,
    pub(crate) file: usize,
    /// Where relative paths of the file start, relative to the scenario's directory.
    pub(crate) base: &'a Path,
    pub(crate) lookup: Lookup<'a>,
}

impl Decoding<'_> {
    /// What the node `whole` says of the service `name`, `extends` aside.
    pub(crate) fn service(&self, name: &Key, whole: &Node) -> Partial {
        let mut partial = Partial::new(&name.text, self.key_at(name));
        for (key, node) in self.map(whole) {
            if matches!(node.kind, Kind::Null) && !matches!(key.text.as_str(), "command" | "entrypoint") {
                continue;
            }
            self.service_key(&mut partial, key, node);
        }
        partial
    }

    fn service_key(&self, partial: &mut Partial, key: &Key, node: &Node) {
        let at = self.key_at(key);
        match key.text.as_str() {
            "build" => partial.build = Some(at),
            "cap_add" => partial.cap_add = self.added(node),
            "cap_drop" => partial.cap_drop = self.dropped(node),
            "command" => partial.command = self.command(node),
            "configs" => partial.configs = self.grants(node),
            "container_name" => partial.aliases.extend(self.said(node)),
            "cpus" => self.cpus(at, node, &mut partial.bounds),
            "depends_on" => partial.depends_on = self.depends_on(node),
            "deploy" => self.deploy(partial, node),
            "entrypoint" => partial.entrypoint = self.command(node),
            "env_file" => partial.env_files = self.env_files(node),
            "environment" => partial.environment = self.environment(node),
            "expose" | "ports" => self.ports(node, &mut partial.ports),
            "extends" => {}
            "healthcheck" => partial.health = self.health(node),
            "image" => {
                partial.image = self.image(node);
                partial.has_bad_image = partial.image.is_none();
            }
            "mem_limit" => self.memory(at, node, &mut partial.bounds),
            "networks" => self.networks(node, &mut partial.aliases),
            "pids_limit" => self.pids(at, node, &mut partial.bounds),
            "platform" => self.platform(node),
            "profiles" => partial.profiles = self.texts(node).into_iter().map(|text| text.value).collect(),
            "read_only" => partial.bounds.read_only = self.boolean(node),
            "restart" => partial.restart = self.said(node),
            "secrets" => partial.secrets = self.grants(node),
            "tmpfs" => partial.mounts.extend(self.tmpfs(node)),
            "user" => partial.user = self.said(node),
            "volumes" => partial.mounts.extend(self.mounts(node)),
            "working_dir" => partial.working_dir = self.said(node),
            key if key.starts_with("x-") || WITHOUT_EFFECT.contains(&key) => {}
            key if NOT_APPLIED.contains(&key) => {
                partial.passed_over.push(Said { at, value: key.to_owned() });
            }
            key if UNSUPPORTED.contains(&key) => self.unsupported(at, &format!("`{key}`")),
            key => {
                let known = [&READ[..], &WITHOUT_EFFECT, &NOT_APPLIED, &UNSUPPORTED];
                let nearest = nearest(key, known.into_iter().flatten().copied());
                let draft =
                    Draft::unplaced(Code::UnknownKey, format!("`{key}` is no key of a Compose service"));
                self.folder.report_draft(
                    at,
                    match nearest {
                        Some(name) => draft.help(format!("did you mean `{name}`?")),
                        None => draft,
                    },
                );
            }
        }
    }

    fn image(&self, node: &Node) -> Option<Said<ImageName>> {
        let said = self.said(node)?;
        match ImageName::new(said.value) {
            Ok(value) => Some(Said { at: said.at, value }),
            Err(error) => {
                self.folder.report(said.at, Code::UnsupportedImage, error.to_string());
                None
            }
        }
    }

    /// Words, or none for a null that asks for the image's own.
    fn command(&self, node: &Node) -> Option<Said<Option<Vec<String>>>> {
        let at = self.at(node);
        let value = match &node.kind {
            Kind::Null => None,
            Kind::List(list) => {
                let words: Option<Vec<String>> = list.iter().map(|word| self.scalar(word)).collect();
                Some(words?)
            }
            _ => {
                let text = self.scalar(node)?;
                let words = words::split(&text);
                if words.is_none() {
                    self.folder.report(at, Code::BadText, "a quote of this command does not end");
                }
                Some(words?)
            }
        };
        if value.as_ref().is_some_and(|words| words.iter().any(|word| word.contains('\0'))) {
            self.folder.report(at, Code::BadText, "no argument can hold a zero byte");
            return None;
        }
        Some(Said { at, value })
    }

    fn environment(&self, node: &Node) -> Vec<(String, Said<Variable>)> {
        let mut environment = Vec::new();
        if let Kind::List(list) = &node.kind {
            for entry in list {
                let Some(text) = self.scalar(entry) else { continue };
                let (name, value) = match text.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (text.as_str(), None),
                };
                environment.extend(self.variable(name, value, self.at(entry), is_expanded(entry)));
            }
        } else {
            for (key, value) in self.map(node) {
                let text = match &value.kind {
                    Kind::Null => None,
                    _ => match self.scalar(value) {
                        Some(text) => Some(text),
                        None => continue,
                    },
                };
                environment.extend(self.variable(&key.text, text, self.key_at(key), is_expanded(value)));
            }
        }
        environment
    }

    /// A variable; without a value it is that of whoever runs Compose.
    fn variable(
        &self,
        name: &str,
        value: Option<String>,
        at: At,
        expanded: bool,
    ) -> Option<(String, Said<Variable>)> {
        if name.is_empty() || name.contains('\0') || value.as_ref().is_some_and(|value| value.contains('\0'))
        {
            let message = format!("`{name}` cannot name a variable, or its value holds a zero byte");
            self.folder.report(at, Code::BadName, message);
            return None;
        }
        let value = match value {
            Some(value) if expanded => Variable::Hidden(value),
            Some(value) => Variable::Literal(value),
            None => (self.lookup)(name).map_or(Variable::Unset, Variable::Hidden),
        };
        Some((name.to_owned(), Said { at, value }))
    }

    fn env_files(&self, node: &Node) -> Vec<Said<EnvFile>> {
        let list = match &node.kind {
            Kind::List(list) => list.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut files = Vec::new();
        for entry in list {
            let mut file = EnvFile { path: PathBuf::new(), required: true, raw: false };
            if let Kind::Map(_) = &entry.kind {
                for (key, value) in self.map(entry) {
                    match key.text.as_str() {
                        "format" => match self.scalar(value).as_deref() {
                            Some("raw") => file.raw = true,
                            _ => self.unsupported(self.at(value), "a format other than `raw`"),
                        },
                        "path" => file.path = self.path(value).unwrap_or_default(),
                        "required" => file.required = self.boolean(value).unwrap_or(true),
                        key_text => {
                            self.unsupported(self.key_at(key), &format!("`{key_text}` of `env_file`"))
                        }
                    }
                }
            } else {
                file.path = self.path(entry).unwrap_or_default();
            }
            if !file.path.as_os_str().is_empty() {
                files.push(Said { at: self.at(entry), value: file });
            }
        }
        files
    }

    /// TCP ports inside; on which port of the machine they would be published says nothing here.
    fn ports(&self, node: &Node, ports: &mut Vec<u16>) {
        for entry in self.list(node) {
            let at = self.at(entry);
            let (text, protocol) = if let Kind::Map(_) = &entry.kind {
                let (mut target, mut protocol) = (None, None);
                for (key, value) in self.map(entry) {
                    match key.text.as_str() {
                        "target" => target = self.scalar(value),
                        "protocol" => protocol = self.scalar(value),
                        "app_protocol" | "host_ip" | "mode" | "name" | "published" => {}
                        other => self.unsupported(self.key_at(key), &format!("`{other}` of `ports`")),
                    }
                }
                let Some(target) = target else {
                    self.folder.report(at, Code::MissingKey, "`target` is missing");
                    continue;
                };
                (target, protocol)
            } else {
                let Some(text) = self.scalar(entry) else { continue };
                let (text, protocol) = match text.split_once('/') {
                    Some((text, protocol)) => (text.to_owned(), Some(protocol.to_owned())),
                    None => (text, None),
                };
                (text.rsplit(':').next().unwrap_or_default().to_owned(), protocol)
            };
            let (first, last) = text.split_once('-').unwrap_or((&text, &text));
            match (first.parse::<u16>(), last.parse::<u16>()) {
                (Ok(first), Ok(last)) if first > 0 && first <= last && last - first < MAX_PORTS => {
                    if protocol.as_deref().is_none_or(|protocol| protocol == "tcp") {
                        ports.extend(first..=last);
                    }
                }
                _ => self.folder.report(
                    at,
                    Code::BadPort,
                    format!("`{text}` is no port and no short range of ports"),
                ),
            }
        }
        ports.truncate(usize::from(MAX_PORTS));
    }

    fn grants(&self, node: &Node) -> Vec<Said<Grant>> {
        let mut grants = Vec::new();
        for entry in self.list(node) {
            let mut grant = Grant { source: String::new(), target: None, mode: None };
            if let Kind::Map(_) = &entry.kind {
                for (key, value) in self.map(entry) {
                    match key.text.as_str() {
                        "mode" => grant.mode = self.mode(value),
                        "source" => grant.source = self.scalar(value).unwrap_or_default(),
                        "target" => grant.target = self.scalar(value),
                        other => {
                            self.unsupported(self.key_at(key), &format!("`{other}` of a config or a secret"))
                        }
                    }
                }
            } else {
                grant.source = self.scalar(entry).unwrap_or_default();
            }
            if grant.source.is_empty() {
                self.folder.report(self.at(entry), Code::MissingKey, "`source` is missing");
            } else {
                grants.push(Said { at: self.at(entry), value: grant });
            }
        }
        grants
    }

    fn mode(&self, node: &Node) -> Option<u32> {
        let text = self.scalar(node)?;
        let digits = text.strip_prefix("0o").or_else(|| text.strip_prefix('0')).unwrap_or(&text);
        match u32::from_str_radix(digits, 8) {
            Ok(mode) if mode <= 0o777 => Some(mode),
            _ => {
                self.folder.report(
                    self.at(node),
                    Code::ModeNotOctal,
                    format!("`{text}` are no permission bits"),
                );
                None
            }
        }
    }

    fn depends_on(&self, node: &Node) -> Vec<Said<Dependency>> {
        let depends = |service: String, required: bool| Dependency { service, required };
        if let Kind::List(_) = &node.kind {
            let names = self.texts(node).into_iter();
            return names.map(|name| Said { at: name.at, value: depends(name.value, true) }).collect();
        }
        let mut list = Vec::new();
        for (key, value) in self.map(node) {
            let mut required = true;
            for (key, value) in self.map(value) {
                match (key.text.as_str(), self.scalar(value).as_deref()) {
                    ("condition", Some("service_healthy" | "service_started")) => {}
                    ("condition", Some("service_completed_successfully")) => self.unsupported(
                        self.at(value),
                        "`service_completed_successfully`: services that run to their end before others start",
                    ),
                    ("condition", Some(other)) => {
                        self.folder.report(self.at(value), Code::UnknownValue, format!("`{other}` is no condition"));
                    }
                    ("required", _) => required = self.boolean(value).unwrap_or(true),
                    // Nobody restarts services by hand here.
                    ("condition", None) | ("restart", _) => {}
                    (other, _) => self.unsupported(self.key_at(key), &format!("`{other}` of `depends_on`")),
                }
            }
            list.push(Said { at: self.key_at(key), value: depends(key.text.clone(), required) });
        }
        list
    }

    fn health(&self, node: &Node) -> Option<Health> {
        let mut health = Health::default();
        for (key, value) in self.map(node) {
            match key.text.as_str() {
                "disable" => {
                    if self.boolean(value) == Some(true) {
                        self.unsupported(
                            self.key_at(key),
                            "`disable`: what an image says of its health holds",
                        );
                    }
                }
                "interval" => health.interval = self.duration(value),
                "retries" => health.retries = self.scalar(value).and_then(|text| text.parse().ok()),
                "start_period" => health.start_period = self.duration(value),
                "test" => health.test = self.test(value),
                "timeout" => health.timeout = self.duration(value),
                // How often it is looked at is decided here.
                "start_interval" => {}
                other => self.unsupported(self.key_at(key), &format!("`{other}` of `healthcheck`")),
            }
        }
        Some(health)
    }

    fn test(&self, node: &Node) -> Option<Said<Vec<String>>> {
        let at = self.at(node);
        let shell = |text: String| vec!["/bin/sh".to_owned(), "-c".to_owned(), text];
        let value = match &node.kind {
            Kind::List(list) => {
                let words: Option<Vec<String>> = list.iter().map(|word| self.scalar(word)).collect();
                let mut words = words?.into_iter();
                match (words.next().as_deref(), words.collect::<Vec<_>>()) {
                    (Some("CMD"), words) if !words.is_empty() => words,
                    (Some("CMD-SHELL"), words) if words.len() == 1 => shell(words.concat()),
                    (Some("NONE"), _) => {
                        self.unsupported(at, "`NONE`: what an image says of its health holds");
                        return None;
                    }
                    _ => {
                        let message =
                            "a test begins with `CMD`, `CMD-SHELL` or `NONE`, and a command follows";
                        self.folder.report(at, Code::UnknownValue, message);
                        return None;
                    }
                }
            }
            _ => shell(self.scalar(node)?),
        };
        Some(Said { at, value })
    }

    /// Names by which others find the service; all networks are one.
    fn networks(&self, node: &Node, aliases: &mut Vec<Said<String>>) {
        if let Kind::List(_) = &node.kind {
            _ = self.texts(node);
            return;
        }
        for (_, network) in self.map(node) {
            for (key, value) in self.map(network) {
                match key.text.as_str() {
                    "aliases" => aliases.extend(self.texts(value)),
                    "gw_priority" | "priority" => {}
                    other => self.unsupported(self.key_at(key), &format!("`{other}` of a network")),
                }
            }
        }
    }

    fn platform(&self, node: &Node) {
        let here = ["linux/amd64", "linux/x86_64", "linux"];
        if let Some(said) = self.said(node)
            && !here.contains(&said.value.as_str())
        {
            self.unsupported(said.at, &format!("the platform `{}`", said.value));
        }
    }
}

/// Whether variables were put into a value.
fn is_expanded(node: &Node) -> bool {
    matches!(node.kind, Kind::Text { expansion: Expansion::Expanded, .. })
}
