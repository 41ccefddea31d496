//! Raw Ethernet on one interface.

use phalanx_host::clock::{remaining, timespec};
use phalanx_types::Tick;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// What is looked for in frames lies within so many bytes; the rest of longer ones is cut off.
const FRAME_BYTES_MAX: usize = 128;

/// Which frames come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    /// None: the socket only sends.
    Nothing,
    /// ARP.
    Arp,
    /// IPv6.
    Ipv6,
}

/// A raw socket bound to one interface. Never blocks but in [`Packets::receive`].
#[derive(Debug)]
pub(crate) struct Packets {
    socket: OwnedFd,
}

impl Packets {
    pub(crate) fn open(interface: u32, listen: Listen) -> io::Result<Packets> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // Of no protocol at first: between its making and its binding a socket hears every interface.
        let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None::<Protocol>)?;
        let protocol = match listen {
            Listen::Nothing => 0,
            Listen::Arp => (libc::ETH_P_ARP as u16).to_be(),
            Listen::Ipv6 => (libc::ETH_P_IPV6 as u16).to_be(),
        };
        bind_to(&socket, interface, protocol)?;
        Ok(Packets { socket })
    }

    pub(crate) fn send(&self, frame: &[u8]) -> io::Result<()> {
        send(&self.socket, frame, SendFlags::empty()).map(drop).map_err(io::Error::from)
    }

    /// The next frame, or `None` at `deadline`.
    pub(crate) fn receive(&self, deadline: Tick) -> io::Result<Option<Vec<u8>>> {
        receive(&self.socket, deadline)
    }
}

/// What comes next on a socket that never blocks, its first bytes, or `None` at `deadline`.
pub(crate) fn receive(socket: &OwnedFd, deadline: Tick) -> io::Result<Option<Vec<u8>>> {
    let mut frame = [0; FRAME_BYTES_MAX];
    loop {
        match recv(socket, &mut frame, RecvFlags::empty()) {
            Ok((count, _)) => return Ok(Some(frame[..count].to_vec())),
            Err(Errno::AGAIN | Errno::INTR) if remaining(deadline).0 > 0 => wait(socket, deadline)?,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

fn wait(socket: &OwnedFd, deadline: Tick) -> io::Result<()> {
    let timeout = timespec(remaining(deadline));
    match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn bind_to(socket: &OwnedFd, interface: u32, protocol: u16) -> io::Result<()> {
    let index = i32::try_from(interface).map_err(|_| Errno::NODEV)?;
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: protocol,
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the socket is open, and the address is a sockaddr_ll of that length that outlives the call.
    let outcome = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
