//! A scenario with every name resolved and every instant fixed: what the parser yields and the runner runs.

use crate::{
    BuildName, Check, CheckName, CredentialName, CredentialSpec, CrlSpec, EnvValue, FileTimes, ImageName,
    MountedFile, Planning, Policy, Rotation, ScenarioName, Service, ServiceName, TokenSpec, UnixTime,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A place in a scenario file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct SourceLocation {
    /// The file as the user named it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Where the root tree of a service comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ImageRef {
    /// An executable file: alone in an empty tree where it is static, else on the machine's own files.
    Binary(PathBuf),
    /// A binary target of the Cargo workspace around the scenario; the tree holds `/BIN` and nothing else where
    /// the binary is static.
    Cargo {
        /// Package name.
        package: String,
        /// Binary target.
        bin: String,
    },
    /// An image of a registry, `docker://REFERENCE`.
    Docker(ImageName),
    /// An image of the container engine of this machine, `docker-daemon:REFERENCE`.
    DockerDaemon(ImageName),
    /// The machine's own file system under a throw-away overlay.
    Host,
    /// An image by its reference alone: of the container engine of this machine, or else of the registry that it names.
    Reference(ImageName),
    /// An unpacked tree, or a tar of one; relative paths start at the scenario's directory.
    Rootfs(PathBuf),
    /// An image with layers and a configuration, in a file or a directory.
    Stored {
        /// Its form.
        transport: Transport,
        /// Where it lies; relative paths start at the scenario's directory.
        path: PathBuf,
        /// Which one, where several lie there: a reference, or `@` and a number that counts from 0.
        selector: Option<String>,
    },
}

/// How an image is stored, by the names of containers-transports(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// A directory with a manifest and blobs beside it, as `skopeo copy` writes it; it holds one image.
    Dir,
    /// What `docker save` writes.
    DockerArchive,
    /// A directory in the OCI image layout.
    Oci,
    /// A tar of such a directory.
    OciArchive,
}

impl Transport {
    /// Every transport.
    pub const ALL: [Self; 4] = [Self::Dir, Self::DockerArchive, Self::Oci, Self::OciArchive];

    /// The name that stands before the path.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dir => "dir",
            Self::DockerArchive => "docker-archive",
            Self::Oci => "oci",
            Self::OciArchive => "oci-archive",
        }
    }
}

impl ImageRef {
    /// Whether what it leads to says itself what runs in it.
    #[must_use]
    pub fn has_configuration(&self) -> bool {
        matches!(self, Self::Docker(_) | Self::DockerDaemon(_) | Self::Reference(_) | Self::Stored { .. })
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binary(path) => write!(formatter, "binary:{}", path.display()),
            Self::Cargo { package, bin } => write!(formatter, "cargo:{package}/{bin}"),
            Self::Docker(name) => write!(formatter, "docker://{name}"),
            Self::DockerDaemon(name) => write!(formatter, "docker-daemon:{name}"),
            Self::Host => formatter.write_str("host"),
            Self::Reference(name) => name.fmt(formatter),
            Self::Rootfs(path) => write!(formatter, "rootfs:{}", path.display()),
            Self::Stored { transport, path, selector } => {
                write!(formatter, "{}:{}", transport.name(), path.display())?;
                selector.iter().try_for_each(|selector| write!(formatter, ":{selector}"))
            }
        }
    }
}

/// A named build of the candidate: its image, and what of its service changes with it. In a [`Scenario`] whose
/// candidate has a build the service holds that already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Build {
    /// Its name in the scenario, or the image reference where the command line gave one.
    pub name: BuildName,
    /// What it runs: its own image, or the service's.
    pub image: ImageRef,
    /// In place of the service's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// In place of the service's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Beside those of the service, or in place of those of the same name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, EnvValue>,
    /// Beside those of the service, or in place of those at the same path and in the same folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<MountedFile>,
}

/// The service under release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// Its service.
    pub service: ServiceName,
    /// The build that this run gates; none while the scenario has several and none is chosen.
    pub build: Option<Build>,
}

/// Where simulated time begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// An instant that the scenario names.
    Fixed(UnixTime),
    /// The host's time when the scenario was read: a native control can run beside the shifted one.
    Now(UnixTime),
}

impl Start {
    /// The instant, on the candidate's clock.
    #[must_use]
    pub fn instant(self) -> UnixTime {
        match self {
            Self::Fixed(at) | Self::Now(at) => at,
        }
    }
}

/// Where services run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BackendKind {
    /// Containers of an engine.
    Docker,
    /// Namespaces of this machine.
    Embedded,
}

/// The answer to "may this release ship?".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Nothing breaks inside the support window, and the gate looked at everything that it has to.
    Allow,
    /// Something breaks.
    Block,
    /// The gate could not look; to be treated as a block.
    Inconclusive,
}

impl fmt::Display for Decision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Allow => "allow",
            Self::Block => "block",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// What a replayed incident was caused by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A credential that the scenario declares.
    Declared(CredentialName),
    /// A credential inside the files of a service.
    Embedded {
        /// The service whose files hold it.
        service: ServiceName,
        /// Its subject.
        subject: String,
        /// The last second of its validity.
        not_after: UnixTime,
    },
}

/// What one build of a replayed incident must come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplayEntry {
    /// The build.
    pub build: BuildName,
    /// Its verdict.
    pub verdict: Decision,
    /// The first failing second, on the candidate's clock.
    pub breaks_at: Option<UnixTime>,
    /// The culprit.
    pub cause: Option<Cause>,
    /// The checks that fall with it, all of them.
    pub falls: Option<Vec<CheckName>>,
    /// Codes of findings that must stand in the report though they block nothing.
    pub notes: Vec<String>,
    /// Where the scenario says so.
    pub location: SourceLocation,
}

/// A scenario, ready to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scenario {
    /// Its name.
    pub name: ScenarioName,
    /// Directory of its file; relative paths in it start here.
    pub directory: PathBuf,
    /// Where simulated time begins, on the candidate's clock.
    pub start: Start,
    /// End of the support window, on the candidate's clock, inclusive.
    pub horizon: UnixTime,
    /// Where its services run unless the command line says otherwise; none leaves it to the gate.
    #[serde(default)]
    pub backend: Option<BackendKind>,
    /// Whose clock the times of files are on, for its services.
    #[serde(default, skip_serializing_if = "FileTimes::is_default")]
    pub file_times: FileTimes,
    /// The service under release.
    pub candidate: Candidate,
    /// How it is planned.
    #[serde(default, skip_serializing_if = "Planning::is_default")]
    pub planning: Planning,
    /// Limit for the whole run on the host's clock; beyond it the verdict is inconclusive.
    pub budget: Option<Duration>,
    /// Named images of the candidate, in the order of the file.
    pub builds: Vec<Build>,
    /// Declared credentials, in the order of the file.
    pub credentials: Vec<CredentialSpec>,
    /// Declared revocation lists, in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crls: Vec<CrlSpec>,
    /// Declared tokens, in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<TokenSpec>,
    /// Services in start order: each comes after what it needs.
    pub services: Vec<Service>,
    /// Checks, in the order of the file; at least one. Those of rotations come last.
    pub checks: Vec<Check>,
    /// Rotations, in time order; at most one of a credential at any instant.
    #[serde(default)]
    pub rotations: Vec<Rotation>,
    /// How strictly to judge.
    pub policy: Policy,
    /// What `replay` expects; `gate` ignores it.
    pub replay: Vec<ReplayEntry>,
    /// What its files say and what does not hold here, as lower-case fragments.
    #[serde(default)]
    pub remarks: Vec<String>,
}

impl Scenario {
    /// The service of this name.
    #[must_use]
    pub fn service(&self, name: &ServiceName) -> Option<&Service> {
        self.services.iter().find(|service| service.name == *name)
    }

    /// The check of this name.
    #[must_use]
    pub fn check(&self, name: &CheckName) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == *name)
    }

    /// The declared credential of this name.
    #[must_use]
    pub fn credential(&self, name: &CredentialName) -> Option<&CredentialSpec> {
        self.credentials.iter().find(|credential| credential.name == *name)
    }

    /// What `service` runs: the chosen build where it is the candidate, else its own image.
    #[must_use]
    pub fn image_of<'a>(&'a self, service: &'a Service) -> Option<&'a ImageRef> {
        match &self.candidate.build {
            Some(build) if service.name == self.candidate.service => Some(&build.image),
            _ => service.image.as_ref(),
        }
    }
}
