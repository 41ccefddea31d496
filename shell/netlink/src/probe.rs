//! Asks a network, once, who has some addresses (RFC 5227 and RFC 4862, with one probe and a short wait).

use crate::frame::{Arp, Mac, arp_probe, neighbour_probe, parse_arp, parse_neighbour};
use crate::interface::Interface;
use crate::packet::{Listen, Packets};
use phalanx_host::now;
use phalanx_types::{Span, Tick};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;

/// Who else has which address, or is about to take it.
pub type Owners = BTreeMap<IpAddr, Mac>;

/// Asks on `interface` who has `addresses`, all of one family, and waits `patience` for answers, or until there is one for
/// each. What this host's own adapters say counts for nothing. An interface that is no Ethernet has nobody to ask.
pub fn ask(
    interface: &Interface,
    own: &BTreeSet<Mac>,
    addresses: &[IpAddr],
    patience: Span,
) -> io::Result<Owners> {
    let (Some(mac), Some(first)) = (interface.mac, addresses.first()) else { return Ok(Owners::new()) };
    let listen = if first.is_ipv4() { Listen::Arp } else { Listen::Ipv6 };
    let packets = Packets::open(interface.index, listen)?;
    let deadline = now() + patience;
    for address in addresses {
        match address {
            IpAddr::V4(address) => packets.send(&arp_probe(mac, *address))?,
            IpAddr::V6(address) => packets.send(&neighbour_probe(mac, *address))?,
        }
    }
    listen_until(&packets, deadline, own, addresses)
}

fn listen_until(
    packets: &Packets,
    deadline: Tick,
    own: &BTreeSet<Mac>,
    addresses: &[IpAddr],
) -> io::Result<Owners> {
    let mut owners = Owners::new();
    // A busy network never runs out of frames: the time is up whether or not there is another one.
    while owners.len() < addresses.len() && now() < deadline {
        let Some(frame) = packets.receive(deadline)? else { break };
        let told = told(&frame).filter(|(mac, address)| !own.contains(mac) && addresses.contains(address));
        owners.extend(told.map(|(mac, address)| (address, mac)));
    }
    Ok(owners)
}

/// Who has or wants which address, by a frame.
fn told(frame: &[u8]) -> Option<(Mac, IpAddr)> {
    let arp = parse_arp(frame).map(|Arp { sender, source, target }| {
        let address = if source.is_unspecified() { target } else { source };
        (sender, IpAddr::from(address))
    });
    arp.or_else(|| parse_neighbour(frame).map(|neighbour| (neighbour.sender, neighbour.address.into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{arp_announcement, neighbour_advertisement};
    use std::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn owners_and_those_who_ask_for_themselves_are_told() {
        let (bob, shop) = (Mac([2, 0, 0, 0, 0, 2]), Ipv4Addr::new(10, 11, 0, 100));
        assert_eq!(told(&arp_announcement(bob, shop)), Some((bob, shop.into())));
        assert_eq!(told(&arp_probe(bob, shop)), Some((bob, shop.into())));
        let shop: Ipv6Addr = "fd00:11::100".parse().unwrap();
        assert_eq!(told(&neighbour_advertisement(bob, shop)), Some((bob, shop.into())));
        assert_eq!(told(&neighbour_probe(bob, shop)), Some((bob, shop.into())));
        assert_eq!(told(&[0; 60]), None);
    }
}
