//! Ethernet frames that ask for an address and that announce one. Pure: values in, bytes out and back.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

const BROADCAST: Mac = Mac([0xff; 6]);
/// Where frames to `ff02::1`, all nodes of a link, go.
const ALL_NODES: Mac = Mac([0x33, 0x33, 0, 0, 0, 1]);
const TYPE_ARP: [u8; 2] = [0x08, 0x06];
const TYPE_IPV6: [u8; 2] = [0x86, 0xdd];
/// Ethernet, IPv4, and how long addresses of the two are.
const ARP_KIND: [u8; 6] = [0, 1, 8, 0, 6, 4];
const ARP_REQUEST: [u8; 2] = [0, 1];
const ARP_BYTES: usize = 42;
const NEXT_ICMPV6: u8 = 58;
/// Neighbour discovery is refused unless no router has lowered this.
const HOPS: u8 = 255;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// What is advertised replaces what the neighbours know.
const OVERRIDE: u8 = 0x20;
const OPTION_TARGET_MAC: [u8; 2] = [2, 1];

/// What an ARP frame says of its sender, and whom it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// The sender's hardware address.
    pub sender: Mac,
    /// The sender's address; unspecified in a probe.
    pub source: Ipv4Addr,
    /// The address asked for or answered to.
    pub target: Ipv4Addr,
}

/// An ARP probe (RFC 5227): who has `target`? It gives no address of its own, so that nobody's memory changes.
pub fn arp_probe(sender: Mac, target: Ipv4Addr) -> [u8; ARP_BYTES] {
    arp(Arp { sender, source: Ipv4Addr::UNSPECIFIED, target })
}

/// A gratuitous ARP (RFC 5227, an announcement): `address` is here.
pub fn arp_announcement(sender: Mac, address: Ipv4Addr) -> [u8; ARP_BYTES] {
    arp(Arp { sender, source: address, target: address })
}

fn arp(arp: Arp) -> [u8; ARP_BYTES] {
    let mut frame = Frame::<ARP_BYTES>::new();
    frame.put(&BROADCAST.0).put(&arp.sender.0).put(&TYPE_ARP).put(&ARP_KIND).put(&ARP_REQUEST);
    frame.put(&arp.sender.0).put(&arp.source.octets()).put(&[0; 6]).put(&arp.target.octets());
    frame.whole()
}

/// What the ARP frame `bytes` says; `None` if it is none.
pub fn parse_arp(bytes: &[u8]) -> Option<Arp> {
    let is_arp = bytes.get(12..14)? == TYPE_ARP && bytes.get(14..20)? == ARP_KIND;
    let array4 = |at: usize| bytes.get(at..at + 4).and_then(|octets| <[u8; 4]>::try_from(octets).ok());
    let sender = Mac(bytes.get(22..28)?.try_into().ok()?);
    is_arp.then_some(Arp { sender, source: array4(28)?.into(), target: array4(38)?.into() })
}

const ICMP_BYTES: usize = 32;
const ADVERTISEMENT_BYTES: usize = 14 + 40 + ICMP_BYTES;

/// An unsolicited neighbour advertisement (RFC 4861, 7.2.6): `address` is here.
pub fn neighbour_advertisement(sender: Mac, address: Ipv6Addr) -> [u8; ADVERTISEMENT_BYTES] {
    let target = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let icmp = advertisement_message(sender, address, target);
    let mut frame = Frame::<ADVERTISEMENT_BYTES>::new();
    frame.put(&ALL_NODES.0).put(&sender.0).put(&TYPE_IPV6);
    frame.put(&[0x60, 0, 0, 0]).put(&[0, ICMP_BYTES as u8, NEXT_ICMPV6, HOPS]);
    frame.put(&address.octets()).put(&target.octets()).put(&icmp);
    frame.whole()
}

fn advertisement_message(sender: Mac, address: Ipv6Addr, target: Ipv6Addr) -> [u8; ICMP_BYTES] {
    let mut message = Frame::<ICMP_BYTES>::new();
    message.put(&[NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0]).put(&address.octets());
    message.put(&OPTION_TARGET_MAC).put(&sender.0);
    let mut message = message.whole();
    let pseudo = [0, 0, 0, ICMP_BYTES as u8, 0, 0, 0, NEXT_ICMPV6];
    let sum = checksum(&[&address.octets(), &target.octets(), &pseudo, &message]);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

const QUESTION_BYTES: usize = 24;
const SOLICITATION_BYTES: usize = 14 + 40 + QUESTION_BYTES;

/// A neighbour solicitation as duplicate address detection sends it (RFC 4862, 5.4.2): who has `target`? It gives no
/// address of its own, so that nobody's memory changes.
pub fn neighbour_probe(sender: Mac, target: Ipv6Addr) -> [u8; SOLICITATION_BYTES] {
    let [.., a, b, c] = target.octets();
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]));
    let mut message = Frame::<QUESTION_BYTES>::new();
    message.put(&[NEIGHBOUR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0]).put(&target.octets());
    let mut message = message.whole();
    let pseudo = [0, 0, 0, QUESTION_BYTES as u8, 0, 0, 0, NEXT_ICMPV6];
    let sum = checksum(&[&Ipv6Addr::UNSPECIFIED.octets(), &group.octets(), &pseudo, &message]);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut frame = Frame::<SOLICITATION_BYTES>::new();
    frame.put(&[0x33, 0x33, 0xff, a, b, c]).put(&sender.0).put(&TYPE_IPV6);
    frame.put(&[0x60, 0, 0, 0]).put(&[0, QUESTION_BYTES as u8, NEXT_ICMPV6, HOPS]);
    frame.put(&Ipv6Addr::UNSPECIFIED.octets()).put(&group.octets()).put(&message);
    frame.whole()
}

/// What a neighbour's frame says of an address: that its sender has it, or is about to take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The sender's hardware address.
    pub sender: Mac,
    /// The address it has or wants.
    pub address: Ipv6Addr,
}

/// Whose address the frame `bytes` tells, if it is an advertisement, or another host's probe.
pub fn parse_neighbour(bytes: &[u8]) -> Option<Neighbour> {
    let is_icmp = bytes.get(12..14)? == TYPE_IPV6 && bytes.get(20..22)? == [NEXT_ICMPV6, HOPS];
    let is_probe = bytes.get(22..38)? == Ipv6Addr::UNSPECIFIED.octets();
    let kind = *bytes.get(54)?;
    let tells = kind == NEIGHBOUR_ADVERTISEMENT || (kind == NEIGHBOUR_SOLICITATION && is_probe);
    let address = Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(62..78)?).ok()?);
    let sender = Mac(bytes.get(6..12)?.try_into().ok()?);
    (is_icmp && tells).then_some(Neighbour { sender, address })
}

/// The Internet checksum over parts of even length.
pub(crate) fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks_exact(2));
    let mut sum: u32 = words.map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Bytes put one after the other.
struct Frame<const N: usize> {
    bytes: [u8; N],
    used: usize,
}

impl<const N: usize> Frame<N> {
    fn new() -> Self {
        Frame { bytes: [0; N], used: 0 }
    }

    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes[self.used..self.used + bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
        self
    }

    fn whole(self) -> [u8; N] {
        assert_eq!(self.used, N, "a frame is filled to its end");
        self.bytes
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const SHOP: Ipv4Addr = Ipv4Addr::new(10, 11, 0, 100);

    #[test]
    fn arp_frames_are_read_back() {
        let probe = parse_arp(&arp_probe(ADA, SHOP)).unwrap();
        assert_eq!(probe, Arp { sender: ADA, source: Ipv4Addr::UNSPECIFIED, target: SHOP });
        let announcement = parse_arp(&arp_announcement(ADA, SHOP)).unwrap();
        assert_eq!(announcement, Arp { sender: ADA, source: SHOP, target: SHOP });
    }

    #[test]
    fn what_is_no_arp_is_none() {
        let frame = arp_probe(ADA, SHOP);
        for length in 0..ARP_BYTES {
            assert_eq!(parse_arp(&frame[..length]), None, "{length} bytes");
        }
        assert_eq!(parse_arp(&neighbour_advertisement(ADA, Ipv6Addr::LOCALHOST)), None);
    }

    #[test]
    fn neighbours_frames_are_read_back_and_others_are_none() {
        let shop = "fd00:11::1:100".parse().unwrap();
        let expected = Some(Neighbour { sender: ADA, address: shop });
        assert_eq!(parse_neighbour(&neighbour_advertisement(ADA, shop)), expected);
        let probe = neighbour_probe(ADA, shop);
        assert_eq!(parse_neighbour(&probe), expected);
        (0..probe.len())
            .for_each(|length| assert_eq!(parse_neighbour(&probe[..length]), None, "{length} bytes"));
        assert_eq!(parse_neighbour(&arp_probe(ADA, SHOP)), None);
        assert_eq!(probe[..6], [0x33, 0x33, 0xff, 1, 1, 0]);
        let pseudo = [0, 0, 0, 24, 0, 0, 0, NEXT_ICMPV6];
        assert_eq!(checksum(&[&probe[22..54], &pseudo, &probe[54..]]), 0);
    }

    #[test]
    fn an_advertisement_sums_to_nothing() {
        let frame = neighbour_advertisement(ADA, "fd00:11::100".parse().unwrap());
        let pseudo = [0, 0, 0, 32, 0, 0, 0, NEXT_ICMPV6];
        assert_eq!(checksum(&[&frame[22..54], &pseudo, &frame[54..]]), 0);
        assert_eq!(frame.len(), 86);
    }
}
