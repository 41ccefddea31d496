//! Interfaces and the addresses they hold, as the kernel's messages tell them.

use crate::frame::Mac;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use phalanx_model::Address;
use std::net::IpAddr;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's number for it.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its hardware address; `None` on one that is no Ethernet.
    pub mac: Option<Mac>,
    /// Whether it is up and has a carrier.
    pub carrier: bool,
}

/// An address that an interface holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The kernel's number for the interface.
    pub interface: u32,
    /// The address.
    pub address: Address,
}

impl Interface {
    pub(crate) fn of(message: &LinkMessage) -> Interface {
        let name = message.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.clone()),
            // Of the kernel's many attributes these two are read.
            _ => None,
        });
        let mac = message.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::Address(bytes) => <[u8; 6]>::try_from(bytes.as_slice()).ok(),
            _ => None,
        });
        Interface {
            index: message.header.index,
            name: name.unwrap_or_default(),
            mac: mac.filter(|mac| *mac != [0; 6]).map(Mac),
            carrier: message.header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
        }
    }
}

impl Held {
    pub(crate) fn of(message: &AddressMessage) -> Option<Held> {
        let find =
            |wanted: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(wanted);
        // On a point-to-point link the one attribute is the peer's address, the other is ours.
        let local = find(|attribute| match attribute {
            AddressAttribute::Local(address) => Some(*address),
            _ => None,
        });
        let any = find(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        });
        let address = Address { address: local.or(any)?, prefix: message.header.prefix_len };
        Some(Held { interface: message.header.index, address })
    }
}
