//! Who is who on the wire: challenges, sessions, and what opens under them.
//!
//! Each life of each daemon draws a challenge. A *Hello* carries the sender's challenge and echoes the receiver's, if
//! known; the key of a session is derived from both. So a frame that opens was sealed by a holder of the cluster key that
//! had heard the challenge of this very life: nothing from an earlier life, session or cluster can be played again. A
//! Hello by itself proves little, for it can be replayed: it may make a candidate, and only a frame that opens under the
//! candidate makes that the session in use. Nor is anything sent under a candidate whose Hello did not echo this life's
//! challenge: a Hello goes out instead, so that a replayed one cannot keep two daemons apart.

use crate::drops::Dropped;
use crate::keys::{Challenge, ClusterKey, Keyring};
use crate::session::Session;
use aws_lc_rs::hmac;
use phalanx_types::{ClusterId, Incarnation, NodeId, NodeSet, ViewId};
use phalanx_wire::{DatagramKind, HEADER_BYTES, Header, WireError};
use std::collections::BTreeMap;
use std::ops::Range;

const CHALLENGE_BYTES: usize = 32;
const TAG_BYTES: usize = 32;
const HELLO_BYTES: usize = 2 * CHALLENGE_BYTES + TAG_BYTES;
/// The echo of one who has not heard the other's challenge.
const UNKNOWN: Challenge = Challenge([0; CHALLENGE_BYTES]);
/// The start number in a Hello to a life that is not known yet.
const ANY_LIFE: u64 = 0;

/// Who this is, and by which key it is known.
#[derive(Clone)]
pub struct Identity {
    /// The cluster.
    pub cluster: ClusterId,
    /// Which of the cluster's keys `key` is.
    pub key_epoch: u32,
    /// The key.
    pub key: ClusterKey,
    /// This life.
    pub me: Incarnation,
    /// Its challenge: fresh random bits, never used by another life.
    pub challenge: Challenge,
}

/// What a datagram that authenticated was.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// A frame, sent by that life to this life in this session.
    Frame {
        /// Who sent it.
        from: Incarnation,
        /// What was sent.
        bytes: Vec<u8>,
    },
    /// A Hello; to be answered by a datagram if the sender has not heard our challenge.
    Hello {
        /// What goes back the same way.
        answer: Option<Vec<u8>>,
    },
}

/// The same where it came: a frame is a part of its datagram.
pub(crate) enum Found {
    Frame { from: Incarnation, body: Range<usize> },
    Hello { answer: Option<Vec<u8>> },
}

/// Seals what goes out, opens what comes in.
pub struct Seal {
    identity: Identity,
    keyring: Keyring,
    hello: hmac::Key,
    peers: BTreeMap<NodeId, Peer>,
    /// Signs that a node exists twice: datagrams from a life that a later one has replaced, from a second daemon with one
    /// life, or to a later life of this very node. A few of them are late, and anybody can forge some: they are for people.
    doubles: BTreeMap<NodeId, u64>,
}

#[derive(Default)]
struct Peer {
    /// Of the datagram sent to it last; never reset in this life, whatever becomes of sessions.
    counter: u64,
    /// The session under which something has opened.
    working: Option<Session>,
    /// What a Hello has offered.
    candidate: Option<Session>,
}

impl Seal {
    /// The seal of one life among these other nodes.
    pub fn new(identity: Identity, peers: NodeSet) -> Seal {
        let keyring = Keyring::new(&identity.key, identity.cluster, identity.key_epoch);
        let me = identity.me.node;
        let peers = peers.iter().filter(|node| *node != me).map(|node| (node, Peer::default())).collect();
        Seal { hello: keyring.hello(), keyring, identity, peers, doubles: BTreeMap::new() }
    }

    /// The datagram that carries `body` to `to`; a Hello in its place while there is no session. `None` if there is no
    /// such peer.
    pub fn seal(&mut self, to: NodeId, lane: u8, view: ViewId, body: &[u8]) -> Option<Vec<u8>> {
        let mut datagram = Vec::new();
        self.seal_onto(to, lane, view, body, &mut datagram).then_some(datagram)
    }

    /// Appends to `out` the datagram that [`Seal::seal`] gives; false if there is no such peer.
    pub fn seal_onto(&mut self, to: NodeId, lane: u8, view: ViewId, body: &[u8], out: &mut Vec<u8>) -> bool {
        let Some(peer) = self.peers.get_mut(&to) else { return false };
        let candidate = peer.candidate.as_ref().filter(|session| session.echoed);
        let Some(session) = peer.working.as_ref().or(candidate) else {
            out.extend(self.greet(to).into_iter().flatten());
            return true;
        };
        peer.counter += 1;
        let mut header = header(&self.identity, DatagramKind::Sealed, session.life, peer.counter);
        (header.lane, header.view) = (lane, view);
        session.seal_onto(header.encode(), peer.counter, body, out);
        true
    }

    /// Opens a datagram, or says why not.
    pub fn open(&mut self, datagram: &[u8]) -> Result<Opened, Dropped> {
        let mut datagram = datagram.to_vec();
        Ok(match self.open_in_place(&mut datagram)? {
            Found::Frame { from, body } => Opened::Frame { from, bytes: datagram[body].to_vec() },
            Found::Hello { answer } => Opened::Hello { answer },
        })
    }

    /// Opens a datagram where it stands, or says why not; then what stands there is nothing any more.
    pub(crate) fn open_in_place(&mut self, datagram: &mut [u8]) -> Result<Found, Dropped> {
        let (header, _) = Header::decode(datagram).map_err(malformed)?;
        self.check(&header)?;
        let opened = match header.kind {
            DatagramKind::Hello => self.hear_hello(&header, datagram),
            DatagramKind::Sealed => self.open_sealed(&header, datagram),
        };
        if let Some(node) = opened.as_ref().err().and_then(|reason| self.double(&header, *reason)) {
            *self.doubles.entry(node).or_default() += 1;
        }
        opened
    }

    /// Whose identity somebody else seems to have, if what was dropped is a sign of that.
    fn double(&self, header: &Header, reason: Dropped) -> Option<NodeId> {
        let (me, from) = (self.identity.me, header.from);
        let replaced = || self.life(from.node).is_some_and(|life| from.start < life.start);
        match reason {
            Dropped::Twin | Dropped::OldLife => Some(from.node),
            Dropped::NoSession => replaced().then_some(from.node),
            Dropped::Receiver => (header.to.start > me.start).then_some(me.node),
            Dropped::Source
            | Dropped::Malformed
            | Dropped::Version
            | Dropped::Cluster
            | Dropped::KeyEpoch
            | Dropped::Sender
            | Dropped::Replay
            | Dropped::Forged => None,
        }
    }

    /// How many signs there were that a node exists twice; a few are frames that were late.
    pub fn doubles(&self) -> &BTreeMap<NodeId, u64> {
        &self.doubles
    }

    /// The life of `node` with which frames are exchanged.
    pub fn life(&self, node: NodeId) -> Option<Incarnation> {
        self.peers.get(&node)?.working.as_ref().map(|session| session.life)
    }

    fn check(&self, header: &Header) -> Result<(), Dropped> {
        let Identity { cluster, key_epoch, me, .. } = self.identity;
        match () {
            () if header.cluster != cluster => Err(Dropped::Cluster),
            () if header.key_epoch != key_epoch => Err(Dropped::KeyEpoch),
            () if header.to.node != me.node => Err(Dropped::Receiver),
            () if !self.peers.contains_key(&header.from.node) => Err(Dropped::Sender),
            () => Ok(()),
        }
    }

    fn hear_hello(&mut self, header: &Header, datagram: &[u8]) -> Result<Found, Dropped> {
        let (challenge, echo) = self.read_hello(datagram, &datagram[HEADER_BYTES..])?;
        let peer = self.peers.get_mut(&header.from.node).ok_or(Dropped::Sender)?;
        if peer.offer(header.from, challenge)? == Offer::New {
            let me = (self.identity.me, self.identity.challenge);
            peer.candidate = Some(Session::new(&self.keyring, me, (header.from, challenge)));
        }
        let echoed = echo == self.identity.challenge;
        if let Some(candidate) = &mut peer.candidate {
            candidate.echoed |= echoed && candidate.life == header.from;
        }
        Ok(Found::Hello { answer: (!echoed).then(|| self.greet(header.from.node)).flatten() })
    }

    fn read_hello(&self, datagram: &[u8], rest: &[u8]) -> Result<(Challenge, Challenge), Dropped> {
        if rest.len() != HELLO_BYTES {
            return Err(Dropped::Malformed);
        }
        let (said, tag) = datagram.split_at(HEADER_BYTES + 2 * CHALLENGE_BYTES);
        hmac::verify(&self.hello, said, tag).map_err(|_| Dropped::Forged)?;
        let challenge = |at: usize| {
            Challenge(rest[at..at + CHALLENGE_BYTES].try_into().expect("the length was just checked"))
        };
        Ok((challenge(0), challenge(CHALLENGE_BYTES)))
    }

    fn open_sealed(&mut self, header: &Header, datagram: &mut [u8]) -> Result<Found, Dropped> {
        if header.to != self.identity.me {
            return Err(Dropped::Receiver);
        }
        let peer = self.peers.get_mut(&header.from.node).ok_or(Dropped::Sender)?;
        let (head, sealed) = datagram.split_at_mut(HEADER_BYTES);
        let length = peer.open(header, head, sealed)?;
        Ok(Found::Frame { from: header.from, body: HEADER_BYTES..HEADER_BYTES + length })
    }

    /// A Hello to the newest life known of a peer.
    fn greet(&mut self, to: NodeId) -> Option<Vec<u8>> {
        let peer = self.peers.get_mut(&to)?;
        peer.counter += 1;
        let known = peer.candidate.as_ref().or(peer.working.as_ref());
        let life = known.map_or(Incarnation { node: to, start: ANY_LIFE }, |session| session.life);
        let echo = known.map_or(UNKNOWN, |session| session.challenge);
        let head = header(&self.identity, DatagramKind::Hello, life, peer.counter).encode();
        let said = [&head[..], &self.identity.challenge.0, &echo.0].concat();
        let tag = hmac::sign(&self.hello, &said);
        Some([&said, tag.as_ref()].concat())
    }
}

#[derive(PartialEq, Eq)]
enum Offer {
    Known,
    New,
}

impl Peer {
    /// What a Hello of `life` offers, if it is neither out of date nor a second daemon with that life.
    fn offer(&self, life: Incarnation, challenge: Challenge) -> Result<Offer, Dropped> {
        for session in self.working.iter().chain(&self.candidate) {
            match () {
                () if life.start < session.life.start => return Err(Dropped::OldLife),
                () if life == session.life && challenge != session.challenge => return Err(Dropped::Twin),
                () if life == session.life => return Ok(Offer::Known),
                () => {}
            }
        }
        Ok(Offer::New)
    }

    fn open(&mut self, header: &Header, head: &[u8], sealed: &mut [u8]) -> Result<usize, Dropped> {
        if let Some(working) = self.working.as_mut().filter(|session| session.life == header.from) {
            return working.open(header.counter, head, sealed);
        }
        let candidate = self.candidate.as_mut().filter(|session| session.life == header.from);
        let length = candidate.ok_or(Dropped::NoSession)?.open(header.counter, head, sealed)?;
        self.working = self.candidate.take();
        Ok(length)
    }
}

fn header(identity: &Identity, kind: DatagramKind, to: Incarnation, counter: u64) -> Header {
    let &Identity { cluster, key_epoch, me, .. } = identity;
    let (capabilities, lane, view) = (0, 0, ViewId::NONE);
    Header { capabilities, cluster, key_epoch, kind, lane, from: me, to, view, counter }
}

fn malformed(error: WireError) -> Dropped {
    match error {
        WireError::BadField("version") => Dropped::Version,
        WireError::BadField(_)
        | WireError::Truncated
        | WireError::UnknownKind(_)
        | WireError::WrongLength => Dropped::Malformed,
    }
}
