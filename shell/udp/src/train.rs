//! Many datagrams in one system call, where the kernel can cut them apart (UDP_SEGMENT) and put them together (UDP_GRO).
//!
//! Datagrams of one length to one address that are sent one behind the other go as a train; the last one may be shorter.
//! Where the kernel does not take trains each datagram goes alone.

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::sockopt::UdpGroSegment;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
};
use phalanx_types::PathId;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

/// Bytes of a train: what the kernel takes at a time.
const TRAIN_BYTES_MAX: usize = 60_000;
/// Datagrams of a train: what every kernel cuts.
const TRAIN_LENGTH_MAX: usize = 60;
/// Bytes of what is read at a time: a train, or the longest datagram there is.
pub const READ_BYTES_MAX: usize = 65_536;

/// Datagrams that wait to be sent together.
#[derive(Default)]
pub struct Train {
    to: Option<(PathId, SocketAddr)>,
    /// Of each datagram but the last.
    size: usize,
    count: usize,
    bytes: Vec<u8>,
    /// The last one is shorter: nothing can follow it.
    closed: bool,
    /// The kernel does not cut.
    refused: bool,
}

impl Train {
    /// Takes a datagram; false if it does not fit to what waits, which must be sent before.
    pub fn take(&mut self, path: PathId, address: SocketAddr, datagram: &[u8]) -> bool {
        if self.count > 0 && !self.fits(path, address, datagram.len()) {
            return false;
        }
        if self.count == 0 {
            (self.to, self.size) = (Some((path, address)), datagram.len());
        }
        self.closed = datagram.len() < self.size;
        self.bytes.extend_from_slice(datagram);
        self.count += 1;
        true
    }

    fn fits(&self, path: PathId, address: SocketAddr, length: usize) -> bool {
        !self.closed
            && self.to == Some((path, address))
            && length <= self.size
            && self.count < TRAIN_LENGTH_MAX
            && self.bytes.len() + length <= TRAIN_BYTES_MAX
    }

    /// The path of what waits, if something does.
    pub fn path(&self) -> Option<PathId> {
        self.to.filter(|_| self.count > 0).map(|(path, _)| path)
    }

    /// Sends what waits, if there is a socket for it. What the network does not take now is lost.
    pub fn depart(&mut self, socket: Option<&UdpSocket>) {
        if let (Some(socket), Some((_, address))) = (socket, self.to) {
            self.send(socket, address);
        }
        self.bytes.clear();
        (self.to, self.count, self.closed) = (None, 0, false);
    }

    fn send(&mut self, socket: &UdpSocket, address: SocketAddr) {
        if self.count > 1 && !self.refused {
            match send_cut(socket, address, &self.bytes, self.size) {
                Err(Errno::EINVAL | Errno::EIO | Errno::ENOPROTOOPT | Errno::EOPNOTSUPP) => {
                    self.refused = true
                }
                Ok(()) | Err(_) => return,
            }
        }
        for datagram in self.bytes.chunks(self.size.max(1)) {
            let _ = socket.send_to(datagram, address);
        }
    }
}

fn send_cut(socket: &UdpSocket, address: SocketAddr, bytes: &[u8], size: usize) -> Result<(), Errno> {
    let size = u16::try_from(size).map_err(|_| Errno::EINVAL)?;
    let parts = [IoSlice::new(bytes)];
    let cut = [ControlMessage::UdpGsoSegments(&size)];
    let to = SockaddrStorage::from(address);
    sendmsg(socket.as_raw_fd(), &parts, &cut, MsgFlags::empty(), Some(&to)).map(drop)
}

/// From now on the kernel may hand over what arrives on this socket in trains.
pub fn accept_trains(socket: &UdpSocket) -> io::Result<()> {
    Ok(setsockopt(socket, UdpGroSegment, &true)?)
}

/// Reads a datagram, or a train of them. Gives where it came from, how long it is, and how long each datagram of it is.
pub fn read(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(SocketAddr, usize, usize)> {
    let mut parts = [IoSliceMut::new(buffer)];
    let mut space = cmsg_space!(i32);
    let message =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_DONTWAIT)?;
    let size = message.cmsgs()?.find_map(|control| {
        if let ControlMessageOwned::UdpGroSegments(size) = control {
            usize::try_from(size).ok()
        } else {
            None
        }
    });
    let source = message.address.as_ref().and_then(to_address);
    let source = source.ok_or_else(|| io::Error::other("a datagram from nowhere"))?;
    Ok((source, message.bytes, size.unwrap_or(message.bytes)))
}

fn to_address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|address| SocketAddr::V4((*address).into()));
    v4.or_else(|| storage.as_sockaddr_in6().map(|address| SocketAddr::V6((*address).into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::NetworkId;

    const PATH: PathId = PathId { network: NetworkId(0), index: 0 };

    fn read_all(socket: &UdpSocket) -> Vec<Vec<u8>> {
        let (mut got, mut buffer) = (Vec::new(), vec![0; READ_BYTES_MAX]);
        while let Ok((_, length, size)) = read(socket, &mut buffer) {
            got.extend(buffer[..length].chunks(size.max(1)).map(<[u8]>::to_vec));
        }
        got
    }

    fn check(own: &str, refused: bool) {
        let Ok(receiver) = UdpSocket::bind(own) else { return };
        let sender = UdpSocket::bind(own).unwrap();
        accept_trains(&receiver).unwrap();
        let address = receiver.local_addr().unwrap();
        let datagrams: Vec<Vec<u8>> = [900, 900, 900, 400, 900, 1_200]
            .iter()
            .zip(0u8..)
            .map(|(size, byte)| vec![byte; *size])
            .collect();
        let mut train = Train { refused, ..Train::default() };
        for datagram in &datagrams {
            if !train.take(PATH, address, datagram) {
                train.depart(Some(&sender));
                assert!(train.take(PATH, address, datagram), "an empty train takes everything");
            }
        }
        train.depart(Some(&sender));
        assert_eq!(read_all(&receiver), datagrams, "{own}");
        assert_eq!(train.path(), None);
        assert_eq!(train.refused, refused, "this kernel cuts");
    }

    #[test]
    fn what_goes_in_trains_arrives_as_datagrams() {
        check("127.0.0.1:0", false);
        check("[::1]:0", false);
        check("127.0.0.1:0", true);
    }

    #[test]
    fn a_train_ends_where_the_kernel_could_not_cut() {
        let address: SocketAddr = "127.0.0.1:9".parse().unwrap();
        let other: SocketAddr = "127.0.0.2:9".parse().unwrap();
        let mut train = Train::default();
        assert!(train.take(PATH, address, &[0; 1_000]));
        assert!(!train.take(PATH, other, &[0; 1_000]), "another address");
        assert!(!train.take(PATH, address, &[0; 1_001]), "longer");
        let taken = (0..100).take_while(|_| train.take(PATH, address, &[0; 1_000])).count();
        assert_eq!(taken + 1, TRAIN_BYTES_MAX / 1_000);
    }
}
