//! The picture along rings: what they bring into it, and what this node says on them.

use super::{Life, Monitor, Occasion, Peer, Rumour, Speech, Topology};
use crate::ring::{self, Earned, Given, Posting};
use phalanx_types::{Incarnation, NetworkId, NodeId, NodeSet, PathId, Tick};
use phalanx_wire::{Beat, Frame};
use std::collections::{BTreeMap, BTreeSet};

/// What is said along the rings in one step.
#[derive(Debug, Default)]
pub struct Spoken {
    /// The frames.
    pub postings: Vec<Posting>,
    /// To whom they give leases, and when what they answer was received: so much is promised.
    pub given: Vec<Given>,
    /// Whether what is new was said in them.
    pub told: bool,
    /// Whether this node heeded a mayor's word: few do.
    pub heeded: bool,
}

impl Topology {
    /// Takes in a frame of a ring. With beats to all there are none, and it means nothing.
    pub fn hear_ring(&mut self, now: Tick, path: PathId, from: Incarnation, frame: &Frame<'_>) {
        let moment = ring::moment(now, self.resumed, self.timings);
        let Monitor::Ring(rings) = &mut self.monitor else { return };
        let Some(peer) = self.peers.get(&from.node) else { return };
        if matches!(frame, Frame::Receipt(receipt) if !receipt.asks && receipt.number > self.beat_number) {
            // It notes a beat that this life has not sent: it is for the one before.
            return;
        }
        let life = peer.life.as_ref().filter(|life| life.incarnation == from);
        let shown = rings.hear(moment, path, from, frame, life.map_or(0, |life| life.number));
        for life in shown {
            if let Some(peer) = self.peers.get_mut(&life.node) {
                peer.vouch(now, life, (life == from).then_some(path));
            }
        }
        if rings.is_stale(moment) {
            self.check_at = now;
        }
    }

    /// What the rings have earned since this was asked last: who granted the request sent when.
    pub fn earned(&mut self) -> Vec<Earned> {
        match &mut self.monitor {
            Monitor::Mesh => Vec::new(),
            Monitor::Ring(rings) => rings.earned(),
        }
    }

    /// Whether leases and silence go by rings.
    pub fn has_rings(&self) -> bool {
        matches!(self.monitor, Monitor::Ring(_))
    }

    /// While this node has left somebody for others along a ring, and those may not be heard yet: until when that may last.
    pub fn moving_until(&self, now: Tick) -> Option<Tick> {
        match &self.monitor {
            Monitor::Mesh => None,
            Monitor::Ring(rings) => rings.moving_until(ring::moment(now, self.resumed, self.timings)),
        }
    }

    /// Whether what is said along the rings now may grant leases.
    pub fn grants_on_rings(&self, now: Tick) -> bool {
        match &self.monitor {
            Monitor::Mesh => false,
            Monitor::Ring(rings) => rings.grants(now),
        }
    }

    /// What is to be said along the rings now. `grantee` says who may be granted a lease; `news` that this node has something
    /// new to tell, to be told at once if it is `urgent`.
    pub fn speak(
        &mut self,
        now: Tick,
        occasion: Occasion,
        speech: Speech,
        grantee: &dyn Fn(Incarnation) -> bool,
    ) -> Spoken {
        let moment = ring::moment(now, self.resumed, self.timings);
        let number = self.beat_number + 1;
        let occasion = if self.take_hearsay() { Occasion::Urgent } else { occasion };
        let Monitor::Ring(rings) = &mut self.monitor else { return Spoken::default() };
        let (mut to, told) = rings.tell(moment, occasion, number);
        let beaten = rings.beat(moment, grantee);
        to.extend(beaten.news);
        if rings.is_stale(moment) {
            self.check_at = now;
        }
        let (mut postings, heeded) = (rings.poll(), rings.take_heeded());
        postings.extend(self.news_beats(now, to, speech));
        Spoken { postings, given: beaten.given, told, heeded }
    }

    fn news_beats(&mut self, now: Tick, to: BTreeSet<(NodeId, PathId)>, speech: Speech) -> Vec<Posting> {
        if to.is_empty() {
            return Vec::new();
        }
        let mut bytes = self.next_beat(now, speech).encode();
        let mut posting = |(to, path): (NodeId, PathId)| {
            Beat::set_hears_here(&mut bytes, self.connected_on(path.network));
            Posting { to, path, routine: false, bytes: bytes.clone() }
        };
        to.into_iter().map(&mut posting).collect()
    }

    fn connected_on(&self, network: NetworkId) -> NodeSet {
        let connected = |peer: &Peer| peer.paths.iter().any(|path| path.id.network == network && path.up);
        self.peers.iter().filter(|(_, peer)| connected(peer)).map(|(node, _)| *node).collect()
    }

    /// The nodes of which rumours are still believed. Beats to all repeat them; along rings they stand as long as anybody
    /// who is heard says to hear that node.
    pub(super) fn believed(&self, now: Tick) -> NodeSet {
        let recent = |rumour: &Rumour| now.since(rumour.at) < self.timings.detect();
        match &self.monitor {
            Monitor::Mesh => {
                self.rumours.iter().filter(|(_, rumour)| recent(rumour)).map(|(node, _)| *node).collect()
            }
            Monitor::Ring(_) => self.heard_lives().fold(NodeSet::EMPTY, |all, life| all.or(life.hears)),
        }
    }

    /// Whether there is something new of those whom not all hear.
    fn take_hearsay(&mut self) -> bool {
        if !std::mem::take(&mut self.hearsay_due) {
            return false;
        }
        let hearsay = self.hearsay();
        let news = hearsay != self.relayed;
        self.relayed = hearsay;
        news
    }

    /// What those hear whom somebody else may not hear: he knows it from this node only.
    fn hearsay(&self) -> BTreeMap<NodeId, NodeSet> {
        let heard = |life: &Life| life.hears.with(life.incarnation.node);
        let by_all = self.heard_lives().map(heard).reduce(NodeSet::and).unwrap_or(NodeSet::EMPTY);
        let lives = self.heard_lives().filter(|life| !by_all.has(life.incarnation.node));
        lives.map(|life| (life.incarnation.node, life.hears)).collect()
    }
}
