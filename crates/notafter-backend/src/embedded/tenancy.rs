//! A sandbox's stay on the machine itself, where services have no namespaces: one at a time, with a house for its
//! files, and aware of who listened there before.

use super::neighbours::Neighbours;
use crate::Error;
use crate::traces::raze_abandoned;
use crate::wire::Premises;
use notafter_sys::processes;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An abstract socket (unix(7)): its name belongs to the network namespace, which is what sandboxes would share, and
/// goes with its owner, however that ends.
const TURN: &[u8] = b"notafter-without-namespaces";
/// How long another sandbox may take, on the host's clock: a whole case.
const TURN_LOOKS: u32 = 6_000;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
/// How long inits may take to end by themselves when their keeper is dead, and files to be out of use.
const LEAVE_LOOKS: u32 = 100;

/// The stay.
#[derive(Debug)]
pub(super) struct Tenancy {
    /// Where the disk half of the keeper's house stands.
    disk: PathBuf,
    neighbours: Neighbours,
    _turn: OwnedFd,
}

impl Tenancy {
    /// Waits for its turn and moves in. `scratch` is where trees are copied to; none takes the directory for temporary
    /// files.
    pub(super) fn begin(scratch: Option<&Path>) -> Result<Self, Error> {
        let failed = |action: &str| {
            let action = action.to_owned();
            move |source| Error::Sandbox { action, source }
        };
        let turn =
            wait_for_turn().map_err(failed("wait for another run without namespaces on this machine"))?;
        let disk = scratch.map_or_else(std::env::temp_dir, Path::to_owned);
        raze_abandoned(&disk);
        let neighbours = Neighbours::look().map_err(failed("see who listens on this machine"))?;
        Ok(Self { disk, neighbours, _turn: turn })
    }

    /// What readers of a report must know of the place, as lower-case fragments.
    pub(super) fn remarks(&self) -> impl Iterator<Item = String> {
        self.neighbours.remark().into_iter()
    }

    /// What its keeper is told.
    pub(super) fn premises(&self) -> Premises {
        Premises::Machine { disk: self.disk.clone() }
    }

    /// Who else answers at `address`: a process that listened there before the sandbox was opened.
    pub(super) fn neighbour_at(&self, address: SocketAddr) -> io::Result<Option<String>> {
        self.neighbours.at(address)
    }

    /// Moves out once the keeper is gone. One that was killed has left its house, and inits that are about to end.
    ///
    /// # Errors
    /// `TimedOut` where something of that is still there in the end.
    pub(super) fn end(&self, inits: &[i32]) -> io::Result<()> {
        let lives =
            |init: &i32| processes::field(*init, "State").is_some_and(|state| !state.starts_with('Z'));
        for _ in 0..LEAVE_LOOKS {
            if !inits.iter().any(lives) && raze_abandoned(&self.disk).1 == 0 {
                return Ok(());
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

fn wait_for_turn() -> io::Result<OwnedFd> {
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let name = SocketAddrUnix::new_abstract_name(TURN)?;
    for _ in 0..TURN_LOOKS {
        match rustix::net::bind(&socket, &name) {
            Err(Errno::ADDRINUSE) => std::thread::sleep(BETWEEN_LOOKS),
            outcome => return Ok(outcome.map(|()| socket)?),
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}
