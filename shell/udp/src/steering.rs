//! Two sockets on one address: the kernel puts each datagram into one of them, by the lane in its header.
//!
//! What is routine need not wake anybody, so it has a socket that nobody waits for; it is read when its reader is awake
//! anyway. The lane is not authenticated yet when it is looked at. That decides only how soon a datagram is read, never
//! whether it is believed. Where the kernel does not take the filter there is one socket, and everything wakes.

use phalanx_wire::{HEADER_BYTES, LANE_OFFSET};
use rustix::net::sockopt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

/// The lane of what is routine.
pub const ROUTINE: u8 = 3;

/// In the order of binding, which is the order in which the filter counts them.
const PROMPT_SOCKET: u32 = 0;
const ROUTINE_SOCKET: u32 = 1;

/// A second socket on the address of `prompt`, which gets what is [`ROUTINE`].
///
/// The first was bound alone, so nobody else has the address. That the address can be shared is said only from then on, and
/// another daemon, which binds its first socket alone as well, is refused.
pub fn split(prompt: &UdpSocket, address: SocketAddr) -> io::Result<UdpSocket> {
    sockopt::set_socket_reuseport(prompt, true)?;
    let routine = bind_shared(address)?;
    steer(prompt)?;
    Ok(routine)
}

fn bind_shared(address: SocketAddr) -> io::Result<UdpSocket> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    bind(&socket, &address)?;
    Ok(UdpSocket::from(socket))
}

/// Attaches the filter to the sockets that share an address.
fn steer(socket: &UdpSocket) -> io::Result<()> {
    let (load, equal, give) = (
        libc::BPF_LD | libc::BPF_B | libc::BPF_ABS,
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        libc::BPF_RET | libc::BPF_K,
    );
    let word =
        |code: u32, skip: u8, value: u32| libc::sock_filter { code: code as u16, jt: 0, jf: skip, k: value };
    // A datagram too short to have a lane ends the program at its first word, with socket 0.
    let mut program = [
        word(load, 0, LANE_OFFSET as u32),
        word(equal, 1, ROUTINE.into()),
        word(give, 0, ROUTINE_SOCKET),
        word(give, 0, PROMPT_SOCKET),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    let (level, option) = (libc::SOL_SOCKET, libc::SO_ATTACH_REUSEPORT_CBPF);
    let length = size_of::<libc::sock_fprog>() as libc::socklen_t;
    // SAFETY: the socket is open; the option's value is a sock_fprog and its size, and both it and the program that it
    // points to outlive the call, which copies them.
    let outcome =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const filter).cast(), length) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

const _: () = assert!(LANE_OFFSET < HEADER_BYTES);

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(lane: u8) -> Vec<u8> {
        let mut datagram = vec![0; HEADER_BYTES];
        datagram[LANE_OFFSET] = lane;
        datagram
    }

    /// Each is sent over loopback, which delivers before the call returns.
    fn check(own: &str) {
        let Ok(prompt) = UdpSocket::bind(own) else { return };
        prompt.set_nonblocking(true).unwrap();
        let address = prompt.local_addr().unwrap();
        let routine = split(&prompt, address).unwrap();
        let sender = UdpSocket::bind(own).unwrap();
        let came = |socket: &UdpSocket| socket.recv(&mut [0; 128]).ok();
        for lane in [0, 1, 2, ROUTINE, 4, 255] {
            sender.send_to(&datagram(lane), address).unwrap();
            let expected =
                if lane == ROUTINE { (None, Some(HEADER_BYTES)) } else { (Some(HEADER_BYTES), None) };
            assert_eq!((came(&prompt), came(&routine)), expected, "lane {lane} at {own}");
        }
        sender.send_to(&[ROUTINE; 8], address).unwrap();
        assert_eq!((came(&prompt), came(&routine)), (Some(8), None), "too short to have a lane");
        assert!(UdpSocket::bind(address).is_err(), "a second daemon would share the address");
    }

    #[test]
    fn what_is_routine_comes_by_its_own_socket() {
        check("127.0.0.1:0");
        check("[::1]:0");
    }
}
