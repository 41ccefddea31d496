//! The deadman's end. Never blocks, and takes no memory for a feed.

use crate::message::{Packet, Reply, Request, decode, encode};
use crate::peer::peer_user;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, accept_with, bind, connect, listen, recv, send, sendmsg, socket_with,
};
use rustix::process::geteuid;
use std::fs::{self, Permissions};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 8;
/// Neither a signal nor a wait if nobody takes it.
const QUIETLY: SendFlags = SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT);
/// Only the user that the deadman runs as may even connect.
const SOCKET_MODE: u32 = 0o600;

/// Where daemons connect. Dropped, its path is gone.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    path: PathBuf,
}

/// A daemon's connection.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
}

/// What came in.
#[derive(Debug)]
pub enum Received {
    /// A request, and the number that its answer carries.
    Request(u32, Request),
    /// Nothing more for now.
    Nothing,
    /// The daemon is gone.
    Closed,
    /// Something that makes no sense.
    Nonsense,
}

impl Listener {
    /// Listens at `path`, in the place of a deadman that is gone; where one is running this fails.
    pub fn bind(path: &Path) -> io::Result<Listener> {
        let address = SocketAddrUnix::new(path)?;
        if path.exists() {
            take_over(path, &address)?;
        }
        let socket = seqpacket()?;
        bind(&socket, &address)?;
        fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE))?;
        listen(&socket, BACKLOG)?;
        Ok(Listener { socket, path: path.to_owned() })
    }

    /// The next daemon that connects; `None` if there is none, or if it runs under another user.
    pub fn accept(&self) -> io::Result<Option<Connection>> {
        match accept_with(&self.socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(socket) => {
                let is_ours = peer_user(&socket)? == geteuid().as_raw();
                Ok(is_ours.then_some(Connection { socket }))
            }
            Err(Errno::AGAIN | Errno::CONNABORTED | Errno::INTR) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }
}

fn seqpacket() -> Result<OwnedFd, Errno> {
    socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )
}

fn take_over(path: &Path, address: &SocketAddrUnix) -> io::Result<()> {
    match connect(&seqpacket()?, address) {
        Err(Errno::CONNREFUSED) => fs::remove_file(path),
        Ok(()) | Err(Errno::AGAIN) => Err(Errno::ADDRINUSE.into()),
        Err(errno) => Err(errno.into()),
    }
}

impl Connection {
    /// The next request, read by way of `buffer`.
    pub fn receive(&self, buffer: &mut [u8]) -> Received {
        match recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
            Ok((0, _)) => Received::Closed,
            Ok((count, _)) => match decode(&buffer[..count]) {
                Some(Packet { sequence, body, .. }) => Received::Request(sequence, body),
                None => Received::Nonsense,
            },
            Err(Errno::AGAIN | Errno::INTR) => Received::Nothing,
            Err(_) => Received::Closed,
        }
    }

    /// Answers request number `sequence`, by way of `buffer`. A daemon that does not take its answers misses them.
    pub fn reply(&self, sequence: u32, reply: Reply, buffer: &mut [u8]) {
        if let Ok(length) = encode(&Packet::new(sequence, reply), buffer) {
            let _ = send(&self.socket, &buffer[..length], QUIETLY);
        }
    }

    /// The same, and hands over what the slate is opened by.
    pub fn reply_with(&self, sequence: u32, reply: Reply, slate: &OwnedFd, buffer: &mut [u8]) {
        let Ok(length) = encode(&Packet::new(sequence, reply), buffer) else { return };
        let (mut space, slate) =
            ([MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))], [slate.as_fd()]);
        let mut rights = SendAncillaryBuffer::new(&mut space);
        rights.push(SendAncillaryMessage::ScmRights(&slate));
        let _ = sendmsg(&self.socket, &[IoSlice::new(&buffer[..length])], &mut rights, QUIETLY);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // One that stays is taken over by the next.
        let _ = fs::remove_file(&self.path);
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
