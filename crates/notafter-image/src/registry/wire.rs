//! Connections to servers, with patience that ends.

use super::failure::Failure;
use super::proxy::Proxy;
use super::url::{Scheme, Url, is_loopback};
use notafter_core::UnixTime;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// How long one address may take to be reached.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may send nothing.
const SILENCE_SECS: i64 = 30;
/// Addresses of one name that are tried.
const MOST_ADDRESSES: usize = 8;

/// An instant at which patience ends, on the host's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    clock: fn() -> UnixTime,
    end: UnixTime,
}

impl Deadline {
    pub(super) fn after(clock: fn() -> UnixTime, secs: i64) -> Self {
        Self { clock, end: clock().plus_secs(secs) }
    }

    /// How long may be waited for the next byte.
    fn patience(self) -> io::Result<Duration> {
        match self.end.secs_since((self.clock)()) {
            left @ 1.. => Ok(Duration::from_secs(left.min(SILENCE_SECS).unsigned_abs())),
            _ => Err(io::Error::new(io::ErrorKind::TimedOut, "it takes too long")),
        }
    }
}

/// Something that can be read and written.
pub(super) trait Wire: Read + Write {}

impl<T: Read + Write> Wire for T {}

/// How a server is reached.
#[derive(Debug)]
pub(super) struct Route<'a> {
    /// With the server itself.
    pub(super) tls: Arc<ClientConfig>,
    /// By way of whom, and TLS for those who want it.
    pub(super) proxy: Option<(&'a Proxy, Arc<ClientConfig>)>,
    pub(super) deadline: Deadline,
}

/// A connection to the server of `url`. Plain ones lead to loopback addresses alone, whatever the name stands for.
pub(super) fn connect(url: &Url, route: &Route<'_>) -> Result<Box<dyn Wire>, Failure> {
    let failed = |source| Failure::Io { action: format!("connect to {url}"), source };
    let resolved = |url: &Url| -> io::Result<Vec<SocketAddr>> {
        Ok((url.host.as_str(), url.port).to_socket_addrs()?.take(MOST_ADDRESSES).collect())
    };
    let wire: Box<dyn Wire> = match &route.proxy {
        None => {
            let mut addresses = resolved(url).map_err(failed)?;
            if url.scheme == Scheme::Http {
                addresses.retain(|address| address.ip().is_loopback());
                if addresses.is_empty() || !is_loopback(&url.host) {
                    return Err(Failure::Plain { server: url.to_string() });
                }
            }
            Box::new(reach(&addresses, route.deadline).map_err(failed)?)
        }
        // The name of the server is the proxy's to resolve.
        Some((proxy, tls)) => {
            let failed = |source| Failure::Io { action: format!("connect to {proxy}"), source };
            let addresses = resolved(&proxy.url).map_err(failed)?;
            let wire = Box::new(reach(&addresses, route.deadline).map_err(failed)?);
            let mut wire = match proxy.url.scheme {
                Scheme::Http => wire,
                Scheme::Https => secured(wire, tls, &proxy.url.host).map_err(failed)?,
            };
            proxy.open(wire.as_mut(), url)?;
            wire
        }
    };
    match url.scheme {
        Scheme::Http => Ok(wire),
        Scheme::Https => secured(wire, &route.tls, &url.host).map_err(failed),
    }
}

/// The first of these addresses that answers.
fn reach(addresses: &[SocketAddr], deadline: Deadline) -> io::Result<Timed> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(address, CONNECT.min(deadline.patience()?)) {
            Ok(stream) => return Ok(Timed { stream, deadline }),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// TLS with `host` over `wire`.
fn secured(wire: Box<dyn Wire>, tls: &Arc<ClientConfig>, host: &str) -> io::Result<Box<dyn Wire>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let client = ClientConnection::new(Arc::clone(tls), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(client, wire);
    // Whose certificate does not hold hears nothing of what is asked.
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(Box::new(stream))
}

/// A connection that is read and written until its deadline.
#[derive(Debug)]
struct Timed {
    stream: TcpStream,
    deadline: Deadline,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.deadline.patience()?))?;
        self.stream.read(buffer).map_err(in_time)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.deadline.patience()?))?;
        self.stream.write(bytes).map_err(in_time)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn in_time(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
        }
        _ => error,
    }
}
