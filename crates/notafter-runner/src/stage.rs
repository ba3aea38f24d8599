//! What is the same for every case of a run: made once, before the first.

use crate::allowance::Allowance;
use crate::images::Images;
use crate::references::References;
use crate::secrets::Secrets;
use crate::{Error, Options};
use notafter_backend::{FileLayout, FileSpec, LaunchSpec, VolumeContent, VolumeMount};
use notafter_core::{
    CredentialName, EnvValue, Fingerprint, ImageRef, MountedFile, MountedSource, ReadyProbe, Replacement,
    Rotation, Scenario, Service, ServiceName, UnixTime, VolumeName, VolumeState,
};
use notafter_image::ImageConfig;
use notafter_pki::Pki;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

/// The largest file that is laid into a root tree.
const LARGEST_FILE_MIB: u64 = 16;
/// The longest that one try of a readiness probe of the scenario may take.
const LONGEST_TRY: Duration = Duration::from_millis(500);
/// What container engines give an image that says nothing.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the cases of a run share.
pub(crate) struct Stage<'a> {
    pub(crate) scenario: &'a Scenario,
    /// Taken out for a case for which credentials are issued anew, and put back.
    pub(crate) material: Material,
    readiness: BTreeMap<ServiceName, Readiness>,
    pub(crate) secrets: Secrets,
    pub(crate) allowance: Allowance,
    /// What first looks came to.
    pub(crate) references: References,
    /// See [`Options::linger`].
    pub(crate) linger: Duration,
}

/// What was made for the scenario, and everything that holds it.
pub(crate) struct Material {
    pub(crate) pki: Pki,
    pub(crate) launches: BTreeMap<ServiceName, LaunchSpec>,
    /// What the scenario calls the certificates that were made for it.
    pub(crate) declared: BTreeMap<Fingerprint, CredentialName>,
}

impl Material {
    fn new(pki: Pki, launches: BTreeMap<ServiceName, LaunchSpec>) -> Self {
        let declared =
            pki.iter().map(|(name, issued)| (issued.credential().fingerprint, name.clone())).collect();
        Self { pki, launches, declared }
    }

    /// The same with `names` issued anew, to end at `until`.
    ///
    /// # Errors
    /// [`Error::Pki`], and as for [`Stage::build`].
    pub(crate) fn reissued(
        &self,
        scenario: &Scenario,
        names: &[CredentialName],
        until: UnixTime,
    ) -> Result<Self, Error> {
        let pki = {
            let made_from = (&*scenario.credentials, &*scenario.crls, &*scenario.tokens);
            self.pki.reissued(&scenario.name, made_from, names, until)
        };
        let pki = pki.map_err(Error::Pki)?;
        let mut launches = self.launches.clone();
        for service in &scenario.services {
            let Some(spec) = launches.get_mut(&service.name) else { continue };
            spec.files = files(scenario, service, &pki, scenario.start.instant())?;
        }
        Ok(Self::new(pki, launches))
    }
}

/// When a service counts as ready.
#[derive(Debug, Clone)]
pub(crate) struct Readiness {
    /// None: as soon as its process runs.
    pub(crate) probe: Option<ReadyProbe>,
    /// How long it may take, on the host's clock.
    pub(crate) within: Duration,
    /// The longest that one try may take.
    pub(crate) longest_try: Duration,
}

impl<'a> Stage<'a> {
    /// When `service` counts as ready.
    pub(crate) fn readiness(&self, service: &Service) -> Readiness {
        let known = self.readiness.get(&service.name).cloned();
        known.unwrap_or_else(|| ready(service, &ImageConfig::default()))
    }

    /// Prepares every launch; the budget counts from here on.
    ///
    /// # Errors
    /// Where a file of a service cannot be had.
    pub(crate) fn build(
        scenario: &'a Scenario,
        images: &Images,
        pki: Pki,
        secrets: Secrets,
        options: &Options,
    ) -> Result<Self, Error> {
        let (mut launches, mut readiness) = (BTreeMap::new(), BTreeMap::new());
        for service in &scenario.services {
            let image = images.of(scenario, service)?;
            readiness.insert(service.name.clone(), ready(service, &image.config));
            launches.insert(service.name.clone(), launch(scenario, service, images, &pki, &secrets)?);
        }
        let allowance = Allowance::new(scenario.budget, options.interrupt.clone());
        let linger = options.linger;
        let references = References::default();
        let material = Material::new(pki, launches);
        Ok(Self { scenario, material, readiness, secrets, allowance, references, linger })
    }

    /// What starts `service` at `at`: with the material that rotations have brought by then.
    ///
    /// # Errors
    /// As for [`Self::build`].
    pub(crate) fn launch_at(&self, service: &Service, at: UnixTime) -> Result<Option<LaunchSpec>, Error> {
        let Some(mut spec) = self.material.launches.get(&service.name).cloned() else { return Ok(None) };
        if self.scenario.rotations.iter().any(|rotation| rotation.at <= at) {
            spec.files = files(self.scenario, service, &self.material.pki, at)?;
        }
        Ok(Some(spec))
    }

    /// A file of `service` as it is at `at`.
    ///
    /// # Errors
    /// As for [`Self::build`].
    pub(crate) fn file(
        &self,
        service: &Service,
        file: &MountedFile,
        at: UnixTime,
    ) -> Result<FileSpec, Error> {
        file_at(self.scenario, service, file, &self.material.pki, at)
    }
}

/// Everything that the scenario declares, made.
///
/// # Errors
/// [`Error::Pki`].
pub(crate) fn pki(scenario: &Scenario) -> Result<Pki, Error> {
    let pki = Pki::generate(&scenario.name, &scenario.credentials);
    let pki = pki.and_then(|pki| pki.with_crls(&scenario.name, &scenario.crls));
    pki.and_then(|pki| pki.with_tokens(&scenario.tokens)).map_err(Error::Pki)
}

/// What the scenario says, or else the image by its health check.
fn ready(service: &Service, config: &ImageConfig) -> Readiness {
    match (&service.ready, &config.health) {
        (None, Some(health)) => Readiness {
            probe: Some(ReadyProbe::Exec(health.command.clone())),
            within: health.patience(),
            longest_try: health.timeout,
        },
        (probe, _) => {
            Readiness { probe: probe.clone(), within: service.ready_within, longest_try: LONGEST_TRY }
        }
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
    let command = command(service, &image.config);
    if command.is_none() && scenario.image_of(service).is_some_and(ImageRef::has_configuration) {
        return Err(Error::NoCommand { service: service.name.clone(), location: service.location.clone() });
    }
    Ok(LaunchSpec {
        service: service.name.clone(),
        root: image.root.clone(),
        binds: image.binds.clone(),
        command,
        env: environment(service, &image.config, secrets),
        user: service.user.clone().or_else(|| image.config.user.clone()),
        workdir: service
            .workdir
            .clone()
            .or_else(|| image.config.workdir.clone())
            .unwrap_or_else(|| "/".to_owned()),
        stop_signal: image.config.stop_signal,
        files: files(scenario, service, pki, scenario.start.instant())?,
        volumes: volumes(scenario, service, &image.config),
        restrictions: service.restrictions.clone(),
    })
}

/// As an engine puts it together: a command replaces the image's command, an entrypoint both.
fn command(service: &Service, config: &ImageConfig) -> Option<Vec<String>> {
    let given = service.command.clone();
    let whole = match (&service.entrypoint, given) {
        // An empty command is the way to say that a tree is only a place for commands.
        (_, Some(command)) if command.is_empty() => Vec::new(),
        (Some(entrypoint), command) => [entrypoint.clone(), command.unwrap_or_default()].concat(),
        (None, command) => {
            [config.entrypoint.clone(), command.unwrap_or_else(|| config.command.clone())].concat()
        }
    };
    Some(whole).filter(|command| !command.is_empty())
}

/// Those of the scenario, and those that the image declares beside them: what an engine keeps for a container, a
/// restart within a case finds again.
fn volumes(scenario: &Scenario, service: &Service, config: &ImageConfig) -> Vec<VolumeMount> {
    let place = scenario.services.iter().position(|other| other.name == service.name).unwrap_or(0);
    let is_taken = |name: &VolumeName| {
        scenario.services.iter().flat_map(|other| &other.volumes).any(|volume| volume.name == *name)
    };
    let declared = service.volumes.iter().map(|volume| VolumeMount {
        name: volume.name.clone(),
        path: volume.path.clone(),
        state: volume.state,
        content: VolumeContent::Empty,
    });
    let of_image = config.volumes.iter().filter(|path| {
        !service.volumes.iter().any(|volume| volume.path == **path)
            && !service.files.iter().any(|file| Path::new(&file.path).starts_with(path))
    });
    let of_image = of_image.enumerate().filter_map(|(index, path)| {
        // No two services, and no volume of the scenario, may come to share it.
        let mut names =
            (0..).filter_map(|more| VolumeName::new(format!("image-{place}-{index}-{more}")).ok());
        let name = names.find(|name| !is_taken(name))?;
        let (state, content) = (VolumeState::Carried, VolumeContent::OfImage);
        Some(VolumeMount { name, path: path.clone(), state, content })
    });
    declared.chain(of_image).collect()
}

/// The image's variables under the scenario's; what lacks then (`HOME`, `HOSTNAME`, `PATH`) the init adds, which knows
/// the user.
fn environment(service: &Service, config: &ImageConfig, secrets: &Secrets) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = config.env.iter().cloned().collect();
    for (name, value) in &service.env {
        let value = match value {
            EnvValue::Hidden(text) => text.reveal(),
            EnvValue::Plain(text) => text.as_str(),
            EnvValue::Secret(variable) => secrets.value(variable).unwrap_or_default(),
        };
        env.insert(name.clone(), value.to_owned());
    }
    env
}

/// Every file of `service` as it is at `at`.
fn files(scenario: &Scenario, service: &Service, pki: &Pki, at: UnixTime) -> Result<Vec<FileSpec>, Error> {
    service.files.iter().map(|file| file_at(scenario, service, file, pki, at)).collect()
}

fn file_at(
    scenario: &Scenario,
    service: &Service,
    file: &MountedFile,
    pki: &Pki,
    at: UnixTime,
) -> Result<FileSpec, Error> {
    let contents = contents(scenario, service, file, pki, at)?;
    let layout = layout(scenario, service, file);
    Ok(FileSpec { path: file.path.clone(), contents, mode: file.mode, layout })
}

fn layout(scenario: &Scenario, service: &Service, file: &MountedFile) -> FileLayout {
    if is_swapped(scenario, service, file) {
        FileLayout::Linked
    } else if scenario.rotations.iter().any(|rotation| is_reached(rotation, file)) {
        FileLayout::Exchanged
    } else {
        FileLayout::Plain
    }
}

/// Whether `rotation` brings other material for `file`.
pub(crate) fn is_reached(rotation: &Rotation, file: &MountedFile) -> bool {
    file.source.credential() == Some(&rotation.credential) && rotation.reaches(Some(&file.path))
}

/// Whether `file` lies in a folder that some rotation exchanges as a whole.
fn is_swapped(scenario: &Scenario, service: &Service, file: &MountedFile) -> bool {
    let beside = || service.files.iter().filter(|other| file.folder.is_some() && other.folder == file.folder);
    scenario
        .rotations
        .iter()
        .filter(|rotation| rotation.replacement == Replacement::SymlinkSwap)
        .any(|rotation| beside().any(|other| is_reached(rotation, other)))
}

/// The bytes of a mounted file at `at`.
///
/// # Errors
/// [`Error::FileUnreadable`], [`Error::FileTooLarge`], or [`Error::Pki`] for a credential that is not declared.
pub(crate) fn contents(
    scenario: &Scenario,
    service: &Service,
    file: &MountedFile,
    pki: &Pki,
    at: UnixTime,
) -> Result<Vec<u8>, Error> {
    let issued = |name| {
        let name = scenario.standing_for(name, Some(&file.path), at);
        pki.issued(name).map_err(Error::Pki)
    };
    Ok(match &file.source {
        MountedSource::Certificate(name) => issued(name)?.certificate_pem().as_bytes().to_vec(),
        MountedSource::Chain(name) => issued(name)?.chain_pem().as_bytes().to_vec(),
        MountedSource::Content(text) => text.as_bytes().to_vec(),
        MountedSource::Crl(name) => pki.crl(name).map_err(Error::Pki)?.pem().as_bytes().to_vec(),
        MountedSource::Jwks(name) => pki.token(name).map_err(Error::Pki)?.jwks().as_bytes().to_vec(),
        MountedSource::Key(name) => issued(name)?.key().to_pem().as_bytes().to_vec(),
        MountedSource::Source(path) => source_bytes(scenario, service, file, path)?,
        MountedSource::Token(name) => pki.token(name).map_err(Error::Pki)?.compact().as_bytes().to_vec(),
    })
}

/// The bytes of a file beside the scenario.
///
/// # Errors
/// [`Error::FileUnreadable`], [`Error::FileTooLarge`].
pub(crate) fn source_bytes(
    scenario: &Scenario,
    service: &Service,
    file: &MountedFile,
    path: &Path,
) -> Result<Vec<u8>, Error> {
    let path = scenario.directory.join(path);
    let limit = LARGEST_FILE_MIB * 1024 * 1024;
    let mut bytes = Vec::new();
    let read = open_regular(&path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    let (service, location) = (service.name.clone(), file.location.clone());
    match read {
        Err(source) => Err(Error::FileUnreadable { path, service, location, source }),
        Ok(_) if bytes.len() as u64 > limit => {
            Err(Error::FileTooLarge { path, service, limit_mib: LARGEST_FILE_MIB, location })
        }
        Ok(_) => Ok(bytes),
    }
}

/// A pipe would keep the run waiting, and a device may never end.
fn open_regular(path: &Path) -> io::Result<File> {
    match std::fs::metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("not a regular file")),
    }
}
