//! Whose word counts for who a registry is.

use super::failure::Failure;
use super::settings::Registries;
use notafter_core::UnixTime;
use rustls::crypto::aws_lc_rs;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How files are called that belong to one registry: roots, a client certificate, and its key beside it.
const ROOT: &str = "crt";
const CERTIFICATE: &str = "cert";
const KEY: &str = "key";

/// The time at which certificates of registries are judged, on the host's clock.
#[derive(Debug)]
struct Clock(fn() -> UnixTime);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<rustls_pki_types::UnixTime> {
        let secs = u64::try_from((self.0)().as_secs()).ok()?;
        Some(rustls_pki_types::UnixTime::since_unix_epoch(Duration::from_secs(secs)))
    }
}

/// TLS with the system's roots, and with the roots and the client certificate that this machine has for the registry
/// `host` alone.
pub(super) fn tls(registries: &Registries, host: Option<&str>) -> Result<Arc<ClientConfig>, Failure> {
    let mut roots = RootCertStore::empty();
    if let Some(bundle) = registries.bundles.iter().find(|path| path.is_file()) {
        add(bundle, &mut roots)?;
    }
    let mut own = Vec::new();
    for directory in host.into_iter().flat_map(|host| registries.own_directories(host)) {
        let failed = |source| Failure::Io { action: format!("read {}", directory.display()), source };
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == ROOT) {
                add(&path, &mut roots)?;
            } else if path.extension().is_some_and(|extension| extension == CERTIFICATE) {
                own.push(path);
            }
        }
    }
    let failed = |error| Failure::Io { action: "set up TLS".to_owned(), source: io::Error::other(error) };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_details(provider, Arc::new(Clock(registries.clock)))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots);
    let config = match own.as_slice() {
        [] => builder.with_no_client_auth(),
        [path] => {
            let failed = |reason: String| unusable(path, reason);
            let key = path.with_extension(KEY);
            let bytes = fs::read(&key).map_err(|error| failed(format!("{}: {error}", key.display())))?;
            let key = PrivateKeyDer::from_pem_slice(&bytes)
                .map_err(|_| failed(format!("{} holds no private key that can be read", key.display())))?;
            builder
                .with_client_auth_cert(certificates(path)?, key)
                .map_err(|error| failed(format!("it and its key do not go together: {error}")))?
        }
        [first, second, ..] => {
            let reason = format!("there is {} too, and one of them has to be chosen", second.display());
            return Err(unusable(first, reason));
        }
    };
    Ok(Arc::new(config))
}

fn unusable(path: &Path, reason: String) -> Failure {
    let action = format!("use the client certificate {}", path.display());
    Failure::Io { action, source: io::Error::new(io::ErrorKind::InvalidInput, reason) }
}

/// Whether this machine has roots or a client certificate of its own for the registry `host`.
pub(super) fn has_own(registries: &Registries, host: &str) -> bool {
    let is_own =
        |path: &Path| path.extension().is_some_and(|extension| extension == ROOT || extension == CERTIFICATE);
    registries.own_directories(host).iter().any(|directory| {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).any(|path| is_own(&path))
    })
}

fn add(path: &Path, roots: &mut RootCertStore) -> Result<(), Failure> {
    // Bundles hold roots of old kinds, too.
    roots.add_parsable_certificates(certificates(path)?);
    Ok(())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let failed = |error: rustls_pki_types::pem::Error| Failure::Io {
        action: format!("read {}", path.display()),
        source: io::Error::other(error.to_string()),
    };
    CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)
}
