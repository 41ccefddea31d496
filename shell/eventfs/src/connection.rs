//! The connection to the kernel: requests are read from it, answers and wake-ups written to it, in the layouts of FUSE 7.31.

use crate::message::{MAJOR, MINOR};
use crate::service::{Bell, Entry, Kernel, Opened, Reading};
use phalanx_aha::{Errno, Poll};
use phalanx_types::limits::{AHA_NAME_BYTES_MAX, AHA_NODES_MAX};
use rustix::event::PollFlags;
use rustix::fs::FileType;
use rustix::io::{IoSlice, writev};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes that one write may have; the least that the kernel lets a file system ask for.
const WRITE_BYTES_MAX: u32 = 4_096;
/// Bytes of the longest request: the kernel wants to see 8 KiB, and more than its largest write takes.
pub(crate) const REQUEST_BYTES_MAX: usize = 16 << 10;
/// The kernel caches no page of an open file.
const DIRECT: u32 = 1;
/// An open file has no offset, so that no read waits for another that is parked.
const STREAM: u32 = 1 << 2 | 1 << 4;
/// What a notification of a poll is called.
const NOTIFY_POLL: i32 = 1;
const BLOCK_BYTES: u32 = 4_096;

/// An open connection. Closed, all who use the file system are told that it is gone.
#[derive(Debug)]
pub(crate) struct Connection(OwnedFd);

impl Connection {
    /// The connection of a file system that was mounted with this descriptor.
    pub(crate) fn new(descriptor: OwnedFd) -> Connection {
        Connection(descriptor)
    }

    /// The next request, if there is one; it is as long as what is returned.
    pub(crate) fn receive<'a>(&self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        let count = rustix::io::read(&self.0, &mut *buffer)?;
        Ok(&buffer[..count])
    }

    /// Says which version is spoken.
    pub(crate) fn begin(&self, unique: u64) {
        let mut body = Body::default();
        body.u32(MAJOR).u32(MINOR);
        body.zeros(12).u32(WRITE_BYTES_MAX).u32(1);
        body.zeros(36);
        self.send(unique, 0, &body.0);
    }

    /// Nothing went wrong.
    pub(crate) fn done(&self, unique: u64) {
        self.send(unique, 0, &[]);
    }

    /// Something did.
    pub(crate) fn refuse(&self, unique: u64, errno: Errno) {
        self.send(unique, -errno.0, &[]);
    }

    /// A file or directory that was found or made.
    pub(crate) fn entry(&self, unique: u64, entry: &Entry) {
        self.send(unique, 0, &entry_body(entry).0);
    }

    /// What is known about a file or directory.
    pub(crate) fn attributes(&self, unique: u64, entry: &Entry) {
        let mut body = Body::default();
        body.zeros(16);
        body.attributes(entry);
        self.send(unique, 0, &body.0);
    }

    /// A file is open.
    pub(crate) fn opened(&self, unique: u64, opened: Opened) {
        self.send(unique, 0, &open_body(opened).0);
    }

    /// A directory is open; it is read without state.
    pub(crate) fn opened_directory(&self, unique: u64) {
        self.send(unique, 0, Body::default().zeros(16).0.as_slice());
    }

    /// A file was made, and is open.
    pub(crate) fn created(&self, unique: u64, entry: &Entry, opened: Opened) {
        let mut body = entry_body(entry);
        body.0.extend(open_body(opened).0);
        self.send(unique, 0, &body.0);
    }

    /// Something was read.
    pub(crate) fn bytes(&self, unique: u64, bytes: &[u8]) {
        self.send(unique, 0, bytes);
    }

    /// So much was written.
    pub(crate) fn written(&self, unique: u64, count: usize) {
        let mut body = Body::default();
        body.u32(count as u32).u32(0);
        self.send(unique, 0, &body.0);
    }

    /// As many entries from `offset` on as fit into `most` bytes.
    pub(crate) fn entries(&self, unique: u64, entries: &[(Vec<u8>, Entry)], offset: u64, most: u32) {
        let mut body = Body::default();
        for (number, (name, entry)) in entries.iter().enumerate().skip(offset as usize) {
            let padding = name.len().next_multiple_of(8) - name.len();
            if body.0.len() + 24 + name.len() + padding > most as usize {
                break;
            }
            body.u64(entry.node.0).u64(number as u64 + 1);
            body.u32(name.len() as u32).u32(kind(entry) >> 12);
            body.0.extend_from_slice(name);
            body.zeros(padding);
        }
        self.send(unique, 0, &body.0);
    }

    /// How many files there are and may be; there are no blocks.
    pub(crate) fn statistics(&self, unique: u64, count: usize) {
        let mut body = Body::default();
        body.zeros(24).u64(AHA_NODES_MAX as u64).u64(AHA_NODES_MAX.saturating_sub(count) as u64);
        body.u32(BLOCK_BYTES).u32(AHA_NAME_BYTES_MAX as u32).u32(BLOCK_BYTES);
        body.zeros(28);
        self.send(unique, 0, &body.0);
    }

    /// Whether there is something to read.
    pub(crate) fn polled(&self, unique: u64, poll: Poll) {
        let events = match poll {
            Poll::Ready => PollFlags::IN | PollFlags::RDNORM | PollFlags::OUT | PollFlags::WRNORM,
            Poll::Waits => PollFlags::OUT | PollFlags::WRNORM,
            Poll::Broken => PollFlags::ERR | PollFlags::OUT | PollFlags::WRNORM,
        };
        let mut body = Body::default();
        body.u32(u32::from(events.bits())).u32(0);
        self.send(unique, 0, &body.0);
    }

    /// Who asked may be gone by now, and the file system unmounted: then there is nobody to tell.
    fn send(&self, unique: u64, error: i32, body: &[u8]) {
        let length = (16 + body.len()) as u32;
        let head = [length.to_ne_bytes(), error.to_ne_bytes()].concat();
        let _ =
            writev(&self.0, &[IoSlice::new(&head), IoSlice::new(&unique.to_ne_bytes()), IoSlice::new(body)]);
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Kernel for Connection {
    fn ring(&self, bell: Bell) {
        self.send(0, NOTIFY_POLL, &bell.0.to_ne_bytes());
    }
}

fn kind(entry: &Entry) -> u32 {
    if entry.is_directory { FileType::Directory.as_raw_mode() } else { FileType::RegularFile.as_raw_mode() }
}

/// Nothing is cached: a monitor file goes by itself when its object does.
fn entry_body(entry: &Entry) -> Body {
    let mut body = Body::default();
    body.u64(entry.node.0);
    body.zeros(32);
    body.attributes(entry);
    body
}

fn open_body(opened: Opened) -> Body {
    let flags = match opened.reading {
        Reading::Anywhere => DIRECT,
        Reading::Onwards => DIRECT | STREAM,
    };
    let mut body = Body::default();
    body.u64(opened.handle.0).u32(flags).u32(0);
    body
}

/// What stands behind the head of an answer; numbers are as this machine has them.
#[derive(Default)]
struct Body(Vec<u8>);

impl Body {
    fn u32(&mut self, field: u32) -> &mut Body {
        self.0.extend(field.to_ne_bytes());
        self
    }

    fn u64(&mut self, field: u64) -> &mut Body {
        self.0.extend(field.to_ne_bytes());
        self
    }

    fn zeros(&mut self, count: usize) -> &mut Body {
        self.0.resize(self.0.len() + count, 0);
        self
    }

    fn attributes(&mut self, entry: &Entry) {
        let made = entry.owner.made;
        self.u64(entry.node.0).u64(entry.bytes).u64(0);
        let (seconds, nanoseconds) = (made.seconds as u64, made.nanoseconds);
        self.u64(seconds).u64(seconds).u64(seconds);
        self.u32(nanoseconds).u32(nanoseconds).u32(nanoseconds);
        self.u32(kind(entry) | entry.owner.mode & 0o7777).u32(entry.links);
        self.u32(entry.owner.user).u32(entry.owner.group).u32(0).u32(BLOCK_BYTES).u32(0);
    }
}
