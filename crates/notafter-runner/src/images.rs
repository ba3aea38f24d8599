//! The images of scenarios, found or built once for all of their cases.

use crate::Error;
use notafter_backend::{Bind, RootTree};
use notafter_core::{ImageRef, Scenario, Service};
use std::path::PathBuf;

/// What a service gets from its image.
#[derive(Debug, Clone)]
pub(crate) struct ServiceImage {
    pub(crate) root: RootTree,
    pub(crate) binds: Vec<Bind>,
    /// What runs where the service names no command.
    pub(crate) command: Option<Vec<String>>,
}

/// Images, ready to be launched and scanned.
#[derive(Debug, Default)]
pub struct Images {
    /// With the directory that relative paths in the reference start from.
    resolved: Vec<(PathBuf, ImageRef, ServiceImage)>,
}

impl Images {
    #[cfg(test)]
    pub(crate) fn of_one(reference: ImageRef, image: ServiceImage) -> Self {
        Self { resolved: vec![(PathBuf::from("."), reference, image)] }
    }

    /// What `service` runs from.
    ///
    /// # Errors
    /// [`Error::NoImage`] where it has none, or one that was not resolved.
    pub(crate) fn of(&self, scenario: &Scenario, service: &Service) -> Result<&ServiceImage, Error> {
        let wanted = scenario.image_of(service);
        self.resolved
            .iter()
            .find(|(directory, reference, _)| *directory == scenario.directory && Some(reference) == wanted)
            .map(|(_, _, image)| image)
            .ok_or_else(|| Error::NoImage {
                service: service.name.clone(),
                location: service.location.clone(),
            })
    }
}
