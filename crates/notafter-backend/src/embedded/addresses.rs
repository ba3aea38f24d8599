//! Names and addresses inside a sandbox's network.

use crate::wire::Host;
use notafter_core::ServiceName;
use std::net::{IpAddr, Ipv4Addr};

/// An address of the loopback network for each service, from 127.0.1.1 on: services that listen on their own address
/// may share a port, and who connects can be told apart.
pub(super) fn assign(services: &[ServiceName], aliases: &[(ServiceName, ServiceName)]) -> Vec<Host> {
    let addresses = (1..=254).flat_map(|third| (1..=254).map(move |last| Ipv4Addr::new(127, 0, third, last)));
    let mut hosts: Vec<Host> =
        services.iter().cloned().zip(addresses).map(|(name, address)| Host { name, address }).collect();
    for (alias, service) in aliases {
        let known = hosts.iter().find(|host| host.name == *service).map(|host| host.address);
        hosts.extend(known.map(|address| Host { name: alias.clone(), address }));
    }
    hosts
}

/// The address of a host name: a service's, `localhost`, or an address itself.
pub(super) fn resolve(hosts: &[Host], name: &str) -> Option<IpAddr> {
    let service = hosts.iter().find(|host| host.name.as_str().eq_ignore_ascii_case(name));
    match service {
        Some(host) => Some(host.address.into()),
        None if name.eq_ignore_ascii_case("localhost") => Some(Ipv4Addr::LOCALHOST.into()),
        None => name.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_has_an_address_and_no_other_name_has_one() {
        let names: Vec<_> = (0..300).map(|n| ServiceName::new(format!("s{n}")).unwrap()).collect();
        let alias = ServiceName::new("front").unwrap();
        let hosts = assign(&names, &[(alias, names[1].clone())]);
        assert_eq!(hosts.len(), 301);
        assert_eq!(resolve(&hosts, "front"), resolve(&hosts, "s1"));
        assert_eq!(resolve(&hosts, "s0"), Some(Ipv4Addr::new(127, 0, 1, 1).into()));
        assert_eq!(resolve(&hosts, "S254"), Some(Ipv4Addr::new(127, 0, 2, 1).into()));
        assert_eq!(resolve(&hosts, "localhost"), Some(Ipv4Addr::LOCALHOST.into()));
        assert_eq!(resolve(&hosts, "192.0.2.1"), Some(Ipv4Addr::new(192, 0, 2, 1).into()));
        assert_eq!(resolve(&hosts, "example.org"), None);
    }
}
