//! The images of scenarios, found or built once for all of their cases.

use crate::Error;
use crate::host_clock::unix_now;
use notafter_backend::{Bind, EngineImages, RootTree};
use notafter_core::{ImageName, ImageRef, Scenario, Service};
use notafter_image::{Identity, ImageConfig, Registries, Resolver};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// What a service gets from its image.
#[derive(Debug, Clone)]
pub(crate) struct ServiceImage {
    pub(crate) root: RootTree,
    pub(crate) binds: Vec<Bind>,
    /// How it runs where its scenario says nothing else.
    pub(crate) config: ImageConfig,
    /// Which image it is, where that is known by its content.
    pub(crate) identity: Option<Identity>,
    /// What the tree lacks or adds compared with the image.
    pub(crate) remarks: Vec<String>,
}

/// Images, ready to be launched and scanned.
#[derive(Debug, Default)]
pub struct Images {
    /// By the directory that relative paths in the reference start from.
    resolved: BTreeMap<PathBuf, Vec<(ImageRef, ServiceImage)>>,
}

impl Images {
    /// Finds and builds every image of `scenarios`; several scenarios are several builds of one, or more. All cargo
    /// images beside one scenario are built by one call of cargo, and `on_line` hears each line of what it says.
    ///
    /// # Errors
    /// [`Error::Images`] for the first image that cannot be had.
    pub fn resolve(scenarios: &[&Scenario], on_line: &mut dyn FnMut(&str)) -> Result<Self, Error> {
        let mut wanted: BTreeMap<PathBuf, Vec<ImageRef>> = BTreeMap::new();
        for scenario in scenarios {
            let references = wanted.entry(scenario.directory.clone()).or_default();
            for image in scenario.services.iter().filter_map(|service| scenario.image_of(service)) {
                if !references.contains(image) {
                    references.push(image.clone());
                }
            }
        }
        let resolver = Resolver::from_environment()
            .with_engine(Box::new(EngineImages::default()))
            .with_registries(Registries::from_environment(unix_now));
        let mut resolved = BTreeMap::new();
        for (directory, references) in wanted {
            let images = resolver
                .resolve(&directory, &references, on_line)
                .map_err(|source| located(scenarios, &directory, source))?;
            let images = images.into_iter().map(ServiceImage::from);
            resolved.insert(directory, references.into_iter().zip(images).collect());
        }
        Ok(Self { resolved })
    }

    /// Those of scenarios in `directory`, which lie here already.
    pub(crate) fn of_directory(directory: PathBuf, images: Vec<(ImageRef, ServiceImage)>) -> Self {
        Self { resolved: BTreeMap::from([(directory, images)]) }
    }

    #[cfg(test)]
    pub(crate) fn of_one(directory: &Path, reference: ImageRef, image: ServiceImage) -> Self {
        Self::of_directory(directory.to_owned(), vec![(reference, image)])
    }

    /// What `service` runs from.
    ///
    /// # Errors
    /// [`Error::NoImage`] where it has none, or one that was not resolved.
    pub(crate) fn of(&self, scenario: &Scenario, service: &Service) -> Result<&ServiceImage, Error> {
        let wanted = scenario.image_of(service);
        let beside = self.resolved.get(&scenario.directory).into_iter().flatten();
        let mut found = beside.filter(|(reference, _)| Some(reference) == wanted);
        found.next().map(|(_, image)| image).ok_or_else(|| Error::NoImage {
            service: service.name.clone(),
            location: service.location.clone(),
        })
    }
}

impl Images {
    /// SHA-256 of the candidate's image, as 64 lower-case hex digits: of the executable of a `cargo` image, of the tar or
    /// the tree of a `rootfs`, of the manifest of a stored image or else of its configuration.
    ///
    /// # Errors
    /// [`Error::NoImage`]; [`Error::NoDigest`] for the machine's own files and images that go by another algorithm, or where
    /// something cannot be read.
    pub fn digest(&self, scenario: &Scenario) -> Result<String, Error> {
        let service = &scenario.candidate.service;
        let no_digest = |source: io::Error| Error::NoDigest { service: service.clone(), source };
        let candidate = scenario.service(service).ok_or_else(|| no_digest(io::ErrorKind::NotFound.into()))?;
        let image = self.of(scenario, candidate)?;
        let path = match (scenario.image_of(candidate), image.binds.as_slice()) {
            (Some(ImageRef::Binary(_) | ImageRef::Cargo { .. }), [executable, ..]) => {
                executable.source.clone()
            }
            (Some(ImageRef::Rootfs(path)), _) => scenario.directory.join(path),
            _ => {
                let sha256 = image.identity.as_ref().and_then(Identity::sha256);
                return sha256.map(str::to_owned).ok_or_else(|| {
                    no_digest(io::Error::other(
                        "this kind of image, such as the machine's own files, cannot be named by its content",
                    ))
                });
            }
        };
        notafter_image::sha256(&path).map_err(no_digest)
    }
}

/// Pulls the image `name` of a registry as a directory in the OCI image layout, into the empty directory `into`;
/// `on_line` hears what is being done.
///
/// # Errors
/// [`Error::Images`] where the registry does not give it.
pub fn pull_layout(name: &ImageName, into: &Path, on_line: &mut dyn FnMut(&str)) -> Result<(), Error> {
    Resolver::from_environment()
        .with_registries(Registries::from_environment(unix_now))
        .pull_layout(name, into, on_line)
        .map_err(|source| Error::Images { location: None, source: Box::new(source) })
}

/// The error with the place in the scenario that asks for the image.
fn located(scenarios: &[&Scenario], directory: &Path, source: notafter_image::Error) -> Error {
    let asks = |scenario: &&&Scenario| scenario.directory == directory;
    let services = scenarios.iter().filter(asks).flat_map(|scenario| {
        scenario.services.iter().filter_map(|service| Some((service, scenario.image_of(service)?)))
    });
    let mut services = services.filter(|(_, image)| source.images().contains(image));
    let location = services.next().map(|(service, _)| service.location.clone());
    Error::Images { location, source: Box::new(source) }
}

impl From<notafter_image::Image> for ServiceImage {
    fn from(image: notafter_image::Image) -> Self {
        let notafter_image::Image { root, binds, config, identity, remarks } = image;
        Self { root, binds, config, identity, remarks }
    }
}
