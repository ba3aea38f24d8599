//! The TCP connections of a network namespace, as the kernel tells of them (sock_diag(7)).
//!
//! Asking for all of them walks through the table of the whole machine, a millisecond where it is large. So it is done
//! only where one may have been opened since the last time; else the known ones are asked for, each by its addresses.

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags};
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use std::io;

/// More are asked for all at once.
const MAX_ONE_BY_ONE: usize = 64;
/// The counters of this network namespace (proc_net_snmp: RFC 1213, tcpActiveOpens and tcpPassiveOpens).
const COUNTERS: &str = "/proc/thread-self/net/snmp";

/// Those that may have bytes to send, or will without being counted again.
const STATES: StateFlags = StateFlags::ESTABLISHED
    .union(StateFlags::SYN_SENT)
    .union(StateFlags::SYN_RECV)
    .union(StateFlags::CLOSE_WAIT)
    .union(StateFlags::FIN_WAIT1)
    .union(StateFlags::CLOSING)
    .union(StateFlags::LAST_ACK);

/// What is known of the connections of a network namespace.
#[derive(Debug, Default)]
pub(super) struct Connections {
    socket: Option<Socket>,
    /// Those that were there when `opened` was counted, but for what has gone since.
    known: Vec<(u8, SocketId)>,
    /// How many were opened before those were listed; none where they have to be listed anew.
    opened: Option<u64>,
    /// How many were opened by the look before.
    counted: Option<u64>,
}

impl Connections {
    /// The connections of [`STATES`].
    ///
    /// # Errors
    /// Where the kernel does not say (tcp_diag may be lacking). It is asked anew the next time.
    pub(super) fn look(&mut self) -> io::Result<Vec<InetResponse>> {
        let found = self.ask();
        if found.is_err() {
            // What is left of its answer must not be taken for the next one.
            *self = Self::default();
        }
        found
    }

    fn ask(&mut self) -> io::Result<Vec<InetResponse>> {
        // Counted before they are listed: what comes in between is listed the next time.
        let opened = std::fs::read_to_string(COUNTERS).ok().and_then(|text| opened_in(&text));
        let are_known = opened.is_some() && opened == self.opened && self.known.len() <= MAX_ONE_BY_ONE;
        let found = if are_known { self.known_ones()? } else { self.all()? };
        self.known = found.iter().map(|it| (it.header.family, it.header.socket_id.clone())).collect();
        // The kernel counts one that comes in a moment before it can be listed: what was just counted is listed once more.
        self.opened = opened.filter(|_| opened == self.counted);
        self.counted = opened;
        Ok(found)
    }

    fn known_ones(&mut self) -> io::Result<Vec<InetResponse>> {
        let known = std::mem::take(&mut self.known);
        let mut found = Vec::new();
        for (family, id) in known {
            let socket = self.socket()?;
            socket.send(&request(family, id, NLM_F_REQUEST), 0)?;
            let answer = take(&socket.recv_from_full()?.0, &mut found);
            match answer {
                Ok(_) => {}
                // It has gone, and another may have its addresses.
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESTALE)) => {}
                Err(error) => return Err(error),
            }
        }
        // The kernel looks at their states only where all are asked for.
        found.retain(|it| STATES.bits() >> it.header.state & 1 == 1);
        Ok(found)
    }

    fn all(&mut self) -> io::Result<Vec<InetResponse>> {
        let mut found = Vec::new();
        for (family, any) in [(AF_INET, SocketId::new_v4()), (AF_INET6, SocketId::new_v6())] {
            let socket = self.socket()?;
            socket.send(&request(family, any, NLM_F_REQUEST | NLM_F_DUMP), 0)?;
            while !take(&socket.recv_from_full()?.0, &mut found)? {}
        }
        Ok(found)
    }

    fn socket(&mut self) -> io::Result<&Socket> {
        match &mut self.socket {
            Some(socket) => Ok(socket),
            none => Ok(none.insert(Socket::new(NETLINK_SOCK_DIAG)?)),
        }
    }
}

/// How many connections were ever opened from here and to here.
fn opened_in(counters: &str) -> Option<u64> {
    let mut lines = counters.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, values) = (lines.next()?, lines.next()?);
    let value = |wanted: &str| {
        let mut pairs = names.split(' ').zip(values.split(' '));
        pairs.find(|(name, _)| *name == wanted)?.1.parse::<u64>().ok()
    };
    Some(value("ActiveOpens")?.wrapping_add(value("PassiveOpens")?))
}

/// Asks for the connection that `socket_id` names, or for all of [`STATES`].
fn request(family: u8, socket_id: SocketId, flags: u16) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    let request = InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO,
        states: STATES,
        socket_id,
    };
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// Takes what one datagram tells; whether it was the last.
fn take(mut datagram: &[u8], found: &mut Vec<InetResponse>) -> io::Result<bool> {
    while !datagram.is_empty() {
        let message = NetlinkMessage::<SockDiagMessage>::deserialize(datagram)
            .map_err(|error| io::Error::other(error.to_string()))?;
        let length = usize::try_from(message.header.length).unwrap_or(usize::MAX);
        match message.payload {
            NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(connection)) => {
                found.push(*connection)
            }
            NetlinkPayload::Done(_) => return Ok(true),
            NetlinkPayload::Error(error) => return Err(error.to_io()),
            _ => {}
        }
        // Messages begin at multiples of four bytes (netlink(7)).
        datagram = datagram.get(length.next_multiple_of(4).max(4)..).unwrap_or_default();
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn connections_come_and_go_whether_they_are_listed_or_asked_for() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let mut connections = Connections::default();
            let own = listener.local_addr().unwrap().port();
            let mut ends = |before_look: &dyn Fn(&mut Connections)| {
                before_look(&mut connections);
                let found = connections.look().unwrap();
                let ids = found.iter().map(|it| &it.header.socket_id);
                ids.filter(|id| id.source_port == own || id.destination_port == own).count()
            };
            assert_eq!(ends(&|_| {}), 0);
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let server = listener.accept().unwrap();
            assert_eq!(ends(&|_| {}), 2, "{address}");
            // Other tests open connections meanwhile; as if none had.
            let as_counted = |connections: &mut Connections| {
                let counters = std::fs::read_to_string(COUNTERS).unwrap();
                connections.opened = opened_in(&counters);
                connections.counted = connections.opened;
                assert!(connections.opened.is_some());
            };
            assert_eq!(ends(&as_counted), 2, "{address}");
            drop(server);
            drop(client);
            let is_gone = (0..500).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(2));
                ends(&as_counted) == 0
            });
            assert!(is_gone, "{address}");
        }
    }

    #[test]
    fn a_kernel_that_does_not_answer_is_asked_anew() {
        let deaf = Socket::new(netlink_sys::protocols::NETLINK_USERSOCK).unwrap();
        let mut connections = Connections { socket: Some(deaf), ..Connections::default() };
        assert!(connections.look().is_err());
        assert!(connections.look().is_ok());
    }

    #[test]
    fn a_datagram_that_ends_within_a_message_is_an_error() {
        let whole = request(AF_INET, SocketId::new_v4(), NLM_F_REQUEST);
        for length in 1..whole.len() {
            assert!(take(&whole[..length], &mut Vec::new()).is_err(), "{length}");
        }
    }

    #[test]
    fn what_was_just_counted_is_listed_once_more() {
        let mut connections = Connections::default();
        connections.look().unwrap();
        assert_eq!(connections.opened, None, "nothing was counted before");
        let settled = (0..100).any(|_| {
            connections.look().unwrap();
            connections.opened.is_some()
        });
        assert!(settled, "it is listed for ever");
    }

    #[test]
    fn what_was_opened_is_counted_by_the_names_of_the_columns() {
        let counters = "Ip: Forwarding\nIp: 1\nTcp: RtoMin ActiveOpens PassiveOpens X\nTcp: 200 19 2 7\nUdp: A\nUdp: 1\n";
        assert_eq!(opened_in(counters), Some(21));
        assert_eq!(opened_in("Tcp: RtoMin\nTcp: 200\n"), None);
        assert_eq!(opened_in(""), None);
    }
}
