//! The thread that takes what the kernel asks to the file system, one request after the other. It never waits for anything else.

use crate::connection::{Connection, REQUEST_BYTES_MAX};
use crate::message::{MAJOR, Message, Request};
use crate::service::{Answer, Bell, Change, Service};
use phalanx_aha::{Asked, Errno, Handle, NodeNo, Owner, Patience, Ticket};
use phalanx_types::limits::AHA_NODES_MAX;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Requests that are taken in one turn, before it is looked whether this is the end.
const TURN_MAX: usize = 64;
/// Nothing that this file system knows.
const NOT_KNOWN: Errno = Errno(38);
/// A version that it does not speak.
const OTHER_PROTOCOL: Errno = Errno(71);

/// Serves until somebody unmounts the file system, or `ended` is readable.
pub(crate) fn serve(connection: &Arc<Connection>, service: &dyn Service, ended: &OwnedFd) -> io::Result<()> {
    let mut buffer = vec![0; REQUEST_BYTES_MAX];
    loop {
        let mut both = [PollFd::new(&**connection, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
        match poll(&mut both, None) {
            Err(rustix::io::Errno::INTR) => continue,
            outcome => outcome?,
        };
        if !both[1].revents().is_empty() {
            return Ok(());
        }
        for _ in 0..TURN_MAX {
            match connection.receive(&mut buffer) {
                Ok(bytes) => act(connection, service, bytes),
                Err(error) => match rustix::io::Errno::from_io_error(&error) {
                    Some(rustix::io::Errno::AGAIN) => break,
                    // It was taken back while it was being read.
                    Some(rustix::io::Errno::INTR | rustix::io::Errno::NOENT) => {}
                    Some(rustix::io::Errno::NODEV) => return Ok(()),
                    Some(_) | None => return Err(error),
                },
            }
        }
    }
}

fn act(connection: &Arc<Connection>, service: &dyn Service, bytes: &[u8]) {
    let Some(message) = Message::read(bytes) else { return };
    let (unique, node) = (message.unique, NodeNo(message.node));
    let ticket = Ticket(unique);
    let owner = |mode| Owner {
        user: message.user,
        group: message.group,
        mode: mode & 0o7777,
        made: crate::clock::now(),
    };
    match message.request {
        Request::Begin { major, .. } if major < MAJOR => connection.refuse(unique, OTHER_PROTOCOL),
        Request::Begin { .. } => connection.begin(unique),
        Request::Forget => {}
        Request::Find { name } => found(connection, unique, service.find(node, name)),
        Request::Attributes => attributes(connection, unique, service.entry(node)),
        Request::SetAttributes { mode, user, group } => {
            attributes(connection, unique, service.change(node, Change { mode, user, group }));
        }
        Request::MakeDirectory { mode, name } => {
            found(connection, unique, service.make_directory(node, name, owner(mode)));
        }
        Request::Remove { name } => done(connection, unique, service.remove(node, name)),
        Request::RemoveDirectory { name } => done(connection, unique, service.remove_directory(node, name)),
        Request::Create { mode, name } => {
            let answer = later(connection, unique, |connection, unique, (entry, opened)| {
                connection.created(unique, &entry, opened);
            });
            service.create(ticket, node, name, owner(mode), answer);
        }
        Request::Open => service.open(ticket, node, later(connection, unique, Connection::opened)),
        Request::Read { handle, offset, most, flags } => {
            let patience = match flags & OFlags::NONBLOCK.bits() {
                0 => Patience::Any,
                _ => Patience::None,
            };
            let asked = Asked { handle: Handle(handle), ticket, offset, most: most as usize, patience };
            let answer = later(connection, unique, |connection, unique, bytes: Vec<u8>| {
                connection.bytes(unique, &bytes);
            });
            service.read(asked, answer);
        }
        Request::Write { handle, bytes } => match service.write(Handle(handle), message.process, bytes) {
            Ok(()) => connection.written(unique, bytes.len()),
            Err(errno) => connection.refuse(unique, errno),
        },
        Request::Close { handle } => {
            service.close(Handle(handle));
            connection.done(unique);
        }
        Request::OpenDirectory => connection.opened_directory(unique),
        Request::ReadDirectory { offset, most } => match service.entries(node) {
            Ok(entries) => connection.entries(unique, &entries, offset.min(AHA_NODES_MAX as u64), most),
            Err(errno) => connection.refuse(unique, errno),
        },
        Request::CloseDirectory | Request::Sync => connection.done(unique),
        Request::Statistics => connection.statistics(unique, service.count()),
        Request::Poll { handle, bell } => {
            service.poll(
                ticket,
                Handle(handle),
                bell.map(Bell),
                later(connection, unique, Connection::polled),
            );
        }
        // An interrupt itself is answered only if it is to come again.
        Request::Interrupt { unique: interrupted } => drop(service.interrupt(Ticket(interrupted))),
        Request::MakeOther => connection.refuse(unique, Errno::PERM),
        Request::Unknown => connection.refuse(unique, NOT_KNOWN),
    }
}

/// How something is answered when it is time.
fn later<T: 'static>(
    connection: &Arc<Connection>,
    unique: u64,
    say: impl Fn(&Connection, u64, T) + Send + 'static,
) -> Answer<T> {
    let connection = Arc::clone(connection);
    Box::new(move |outcome| match outcome {
        Ok(value) => say(&connection, unique, value),
        Err(errno) => connection.refuse(unique, errno),
    })
}

fn found(connection: &Connection, unique: u64, outcome: Result<crate::service::Entry, Errno>) {
    match outcome {
        Ok(entry) => connection.entry(unique, &entry),
        Err(errno) => connection.refuse(unique, errno),
    }
}

fn attributes(connection: &Connection, unique: u64, outcome: Result<crate::service::Entry, Errno>) {
    match outcome {
        Ok(entry) => connection.attributes(unique, &entry),
        Err(errno) => connection.refuse(unique, errno),
    }
}

fn done(connection: &Connection, unique: u64, outcome: Result<(), Errno>) {
    match outcome {
        Ok(()) => connection.done(unique),
        Err(errno) => connection.refuse(unique, errno),
    }
}
