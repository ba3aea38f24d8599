//! What runs.

use super::{RawFiles, RawImage};
use crate::decode::{Entries, Keyword, Located, Quantity, TextOr};
use notafter_core::{Restart, VolumeState};
use schemars::JsonSchema;
use serde::Deserialize;

/// Something that runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "service", deny_unknown_fields)]
pub(crate) struct RawService {
    /// Its root tree; none for the candidate of a scenario with builds.
    pub(crate) image: Option<Located<TextOr<RawImage>>>,
    /// What runs before the command, in place of the image's own entrypoint and command.
    pub(crate) entrypoint: Option<Located<Vec<Located<String>>>>,
    /// Command and arguments, without a shell: in place of the image's own command, after its entrypoint.
    pub(crate) command: Option<Located<Vec<Located<String>>>>,
    /// Environment variables: a text, or `{ secret: NAME }` for one that is never recorded.
    pub(crate) env: Option<Located<Entries<TextOr<RawSecret>>>>,
    /// `user` or `user:group`, as names of the image or numbers; where none is given the image's own, or root.
    pub(crate) user: Option<Located<String>>,
    /// Working directory; where none is given the image's own, or `/`.
    pub(crate) workdir: Option<Located<String>>,
    /// Files laid into its root tree, by absolute path; a path that ends in `/` is a folder that rotates as one.
    pub(crate) files: Option<Located<RawFiles>>,
    /// Globs to scan in a `host` image, beside what the command opens.
    pub(crate) scan: Option<Located<Vec<Located<String>>>>,
    /// Writable directories that outlive the process.
    pub(crate) volumes: Option<Located<Entries<RawVolume>>>,
    /// Memory of all its processes, as in `512m`; no swap comes on top.
    pub(crate) mem_limit: Option<Located<Quantity>>,
    /// Processes and threads at one time.
    #[schemars(range(min = 1, max = 4_194_304))]
    pub(crate) pids_limit: Option<Located<i64>>,
    /// Processors, as in `1.5`.
    pub(crate) cpus: Option<Located<Quantity>>,
    /// Whether it may write to volumes alone.
    pub(crate) read_only: Option<Located<bool>>,
    /// Capabilities that it does not hold as root, by name or `ALL`.
    pub(crate) cap_drop: Option<Located<Vec<Located<String>>>>,
    /// Of those that `cap_drop` names or means, what it keeps.
    pub(crate) cap_add: Option<Located<Vec<Located<String>>>>,
    /// When it counts as ready; where nothing is said, when the image's own health check passes.
    pub(crate) ready: Option<Located<RawReady>>,
    /// Services that it depends on: start order and blast radius.
    pub(crate) needs: Option<Located<Vec<Located<String>>>>,
    /// Services that start before it, without depending on them.
    pub(crate) after: Option<Located<Vec<Located<String>>>>,
    /// What happens when it ends; `never` where nothing is said.
    pub(crate) restart: Option<Located<Keyword<Restart>>>,
    /// The parties of the real world that it stands for.
    pub(crate) stands_for: Option<Located<Vec<Located<String>>>>,
}

/// A value that is never recorded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "variable", deny_unknown_fields)]
pub(crate) struct RawSecret {
    /// The variable of the gate's own environment that holds it.
    pub(crate) secret: Located<String>,
}

/// A writable directory that outlives the process.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "volume", deny_unknown_fields)]
pub(crate) struct RawVolume {
    /// Absolute path inside.
    pub(crate) path: Located<String>,
    /// What a restart within a case does to it; `carried` where nothing is said.
    pub(crate) state: Option<Located<Keyword<VolumeState>>>,
}

/// When a service counts as ready, as one of three.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "ready", deny_unknown_fields)]
pub(crate) struct RawReady {
    /// A connection to this port succeeds.
    pub(crate) tcp: Option<Located<RawPort>>,
    /// A command inside exits with 0.
    pub(crate) exec: Option<Located<RawCommand>>,
    /// A line of its output contains this text.
    pub(crate) log: Option<Located<RawLine>>,
    /// How long it may take; `30s` where nothing is said.
    pub(crate) within: Option<Located<String>>,
}

/// A port.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "tcp", deny_unknown_fields)]
pub(crate) struct RawPort {
    /// 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub(crate) port: Located<i64>,
}

/// A command.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "exec", deny_unknown_fields)]
pub(crate) struct RawCommand {
    /// Command and arguments, without a shell.
    pub(crate) command: Located<Vec<Located<String>>>,
}

/// A line of output.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "log", deny_unknown_fields)]
pub(crate) struct RawLine {
    /// The text that it must contain.
    pub(crate) contains: Located<String>,
}
