//! Sockets of other processes: the limits that they put on waits (SO_RCVTIMEO and SO_SNDTIMEO, socket(7)).

use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::sockopt::{self, Timeout};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// What a wait at a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Data or connections that come in.
    Receive,
    /// Room for data that goes out, or a connection that is made.
    Send,
}

/// What a socket speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IP, of either version.
    Internet,
    /// Anything else.
    Other,
}

/// The limit on waits at a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How long a call waits at most, in real time where the kernel measures it.
    pub length: Duration,
    /// What the socket speaks.
    pub family: Family,
}

/// The limit on waits at descriptor `fd` of process `pid`; none where it is no socket, has none, or is gone.
///
/// # Errors
/// `EPERM` where access is refused (pidfd_getfd(2)).
pub fn limit(pid: i32, fd: i32, direction: Direction) -> io::Result<Option<Limit>> {
    match limit_of(pid, fd, direction) {
        Ok(limit) => Ok(limit),
        Err(Errno::BADF | Errno::NOTSOCK | Errno::SRCH) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn limit_of(pid: i32, fd: i32, direction: Direction) -> rustix::io::Result<Option<Limit>> {
    let process = pidfd_open(Pid::from_raw(pid).ok_or(Errno::SRCH)?, PidfdFlags::empty())?;
    let socket: OwnedFd = pidfd_getfd(&process, fd, PidfdGetfdFlags::empty())?;
    let which = match direction {
        Direction::Receive => Timeout::Recv,
        Direction::Send => Timeout::Send,
    };
    let Some(length) = sockopt::socket_timeout(&socket, which)? else { return Ok(None) };
    let family = match sockopt::socket_domain(&socket)? {
        AddressFamily::INET | AddressFamily::INET6 => Family::Internet,
        _ => Family::Other,
    };
    Ok(Some(Limit { length, family }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_limit_is_read_from_outside() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let (socket, _other) = UnixStream::pair().unwrap();
        let length = Duration::from_secs(7);
        socket.set_read_timeout(Some(length)).unwrap();
        let fd = socket.as_raw_fd();
        let expected = Limit { length, family: Family::Other };
        assert_eq!(limit(pid, fd, Direction::Receive).unwrap(), Some(expected));
        assert_eq!(limit(pid, fd, Direction::Send).unwrap(), None);
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(limit(pid, file.as_raw_fd(), Direction::Receive).unwrap(), None);
        assert_eq!(limit(pid, 1 << 20, Direction::Receive).unwrap(), None);
    }
}
