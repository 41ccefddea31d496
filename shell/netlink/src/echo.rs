//! Which hosts answer an ICMP echo (RFC 792 and RFC 4443) by one interface.
//!
//! Sixteen random bytes tell the answer to each question from all other ICMP that a raw socket hears.

use crate::frame::checksum;
use crate::packet::receive;
use nix::sys::socket::{setsockopt, sockopt::BindToDevice};
use phalanx_host::now;
use phalanx_types::{Span, Tick};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, bind, ipproto, sendto, socket_with};
use rustix::rand::{GetRandomFlags, getrandom};
use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

const NONCE_BYTES: usize = 16;
const HEAD_BYTES: usize = 8;
/// Types of messages: a question and its answer in IPv4 and in IPv6.
const REQUEST: u8 = 8;
const REPLY: u8 = 0;
const REQUEST6: u8 = 128;
const REPLY6: u8 = 129;
/// An IPv4 header says its own length in so many bytes.
const WORD_BYTES: usize = 4;

type Nonce = [u8; NONCE_BYTES];

/// Questions that are out by one interface.
#[derive(Debug)]
pub struct Echoes {
    socket: OwnedFd,
    source: IpAddr,
    open: Vec<Option<Nonce>>,
    deadline: Tick,
}

impl Echoes {
    /// Asks `targets`, all of `source`'s family, for an echo, by the interface of this name only and from `source`, and gives
    /// them `patience` to answer. A target that there is no way to does not answer.
    pub fn ask(interface: &str, source: IpAddr, targets: &[IpAddr], patience: Span) -> io::Result<Echoes> {
        let deadline = now() + patience;
        let socket = open(interface, source)?;
        let mut open = Vec::new();
        for target in targets {
            let mut nonce = Nonce::default();
            getrandom(&mut nonce[..], GetRandomFlags::empty())?;
            let message = request(source, &nonce);
            // Without a route to it nobody answers; the others may.
            let _ = sendto(&socket, &message, SendFlags::empty(), &SocketAddr::new(*target, 0));
            open.push(Some(nonce));
        }
        Ok(Echoes { socket, source, open, deadline })
    }

    /// The place of the next target that answers, each once; `None` when all have or the time is up.
    pub fn next_answer(&mut self) -> io::Result<Option<usize>> {
        // A busy network never runs out of messages: the time is up whether or not there is another one.
        while self.open.iter().any(Option::is_some) && now() < self.deadline {
            let Some(message) = receive(&self.socket, self.deadline)? else { return Ok(None) };
            let answers =
                |nonce: &Option<Nonce>| nonce.is_some_and(|nonce| is_reply(self.source, &message, &nonce));
            if let Some(place) = self.open.iter().position(answers) {
                self.open[place] = None;
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

fn open(interface: &str, source: IpAddr) -> io::Result<OwnedFd> {
    let (family, protocol) = match source {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::RAW, flags, Some(protocol))?;
    setsockopt(&socket, BindToDevice, &OsString::from(interface))?;
    bind(&socket, &SocketAddr::new(source, 0))?;
    Ok(socket)
}

/// The kernel sums up what goes out by IPv6.
fn request(source: IpAddr, nonce: &Nonce) -> [u8; HEAD_BYTES + NONCE_BYTES] {
    let mut message = [0; HEAD_BYTES + NONCE_BYTES];
    message[HEAD_BYTES..].copy_from_slice(nonce);
    match source {
        IpAddr::V4(_) => {
            message[0] = REQUEST;
            let sum = checksum(&[&message]).to_be_bytes();
            message[2..4].copy_from_slice(&sum);
        }
        IpAddr::V6(_) => message[0] = REQUEST6,
    }
    message
}

/// By IPv4 what comes in has its header before it, by IPv6 it has not.
fn is_reply(source: IpAddr, bytes: &[u8], nonce: &Nonce) -> bool {
    let (reply, message) = match source {
        IpAddr::V4(_) => {
            let header = bytes.first().map_or(0, |first| usize::from(first & 0xf) * WORD_BYTES);
            (REPLY, bytes.get(header..).unwrap_or_default())
        }
        IpAddr::V6(_) => (REPLY6, bytes),
    };
    message.first() == Some(&reply) && message.get(HEAD_BYTES..) == Some(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    #[test]
    fn an_answer_has_its_type_and_what_was_sent() {
        let nonce = [7; NONCE_BYTES];
        let mut reply = request(V4, &nonce);
        reply[0] = REPLY;
        let long = |message: &[u8]| [&[0x45; 20][..], message].concat();
        assert!(is_reply(V4, &long(&reply), &nonce));
        assert!(!is_reply(V4, &long(&request(V4, &nonce)), &nonce));
        assert!(!is_reply(V4, &long(&reply), &[8; NONCE_BYTES]));
        reply[0] = REPLY6;
        assert!(is_reply(V6, &reply, &nonce) && !is_reply(V4, &reply, &nonce));
        for length in 0..reply.len() {
            assert!(!is_reply(V6, &reply[..length], &nonce));
        }
    }

    #[test]
    fn a_request_sums_up_to_nothing() {
        assert_eq!(checksum(&[&request(V4, &[3; NONCE_BYTES])]), 0);
    }
}
