//! The first process of a container: it hears from its keeper, through a door that the keeper shuts at once, what it
//! is there for.

use super::connect::connect;
use crate::HostClock;
use crate::init::{self, Birth, Site};
use crate::wire::{
    Attempt, Blueprint, Channel, Errand, Failure, Farewell, Host, KeeperReply, KeeperRequest, Luggage,
};
use notafter_sys::fork;
use std::fs;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// The hidden first argument by which the binary knows that it is the first process of a container.
pub(super) const ARGUMENT: &str = "__container";
/// Where a container has this program, in its memory.
pub(super) const PROGRAM: &str = "/.notafter/notafter";
/// Where the keeper's door appears, and the socket in it.
pub(super) const DOOR: &str = "/.notafter/door";
pub(super) const SOCKET: &str = "birth";

/// Addresses of the world that nobody may reach; RFC 5737 and RFC 3849 keep them for documentation, and routes out lead
/// to them as to any other.
const OF_THE_WORLD: [&str; 2] = ["192.0.2.1:9", "[2001:db8::1]:9"];

/// Does what the keeper wants, until the keeper is gone; returns the exit code.
pub(super) fn live(host_clock: HostClock) -> i32 {
    let born = || -> io::Result<(Channel, Errand, Vec<OwnedFd>)> {
        fork::keep_descriptors_from_programs()?;
        let socket = UnixStream::connect(PathBuf::from(DOOR).join(SOCKET))?;
        let channel = Channel::from(OwnedFd::from(socket));
        let (errand, fds) = channel.receive()?;
        Ok((channel, errand, fds))
    };
    match born() {
        Ok((channel, Errand::Init(blueprint), fds)) => be_init(&channel, *blueprint, fds, host_clock),
        Ok((channel, Errand::Network { hosts }, _)) => hold_network(&channel, &hosts),
        Err(_) => 125,
    }
}

fn be_init(channel: &Channel, blueprint: Blueprint, fds: Vec<OwnedFd>, host_clock: HostClock) -> i32 {
    let (Some(luggage), Ok(keeper_lives)) =
        (Luggage::unpacked(fds, blueprint.groups), channel.as_fd().try_clone_to_owned())
    else {
        return 125;
    };
    let nowhere = PathBuf::from("/nonexistent");
    let site = Site {
        stage: nowhere.clone(),
        changes: nowhere.clone(),
        volumes: nowhere,
        hidden: Vec::new(),
        single_user: false,
        house: None,
    };
    let code = init::run(Birth { blueprint, site, luggage, keeper_lives, host_clock });
    // Whoever kills an init, the keeper sees that it did not say this.
    let _ = channel.send(&Farewell { code }, &[]);
    code
}

/// Opens connections in the network of the sandbox, which leads nowhere.
fn hold_network(channel: &Channel, hosts: &[Host]) -> i32 {
    let first = match (way_out(), name_hosts(hosts)) {
        (None, Ok(())) => KeeperReply::Ready { remarks: Vec::new() },
        (None, Err(failure)) => KeeperReply::Failed(failure),
        (Some(way), _) => KeeperReply::Failed(Failure::new(
            "shut the network of the sandbox",
            format!("there is a way out of the container: {way} can be reached"),
        )),
    };
    if channel.send(&first, &[]).is_err() {
        return 125;
    }
    while let Ok((KeeperRequest::Connect { from, to, within }, _)) = channel.receive::<KeeperRequest>() {
        let (reply, socket) = match connect(from, to, within) {
            Ok(socket) => (KeeperReply::Connected, Some(socket)),
            Err(reason) => (KeeperReply::NotConnected(reason), None),
        };
        let fds: Vec<BorrowedFd<'_>> = socket.iter().map(AsFd::as_fd).collect();
        if channel.send(&reply, &fds).is_err() {
            break;
        }
    }
    0
}

/// The containers that share the network share these files as well, and may not write to them where their root tree is
/// read-only. The engine has mounted them, so they are written in place.
fn name_hosts(hosts: &[Host]) -> Result<(), Failure> {
    for (path, text) in [("/etc/hosts", init::hosts_file(hosts)), ("/etc/resolv.conf", String::new())] {
        fs::write(path, text).doing(|| format!("write {path}"))?;
    }
    Ok(())
}

/// An address of the world to which a route leads. Nothing is sent: to connect a UDP socket only looks for the route.
fn way_out() -> Option<&'static str> {
    OF_THE_WORLD.into_iter().find(|address| {
        let own = if address.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
        UdpSocket::bind(own).and_then(|socket| socket.connect(address)).is_ok()
    })
}
