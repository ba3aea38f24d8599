//! Services: what runs, with which files, and when it counts as ready.

use crate::{CredentialName, ImageRef, Restrictions, ServiceName, SourceLocation, VolumeName};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A text that a record never holds, nor any message: it is left out wherever it would be written.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// Keeps `text`.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text; empty where it was read back from a record.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hidden")
    }
}

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Self::default())
    }
}

impl JsonSchema for Hidden {
    fn schema_name() -> Cow<'static, str> {
        "Hidden".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A text that is never recorded.", "type": "null" })
    }
}

/// The value of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EnvValue {
    /// Known when the scenario was read, from a file of variables or the gate's own environment; never recorded.
    Hidden(Hidden),
    /// Written in the scenario, and recorded.
    Plain(String),
    /// Taken from this variable of the gate's own environment when the service starts; never recorded.
    Secret(String),
}

/// What a mounted file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MountedSource {
    /// The certificate alone, as PEM.
    Certificate(CredentialName),
    /// The certificate followed by its intermediates, as PEM.
    Chain(CredentialName),
    /// Text given in the scenario.
    Content(String),
    /// The revocation list, as PEM.
    Crl(CredentialName),
    /// The public key that verifies the token, as a JSON Web Key Set (RFC 7517).
    Jwks(CredentialName),
    /// The private key, as PKCS#8 PEM.
    Key(CredentialName),
    /// A file beside the scenario.
    Source(PathBuf),
    /// The token, in compact form.
    Token(CredentialName),
}

impl MountedSource {
    /// The declared credential that it holds a part of.
    #[must_use]
    pub fn credential(&self) -> Option<&CredentialName> {
        match self {
            Self::Certificate(name)
            | Self::Chain(name)
            | Self::Crl(name)
            | Self::Jwks(name)
            | Self::Key(name)
            | Self::Token(name) => Some(name),
            Self::Content(_) | Self::Source(_) => None,
        }
    }
}

/// A file that is laid into a service's root tree before it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MountedFile {
    /// Absolute path inside.
    pub path: String,
    /// What it holds.
    pub source: MountedSource,
    /// Permission bits; 0644, and 0600 for keys, where the scenario names none.
    pub mode: u32,
    /// The folder that rotates as one, where the file belongs to such a folder.
    pub folder: Option<String>,
    /// Where the scenario says so.
    pub location: SourceLocation,
}

/// What happens to a volume when its service is started again within a case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeState {
    /// It is kept: an aged restart finds what the walk left behind.
    #[default]
    Carried,
    /// It is empty at every start.
    Fresh,
}

/// A writable directory that outlives the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Volume {
    /// Its name; equal names within one scenario are one volume.
    pub name: VolumeName,
    /// Absolute path inside.
    pub path: String,
    /// What a restart does to it.
    pub state: VolumeState,
}

/// When a service counts as ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReadyProbe {
    /// A command inside exits with 0.
    Exec(Vec<String>),
    /// A line of its output contains this text.
    Log(String),
    /// A connection to this port succeeds.
    Tcp(u16),
}

/// What happens when the main process ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// It is started again, as an orchestrator would.
    Always,
    /// It stays down.
    #[default]
    Never,
}

/// One service of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Service {
    /// Its name, and its host name inside the scenario's network.
    pub name: ServiceName,
    /// Further host names of it; none is that of another service.
    #[serde(default)]
    pub aliases: Vec<ServiceName>,
    /// What it runs; none for the candidate of a scenario with builds.
    pub image: Option<ImageRef>,
    /// What runs before the command; none takes the image's own. One that is given takes the place of the image's
    /// command as well.
    #[serde(default)]
    pub entrypoint: Option<Vec<String>>,
    /// Command and arguments, after the entrypoint; none takes the image's own. A tree without either is kept alone,
    /// as a place for `exec` probes.
    pub command: Option<Vec<String>>,
    /// Environment variables.
    pub env: BTreeMap<String, EnvValue>,
    /// `user` or `user:group`, as names of the image or numbers; none is the image's own, or root.
    pub user: Option<String>,
    /// Working directory; none is the image's own, or `/`.
    pub workdir: Option<String>,
    /// Files laid into its root tree.
    pub files: Vec<MountedFile>,
    /// Globs to scan in a `host` image, beside what the command opens.
    pub scan: Vec<String>,
    /// Writable directories.
    pub volumes: Vec<Volume>,
    /// When it counts as ready; none: as soon as the image's own health check passes, or else its process runs.
    pub ready: Option<ReadyProbe>,
    /// What it may use and do at most.
    #[serde(default)]
    pub restrictions: Restrictions,
    /// How long it may take to get ready, on the host's clock.
    pub ready_within: Duration,
    /// Services that it depends on: start order and blast radius.
    pub needs: Vec<ServiceName>,
    /// Services that start before it, without depending on them.
    pub after: Vec<ServiceName>,
    /// What happens when it ends.
    pub restart: Restart,
    /// The parties of the real world that it stands for.
    pub stands_for: Vec<String>,
    /// Where the scenario declares it.
    pub location: SourceLocation,
}
