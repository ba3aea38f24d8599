//! What is the same for every case of a run: made once, before the first.

use crate::allowance::Allowance;
use crate::images::Images;
use crate::secrets::Secrets;
use crate::{Error, Options};
use notafter_backend::{FileSpec, LaunchSpec, VolumeMount};
use notafter_core::{EnvValue, MountedFile, MountedSource, Scenario, Service, ServiceName};
use notafter_pki::Pki;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

/// The largest file that is laid into a root tree.
const LARGEST_FILE_MIB: u64 = 16;
/// What container engines give an image that says nothing.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the cases of a run share.
pub(crate) struct Stage<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) launches: BTreeMap<ServiceName, LaunchSpec>,
    pub(crate) pki: &'a Pki,
    pub(crate) secrets: Secrets,
    pub(crate) allowance: Allowance,
    /// See [`Options::linger`].
    pub(crate) linger: Duration,
}

impl<'a> Stage<'a> {
    /// Prepares every launch; the budget counts from here on.
    ///
    /// # Errors
    /// Where a file of a service cannot be had.
    pub(crate) fn build(
        scenario: &'a Scenario,
        images: &Images,
        pki: &'a Pki,
        secrets: Secrets,
        options: &Options,
    ) -> Result<Self, Error> {
        let mut launches = BTreeMap::new();
        for service in &scenario.services {
            launches.insert(service.name.clone(), launch(scenario, service, images, pki, &secrets)?);
        }
        let allowance = Allowance::new(scenario.budget, options.interrupt.clone());
        Ok(Self { scenario, launches, pki, secrets, allowance, linger: options.linger })
    }
}

fn launch(
    scenario: &Scenario,
    service: &Service,
    images: &Images,
    pki: &Pki,
    secrets: &Secrets,
) -> Result<LaunchSpec, Error> {
    let image = images.of(scenario, service)?;
    // An empty command is the way to say that a tree is only a place for commands.
    let command =
        service.command.clone().or_else(|| image.command.clone()).filter(|command| !command.is_empty());
    let mut files = Vec::new();
    for file in &service.files {
        let contents = contents(scenario, service, file, pki)?;
        files.push(FileSpec { path: file.path.clone(), contents, mode: file.mode });
    }
    let volumes = service
        .volumes
        .iter()
        .map(|volume| VolumeMount {
            name: volume.name.clone(),
            path: volume.path.clone(),
            state: volume.state,
        })
        .collect();
    Ok(LaunchSpec {
        service: service.name.clone(),
        root: image.root.clone(),
        binds: image.binds.clone(),
        command,
        env: environment(service, secrets),
        user: service.user.clone(),
        workdir: service.workdir.clone().unwrap_or_else(|| "/".to_owned()),
        files,
        volumes,
    })
}

fn environment(service: &Service, secrets: &Secrets) -> BTreeMap<String, String> {
    let home = if service.user.is_none() { "/root" } else { "/" };
    let defaults = [("HOME", home), ("HOSTNAME", service.name.as_str()), ("PATH", DEFAULT_PATH)];
    let mut env: BTreeMap<String, String> =
        defaults.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    for (name, value) in &service.env {
        let value = match value {
            EnvValue::Plain(text) => text.as_str(),
            EnvValue::Secret(variable) => secrets.value(variable).unwrap_or_default(),
        };
        env.insert(name.clone(), value.to_owned());
    }
    env
}

/// The bytes of a mounted file.
///
/// # Errors
/// [`Error::FileUnreadable`], [`Error::FileTooLarge`], or [`Error::Pki`] for a credential that is not declared.
pub(crate) fn contents(
    scenario: &Scenario,
    service: &Service,
    file: &MountedFile,
    pki: &Pki,
) -> Result<Vec<u8>, Error> {
    let issued = |name| pki.issued(name).map_err(Error::Pki);
    Ok(match &file.source {
        MountedSource::Certificate(name) => issued(name)?.certificate_pem().as_bytes().to_vec(),
        MountedSource::Chain(name) => issued(name)?.chain_pem().as_bytes().to_vec(),
        MountedSource::Content(text) => text.as_bytes().to_vec(),
        MountedSource::Key(name) => issued(name)?.key().to_pem().as_bytes().to_vec(),
        MountedSource::Source(path) => {
            let path = scenario.directory.join(path);
            let limit = LARGEST_FILE_MIB * 1024 * 1024;
            let mut bytes = Vec::new();
            let read = open_regular(&path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
            let (service, location) = (service.name.clone(), file.location.clone());
            match read {
                Err(source) => return Err(Error::FileUnreadable { path, service, location, source }),
                Ok(_) if bytes.len() as u64 > limit => {
                    let limit_mib = LARGEST_FILE_MIB;
                    return Err(Error::FileTooLarge { path, service, limit_mib, location });
                }
                Ok(_) => bytes,
            }
        }
    })
}

/// A pipe would keep the run waiting, and a device may never end.
fn open_regular(path: &Path) -> io::Result<File> {
    match std::fs::metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("not a regular file")),
    }
}
