//! Requests to the kernel, each answered before the next.
//!
//! Has a socket of its own: the kernel leaves out, on a socket that listens, the notices of what the same socket asked
//! for.

use crate::interface::{Held, Interface};
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use phalanx_model::{Address, Subnet};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// The kernel answers within microseconds; one that does not is reported.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// The kernel sends parts of at most 32 KiB.
const PART_BYTES_MAX: usize = 32 * 1024;
/// Parts of one answer; a host with more interfaces or addresses is told that it has too many.
const PARTS_MAX: usize = 1_024;
/// An address with this prefix or a longer one has no broadcast address.
const BROADCASTLESS_PREFIX: u8 = 31;

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetlinkError {
    /// The kernel refused, or did not answer.
    Refused {
        /// What was asked.
        what: String,
        /// What it said.
        errno: Errno,
    },
    /// The kernel's answer could not be understood.
    Garbled(String),
    /// No interface has an address of the subnet.
    NoInterface(Subnet),
}

/// A way to ask the kernel.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    /// Opens a way to the kernel's tables of the network namespace that the calling thread is in.
    pub fn open() -> Result<Netlink, NetlinkError> {
        let opened = || -> Result<OwnedFd, Errno> {
            let (family, kind) = (rustix::net::AddressFamily::NETLINK, SocketType::RAW);
            let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
            bind(&socket, &SocketAddrNetlink::new(0, 0))?;
            set_socket_timeout(&socket, Timeout::Recv, Some(ANSWER_MAX))?;
            Ok(socket)
        };
        let socket = opened().map_err(|errno| refused("open netlink", errno))?;
        Ok(Netlink { socket, sequence: 0 })
    }

    /// All interfaces.
    pub fn interfaces(&mut self) -> Result<Vec<Interface>, NetlinkError> {
        let answers =
            self.dump("list the interfaces", RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
        let interface = |message: &RouteNetlinkMessage| match message {
            RouteNetlinkMessage::NewLink(link) => Some(Interface::of(link)),
            // The kernel answers a question about links with links.
            _ => None,
        };
        Ok(answers.iter().filter_map(interface).collect())
    }

    /// All addresses on all interfaces.
    pub fn addresses(&mut self) -> Result<Vec<Held>, NetlinkError> {
        let question = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let answers = self.dump("list the addresses", question)?;
        let held = |message: &RouteNetlinkMessage| match message {
            RouteNetlinkMessage::NewAddress(address) => Held::of(address),
            // The kernel answers a question about addresses with addresses.
            _ => None,
        };
        Ok(answers.iter().filter_map(held).collect())
    }

    /// The interfaces that have an address of `subnet` other than a service address: those with a carrier first.
    pub fn interfaces_on(
        &mut self,
        subnet: Subnet,
        services: &BTreeSet<IpAddr>,
    ) -> Result<Vec<Interface>, NetlinkError> {
        let held = self.addresses()?;
        let mut interfaces = self.interfaces()?;
        interfaces.retain(|interface| is_on(interface, &held, subnet, services));
        interfaces.sort_by_key(|interface| (!interface.carrier, interface.index));
        match interfaces.is_empty() {
            true => Err(NetlinkError::NoInterface(subnet)),
            false => Ok(interfaces),
        }
    }

    /// Where `address` is, whatever its prefix there.
    pub fn holders(&mut self, address: IpAddr) -> Result<Vec<Held>, NetlinkError> {
        let mut held = self.addresses()?;
        held.retain(|one| one.address.address == address);
        Ok(held)
    }

    /// Which of `addresses` are on an interface that is plugged in, and on which.
    pub fn plugged<'a>(
        &mut self,
        addresses: impl Iterator<Item = &'a IpAddr>,
    ) -> Result<Vec<(Interface, IpAddr)>, NetlinkError> {
        let (held, interfaces) = (self.addresses()?, self.interfaces()?);
        let on = |interface: &&Interface, address: IpAddr| {
            let holds = |one: &Held| one.interface == interface.index && one.address.address == address;
            interface.carrier && held.iter().any(holds)
        };
        let places = |address: &IpAddr| {
            let address = *address;
            interfaces
                .iter()
                .filter(move |interface| on(interface, address))
                .map(move |one| (one.clone(), address))
        };
        Ok(addresses.flat_map(places).collect())
    }

    /// Puts `address` on an interface, without the kernel's own wait for duplicates. It may be there already.
    pub fn add(&mut self, interface: u32, address: Address) -> Result<(), NetlinkError> {
        let message = RouteNetlinkMessage::NewAddress(address_message(interface, address));
        match self.order(&format!("add {address}"), message, NLM_F_CREATE | NLM_F_EXCL) {
            Err(NetlinkError::Refused { errno: Errno::EXIST, .. }) => Ok(()),
            outcome => outcome,
        }
    }

    /// Takes `address` off an interface. It may be gone already, and the interface too.
    pub fn remove(&mut self, interface: u32, address: Address) -> Result<(), NetlinkError> {
        let message = RouteNetlinkMessage::DelAddress(address_message(interface, address));
        match self.order(&format!("remove {address}"), message, 0) {
            Err(NetlinkError::Refused { errno: Errno::ADDRNOTAVAIL | Errno::NODEV, .. }) => Ok(()),
            outcome => outcome,
        }
    }

    fn order(&mut self, what: &str, message: RouteNetlinkMessage, flags: u16) -> Result<(), NetlinkError> {
        self.ask(what, message, NLM_F_ACK | flags).map(drop)
    }

    fn dump(
        &mut self,
        what: &str,
        message: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        self.ask(what, message, NLM_F_DUMP)
    }

    fn ask(
        &mut self,
        what: &str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        (header.flags, header.sequence_number) = (NLM_F_REQUEST | flags, self.sequence);
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        send(&self.socket, &bytes, SendFlags::empty()).map_err(|errno| refused(what, errno))?;
        self.answer(what)
    }

    fn answer(&mut self, what: &str) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        let (mut answers, mut buffer) = (Vec::new(), vec![0; PART_BYTES_MAX]);
        for _ in 0..PARTS_MAX {
            let received = recv(&self.socket, buffer.as_mut_slice(), RecvFlags::empty());
            let (count, _) = received.map_err(|errno| refused(what, errno))?;
            for message in parse(&buffer[..count])? {
                // What is left of an earlier answer that was given up.
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                match message.payload {
                    NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                    NetlinkPayload::Done(_) => return Ok(answers),
                    NetlinkPayload::Error(error) => return acknowledged(what, error.raw_code(), answers),
                    // No-ops and overruns carry nothing, as does whatever a later kernel may add.
                    _ => {}
                }
            }
        }
        Err(NetlinkError::Garbled(format!("the answer to '{what}' has no end")))
    }
}

/// Whether an interface has an address of its own in `subnet`, by the addresses that are held.
pub(crate) fn is_on(
    interface: &Interface,
    held: &[Held],
    subnet: Subnet,
    services: &BTreeSet<IpAddr>,
) -> bool {
    held.iter().any(|one| {
        let address = one.address.address;
        one.interface == interface.index && !services.contains(&address) && subnet.contains(address)
    })
}

/// The messages in one datagram.
pub(crate) fn parse(mut bytes: &[u8]) -> Result<Vec<NetlinkMessage<RouteNetlinkMessage>>, NetlinkError> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes)
            .map_err(|error| NetlinkError::Garbled(error.to_string()))?;
        // Messages begin at multiples of four; the last may come without its padding.
        let length = (message.header.length as usize).next_multiple_of(4).max(4);
        bytes = bytes.get(length..).unwrap_or_default();
        messages.push(message);
    }
    Ok(messages)
}

fn acknowledged<T>(what: &str, code: i32, answers: T) -> Result<T, NetlinkError> {
    match code {
        0 => Ok(answers),
        code => Err(refused(what, Errno::from_raw_os_error(code.saturating_abs()))),
    }
}

fn address_message(interface: u32, address: Address) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = interface;
    message.header.prefix_len = address.prefix;
    message.header.scope = AddressScope::Universe;
    message.attributes.push(AddressAttribute::Local(address.address));
    message.attributes.push(AddressAttribute::Address(address.address));
    match address.address {
        IpAddr::V4(_) => message.header.family = AddressFamily::Inet,
        IpAddr::V6(_) => {
            message.header.family = AddressFamily::Inet6;
            message.header.flags = AddressHeaderFlags::Nodad;
        }
    }
    if let (IpAddr::V4(last), true) = (address.subnet().last(), address.prefix < BROADCASTLESS_PREFIX) {
        message.attributes.push(AddressAttribute::Broadcast(last));
    }
    message
}

fn refused(what: &str, errno: Errno) -> NetlinkError {
    NetlinkError::Refused { what: what.into(), errno }
}

impl fmt::Display for NetlinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NetlinkError::Refused { what, errno } => write!(f, "cannot {what}: {errno}"),
            NetlinkError::Garbled(what) => write!(f, "the kernel's answer makes no sense: {what}"),
            NetlinkError::NoInterface(subnet) => write!(f, "no interface has an address of {subnet}"),
        }
    }
}

impl std::error::Error for NetlinkError {}
