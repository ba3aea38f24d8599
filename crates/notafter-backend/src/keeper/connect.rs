//! Connections from inside the sandbox's network, for use outside.

use crate::wire::{LONGEST, NoConnection};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::time::Timespec;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Connects to `to`, from the address `from` where one is given.
pub(super) fn connect(
    from: Option<IpAddr>,
    to: SocketAddr,
    within: Duration,
) -> Result<OwnedFd, NoConnection> {
    let other = |errno: Errno| NoConnection::Other(words(errno));
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None).map_err(other)?;
    if let Some(from) = from.filter(|from| from.is_ipv4() == to.is_ipv4()) {
        rustix::net::bind(&socket, &SocketAddr::new(from, 0)).map_err(other)?;
    }
    match rustix::net::connect(&socket, &to) {
        Ok(()) => return Ok(socket),
        Err(Errno::INPROGRESS) => {}
        Err(errno) => return Err(refusal(errno)),
    }
    let timeout = Timespec::try_from(within.min(LONGEST)).map_err(|_| NoConnection::TimedOut)?;
    let ready = loop {
        match poll(&mut [PollFd::new(&socket, PollFlags::OUT)], Some(&timeout)) {
            Err(Errno::INTR) => {} // no handler is installed here: only a stop and a continue can do this
            outcome => break outcome.map_err(other)?,
        }
    };
    if ready == 0 {
        return Err(NoConnection::TimedOut);
    }
    match rustix::net::sockopt::socket_error(&socket).map_err(other)? {
        Ok(()) => Ok(socket),
        Err(errno) => Err(refusal(errno)),
    }
}

fn refusal(errno: Errno) -> NoConnection {
    match errno {
        Errno::CONNREFUSED => NoConnection::Refused,
        Errno::TIMEDOUT => NoConnection::TimedOut,
        errno => NoConnection::Other(words(errno)),
    }
}

fn words(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
