//! Connections to servers, with patience that ends.

use super::failure::Failure;
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

/// A connection to the server of `url`. Plain ones lead to loopback addresses alone, whatever the name stands for.
pub(super) fn connect(
    url: &Url,
    tls: &Arc<ClientConfig>,
    deadline: Deadline,
) -> Result<Box<dyn Wire>, Failure> {
    let failed = |source| Failure::Io { action: format!("connect to {url}"), source };
    let addresses = (url.host.as_str(), url.port).to_socket_addrs().map_err(failed)?;
    let mut addresses: Vec<SocketAddr> = addresses.take(MOST_ADDRESSES).collect();
    if url.scheme == Scheme::Http {
        addresses.retain(|address| address.ip().is_loopback());
        if addresses.is_empty() || !is_loopback(&url.host) {
            return Err(Failure::Plain { server: url.to_string() });
        }
    }
    let mut last = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    let mut stream = None;
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT.min(deadline.patience().map_err(failed)?)) {
            Ok(connected) => {
                stream = Some(connected);
                break;
            }
            Err(error) => last = error,
        }
    }
    let stream = Timed { stream: stream.ok_or_else(|| failed(last))?, deadline };
    if url.scheme == Scheme::Http {
        return Ok(Box::new(stream));
    }
    let name = ServerName::try_from(url.host.clone()).map_err(|error| failed(io::Error::other(error)))?;
    let client =
        ClientConnection::new(Arc::clone(tls), name).map_err(|error| failed(io::Error::other(error)))?;
    let mut stream = StreamOwned::new(client, stream);
    // Whose certificate does not hold hears nothing of what is asked.
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(failed)?;
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
