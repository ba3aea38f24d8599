//! Opening sandboxes of containers.

use super::client::Client;
use super::images::Images;
use crate::embedded::{EmbeddedSandbox, Place, Spawner};
use crate::owner;
use crate::{Backend, Error, HostClock, Sandbox, SandboxSpec};
use notafter_core::Isolation;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Makes sandboxes from containers. Every container ends with this process, however that ends.
#[derive(Debug)]
pub struct Docker {
    spawner: Arc<Spawner>,
    host_clock: HostClock,
    images: Arc<Images>,
}

impl Docker {
    /// Talks to the engine that DOCKER_HOST names, or to the usual one, and takes away what dead runs left there. As
    /// for [`crate::Embedded::new`], `main` begins with [`crate::run_if_sandbox`].
    ///
    /// # Errors
    /// [`Error::Sandbox`] where no engine answers.
    pub fn new(host_clock: HostClock) -> Result<Self, Error> {
        Self::with_executable(Path::new("/proc/self/exe"), host_clock)
    }

    /// The same with another program whose `main` begins with [`crate::run_if_sandbox`].
    ///
    /// # Errors
    /// [`Error::Sandbox`] where no engine answers.
    pub fn with_executable(executable: &Path, host_clock: HostClock) -> Result<Self, Error> {
        let failed = |action: &'static str| {
            move |source: io::Error| Error::Sandbox { action: action.to_owned(), source }
        };
        let socket = Client::socket().map_err(failed("find the container engine"))?;
        let client = Client::connect(&socket).map_err(failed("talk to the container engine"))?;
        client.sweep().map_err(failed("take away containers of dead runs"))?;
        let machine = client.machine().map_err(failed("ask the engine for its machine"))?;
        let owner = owner::this_process().map_err(failed("name this run"))?;
        let spawner = Spawner::start(executable).map_err(failed("make the thread that starts sandboxes"))?;
        let images = Images::new(client, socket, owner, machine);
        Ok(Self { spawner: Arc::new(spawner), host_clock, images })
    }

    /// Takes away containers of dead runs; how many there were. The engine is the one of [`Self::new`].
    ///
    /// # Errors
    /// [`Error::Sandbox`] where no engine answers.
    pub fn sweep() -> Result<usize, Error> {
        let swept =
            Client::socket().and_then(|socket| Client::connect(&socket)).and_then(|client| client.sweep());
        swept.map_err(|source| Error::Sandbox {
            action: "take away containers of dead runs".to_owned(),
            source,
        })
    }
}

impl Backend for Docker {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn isolation(&self) -> Isolation {
        Isolation::Containers
    }

    fn open(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, Error> {
        let place = Place::Containers(Arc::clone(&self.images));
        EmbeddedSandbox::open(Arc::clone(&self.spawner), self.host_clock, place, spec)
            .map(|sandbox| Box::new(sandbox) as Box<dyn Sandbox>)
    }
}
