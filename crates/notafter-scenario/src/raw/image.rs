//! Where root trees come from.

use crate::decode::Located;
use schemars::JsonSchema;
use serde::Deserialize;

/// Where the root tree of a service comes from; as a text: `host`, `rootfs:PATH`, `cargo:PACKAGE/BIN`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "image", rename_all = "kebab-case")]
pub(crate) enum RawImage {
    /// A binary target of the Cargo workspace around the scenario.
    Cargo(RawCargo),
    /// An unpacked tree, or a tar of one; relative paths start at the scenario's directory.
    Rootfs(Located<String>),
}

/// A binary target.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "cargo", deny_unknown_fields)]
pub(crate) struct RawCargo {
    /// Package name.
    pub(crate) package: Located<String>,
    /// Binary target.
    pub(crate) bin: Located<String>,
}
