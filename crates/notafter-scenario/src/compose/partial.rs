//! What one file says of a service, and how two of them become one.

use super::folder::At;
use crate::bounds::Named;
use notafter_core::ImageName;
use std::path::PathBuf;
use std::time::Duration;

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Said<T> {
    pub(crate) at: At,
    pub(crate) value: T,
}

/// What stands behind a name of `environment`.
#[derive(Debug, Clone)]
pub(crate) enum Variable {
    /// Written in the file as it is.
    Literal(String),
    /// It came from elsewhere, and is not recorded.
    Hidden(String),
    /// Not there: whoever runs Compose has no such variable.
    Unset,
}

/// A file of variables.
#[derive(Debug, Clone)]
pub(crate) struct EnvFile {
    pub(crate) path: PathBuf,
    pub(crate) required: bool,
    pub(crate) raw: bool,
}

/// What is mounted at a path.
#[derive(Debug, Clone)]
pub(crate) enum MountSource {
    /// A directory of nobody else.
    Anonymous,
    /// A file or directory of the machine, relative to the scenario's directory.
    Bind { path: PathBuf, must_exist: bool },
    /// A volume of the project.
    Named(String),
    /// Memory, empty at each start.
    Tmpfs,
}

#[derive(Debug, Clone)]
pub(crate) struct Mount {
    pub(crate) target: String,
    pub(crate) source: MountSource,
}

/// A config or a secret that is laid in.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) source: String,
    /// Absolute, or a name below the usual directory.
    pub(crate) target: Option<String>,
    pub(crate) mode: Option<u32>,
}

/// What must be so before a service starts.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    pub(crate) service: String,
    pub(crate) required: bool,
}

/// What a service may use at most; an inner none takes a bound off.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bounds {
    pub(crate) memory_bytes: Option<Said<Option<u64>>>,
    pub(crate) milli_cpus: Option<Said<Option<u32>>>,
    pub(crate) pids: Option<Said<Option<u32>>>,
    pub(crate) read_only: Option<bool>,
}

/// When a service is healthy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health {
    pub(crate) test: Option<Said<Vec<String>>>,
    pub(crate) interval: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) start_period: Option<Duration>,
    pub(crate) retries: Option<u32>,
}

/// What is said of a service so far.
#[derive(Debug, Clone)]
pub(crate) struct Partial {
    pub(crate) name: String,
    pub(crate) at: At,
    pub(crate) image: Option<Said<ImageName>>,
    /// Whether an image is named that cannot be read, which is reported.
    pub(crate) has_bad_image: bool,
    pub(crate) build: Option<At>,
    pub(crate) entrypoint: Option<Said<Option<Vec<String>>>>,
    pub(crate) command: Option<Said<Option<Vec<String>>>>,
    pub(crate) environment: Vec<(String, Said<Variable>)>,
    pub(crate) env_files: Vec<Said<EnvFile>>,
    pub(crate) ports: Vec<u16>,
    pub(crate) mounts: Vec<Said<Mount>>,
    pub(crate) configs: Vec<Said<Grant>>,
    pub(crate) secrets: Vec<Said<Grant>>,
    pub(crate) aliases: Vec<Said<String>>,
    pub(crate) depends_on: Vec<Said<Dependency>>,
    pub(crate) health: Option<Health>,
    pub(crate) user: Option<Said<String>>,
    pub(crate) working_dir: Option<Said<String>>,
    pub(crate) profiles: Vec<String>,
    pub(crate) restart: Option<Said<String>>,
    pub(crate) bounds: Bounds,
    pub(crate) cap_drop: Vec<Said<Named>>,
    pub(crate) cap_add: Vec<Said<Named>>,
    /// Keys that are not applied.
    pub(crate) passed_over: Vec<Said<String>>,
}

impl Partial {
    pub(crate) fn new(name: &str, at: At) -> Self {
        Self {
            name: name.to_owned(),
            at,
            image: None,
            has_bad_image: false,
            build: None,
            entrypoint: None,
            command: None,
            environment: Vec::new(),
            env_files: Vec::new(),
            ports: Vec::new(),
            mounts: Vec::new(),
            configs: Vec::new(),
            secrets: Vec::new(),
            aliases: Vec::new(),
            depends_on: Vec::new(),
            health: None,
            user: None,
            working_dir: None,
            profiles: Vec::new(),
            restart: None,
            bounds: Bounds::default(),
            cap_drop: Vec::new(),
            cap_add: Vec::new(),
            passed_over: Vec::new(),
        }
    }

    /// The same with what a later file says over it: single values take the place of those that are there, lists grow,
    /// and what lists hold by a key (variables, paths, names) is replaced by that key.
    pub(crate) fn under(self, later: Self) -> Self {
        Self {
            name: later.name,
            at: later.at,
            has_bad_image: later.has_bad_image || (self.has_bad_image && later.image.is_none()),
            image: later.image.or(self.image),
            build: later.build.or(self.build),
            entrypoint: later.entrypoint.or(self.entrypoint),
            command: later.command.or(self.command),
            environment: keyed(self.environment, later.environment, |(name, _)| name.clone()),
            env_files: keyed(self.env_files, later.env_files, |file| file.value.path.clone()),
            ports: keyed(self.ports, later.ports, |port| *port),
            mounts: keyed(self.mounts, later.mounts, |mount| mount.value.target.clone()),
            configs: keyed(self.configs, later.configs, |grant| grant.value.source.clone()),
            secrets: keyed(self.secrets, later.secrets, |grant| grant.value.source.clone()),
            aliases: keyed(self.aliases, later.aliases, |alias| alias.value.clone()),
            depends_on: keyed(self.depends_on, later.depends_on, |on| on.value.service.clone()),
            health: match (self.health, later.health) {
                (Some(earlier), Some(later)) => Some(earlier.under(later)),
                (earlier, later) => later.or(earlier),
            },
            user: later.user.or(self.user),
            working_dir: later.working_dir.or(self.working_dir),
            profiles: keyed(self.profiles, later.profiles, String::clone),
            restart: later.restart.or(self.restart),
            bounds: self.bounds.under(later.bounds),
            cap_drop: keyed(self.cap_drop, later.cap_drop, |name| name.value),
            cap_add: keyed(self.cap_add, later.cap_add, |name| name.value),
            passed_over: keyed(self.passed_over, later.passed_over, |key| key.value.clone()),
        }
    }
}

impl Bounds {
    fn under(self, later: Self) -> Self {
        Self {
            memory_bytes: later.memory_bytes.or(self.memory_bytes),
            milli_cpus: later.milli_cpus.or(self.milli_cpus),
            pids: later.pids.or(self.pids),
            read_only: later.read_only.or(self.read_only),
        }
    }
}

impl Health {
    fn under(self, later: Self) -> Self {
        Self {
            test: later.test.or(self.test),
            interval: later.interval.or(self.interval),
            timeout: later.timeout.or(self.timeout),
            start_period: later.start_period.or(self.start_period),
            retries: later.retries.or(self.retries),
        }
    }
}

/// `earlier` with `later` behind it; of two with one key the later one stays, in the place of the first.
pub(crate) fn keyed<T, K: PartialEq>(earlier: Vec<T>, later: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut merged: Vec<T> = earlier;
    for element in later {
        let wanted = key(&element);
        match merged.iter_mut().find(|known| key(known) == wanted) {
            Some(known) => *known = element,
            None => merged.push(element),
        }
    }
    merged
}
