//! Opening sandboxes.

use super::place::Place;
use super::sandbox::EmbeddedSandbox;
use super::spawner::Spawner;
use crate::{Backend, Error, HostClock, Sandbox, SandboxSpec};
use notafter_core::Isolation;
use std::path::Path;
use std::sync::Arc;

/// Makes sandboxes, from namespaces unless told otherwise. Every process of them ends with this process, however that
/// ends.
#[derive(Debug)]
pub struct Embedded {
    spawner: Arc<Spawner>,
    host_clock: HostClock,
    place: Place,
}

impl Embedded {
    /// Sandboxes are kept by this very program, started again: its `main` must begin with
    /// [`crate::run_if_sandbox`]. `host_clock` tells the host's time, which native sandboxes show.
    ///
    /// # Errors
    /// [`Error::Sandbox`] where no thread can be made.
    pub fn new(host_clock: HostClock) -> Result<Self, Error> {
        Self::with_executable(Path::new("/proc/self/exe"), host_clock)
    }

    /// The same with another program whose `main` begins with [`crate::run_if_sandbox`].
    ///
    /// # Errors
    /// [`Error::Sandbox`] where no thread can be made.
    pub fn with_executable(executable: &Path, host_clock: HostClock) -> Result<Self, Error> {
        let spawner = Spawner::start(executable).map_err(|source| Error::Sandbox {
            action: "make the thread that starts sandboxes".to_owned(),
            source,
        })?;
        Ok(Self { spawner: Arc::new(spawner), host_clock, place: Place::Namespaces })
    }

    /// The same with services that nothing keeps apart from the machine: for job containers that may not make
    /// namespaces. One sandbox at a time: [`Backend::open`] waits for another of this machine's network.
    #[must_use]
    pub fn without_namespaces(self) -> Self {
        Self { place: Place::Machine, ..self }
    }
}

impl Backend for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn isolation(&self) -> Isolation {
        self.place.isolation()
    }

    fn open(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, Error> {
        EmbeddedSandbox::open(Arc::clone(&self.spawner), self.host_clock, self.place.clone(), spec)
            .map(|sandbox| Box::new(sandbox) as Box<dyn Sandbox>)
    }
}
