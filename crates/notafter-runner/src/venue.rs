//! Where things run: on a back end of this process, or through a deputy beside an engine elsewhere.

use crate::elsewhere::Principal;
use crate::host_clock::host_now;
use crate::images::Images;
use crate::{Error, Options};
use notafter_backend::{Backend, Docker, Engine};
use notafter_core::{Draft, Event, RunRecord, Scenario};
use std::fmt;

/// A place for runs.
pub enum Venue {
    /// Beside an engine that does not see the files of this machine.
    Elsewhere(Box<Principal>),
    /// Here.
    Here(Box<dyn Backend>),
}

impl fmt::Debug for Venue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Elsewhere(_) => "Elsewhere",
            Self::Here(_) => "Here",
        })
    }
}

impl Venue {
    /// The container engine that DOCKER_HOST names, or the usual one, wherever it is.
    ///
    /// # Errors
    /// Where none answers, or where nothing can run on its machine.
    pub fn engine() -> Result<Self, notafter_backend::Error> {
        Ok(match Engine::find(host_now)? {
            Engine::Elsewhere(posting) => Self::Elsewhere(Box::new(Principal::new(posting))),
            Engine::Here(docker) => Self::Here(Box::new(docker)),
        })
    }

    /// As [`crate::run`].
    ///
    /// # Errors
    /// As for [`crate::run`], and where the engine elsewhere cannot be used.
    pub fn run(
        &self,
        scenario: &Scenario,
        images: &Images,
        options: &Options,
        sink: &mut dyn FnMut(&Event),
    ) -> Result<RunRecord, Error> {
        match self {
            Self::Elsewhere(principal) => principal.run(scenario, images, options, sink),
            Self::Here(backend) => crate::run(scenario, images, backend.as_ref(), options, sink),
        }
    }

    /// As [`crate::complete`].
    ///
    /// # Errors
    /// As for [`crate::complete`], and where the engine elsewhere cannot be used.
    pub fn complete(
        &self,
        draft: Draft,
        scenario: &Scenario,
        images: &Images,
        ports: &[u16],
        options: &Options,
    ) -> Result<Draft, Error> {
        match self {
            Self::Elsewhere(principal) => {
                principal.complete(draft, scenario, images, ports, &options.interrupt)
            }
            Self::Here(backend) => crate::complete(draft, scenario, images, backend.as_ref(), ports, options),
        }
    }
}

/// Takes away what dead runs left in the container engine that DOCKER_HOST names, or in the usual one; how many
/// containers there were.
///
/// # Errors
/// Where none answers.
pub fn sweep() -> Result<usize, Error> {
    let of_this_machine = Docker::sweep().map_err(Error::Venue)?;
    match Venue::engine().map_err(Error::Venue)? {
        Venue::Elsewhere(principal) => Ok(of_this_machine + principal.sweep()?),
        Venue::Here(_) => Ok(of_this_machine),
    }
}
