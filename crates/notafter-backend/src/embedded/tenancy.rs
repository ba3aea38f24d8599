//! A sandbox's stay on the machine itself, where services have no namespaces: one at a time, with a house for its
//! files, and aware of who listened there before.

use super::neighbours::Neighbours;
use crate::Error;
use crate::traces::{House, raze_abandoned};
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

/// Where memory is lent as files; the first that is there and may be written to.
const MEMORY: [&str; 2] = ["/dev/shm", "/run"];

/// The stay. Dropping it removes everything that it left on the machine.
#[derive(Debug)]
pub(super) struct Tenancy {
    house: House,
    neighbours: Neighbours,
    /// Whether the house is gone already.
    left: bool,
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
        let mut memory: Vec<PathBuf> = MEMORY.iter().map(PathBuf::from).collect();
        memory.push(disk.clone());
        let bases: Vec<&Path> = memory.iter().map(PathBuf::as_path).collect();
        raze_abandoned(&bases);
        let mut house = Err(io::ErrorKind::NotFound.into());
        for base in bases {
            house = House::build(base, &disk);
            if house.is_ok() {
                break;
            }
        }
        let house = house.map_err(failed("make room for the services' files"))?;
        let neighbours = Neighbours::look().map_err(failed("see who listens on this machine"))?;
        Ok(Self { house, neighbours, left: false, _turn: turn })
    }

    /// What its keeper is told.
    pub(super) fn premises(&self) -> Premises {
        Premises::Machine { memory: self.house.memory().to_owned(), disk: self.house.disk().to_owned() }
    }

    /// Who else answers at `address`: a process that listened there before the sandbox was opened.
    pub(super) fn neighbour_at(&self, address: SocketAddr) -> io::Result<Option<String>> {
        self.neighbours.at(address)
    }

    /// Moves out once the keeper is gone: waits for its inits, removes everything.
    pub(super) fn end(&mut self, inits: &[i32]) -> io::Result<()> {
        if std::mem::replace(&mut self.left, true) {
            return Ok(());
        }
        let mut outcome = Ok(());
        for _ in 0..LEAVE_LOOKS {
            let is_there =
                |init: &i32| processes::field(*init, "State").is_some_and(|state| !state.starts_with('Z'));
            if !inits.iter().any(is_there) {
                outcome = self.house.raze();
                if outcome.is_ok() {
                    return outcome;
                }
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        outcome
    }
}

impl Drop for Tenancy {
    fn drop(&mut self) {
        let _ = self.end(&[]); // who wants to know ends it before
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
