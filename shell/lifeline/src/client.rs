//! The daemon's end: each call asks, waits for the answer, and gives up in time.

use crate::message::{Hold, MESSAGE_BYTES_MAX, Packet, Reply, Request, TooLarge, decode, encode};
use crate::peer::{ROOT, peer_user};
use crate::slate::Slate;
use phalanx_types::{GroupName, Span, Tick};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, connect, recvmsg, send, socket_with,
};
use rustix::process::geteuid;
use std::fmt;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// Answers to requests that were given up, skipped before the one that is waited for.
const STALE_ANSWERS_MAX: usize = 64;

/// Why the deadman did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LifelineError {
    /// It is not there, is gone, or did not answer in time.
    Gone(Errno),
    /// It runs under a user that is neither root nor ours.
    Stranger {
        /// Which user.
        user: u32,
    },
    /// It refused; nothing has changed.
    Refused(String),
    /// What it said makes no sense.
    Garbled,
    /// The message does not fit into a packet.
    TooLarge,
}

/// The daemon's connection to its deadman. When it closes, the deadman knows that the daemon is gone.
#[derive(Debug)]
pub struct Lifeline {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
    slate: Option<Slate>,
    watchdog: Option<u32>,
}

impl Lifeline {
    /// Connects to the deadman that listens at `path`; each answer is waited for as long as `patience`.
    pub fn connect(path: &Path, patience: Span) -> Result<Lifeline, LifelineError> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let patience = Some(Duration::from_nanos(patience.0));
        set_socket_timeout(&socket, Timeout::Recv, patience)?;
        set_socket_timeout(&socket, Timeout::Send, patience)?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        let user = peer_user(&socket)?;
        if user != ROOT && user != geteuid().as_raw() {
            return Err(LifelineError::Stranger { user });
        }
        Ok(Lifeline { socket, sequence: 0, buffer: vec![0; MESSAGE_BYTES_MAX], slate: None, watchdog: None })
    }

    /// Makes this daemon the one that the deadman heeds. Tells the lease end last fed ([`Tick::ZERO`] if none was), and
    /// the groups that are guarded.
    pub fn hello(&mut self) -> Result<(Tick, Vec<GroupName>), LifelineError> {
        match self.ask(Request::Hello)? {
            Reply::Standing { until, groups, watchdog } => {
                self.watchdog = watchdog;
                Ok((until, groups))
            }
            Reply::Refused { why } => Err(LifelineError::Refused(why)),
            Reply::Done => Err(LifelineError::Garbled),
        }
    }

    /// The timeout in seconds of the deadman's watchdog device, known after a hello; `None` if it has none.
    pub fn watchdog(&self) -> Option<u32> {
        self.watchdog
    }

    /// The page on which lease ends are written and accepted, once after a hello; `None` if the deadman gave none.
    pub fn take_slate(&mut self) -> Option<Slate> {
        self.slate.take()
    }

    /// Has the deadman guard a group from now on.
    pub fn hold(&mut self, hold: Hold) -> Result<(), LifelineError> {
        self.order(Request::Hold(hold))
    }

    /// Tells the deadman that nothing of a group is here any more.
    pub fn drop_group(&mut self, group: GroupName) -> Result<(), LifelineError> {
        self.order(Request::Drop { group })
    }

    /// Tells the deadman the lease end; the lease may be used once this returns well.
    pub fn feed(&mut self, until: Tick, stop_budget: Span) -> Result<(), LifelineError> {
        self.order(Request::Feed { until, stop_budget })
    }

    fn order(&mut self, request: Request) -> Result<(), LifelineError> {
        match self.ask(request)? {
            Reply::Done => Ok(()),
            Reply::Refused { why } => Err(LifelineError::Refused(why)),
            Reply::Standing { .. } => Err(LifelineError::Garbled),
        }
    }

    fn ask(&mut self, request: Request) -> Result<Reply, LifelineError> {
        self.sequence = self.sequence.wrapping_add(1);
        let length = encode(&Packet::new(self.sequence, request), &mut self.buffer)?;
        send(&self.socket, &self.buffer[..length], SendFlags::NOSIGNAL)?;
        for _ in 0..STALE_ANSWERS_MAX {
            let count = self.receive()?;
            if count == 0 {
                return Err(LifelineError::Gone(Errno::CONNRESET));
            }
            let packet: Packet<Reply> = decode(&self.buffer[..count]).ok_or(LifelineError::Garbled)?;
            if packet.sequence == self.sequence {
                return Ok(packet.body);
            }
        }
        Err(LifelineError::Garbled)
    }

    /// One packet, and the slate if one comes with it.
    fn receive(&mut self) -> Result<usize, Errno> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut rights = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut self.buffer)];
        let received = recvmsg(&self.socket, &mut parts, &mut rights, RecvFlags::CMSG_CLOEXEC)?;
        for message in rights.drain() {
            if let RecvAncillaryMessage::ScmRights(mut files) = message {
                self.slate = files.next().and_then(|file| Slate::open(file).ok());
            }
        }
        Ok(received.bytes)
    }
}

impl AsFd for Lifeline {
    /// Hangs up when the deadman is gone.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl From<Errno> for LifelineError {
    fn from(errno: Errno) -> LifelineError {
        LifelineError::Gone(errno)
    }
}

impl From<TooLarge> for LifelineError {
    fn from(TooLarge: TooLarge) -> LifelineError {
        LifelineError::TooLarge
    }
}

impl fmt::Display for LifelineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LifelineError::Gone(Errno::AGAIN) => f.write_str("the deadman does not answer"),
            LifelineError::Gone(Errno::NOENT | Errno::CONNREFUSED) => {
                f.write_str("the deadman is not running")
            }
            LifelineError::Gone(Errno::PIPE | Errno::CONNRESET) => f.write_str("the deadman is gone"),
            LifelineError::Gone(errno) => write!(f, "the deadman is gone: {errno}"),
            LifelineError::Stranger { user } => {
                write!(f, "what answers in the deadman's place is not root's, but user {user}'s")
            }
            LifelineError::Refused(why) => write!(f, "the deadman refuses: {why}"),
            LifelineError::Garbled => f.write_str("the deadman speaks another version"),
            LifelineError::TooLarge => f.write_str("the group has more parts than fit into one message"),
        }
    }
}

impl std::error::Error for LifelineError {}
