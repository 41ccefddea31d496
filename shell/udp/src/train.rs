//! Many datagrams in one system call, where the kernel can cut them apart (UDP_SEGMENT) and put them together (UDP_GRO).
//!
//! Datagrams of one length to one address that are sent one behind the other go together; the last one may be shorter.
//! Where the kernel does not take trains each datagram goes alone.

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::sockopt::UdpGroSegment;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

/// Bytes of a train: what the kernel takes at a time.
const TRAIN_BYTES_MAX: usize = 60_000;
/// Datagrams of a train: what every kernel cuts.
const TRAIN_LENGTH_MAX: usize = 60;

/// Datagrams that wait to be sent to one address.
#[derive(Default)]
pub struct Train {
    bytes: Vec<u8>,
    /// Where each datagram ends.
    ends: Vec<usize>,
}

/// Whether the kernel cuts what is sent into datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cuts {
    /// As far as is known.
    #[default]
    Taken,
    /// It has refused.
    Refused,
}

impl Train {
    /// Takes the datagram that `write` appends to the bytes; none if it appends nothing.
    pub fn take(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        if self.bytes.len() > start {
            self.ends.push(self.bytes.len());
        }
    }

    /// Whether it should not wait for more: one more as long as the first would not go with it.
    pub fn is_full(&self) -> bool {
        self.bytes.len() + self.ends.first().unwrap_or(&0) > TRAIN_BYTES_MAX
    }

    /// Sends what waits, if there is a socket for it. What the network does not take now is lost.
    pub fn depart(&mut self, socket: Option<&UdpSocket>, address: SocketAddr, cuts: &mut Cuts) {
        if let Some(socket) = socket {
            let mut rest = (self.bytes.as_slice(), 0, self.ends.as_slice());
            while let Some((run, size, count)) = first_run(rest) {
                send(socket, address, (run, size, count), cuts);
                rest = (&rest.0[run.len()..], rest.1 + run.len(), &rest.2[count..]);
            }
        }
        self.bytes.clear();
        self.ends.clear();
    }
}

/// The datagrams in front that the kernel can cut apart, how long each of them but the last is, and how many they are.
/// What is given are the bytes, where those begin, and where each datagram ends.
fn first_run<'a>((bytes, start, ends): (&'a [u8], usize, &[usize])) -> Option<(&'a [u8], usize, usize)> {
    let size = ends.first()? - start;
    let (mut length, mut count) = (size, 1);
    for end in &ends[1..] {
        let next = end - start - length;
        let closed = length < size * count;
        if closed || next > size || count == TRAIN_LENGTH_MAX || length + next > TRAIN_BYTES_MAX {
            break;
        }
        (length, count) = (length + next, count + 1);
    }
    Some((&bytes[..length], size, count))
}

fn send(socket: &UdpSocket, address: SocketAddr, (run, size, count): (&[u8], usize, usize), cuts: &mut Cuts) {
    if count > 1 && *cuts == Cuts::Taken {
        match send_cut(socket, address, run, size) {
            Err(Errno::EINVAL | Errno::EIO | Errno::ENOPROTOOPT | Errno::EOPNOTSUPP) => *cuts = Cuts::Refused,
            Ok(()) | Err(_) => return,
        }
    }
    for datagram in run.chunks(size.max(1)) {
        let _ = socket.send_to(datagram, address);
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
    use crate::lot::READ_BYTES_MAX;

    fn read_all(socket: &UdpSocket) -> Vec<Vec<u8>> {
        let (mut got, mut buffer) = (Vec::new(), vec![0; READ_BYTES_MAX]);
        while let Ok((_, length, size)) = read(socket, &mut buffer) {
            got.extend(buffer[..length].chunks(size.max(1)).map(<[u8]>::to_vec));
        }
        got
    }

    fn check(own: &str, mut cuts: Cuts) {
        let Ok(receiver) = UdpSocket::bind(own) else { return };
        let sender = UdpSocket::bind(own).unwrap();
        accept_trains(&receiver).unwrap();
        let address = receiver.local_addr().unwrap();
        let datagrams: Vec<Vec<u8>> = [900, 900, 900, 400, 900, 1_200]
            .iter()
            .zip(0u8..)
            .map(|(size, byte)| vec![byte; *size])
            .collect();
        let (mut train, before) = (Train::default(), cuts);
        datagrams.iter().for_each(|datagram| train.take(|bytes| bytes.extend_from_slice(datagram)));
        train.take(|_| {});
        train.depart(Some(&sender), address, &mut cuts);
        assert_eq!(read_all(&receiver), datagrams, "{own}");
        assert_eq!(cuts, before, "this kernel cuts");
        train.depart(Some(&sender), address, &mut cuts);
        assert!(read_all(&receiver).is_empty(), "it has departed");
    }

    #[test]
    fn what_goes_in_trains_arrives_as_datagrams() {
        check("127.0.0.1:0", Cuts::Taken);
        check("[::1]:0", Cuts::Taken);
        check("127.0.0.1:0", Cuts::Refused);
    }

    fn runs(sizes: &[usize]) -> Vec<usize> {
        let ends: Vec<usize> = sizes
            .iter()
            .scan(0, |end, size| {
                *end += size;
                Some(*end)
            })
            .collect();
        let bytes = vec![0; sizes.iter().sum()];
        let (mut counts, mut rest) = (Vec::new(), (&bytes[..], 0, &ends[..]));
        while let Some((run, _, count)) = first_run(rest) {
            counts.push(count);
            rest = (&rest.0[run.len()..], rest.1 + run.len(), &rest.2[count..]);
        }
        counts
    }

    #[test]
    fn a_run_ends_where_the_kernel_could_not_cut() {
        assert_eq!(runs(&[]), []);
        assert_eq!(runs(&[1_000, 1_000, 1_001]), [2, 1], "longer");
        assert_eq!(runs(&[1_000, 400, 400, 300]), [2, 2], "the last of a run is shorter");
        assert_eq!(runs(&[1_000; 100]), [TRAIN_BYTES_MAX / 1_000, 100 - TRAIN_BYTES_MAX / 1_000]);
        assert_eq!(runs(&[100; 100]), [TRAIN_LENGTH_MAX, 100 - TRAIN_LENGTH_MAX]);
        let mut train = Train::default();
        (0..TRAIN_BYTES_MAX / 1_000).for_each(|_| train.take(|bytes| bytes.resize(bytes.len() + 1_000, 0)));
        assert!(train.is_full());
    }
}
