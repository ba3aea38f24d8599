//! Opening sandboxes of containers.

use super::address::Address;
use super::client::Client;
use super::deputy::{ENGINE, Posting};
use super::evidence::Evidence;
use super::images::Images;
use super::view::View;
use crate::embedded::{EmbeddedSandbox, Place, Spawner};
use crate::keeper::ROOM;
use crate::{Backend, Error, HostClock, Sandbox, SandboxSpec};
use notafter_core::Isolation;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Makes sandboxes from containers. Every container ends with this process, however that ends.
#[derive(Debug)]
pub struct Docker {
    spawner: Arc<Spawner>,
    host_clock: HostClock,
    images: Arc<Images>,
}

impl Docker {
    /// Talks to the engine that DOCKER_HOST names, or to the usual one, which must see our files, and takes away what dead
    /// runs left there. As for [`crate::Embedded::new`], `main` begins with [`crate::run_if_sandbox`].
    ///
    /// # Errors
    /// [`Error::Sandbox`] where no engine answers.
    pub fn new(host_clock: HostClock) -> Result<Self, Error> {
        Self::with_executable(own_executable(), host_clock)
    }

    /// The same with another program whose `main` begins with [`crate::run_if_sandbox`].
    ///
    /// # Errors
    /// [`Error::Sandbox`] where no engine answers.
    pub fn with_executable(executable: &Path, host_clock: HostClock) -> Result<Self, Error> {
        let address = Address::from_environment().map_err(failed("find the container engine"))?;
        let client = connected(&address)?;
        let spawner = spawner(executable)?;
        Self::on(client, address, View::Same, spawner, host_clock)
    }

    /// The one of a deputy, whose room the engine's machine has as `outside`.
    ///
    /// # Errors
    /// [`Error::Sandbox`] where no engine answers.
    pub fn beside(outside: PathBuf, host_clock: HostClock) -> Result<Self, Error> {
        let address = Address::Unix(ENGINE.into());
        let client = connected(&address)?;
        let view = View::Room { inside: ROOM.into(), outside };
        Self::on(client, address, view, spawner(own_executable())?, host_clock)
    }

    fn on(
        client: Client,
        address: Address,
        view: View,
        spawner: Arc<Spawner>,
        host_clock: HostClock,
    ) -> Result<Self, Error> {
        client.sweep().map_err(failed("take away containers of dead runs"))?;
        let images = Images::new(client, address, view).map_err(failed("ask the engine for its machine"))?;
        Ok(Self { spawner, host_clock, images })
    }

    /// Takes away containers of dead runs of this machine; how many there were. The engine is the one that DOCKER_HOST
    /// names, or the usual one.
    ///
    /// # Errors
    /// [`Error::Sandbox`] where no engine answers.
    pub fn sweep() -> Result<usize, Error> {
        let swept = Address::from_environment()
            .and_then(|address| Client::connect(&address))
            .and_then(|client| client.sweep());
        swept.map_err(failed("take away containers of dead runs"))
    }

    /// The same in a deputy, for runs of the engine's machine.
    ///
    /// # Errors
    /// [`Error::Sandbox`] where no engine answers.
    pub fn sweep_beside() -> Result<usize, Error> {
        let swept = Client::connect(&Address::Unix(ENGINE.into())).and_then(|client| client.sweep());
        swept.map_err(failed("take away containers of dead runs"))
    }
}

/// An engine, by what it sees of this machine's files.
#[derive(Debug)]
pub enum Engine {
    /// It sees none of them: a deputy must go there.
    Elsewhere(Posting),
    /// It sees them.
    Here(Docker),
}

impl Engine {
    /// The one that DOCKER_HOST names, or the usual one. One behind a socket is asked for what only this machine has;
    /// one behind a network has files of its own. What dead runs left there is taken away.
    ///
    /// # Errors
    /// [`Error::Sandbox`] where none answers, or where nothing can run on its machine.
    pub fn find(host_clock: HostClock) -> Result<Self, Error> {
        let address = Address::from_environment().map_err(failed("find the container engine"))?;
        let client = connected(&address)?;
        let spawner = spawner(own_executable())?;
        let here = match &address {
            Address::Tcp(_) => false,
            Address::Unix(_) => sees_this_machine(&client, &spawner)
                .map_err(failed("ask the engine what it sees of this machine"))?,
        };
        match here {
            true => Docker::on(client, address, View::Same, spawner, host_clock).map(Self::Here),
            false => Posting::new(client, address, spawner)
                .map(Self::Elsewhere)
                .map_err(failed("use an engine elsewhere")),
        }
    }
}

/// Whether the engine sees this program, and directories that were made just now where runs make theirs.
fn sees_this_machine(client: &Client, spawner: &Spawner) -> io::Result<bool> {
    let evidence = Evidence::lay(spawner)?;
    let program = std::fs::read_link(own_executable())?;
    let paths: Vec<PathBuf> = evidence.paths().map(Path::to_owned).chain([program]).collect();
    let sees = client.sees(&paths)?;
    evidence.withdraw().map(|()| sees)
}

fn spawner(executable: &Path) -> Result<Arc<Spawner>, Error> {
    Spawner::start(executable).map(Arc::new).map_err(failed("make the thread that starts sandboxes"))
}

fn connected(address: &Address) -> Result<Client, Error> {
    Client::connect(address).map_err(|source| Error::Sandbox {
        action: format!("talk to the container engine at {address}"),
        source,
    })
}

fn own_executable() -> &'static Path {
    Path::new("/proc/self/exe")
}

fn failed(action: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Sandbox { action: action.to_owned(), source }
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
