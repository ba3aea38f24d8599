//! Whose word counts for who a registry is.

use super::failure::Failure;
use super::settings::Registries;
use notafter_core::UnixTime;
use rustls::crypto::aws_lc_rs;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The time at which certificates of registries are judged, on the host's clock.
#[derive(Debug)]
struct Clock(fn() -> UnixTime);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<rustls_pki_types::UnixTime> {
        let secs = u64::try_from((self.0)().as_secs()).ok()?;
        Some(rustls_pki_types::UnixTime::since_unix_epoch(Duration::from_secs(secs)))
    }
}

/// TLS with the system's roots, and with those that this machine has for the registry `host` alone.
pub(super) fn tls(registries: &Registries, host: Option<&str>) -> Result<Arc<ClientConfig>, Failure> {
    let mut roots = RootCertStore::empty();
    if let Some(bundle) = registries.bundles.iter().find(|path| path.is_file()) {
        add(bundle, &mut roots)?;
    }
    for directory in host.into_iter().flat_map(|host| registries.own_directories(host)) {
        let failed = |source| Failure::Io { action: format!("read {}", directory.display()), source };
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "crt") {
                add(&path, &mut roots)?;
            }
        }
    }
    let failed = |error| Failure::Io { action: "set up TLS".to_owned(), source: io::Error::other(error) };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_details(provider, Arc::new(Clock(registries.clock)))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Whether this machine has roots of its own for the registry `host`.
pub(super) fn has_own(registries: &Registries, host: &str) -> bool {
    let is_root = |path: &Path| path.extension().is_some_and(|extension| extension == "crt");
    registries.own_directories(host).iter().any(|directory| {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).any(|path| is_root(&path))
    })
}

fn add(path: &Path, roots: &mut RootCertStore) -> Result<(), Failure> {
    let failed = |source| Failure::Io { action: format!("read {}", path.display()), source };
    let certificates = CertificateDer::pem_file_iter(path)
        .map_err(|error| failed(io::Error::other(error.to_string())))?
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| failed(io::Error::other(error.to_string())))?;
    // Bundles hold roots of old kinds, too.
    roots.add_parsable_certificates(certificates);
    Ok(())
}
