//! The sockets: two for each own address, never waited for. What is routine comes by the second (`steering`).
//!
//! An address may come later (a cable, IPv6 that is not ready): its socket is tried again by [`Carrier::mend`]. What cannot
//! be sent is lost, as on any network.

use crate::drops::{Dropped, Drops};
use crate::lot::Lot;
use crate::paths::Paths;
use crate::seal::{Found, Seal};
use crate::steering::split;
use crate::train::{Cuts, Train, accept_trains, read};
use phalanx_types::{NodeId, PathId, ViewId};
use phalanx_wire::Arrival;
use rustix::net::sockopt;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

/// Reads from one socket before others have their turn.
const BATCH: usize = 64;
/// Network control, as routing protocols mark themselves (DSCP CS6).
const TRAFFIC_CLASS: u8 = 0xc0;
/// The kernel's receive buffer; it holds what arrives while this process stands still.
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;

/// None of this node's addresses can be used.
#[derive(Debug)]
pub struct BindError {
    faults: Vec<(SocketAddr, io::Error)>,
}

/// The sockets of one node, and the seal that all pass through.
pub struct Carrier {
    seal: Seal,
    paths: Paths,
    sockets: BTreeMap<PathId, UdpSocket>,
    /// Where what is routine arrives.
    routine: BTreeMap<PathId, UdpSocket>,
    drops: Drops,
    /// What waits to be sent, by where it goes.
    trains: BTreeMap<(PathId, SocketAddr), Train>,
    /// Whether the kernel cuts trains.
    cuts: Cuts,
    /// What is being read.
    lot: Lot,
}

impl Carrier {
    /// Opens a socket on each of this node's addresses that is there; at least one must be.
    pub fn open(paths: Paths, seal: Seal) -> Result<Carrier, BindError> {
        let mut carrier = Carrier {
            seal,
            paths,
            sockets: BTreeMap::new(),
            routine: BTreeMap::new(),
            drops: Drops::default(),
            trains: BTreeMap::new(),
            cuts: Cuts::default(),
            lot: Lot::default(),
        };
        let faults = carrier.bind_missing();
        match carrier.sockets.is_empty() {
            true => Err(BindError { faults }),
            false => Ok(carrier),
        }
    }

    /// Tries again to open the sockets that are missing; gives those that it could.
    pub fn mend(&mut self) -> Vec<PathId> {
        let before: Vec<PathId> = self.sockets.keys().copied().collect();
        self.bind_missing();
        self.sockets.keys().copied().filter(|path| !before.contains(path)).collect()
    }

    /// This node's addresses without a socket.
    pub fn missing(&self) -> Vec<SocketAddr> {
        let missing = self.paths.own().filter(|(path, _)| !self.sockets.contains_key(path));
        missing.map(|(_, address)| address).collect()
    }

    /// The sockets that wake, to be waited on.
    pub fn sockets(&self) -> impl Iterator<Item = (PathId, BorrowedFd<'_>)> {
        self.sockets.iter().map(|(path, socket)| (*path, socket.as_fd()))
    }

    /// What was dropped.
    pub fn drops(&self) -> &Drops {
        &self.drops
    }

    /// How many signs there were that a node exists twice.
    pub fn doubles(&self) -> &BTreeMap<NodeId, u64> {
        self.seal.doubles()
    }

    /// Sends a frame, at [`Carrier::flush`] at the latest; or a Hello in its place, while there is no session.
    pub fn send(&mut self, to: NodeId, path: PathId, lane: u8, view: ViewId, bytes: &[u8]) {
        let Some(address) = self.paths.of(to, path) else { return };
        self.put(path, address, |seal, out| {
            seal.seal_onto(to, lane, view, bytes, out);
        });
    }

    /// Sends what waits for more to go with it.
    pub fn flush(&mut self) {
        for ((path, address), train) in &mut self.trains {
            train.depart(self.sockets.get(path), *address, &mut self.cuts);
        }
    }

    /// Reads what has arrived on a path to wake this node, a batch at most.
    pub fn receive(&mut self, path: PathId, arrivals: &mut Vec<Arrival>) {
        self.read(path, arrivals, |carrier| &carrier.sockets);
    }

    /// Reads what has arrived on all paths and is routine, a batch of each at most.
    pub fn receive_routine(&mut self, arrivals: &mut Vec<Arrival>) {
        let paths: Vec<PathId> = self.routine.keys().copied().collect();
        paths.into_iter().for_each(|path| self.read(path, arrivals, |carrier| &carrier.routine));
    }

    fn read(
        &mut self,
        path: PathId,
        arrivals: &mut Vec<Arrival>,
        sockets: fn(&Carrier) -> &BTreeMap<PathId, UdpSocket>,
    ) {
        let mut lot = mem::take(&mut self.lot);
        for _ in 0..BATCH {
            let Some(socket) = sockets(self).get(&path) else { break };
            match read(socket, lot.room(arrivals)) {
                Ok((source, length, size)) => self.take(path, source, (length, size.max(1)), &mut lot),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {} // the kernel tells of an earlier datagram's fate; the next read goes on
            }
        }
        lot.hand_over(arrivals);
        self.lot = lot;
    }

    /// Opens what was read last: datagrams of one size, but for the last.
    fn take(&mut self, path: PathId, source: SocketAddr, (length, size): (usize, usize), lot: &mut Lot) {
        // A source address proves nothing, but a datagram from a wrong one is nobody's.
        let node = self.paths.node_at(path, source);
        for start in (0..length).step_by(size) {
            let datagram = lot.datagram(start..length.min(start + size));
            let opened = node.ok_or(Dropped::Source).and_then(|node| self.open_from(node, datagram));
            match opened {
                Ok(Found::Frame { from, body }) => {
                    lot.keep(path, from, start + body.start..start + body.end);
                }
                Ok(Found::Hello { answer: Some(answer) }) => {
                    self.put(path, source, |_, out| out.extend_from_slice(&answer));
                }
                Ok(Found::Hello { answer: None }) => {}
                Err(reason) => self.drops.count(reason),
            }
        }
        lot.take(length);
    }

    fn open_from(&mut self, node: NodeId, datagram: &mut [u8]) -> Result<Found, Dropped> {
        match phalanx_wire::Header::decode(datagram) {
            Ok((header, _)) if header.from.node != node => Err(Dropped::Source),
            Ok(_) | Err(_) => self.seal.open_in_place(datagram),
        }
    }

    /// Puts a datagram behind what waits to go the same way. A network that takes nothing now is as one that loses it: beats
    /// and repetitions find out.
    fn put(&mut self, path: PathId, address: SocketAddr, write: impl FnOnce(&mut Seal, &mut Vec<u8>)) {
        let train = self.trains.entry((path, address)).or_default();
        let seal = &mut self.seal;
        train.take(|out| write(seal, out));
        if train.is_full() {
            train.depart(self.sockets.get(&path), address, &mut self.cuts);
        }
    }

    fn bind_missing(&mut self) -> Vec<(SocketAddr, io::Error)> {
        let mut faults = Vec::new();
        for (path, address) in self.paths.own() {
            if self.sockets.contains_key(&path) {
                continue;
            }
            match bind(address) {
                Ok(socket) => {
                    // Without a socket of its own, what is routine comes by the one that wakes.
                    if let Ok(routine) = split(&socket, address) {
                        prepare(&routine, address);
                        self.routine.insert(path, routine);
                    }
                    // Only here: behind what is routine nothing else may hide.
                    let _ = accept_trains(&socket);
                    self.sockets.insert(path, socket);
                }
                Err(error) => faults.push((address, error)),
            }
        }
        faults
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    prepare(&socket, address);
    Ok(socket)
}

fn prepare(socket: &UdpSocket, address: SocketAddr) {
    // Priority and buffer help under load; without them the cluster works all the same.
    let _ = match address {
        SocketAddr::V4(_) => sockopt::set_ip_tos(socket, TRAFFIC_CLASS),
        SocketAddr::V6(_) => sockopt::set_ipv6_tclass(socket, u32::from(TRAFFIC_CLASS)),
    };
    let _ = sockopt::set_socket_recv_buffer_size_force(socket, RECEIVE_BUFFER_BYTES)
        .or_else(|_| sockopt::set_socket_recv_buffer_size(socket, RECEIVE_BUFFER_BYTES));
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> =
            self.faults.iter().map(|(address, error)| format!("{address}: {error}")).collect();
        write!(f, "none of this node's addresses can be used ({})", faults.join("; "))
    }
}

impl std::error::Error for BindError {}
