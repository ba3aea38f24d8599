//! Opening sandboxes.

use super::sandbox::EmbeddedSandbox;
use super::spawner::Spawner;
use crate::{Backend, Error, HostClock, Sandbox, SandboxSpec};
use std::path::Path;
use std::sync::Arc;

/// Makes sandboxes from namespaces. Every process of them ends with this process, however that ends.
#[derive(Debug)]
pub struct Embedded {
    spawner: Arc<Spawner>,
    host_clock: HostClock,
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
        Ok(Self { spawner: Arc::new(spawner), host_clock })
    }
}

impl Backend for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn open(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, Error> {
        EmbeddedSandbox::open(Arc::clone(&self.spawner), self.host_clock, spec)
            .map(|sandbox| Box::new(sandbox) as Box<dyn Sandbox>)
    }
}
