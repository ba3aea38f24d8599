//! Who listens on the machine's network (proc_pid_net(5): tcp, tcp6). Without a network namespace a candidate that could
//! not listen would seem to answer where in truth its neighbour does.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Those that listened when it was asked.
#[derive(Debug)]
pub(super) struct Neighbours {
    /// The inode numbers of their sockets.
    sockets: BTreeSet<u64>,
    /// The ports of those that a service could reach at an address of the sandbox.
    ports: BTreeSet<u16>,
}

impl Neighbours {
    /// Takes down everyone.
    pub(super) fn look() -> io::Result<Self> {
        let found = listeners()?;
        let sockets = found.iter().map(|listener| listener.inode).collect();
        let near = |listener: &&Listener| {
            let ip = listener.address.ip().to_canonical();
            ip.is_unspecified() || ip.is_loopback()
        };
        let ports = found.iter().filter(near).map(|listener| listener.address.port()).collect();
        Ok(Self { sockets, ports })
    }

    /// What readers of a report must know of them: only the gate's own probes are kept from them.
    pub(super) fn remark(&self) -> Option<String> {
        let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
        (!ports.is_empty()).then(|| {
            format!(
                "the machine itself listened on port {} already: a service or command that connects there reaches the \
                 machine, where the service that should answer could not listen",
                ports.join(", ")
            )
        })
    }

    /// The one of them that a connection to `address` would reach, as a lower-case fragment.
    pub(super) fn at(&self, address: SocketAddr) -> io::Result<Option<String>> {
        let found = listeners()?;
        let mut reached: Vec<&Listener> = found.iter().filter(|it| it.would_take(address)).collect();
        // The kernel prefers the socket that names the address (inet_hashtables.c, compute_score).
        reached.sort_by_key(|listener| listener.address.ip().is_unspecified());
        Ok(reached.first().filter(|it| self.sockets.contains(&it.inode)).map(|listener| {
            let owner =
                owner(listener.inode).unwrap_or_else(|| "a process that cannot be looked at".to_owned());
            format!("{} is the machine's own: {owner} listened there before", listener.address)
        }))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Listener {
    address: SocketAddr,
    inode: u64,
}

impl Listener {
    fn would_take(&self, to: SocketAddr) -> bool {
        let own = self.address.ip().to_canonical();
        let same_family = own.is_ipv4() == to.is_ipv4() || self.address.is_ipv6();
        self.address.port() == to.port()
            && (own == to.ip() || (self.address.ip().is_unspecified() && same_family))
    }
}

fn listeners() -> io::Result<Vec<Listener>> {
    listeners_in("/proc/net")
}

/// The ports of everybody in the network namespace of the process `pid`.
pub(super) fn listening_beside(pid: i32) -> io::Result<BTreeSet<u16>> {
    let found = listeners_in(&format!("/proc/{pid}/net"))?;
    Ok(found.iter().map(|listener| listener.address.port()).collect())
}

fn listeners_in(tables: &str) -> io::Result<Vec<Listener>> {
    let mut found = parse(&fs::read_to_string(format!("{tables}/tcp"))?);
    // Absent where the machine has no IPv6.
    found.extend(parse(&fs::read_to_string(format!("{tables}/tcp6")).unwrap_or_default()));
    Ok(found)
}

/// The sockets in state 0A, LISTEN.
fn parse(table: &str) -> Vec<Listener> {
    let listener = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let (ip, port) = local.split_once(':')?;
        let address = SocketAddr::new(ip_of(ip)?, u16::from_str_radix(port, 16).ok()?);
        (*state == "0A").then_some(Listener { address, inode: inode.parse().ok()? })
    };
    table.lines().filter_map(listener).collect()
}

/// Words of the machine's byte order, as eight hexadecimal digits each.
fn ip_of(text: &str) -> Option<IpAddr> {
    let words: Vec<[u8; 4]> = text
        .as_bytes()
        .chunks(8)
        .map(|word| Some(u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?.to_ne_bytes()))
        .collect::<Option<_>>()?;
    match words.as_slice() {
        [word] => Some(Ipv4Addr::from(*word).into()),
        [_, _, _, _] => <[u8; 16]>::try_from(words.concat()).ok().map(|bytes| Ipv6Addr::from(bytes).into()),
        _ => None,
    }
}

/// The process that holds a socket, where it can be found.
fn owner(inode: u64) -> Option<String> {
    let wanted = format!("socket:[{inode}]");
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let mut fds = fs::read_dir(entry.path().join("fd")).ok()?.flatten();
        fds.find(|fd| fs::read_link(fd.path()).is_ok_and(|link| link.as_os_str() == wanted.as_str()))?;
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        Some(format!("{} (process {pid})", name.trim_end()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_neighbour_is_told_from_a_newcomer() {
        let old = TcpListener::bind("0.0.0.0:0").unwrap();
        let neighbours = Neighbours::look().unwrap();
        let new = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = old.local_addr().unwrap().port();
        assert!(neighbours.remark().unwrap().contains(&port.to_string()));
        let who = neighbours.at(SocketAddr::from(([127, 0, 1, 1], port))).unwrap().unwrap();
        assert!(who.contains(&format!("(process {})", std::process::id())), "{who}");
        assert_eq!(neighbours.at(new.local_addr().unwrap()).unwrap(), None);
        drop(old);
        assert_eq!(neighbours.at(SocketAddr::from(([127, 0, 1, 1], port))).unwrap(), None);
    }

    #[test]
    fn tables_are_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0101007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1 0 100\n\
             1: 0100007F:1F91 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 78 1 0 100\n\
             2: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 79\nx\n";
        let found = parse(table);
        assert_eq!(found.len(), 2);
        if cfg!(target_endian = "little") {
            assert_eq!(found[0].address, "127.0.1.1:8080".parse().unwrap());
        }
        assert!(found[1].would_take("127.0.1.1:80".parse().unwrap()));
        assert!(!found[0].would_take("127.0.1.2:8080".parse().unwrap()));
    }
}
