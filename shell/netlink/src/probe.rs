//! Asks a network, once, whether somebody else has an address (RFC 5227, with one probe and a short wait).

use crate::frame::{Arp, Mac, arp_probe, parse_arp};
use crate::interface::Interface;
use crate::packet::{Listen, Packets};
use phalanx_host::now;
use phalanx_types::Span;
use std::io;
use std::net::Ipv4Addr;

/// What the network said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nobody has it, or nobody said so in time.
    Free,
    /// The one with this hardware address has it, or is about to take it.
    Taken(Mac),
}

/// Asks on `interface` who has `address`, and waits `patience` for an answer. An interface that is no Ethernet has
/// nobody to ask.
pub fn probe(interface: &Interface, address: Ipv4Addr, patience: Span) -> io::Result<Answer> {
    let Some(mac) = interface.mac else { return Ok(Answer::Free) };
    let deadline = now() + patience;
    let packets = Packets::open(interface.index, Listen::Arp)?;
    packets.send(&arp_probe(mac, address))?;
    while let Some(frame) = packets.receive(deadline)? {
        if let Some(arp) = parse_arp(&frame).filter(|arp| contests(arp, mac, address)) {
            return Ok(Answer::Taken(arp.sender));
        }
    }
    Ok(Answer::Free)
}

/// Whether `arp` comes from another who has `address`, or who probes for it as we do.
fn contests(arp: &Arp, mac: Mac, address: Ipv4Addr) -> bool {
    let has = arp.source == address;
    let wants = arp.source.is_unspecified() && arp.target == address;
    arp.sender != mac && (has || wants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_others_that_have_or_want_it_contest_it() {
        let (ada, bob) = (Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]));
        let [shop, other, none] = ["10.11.0.100", "10.11.0.7", "0.0.0.0"].map(|text| text.parse().unwrap());
        let check = |sender, source, target, expected| {
            let arp = Arp { sender, source, target };
            assert_eq!(contests(&arp, ada, shop), expected, "{arp:?}");
        };
        check(bob, shop, other, true);
        check(bob, none, shop, true);
        check(bob, other, shop, false);
        check(ada, none, shop, false);
        check(bob, none, other, false);
    }
}
