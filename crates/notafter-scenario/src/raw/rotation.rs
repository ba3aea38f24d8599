//! Replacing mounted material while services run.

use crate::decode::{Keyword, Located, OneOrMany};
use notafter_core::{Replacement, StartTls};
use schemars::JsonSchema;
use serde::Deserialize;

/// A rotation: other material in place of a credential's, at one instant or at several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "rotation", deny_unknown_fields)]
pub(crate) struct RawRotation {
    /// The credential whose files are replaced.
    pub(crate) credential: Located<String>,
    /// When: an instant or several, such as `site.not_after - 30d`.
    pub(crate) at: Option<Located<OneOrMany<String>>>,
    /// In place of `at`: every so often from the start of the scenario on, such as `60d`.
    pub(crate) every: Option<Located<String>>,
    /// The credential whose material is laid in; where none is given, a new issue of the same one, whose validity counts
    /// from then (`issued`), with a new key.
    pub(crate) to: Option<Located<String>>,
    /// How files are replaced.
    pub(crate) replace: Located<Keyword<Replacement>>,
    /// Replaces these files alone; all that hold the credential where none are named.
    pub(crate) files: Option<Located<Vec<Located<String>>>>,
    /// What follows, as one of two; nothing for services that watch their files.
    pub(crate) then: Option<Located<RawReload>>,
    /// What must be on the wire afterwards.
    pub(crate) served: Option<Located<RawServed>>,
}

/// What tells a service that its files are new.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "reload", rename_all = "kebab-case")]
pub(crate) enum RawReload {
    /// A command inside a service; it must exit with 0.
    Exec(RawReloadExec),
    /// A signal to the main process of a service.
    Signal(RawReloadSignal),
}

/// A command inside a service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "reload command", deny_unknown_fields)]
pub(crate) struct RawReloadExec {
    /// The service.
    pub(crate) service: Located<String>,
    /// Command and arguments, without a shell.
    pub(crate) command: Located<Vec<Located<String>>>,
}

/// A signal to the main process of a service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "reload signal", deny_unknown_fields)]
pub(crate) struct RawReloadSignal {
    /// The service.
    pub(crate) service: Located<String>,
    /// Its name without `SIG`, such as `HUP`.
    pub(crate) name: Located<String>,
}

/// What must be on the wire after a rotation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "served", deny_unknown_fields)]
pub(crate) struct RawServed {
    /// `SERVICE:PORT`, which speaks TLS.
    pub(crate) by: Located<String>,
    /// What is said before TLS begins; nothing where TLS comes first.
    pub(crate) starttls: Option<Located<Keyword<StartTls>>>,
    /// How long it may take, on the service's own clock; `1m` where nothing is said.
    pub(crate) within: Option<Located<String>>,
    /// Whether the service must live on meanwhile; `true` where nothing is said.
    pub(crate) without_restart: Option<Located<bool>>,
}
