//! One client: what has come of it, what it has not read yet, what it wants to hear, and whether it answers.

use crate::acts::UnderWay;
use crate::pulse::Pulse;
use phalanx_groups::domain::Name;
use phalanx_host::now;
use phalanx_local::Peer;
use phalanx_session::{Frames, Hello, Subscription, Told, frame};
use phalanx_types::Tick;
use phalanx_types::limits::{
    GS_FRAME_BYTES_MAX, GS_HELLO_LIMIT, GS_REQUESTS_BYTES_MAX, GS_UNREAD_BYTES_HELD, GS_UNREAD_BYTES_MANY,
    GS_UNREAD_BYTES_MAX, GS_UNREAD_PATIENCE,
};
use rustix::net::sockopt;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// Bytes of a client that are read at a time, unless a frame of which some have come is longer.
const READ_BYTES: usize = 64 << 10;
/// Bytes that can be read at a time.
pub(crate) const READ_BYTES_MAX: usize = READ_BYTES + GS_FRAME_BYTES_MAX;
/// The kernel's buffer of what a client has not read: it holds what comes while the client is not running, so that it need not
/// wait for this thread when it is.
const SEND_BUFFER_BYTES: usize = 4 << 20;
/// Bytes that were sent, whose memory waits for the rest to be sent.
const TAKEN_BYTES_MAX: usize = 1 << 20;
/// Bytes that are gathered for a client before they are sent without waiting for the rest of what it is told.
const GATHERED_BYTES_MAX: usize = 128 << 10;

/// Where a client is in its life.
pub(crate) enum Stage {
    /// Its hello is awaited, until then.
    Greeting { until: Tick },
    /// It is a client.
    Open(Box<Member>),
    /// It has been told something last, and has until then to read it.
    Closing { until: Tick },
}

/// What makes it a client.
pub(crate) struct Member {
    pub hello: Hello,
    pub pulse: Option<Pulse>,
    pub subscriptions: BTreeMap<Name, Subscription>,
    pub under_way: UnderWay,
}

pub(crate) struct Connection {
    stream: UnixStream,
    pub peer: Peer,
    pub stage: Stage,
    pub frames: Frames,
    unread: Unread,
}

/// What a client was told and the kernel has not taken.
struct Unread {
    bytes: Vec<u8>,
    /// Where it begins.
    start: usize,
    /// When the kernel last took some of it.
    taken: Tick,
    /// The kernel took no more when it was last tried: that is tried again once a turn, not with each thing told.
    is_stuck: bool,
}

/// Why a client is dropped, or that it went by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// It closed the connection.
    Closed,
    /// It said goodbye, or was told the last thing.
    Over,
    /// It did not read what it was told.
    Hangs,
    /// It asked for more than may be under way.
    Floods,
    /// It said what is none.
    Garbled,
    /// It said no hello.
    Mute,
}

impl Connection {
    pub fn new(stream: UnixStream) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        // Without it the client is told the same in more parts.
        let _ = sockopt::set_socket_send_buffer_size_force(&stream, SEND_BUFFER_BYTES);
        let peer = Peer::of(&stream)?;
        let stage = Stage::Greeting { until: now() + GS_HELLO_LIMIT };
        Ok(Connection { stream, peer, stage, frames: Frames::default(), unread: Unread::new(now()) })
    }

    pub fn has_unread(&self) -> bool {
        self.unread.len() > 0
    }

    /// Bytes that it has not read, as far as the kernel has not taken them.
    pub fn unread(&self) -> usize {
        self.unread.len()
    }

    /// Whether it has said something that was left because it was held then, and is not any more.
    pub fn is_heard_late(&self) -> bool {
        self.frames.waiting() > 0 && !self.is_held()
    }

    /// Whether nothing more is read of it until its requests are taken in, or it has read more of what it was told: who talks
    /// must not talk faster than it listens.
    pub fn is_held(&self) -> bool {
        self.is_behind() || self.awaits_requests()
    }

    /// Whether much waits to be read by it.
    pub fn is_behind(&self) -> bool {
        self.unread.len() >= GS_UNREAD_BYTES_HELD
    }

    /// Whether nothing more is read of it until its requests are taken in.
    pub fn awaits_requests(&self) -> bool {
        match &self.stage {
            Stage::Open(member) => member.under_way.bytes() >= GS_REQUESTS_BYTES_MAX,
            Stage::Greeting { .. } | Stage::Closing { .. } => false,
        }
    }

    /// When it is to be looked at, whatever comes.
    pub fn wake_at(&self) -> Tick {
        match &self.stage {
            Stage::Greeting { until } | Stage::Closing { until } => *until,
            Stage::Open(member) => member.pulse.as_ref().map_or(Tick::NEVER, Pulse::wake_at),
        }
    }

    /// Reads what is there, no more than a little at a time.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<(), Gone> {
        if self.is_held() {
            return Ok(());
        }
        let length = self.frames.missing().max(READ_BYTES);
        match self.stream.read(&mut buffer[..length]) {
            Ok(0) => Err(Gone::Closed),
            Ok(length) => {
                self.frames.push(&buffer[..length]);
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(()),
            Err(_) => Err(Gone::Closed),
        }
    }

    /// Tells it something, if it is a client. It goes out with what else it is told in this turn, or as soon as that is much.
    pub fn tell(&mut self, told: &Told) -> Result<(), Gone> {
        match self.stage {
            Stage::Open(_) => {
                told.frame_onto(&mut self.unread.bytes)
                    .expect("what a node says has limits that make it fit");
                self.gather()
            }
            Stage::Greeting { .. } | Stage::Closing { .. } => Ok(()),
        }
    }

    /// Nothing more is read of it, and it goes once it has read what it was told.
    pub fn close(&mut self) {
        self.stage = Stage::Closing { until: now() + GS_HELLO_LIMIT };
    }

    pub fn write(&mut self, body: &[u8]) -> Result<(), Gone> {
        let frame = frame(body).expect("what a node says has limits that make it fit");
        self.unread.bytes.extend_from_slice(&frame);
        self.gather()
    }

    fn gather(&mut self) -> Result<(), Gone> {
        if self.unread.len() > GATHERED_BYTES_MAX && !self.unread.is_stuck {
            self.flush()?;
        }
        match self.unread.is_too_much() {
            true => Err(Gone::Hangs),
            false => Ok(()),
        }
    }

    pub fn flush(&mut self) -> Result<(), Gone> {
        while self.unread.len() > 0 {
            match self.stream.write(self.unread.rest()) {
                Ok(0) => return Err(Gone::Closed),
                Ok(length) => self.unread.taken(length),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unread.is_stuck = true;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Gone::Closed),
            }
        }
        self.unread.is_stuck = false;
        match self.stage {
            Stage::Closing { .. } => Err(Gone::Over),
            Stage::Greeting { .. } | Stage::Open(_) => Ok(()),
        }
    }
}

impl Unread {
    fn new(now: Tick) -> Unread {
        Unread { bytes: Vec::new(), start: 0, taken: now, is_stuck: false }
    }

    /// Many bytes are too many for who reads none of them; who reads has time to catch up, within a limit.
    fn is_too_much(&self) -> bool {
        match self.len() {
            0..=GS_UNREAD_BYTES_MANY => false,
            GS_UNREAD_BYTES_MAX.. => true,
            _ => now() >= self.taken + GS_UNREAD_PATIENCE,
        }
    }

    fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// So many bytes were taken. What is left moves to the front when it is less than what went, and that was much.
    fn taken(&mut self, length: usize) {
        self.taken = now();
        self.start += length;
        let is_much = self.start * 2 >= self.bytes.len() && self.start > TAKEN_BYTES_MAX;
        if is_much || self.len() == 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Gone {
    /// What it did that it should not, for the record; `None` if it just went.
    pub fn fault(self) -> Option<&'static str> {
        match self {
            Gone::Closed | Gone::Over => None,
            Gone::Hangs => Some("does not read what it is told"),
            Gone::Floods => Some("asks for more than may be under way"),
            Gone::Garbled => Some("says what is no request"),
            Gone::Mute => Some("says no hello"),
        }
    }
}
