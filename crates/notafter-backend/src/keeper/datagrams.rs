//! Where answers to datagrams come from, in a network of the sandbox's own.
//!
//! The services' names are addresses of the loopback device, whose one route makes 127.0.0.1 the source of all that is
//! sent over it. A server that takes datagrams on every address answers from there then, and not from the address that
//! it was asked at, and whoever has connected its socket never sees the answer. In a network in which each host has an
//! address of its own that is the same address. So datagrams are routed by a table of their own, in which an address
//! of a service is the source of what is sent to it: whoever asks there has that address too, and is answered from it.
//! What speaks TCP comes from where it came before.

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, IpProtocol, RouteNetlinkMessage};
use netlink_sys::{Socket, protocols::NETLINK_ROUTE};
use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;

/// The table of datagrams: any that the kernel does not use itself (`include/uapi/linux/rtnetlink.h`).
const DATAGRAMS: u8 = 100;
/// The table of the machine's own addresses, RT_TABLE_LOCAL.
const LOCAL: u8 = 255;
/// What is asked for is not there yet.
const NEW: u16 = NLM_F_CREATE | NLM_F_EXCL;
/// The loopback device, the first of every network namespace.
const LOOPBACK: u32 = 1;

/// Routes datagrams to `addresses` in the network namespace of the calling thread, which is new and has its loopback
/// device up.
///
/// # Errors
/// Those of rtnetlink(7). Nothing is lost then: all is routed as it was.
pub(super) fn route(addresses: &BTreeSet<Ipv4Addr>) -> io::Result<()> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    for &address in addresses {
        ask(&socket, NEW, RouteNetlinkMessage::NewRoute(to(address)))?;
    }
    // The kernel's own rule for LOCAL is the first, and nothing can be put before it.
    let [first, second] = [0, 1];
    ask(&socket, NEW, RouteNetlinkMessage::NewRule(rule(second, LOCAL, None)))?;
    ask(&socket, NEW, RouteNetlinkMessage::NewRule(rule(first, DATAGRAMS, Some(IpProtocol::Udp))))?;
    ask(&socket, 0, RouteNetlinkMessage::DelRule(rule(first, LOCAL, None)))
}

/// `ip route add local ADDRESS/32 dev lo src ADDRESS table DATAGRAMS`.
fn to(address: Ipv4Addr) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.destination_prefix_length = 32;
    message.header.table = DATAGRAMS;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = RouteScope::Host;
    message.header.kind = RouteType::Local;
    message.attributes = vec![
        RouteAttribute::Destination(RouteAddress::Inet(address)),
        RouteAttribute::PrefSource(RouteAddress::Inet(address)),
        RouteAttribute::Oif(LOOPBACK),
    ];
    message
}

/// `ip rule add pref PRIORITY [ipproto PROTOCOL] lookup TABLE`.
fn rule(priority: u32, table: u8, protocol: Option<IpProtocol>) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.table = table;
    message.header.action = RuleAction::ToTable;
    message.attributes = vec![RuleAttribute::Priority(priority)];
    message.attributes.extend(protocol.map(RuleAttribute::IpProtocol));
    message
}

/// Sends one request, and takes what the kernel says to it.
fn ask(socket: &Socket, flags: u16, request: RouteNetlinkMessage) -> io::Result<()> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    let mut message = NetlinkMessage::new(header, request.into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer)
        .map_err(|error| io::Error::other(error.to_string()))?;
    match answer.payload {
        NetlinkPayload::Error(said) if said.code.is_none() => Ok(()),
        NetlinkPayload::Error(said) => Err(said.to_io()),
        _ => Err(io::Error::other("the kernel answers something else")),
    }
}
