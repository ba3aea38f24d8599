//! The keeper of a sandbox whose services live in containers of an engine. It makes the containers and passes them
//! what they need through a door, a socket that they see for a moment. It outlives a killed runner to take everything
//! away; when it is killed itself, each init hears so and ends, and the engine takes ended containers away.

use super::guard::PROGRAM;
use super::inside;
use crate::docker::{Client, Container, View};
use crate::init::{self, Site, prepare_volumes};
use crate::owner;
use crate::traces::{House, raze_abandoned};
use crate::wire::{
    Attempt, Blueprint, Channel, Errand, Failure, Farewell, KeeperReply, KeeperRequest, Lease, Tree,
};
use notafter_core::Restrictions;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a container may take to come to the door.
const ARRIVAL: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };
/// Nobody but the init lists what lies there.
const MODE_OF_MEMORY: u32 = 0o711;
/// As any folder that is made for files of the scenario.
const MODE_OF_FOLDERS: u32 = 0o755;
/// How long an init may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(5);

/// Keeps the sandbox until the runner is gone or closes it; the exit code.
pub(super) fn keep(channel: Channel, lease: &Lease) -> i32 {
    let opened = open(&channel, lease);
    let mut keeper = match opened {
        Ok(keeper) => keeper,
        Err(failure) => {
            let _ = channel.send(&KeeperReply::Failed(failure), &[]);
            return 125;
        }
    };
    let code = keeper.serve(&channel);
    // Closed already, unless the runner is gone, whom nothing can be told any more.
    let _ = keeper.close();
    code
}

fn open<'a>(channel: &Channel, lease: &'a Lease) -> Result<Keeper<'a>, Failure> {
    let hear = || "hear from the runner".to_owned();
    channel.send(&KeeperReply::Unshared, &[]).doing(hear)?;
    let (request, _) = channel.receive::<KeeperRequest>().doing(hear)?;
    let KeeperRequest::Mapped = request else {
        return Err(Failure::new("open the sandbox", "the second request was another one"));
    };
    let client =
        Client::reconnect(&lease.address, lease.api).doing(|| "talk to the container engine".to_owned())?;
    let program = match &lease.view {
        View::Same => fs::read_link("/proc/self/exe").doing(|| "find this program".to_owned())?,
        View::Room { inside, .. } => inside.join(PROGRAM),
    };
    raze_abandoned(&lease.disk);
    let house = match &lease.view {
        View::Same => House::build(&lease.disk),
        // Nothing else of what is here can be shown to the engine.
        View::Room { inside, .. } => House::build_in(inside, inside),
    };
    let house = house.doing(|| "make room for the sandbox".to_owned())?;
    let own_name = owner::this_process().doing(|| "name the sandbox".to_owned())?;
    let mut keeper = Keeper {
        client,
        lease,
        own_name,
        program,
        house,
        network: None,
        instances: BTreeMap::new(),
        doors: 0,
        closed: false,
    };
    match keeper.set_up() {
        Ok(()) => {}
        Err(failure) => {
            let _ = keeper.close(); // why it failed is what is being told
            return Err(failure);
        }
    }
    if let Err(error) = channel.send(&KeeperReply::Ready { remarks: Vec::new() }, &[]) {
        let _ = keeper.close(); // nobody is there to hear of it
        return Err(error).doing(hear);
    }
    Ok(keeper)
}

/// What a container is to have beside its image.
#[derive(Default)]
struct Room {
    /// Of this machine, and where they appear.
    directories: Vec<(PathBuf, String)>,
    /// Folders over which memory is mounted.
    in_memory: Vec<String>,
}

/// A container that came to the door.
struct Occupied {
    container: String,
    /// To its first process.
    birth: Channel,
    /// The id of that, as this machine has it.
    first_process: i32,
}

struct Keeper<'a> {
    client: Client,
    lease: &'a Lease,
    /// For the labels of the containers: where the keeper is gone, nobody needs them any more.
    own_name: String,
    program: PathBuf,
    house: House,
    /// Holds the network that all services share.
    network: Option<Occupied>,
    instances: BTreeMap<u32, Occupied>,
    /// How many doors there were.
    doors: u32,
    closed: bool,
}

impl Keeper<'_> {
    fn set_up(&mut self) -> Result<(), Failure> {
        fs::create_dir(self.volumes()).doing(|| "make room for volumes".to_owned())?;
        let image = self.lease.bare_image.clone();
        let network = self.occupy(&image, "none", Room::default(), &Restrictions::default())?;
        let network = self.network.insert(network);
        let told =
            network.birth.send(&Errand::Network { hosts: self.lease.hosts.clone() }, &[]).and_then(|()| {
                network.birth.set_patience(Some(FAREWELL))?;
                let (reply, _) = network.birth.receive::<KeeperReply>()?;
                network.birth.set_patience(None)?;
                Ok(reply)
            });
        match told.doing(|| "shut the network of the sandbox".to_owned())? {
            KeeperReply::Ready { .. } => Ok(()),
            KeeperReply::Failed(failure) => Err(failure),
            _ => {
                Err(Failure::new("shut the network of the sandbox", "its container answered something else"))
            }
        }
    }

    fn volumes(&self) -> PathBuf {
        self.house.disk().join("volumes")
    }

    fn serve(&mut self, channel: &Channel) -> i32 {
        while let Ok((request, fds)) = channel.receive::<KeeperRequest>() {
            let mut socket = None;
            let reply = match request {
                KeeperRequest::Close => {
                    let reply = match self.close() {
                        Ok((remarks, lost)) => KeeperReply::Closed { remarks, lost },
                        Err(failure) => KeeperReply::Failed(failure),
                    };
                    let _ = channel.send(&reply, &[]);
                    return 0;
                }
                KeeperRequest::Connect { .. } => match self.connect(&request) {
                    Ok((reply, fds)) => {
                        socket = fds.into_iter().next();
                        reply
                    }
                    Err(error) => failed("connect inside the sandbox", &error),
                },
                KeeperRequest::End { instance } => {
                    let mut remarks = Vec::new();
                    match self.end(instance, &mut remarks) {
                        Ok(lost) => KeeperReply::Ended { remarks, lost },
                        Err(failure) => KeeperReply::Failed(failure),
                    }
                }
                KeeperRequest::Launch { instance, blueprint } => {
                    match self.launch(instance, blueprint, &fds) {
                        Ok(pid) => KeeperReply::Launched { pid },
                        Err(failure) => KeeperReply::Failed(failure),
                    }
                }
                KeeperRequest::Open(_) | KeeperRequest::Mapped => {
                    KeeperReply::Failed(Failure::new("open the sandbox", "it is open already"))
                }
            };
            drop(fds);
            let fds: Vec<BorrowedFd<'_>> = socket.iter().map(AsFd::as_fd).collect();
            if channel.send(&reply, &fds).is_err() {
                break;
            }
        }
        0
    }

    fn connect(&self, request: &KeeperRequest) -> io::Result<(KeeperReply, Vec<OwnedFd>)> {
        let network = self.network.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        network.birth.send(request, &[])?;
        network.birth.receive()
    }

    fn launch(&mut self, instance: u32, blueprint: Box<Blueprint>, fds: &[OwnedFd]) -> Result<i32, Failure> {
        let action = format!("start the container of {}", blueprint.service);
        let Tree::Image { id, tree, in_memory } = &blueprint.tree else {
            return Err(Failure::new(action, "it has no image of the engine"));
        };
        let network = match &self.network {
            Some(network) => format!("container:{}", network.container),
            None => return Err(Failure::new(action, "the sandbox has no network")),
        };
        let stage = self.house.disk().join(format!("stage-{instance}"));
        fs::create_dir(&stage).doing(|| action.clone())?;
        let site = Site {
            changes: stage.join("changes"),
            stage,
            volumes: self.volumes(),
            hidden: Vec::new(),
            single_user: false,
            house: None,
        };
        let directories = prepare_volumes(&blueprint, &site, tree.as_deref())?;
        let room = Room { directories, in_memory: in_memory.clone() };
        let occupied = self.occupy(id, &network, room, &blueprint.restrictions)?;
        let birth = self.instances.entry(instance).insert_entry(occupied);
        let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
        let pid = birth.get().first_process;
        birth.get().birth.send(&Errand::Init(blueprint), &fds).doing(|| action)?;
        Ok(pid)
    }

    /// Starts a container and waits until it is at the door.
    fn occupy(
        &mut self,
        image: &str,
        network: &str,
        room: Room,
        restrictions: &Restrictions,
    ) -> Result<Occupied, Failure> {
        let doing = || "start a container".to_owned();
        let Room { mut directories, in_memory } = room;
        let door = self.house.memory().join(format!("door-{}", self.doors));
        self.doors += 1;
        fs::create_dir(&door).doing(doing)?;
        let listener = UnixListener::bind(door.join(inside::SOCKET)).doing(doing)?;
        directories.push((door.clone(), inside::DOOR.to_owned()));
        for (path, _) in &mut directories {
            *path = self.shown(path)?;
        }
        let mut memory = vec![(init::MEMORY.to_owned(), MODE_OF_MEMORY)];
        memory.extend(in_memory.into_iter().map(|folder| (folder, MODE_OF_FOLDERS)));
        let container = self
            .client
            .create(&Container {
                owner: &self.lease.owner,
                keeper: &self.own_name,
                image,
                network,
                program: &self.shown(&self.program)?,
                command: [inside::PROGRAM, inside::ARGUMENT],
                memory: &memory,
                directories: &directories,
                machine: self.lease.machine,
                restrictions,
            })
            .doing(doing)?;
        let arrived = self.client.start(&container).and_then(|()| answer_door(&listener));
        let shut = fs::remove_dir_all(&door);
        match arrived.and_then(|birth| shut.map(|()| birth)) {
            Ok((birth, first_process)) => Ok(Occupied { container, birth, first_process }),
            Err(error) => {
                let _ = self.client.remove(&[container]); // why it failed is what is being told
                Err(error).doing(doing)
            }
        }
    }

    /// What the engine calls `path`.
    fn shown(&self, path: &Path) -> Result<PathBuf, Failure> {
        self.lease.view.of(path).ok_or_else(|| {
            Failure::new("start a container", format!("the engine does not see {}", path.display()))
        })
    }

    /// Waits for the end of an init that was hung up on, and tells whether somebody else ended it.
    fn end(&mut self, instance: u32, remarks: &mut Vec<String>) -> Result<bool, Failure> {
        let Some(occupied) = self.instances.remove(&instance) else { return Ok(false) };
        let lost = !says_farewell(&occupied.birth);
        let taken = self.take_away(&[occupied.container], remarks);
        let stage = self.house.disk().join(format!("stage-{instance}"));
        if let Err(error) = remove(&stage) {
            remarks.push(format!("{} could not be removed: {error}", stage.display()));
        }
        taken.map(|()| lost)
    }

    /// Ends everything; how many inits somebody else had ended.
    fn close(&mut self) -> Result<(Vec<String>, usize), Failure> {
        let mut remarks = Vec::new();
        if std::mem::replace(&mut self.closed, true) {
            return Ok((remarks, 0));
        }
        let instances = std::mem::take(&mut self.instances);
        let lost = instances.values().filter(|occupied| !says_farewell(&occupied.birth)).count();
        let mut containers: Vec<String> =
            instances.into_values().map(|occupied| occupied.container).collect();
        let network = self.network.take();
        let lost = lost + usize::from(network.as_ref().is_some_and(|network| is_gone(&network.birth)));
        containers.extend(network.map(|occupied| occupied.container));
        let taken = self.take_away(&containers, &mut remarks);
        if let Err(error) = self.house.raze() {
            remarks.push(format!("something is left behind on the machine: {error}"));
        }
        taken.map(|()| (remarks, lost))
    }

    /// Takes containers away, and sees that they are gone. Of an engine that refuses nobody can say since when it has not
    /// been what it was.
    fn take_away(&self, containers: &[String], remarks: &mut Vec<String>) -> Result<(), Failure> {
        let going = self.client.remove(containers).doing(|| "take the containers away".to_owned())?;
        let stays = |container| format!("the engine does not take the container {container} away");
        remarks.extend(going.into_iter().map(stays));
        Ok(())
    }
}

fn failed(action: &str, error: &io::Error) -> KeeperReply {
    KeeperReply::Failed(Failure::new(action, error.to_string()))
}

/// Whoever comes, and its process id.
fn answer_door(listener: &UnixListener) -> io::Result<(Channel, i32)> {
    if poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&ARRIVAL))? == 0 {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "its first process did not answer"));
    }
    let (socket, _) = listener.accept()?;
    let peer = rustix::net::sockopt::socket_peercred(&socket)?;
    Ok((Channel::from(OwnedFd::from(socket)), peer.pid.as_raw_nonzero().get()))
}

fn says_farewell(birth: &Channel) -> bool {
    let heard = birth.set_patience(Some(FAREWELL)).and_then(|()| birth.receive::<Farewell>());
    heard.is_ok_and(|(farewell, _)| farewell.code == 0)
}

/// Whether a first process that never speaks unasked has ended.
fn is_gone(birth: &Channel) -> bool {
    poll(&mut [PollFd::new(birth, PollFlags::IN)], Some(&Timespec::default())) != Ok(0)
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
