//! One client: what it has written so far, what it has not read yet.

use crate::protocol::{Answer, Ask};
use crate::socket::{self, Rights};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// Bytes of one ask: a cluster file, with every character escaped.
const ASK_BYTES_MAX: usize = 6 << 20;
/// Bytes that wait to be read by a client before it is dropped.
const UNREAD_BYTES_MAX: usize = 4 << 20;
const READ_BYTES: usize = 16 << 10;

/// What a client is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// For nothing.
    No,
    /// For an answer.
    Answer,
    /// For the end of a change, and hears what happens meanwhile.
    Change,
    /// For whatever happens.
    Events,
}

pub(crate) struct Connection {
    stream: UnixStream,
    pub(crate) rights: Rights,
    pub(crate) who: String,
    pub(crate) waiting: Waiting,
    input: Vec<u8>,
    unread: Vec<u8>,
}

/// The client is gone, or is to be.
pub(crate) struct Gone;

impl Connection {
    pub(crate) fn new(stream: UnixStream) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        let (rights, who) = socket::rights(&stream)?;
        let (input, unread) = (Vec::new(), Vec::new());
        Ok(Connection { stream, rights, who, waiting: Waiting::No, input, unread })
    }

    pub(crate) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Reads what is there.
    pub(crate) fn read(&mut self) -> Result<(), Gone> {
        let mut buffer = [0; READ_BYTES];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Err(Gone),
            Ok(length) => self.input.extend_from_slice(&buffer[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return Err(Gone),
        }
        if self.input.len() > ASK_BYTES_MAX { Err(Gone) } else { Ok(()) }
    }

    /// The next whole ask that was read, or what is wrong with it.
    pub(crate) fn ask(&mut self) -> Option<Result<Ask, String>> {
        let end = self.input.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.input.drain(..=end).collect();
        Some(serde_json::from_slice(&line).map_err(|error| format!("this is no ask: {error}")))
    }

    /// Hands it an answer, for as long as it reads what it gets.
    pub(crate) fn tell(&mut self, answer: &Answer) -> Result<(), Gone> {
        if answer.is_last() {
            self.waiting = Waiting::No;
        }
        self.unread.extend_from_slice(answer.line().as_bytes());
        if self.unread.len() > UNREAD_BYTES_MAX {
            return Err(Gone);
        }
        self.flush()
    }

    pub(crate) fn flush(&mut self) -> Result<(), Gone> {
        while !self.unread.is_empty() {
            match self.stream.write(&self.unread) {
                Ok(0) => return Err(Gone),
                Ok(length) => drop(self.unread.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Gone),
            }
        }
        Ok(())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
