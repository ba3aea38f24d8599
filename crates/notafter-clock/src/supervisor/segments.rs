//! Bytes that connections hold back while both of their ends sleep.
//!
//! Nagle's algorithm keeps a small segment until the one before it is acknowledged (RFC 9293, section 3.7.4), and the other
//! end puts that off for 40 ms (delayed acknowledgements, section 3.8.6.3; `TCP_DELACK_MIN` in include/net/tcp.h). GnuTLS
//! meets both in every handshake of TLS 1.3. That is time of the kernel, which no motion shortens: a limit that is passed
//! over meanwhile was not met by the service's doing.

use super::connections::Connections;
use crate::nanos::Nanos;
use netlink_packet_sock_diag::inet::InetResponse;
use netlink_packet_sock_diag::inet::nlas::Nla;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// A connection whose bytes have not moved for so long, on the host's clock, has a peer that does not read. More than the
/// longest that an acknowledgement is put off (`TCP_DELACK_MAX`, 200 ms).
const STUCK: Duration = Duration::from_millis(300);

/// What is known of the connections of a network namespace.
#[derive(Debug, Default)]
pub(super) struct Segments {
    connections: Connections,
    /// By its cookie: how many bytes a connection holds back, and since when it is so many.
    held: BTreeMap<[u8; 8], (u32, Nanos)>,
}

impl Segments {
    /// Whether a connection within this machine holds bytes back that will move by themselves, at `now` of the kernel's
    /// CLOCK_MONOTONIC.
    ///
    /// # Errors
    /// Where the kernel does not say (tcp_diag may be lacking). It is asked anew the next time.
    pub(super) fn are_held_back(&mut self, now: Nanos) -> io::Result<bool> {
        let connections = self.connections.look()?;
        let known = std::mem::take(&mut self.held);
        let held = connections.iter().filter_map(|it| Some((it.header.socket_id.cookie, unsent(it)?)));
        self.held = held
            .map(|(cookie, bytes)| {
                let since = known.get(&cookie).filter(|known| known.0 == bytes).map_or(now, |known| known.1);
                (cookie, (bytes, since))
            })
            .collect();
        Ok(self.held.values().any(|(_, since)| (now - *since).to_duration() < STUCK))
    }
}

/// How many bytes a connection within this machine holds back, if any (`tcpi_notsent_bytes` of include/uapi/linux/tcp.h).
fn unsent(connection: &InetResponse) -> Option<u32> {
    let ends = &connection.header.socket_id;
    let is_here = |address: &IpAddr| address.to_canonical().is_loopback();
    if !is_here(&ends.source_address) || !is_here(&ends.destination_address) {
        return None;
    }
    let info =
        connection.nlas.iter().find_map(|nla| if let Nla::TcpInfo(info) = nla { Some(info) } else { None });
    info.map(|info| info.notsent_bytes).filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn what_a_peer_does_not_read_is_held_back_until_it_proves_stuck() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut writer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut reader, _) = listener.accept().unwrap();
        let port = writer.local_addr().unwrap().port();
        // Other connections of the machine come and go beside this one.
        let mut segments = Segments::default();
        let mut since = |now| {
            let held_back = segments.are_held_back(Nanos::from_secs(now)).unwrap();
            let connections = segments.connections.look().unwrap();
            let own = connections.iter().find(|it| it.header.socket_id.source_port == port).unwrap();
            let since = segments.held.get(&own.header.socket_id.cookie).map(|held| held.1);
            assert!(held_back || since.is_none_or(|since| since < Nanos::from_secs(now)));
            since
        };
        assert_eq!(since(0), None);

        writer.set_nonblocking(true).unwrap();
        let mut written = 0;
        while let Ok(more) = writer.write(&[0; 65536]) {
            written += more;
        }
        // The kernel still widens the window for a moment.
        let settled = (1..10_000).find(|now| {
            std::thread::sleep(Duration::from_millis(2));
            since(*now).unwrap() < Nanos::from_secs(*now)
        });
        assert!(settled.is_some(), "bytes that do not move look as if they did");

        reader.read_exact(&mut vec![0; written]).unwrap();
        assert_eq!(since(20_000), None);
    }
}
