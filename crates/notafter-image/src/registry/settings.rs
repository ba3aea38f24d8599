//! What is known of registries before one is asked.

use super::proxy::Proxies;
use notafter_core::UnixTime;
use std::path::{Path, PathBuf};

/// Where bundles of trusted roots lie, as distributions have them.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Where roots of single registries lie, in a directory `HOST[:PORT]`.
const OF_REGISTRIES: [&str; 2] = ["/etc/docker/certs.d", "/etc/containers/certs.d"];

/// How registries are asked.
#[derive(Debug, Clone)]
pub struct Registries {
    pub(super) clock: fn() -> UnixTime,
    /// Files of credentials, the first that knows a registry holds.
    pub(super) credentials: Vec<PathBuf>,
    /// The first that is there is taken.
    pub(super) bundles: Vec<PathBuf>,
    pub(super) of_registries: Vec<PathBuf>,
    pub(super) proxies: Proxies,
}

impl Registries {
    /// With the credentials and roots that the environment names: `$REGISTRY_AUTH_FILE`, `$DOCKER_CONFIG/config.json`,
    /// `$XDG_RUNTIME_DIR/containers/auth.json`, `~/.config/containers/auth.json`, `~/.docker/config.json`;
    /// `$SSL_CERT_FILE`; and by way of the proxies that it names: `$HTTPS_PROXY`, `$NO_PROXY`. `clock` is the host's: certificates of registries are judged by it, and patience ends by it.
    #[must_use]
    pub fn from_environment(clock: fn() -> UnixTime) -> Self {
        let variable =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = variable("HOME");
        let below_home = |path: &str| home.as_ref().map(|home| home.join(path));
        let config = variable("XDG_CONFIG_HOME").or_else(|| below_home(".config"));
        let credentials = [
            variable("REGISTRY_AUTH_FILE"),
            variable("DOCKER_CONFIG").map(|directory| directory.join("config.json")),
            variable("XDG_RUNTIME_DIR").map(|directory| directory.join("containers/auth.json")),
            config.map(|directory| directory.join("containers/auth.json")),
            below_home(".docker/config.json"),
        ];
        let bundles = variable("SSL_CERT_FILE").into_iter().chain(BUNDLES.map(PathBuf::from));
        Self {
            clock,
            credentials: credentials.into_iter().flatten().collect(),
            bundles: bundles.collect(),
            of_registries: OF_REGISTRIES.map(PathBuf::from).to_vec(),
            proxies: Proxies::from_environment(),
        }
    }

    /// Without a proxy, and with these files alone: of credentials, bundles of roots, and directories as `/etc/docker/certs.d`.
    #[must_use]
    pub fn with_files(
        clock: fn() -> UnixTime,
        credentials: &[&Path],
        bundles: &[&Path],
        own: &[&Path],
    ) -> Self {
        let owned = |paths: &[&Path]| paths.iter().map(|&path| path.to_owned()).collect();
        let proxies = Proxies::default();
        let (credentials, bundles, of_registries) = (owned(credentials), owned(bundles), owned(own));
        Self { clock, credentials, bundles, of_registries, proxies }
    }

    /// Directories that may hold roots of the registry `host`, those that are there.
    pub(super) fn own_directories(&self, host: &str) -> Vec<PathBuf> {
        let places = self.of_registries.iter().map(|base| base.join(host));
        places.filter(|place| place.is_dir()).collect()
    }
}
