//! Where root trees come from.

use crate::decode::Located;
use schemars::JsonSchema;
use serde::Deserialize;

/// Where the root tree of a service comes from; as a text: `host`, `rootfs:PATH`, `binary:PATH`, `cargo:PACKAGE/BIN`,
/// `docker-archive:PATH[:IMAGE]`, `oci-archive:PATH[:IMAGE]`, `oci:PATH[:IMAGE]`, `dir:PATH`; or the reference of an image
/// in the container engine of this machine or a registry, as in `nginx:1.25`, `docker-daemon:nginx:1.25` or
/// `docker://registry.example/nginx:1.25`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "image", rename_all = "kebab-case")]
pub(crate) enum RawImage {
    /// An executable file: alone in an empty tree where it is static, else on the machine's own files.
    Binary(Located<String>),
    /// A binary target of the Cargo workspace around the scenario.
    Cargo(RawCargo),
    /// A directory with a manifest and blobs beside it, as `skopeo copy` writes it.
    Dir(Located<String>),
    /// The reference of an image in a registry, `//` before it or not.
    Docker(Located<String>),
    /// What `docker save` writes, `PATH[:IMAGE]`: several images need a reference, or `@` and a number from 0.
    DockerArchive(Located<String>),
    /// The reference of an image in the container engine of this machine.
    DockerDaemon(Located<String>),
    /// A directory in the OCI image layout, `PATH[:IMAGE]`.
    Oci(Located<String>),
    /// A tar of an OCI image layout, `PATH[:IMAGE]`.
    OciArchive(Located<String>),
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
