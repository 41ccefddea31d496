//! The whole picture: every peer, every path, and who hears whom.
//!
//! Sends a beat to every peer at every interval, judges what comes back, and answers one question for membership: which
//! nodes should form a view with this one. What this node only suspects because it stood still itself is discarded.
//!
//! A beat that tells something new goes by every path. While nothing is new and all paths to a peer work, they take turns:
//! the peer hears as often as before, each path half as often, and nobody pays for the second copy.

mod along;
mod grace;
mod look;

pub use along::Spoken;

use crate::clique::{Graph, clique_of, mirrored_clique_of};
use crate::lateness::Lateness;
use crate::peer::{Life, Peer, Verdict};
use crate::ring::{self, Rings};
use phalanx_events::{MembershipNote, Point};
use phalanx_types::{
    BootId, Bug, Incarnation, NetworkId, NodeId, NodeSet, PathId, Plot, Seat, Span, Tick, Timings, ViewId,
};
use phalanx_wire::{Beat, BeatEntry, BeatFlags, BeatGrant};
use std::collections::BTreeMap;

/// A node that stalled ordered messages is not heard for so many detection times.
const SHUN_DETECTS: u64 = 4;
/// A gap between two steps longer than this part of the detection time is a stall of our own.
const PAUSE_PART: u64 = 4;

/// What membership wants said in this node's beats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speech {
    /// See [`BeatFlags`].
    pub flags: BeatFlags,
    /// The view installed here.
    pub view: ViewId,
    /// How far its ordered messages were received.
    pub received: u64,
    /// The highest view counter known here.
    pub counter_max: u64,
}

/// Why beats are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// It is time, and there is nothing new to tell.
    Routine,
    /// It is time, and they tell something new.
    News,
    /// They cannot wait until it is time.
    Urgent,
}

/// Whether this node reaches anybody on one network: hears him there, and is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// It does.
    Somebody,
    /// It does not, and does on another network: its own adapter is suspected first.
    NobodyHere,
    /// It reaches nobody on any network.
    NobodyAnywhere,
}

/// What a beat meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// It is the newest of its sender's life, so its grants and acknowledgements count.
    pub newest: bool,
    /// Its sender is in a new life.
    pub new_life: bool,
    /// Its sender wants an answer at once.
    pub urgent: bool,
}

/// How nodes watch each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Each beats to all.
    Mesh,
    /// On each path a ring of the nodes that have an address there, in the order of these, this one among them.
    Ring(BTreeMap<PathId, Vec<Seat>>),
}

#[derive(Clone, Debug)]
enum Monitor {
    Mesh,
    Ring(Rings),
}

/// The picture.
#[derive(Clone, Debug)]
pub struct Topology {
    me: Incarnation,
    boot: BootId,
    timings: Timings,
    /// Since when they are in force. Who was not heard then is heard when something comes, not by a longer patience.
    timings_since: Tick,
    /// From the last sign of a life to where it can hold nothing any more by what this node granted it.
    held_for: Span,
    peers: BTreeMap<NodeId, Peer>,
    /// What nodes that we do not hear are said to hear.
    rumours: BTreeMap<NodeId, Rumour>,
    shunned: BTreeMap<NodeId, Tick>,
    hearing: BTreeMap<NetworkId, Hearing>,
    /// When this node last noticed that it had stood still.
    resumed: Tick,
    last_step: Tick,
    beat_at: Tick,
    beat_number: u64,
    /// Counts the times that it was time for a beat.
    turn: u64,
    check_at: Tick,
    /// From when on echoes may be asked for again.
    echo_at: Tick,
    hears: NodeSet,
    /// Who heard whom when [`Topology::wanted`] was asked last, and what that came to.
    wanted: Option<(Graph, NodeSet)>,
    monitor: Monitor,
    /// What the last beats along rings said of those whom not all hear.
    relayed: BTreeMap<NodeId, NodeSet>,
    /// Something was heard since that may differ.
    hearsay_due: bool,
    lateness: Lateness,
    plot: Plot,
}

#[derive(Clone, Copy, Debug)]
struct Rumour {
    start: u64,
    number: u64,
    hears: NodeSet,
    at: Tick,
}

impl Topology {
    /// A picture with nobody heard. `paths` are the ways to each other configured node.
    pub fn new(
        now: Tick,
        me: Incarnation,
        boot: BootId,
        timings: Timings,
        paths: BTreeMap<NodeId, Vec<PathId>>,
        strategy: Strategy,
    ) -> Topology {
        let peers = paths.into_iter().map(|(node, paths)| (node, Peer::new(paths))).collect();
        Topology {
            me,
            boot,
            timings,
            timings_since: now,
            held_for: timings.takeover_wait(),
            peers,
            rumours: BTreeMap::new(),
            shunned: BTreeMap::new(),
            hearing: BTreeMap::new(),
            resumed: now,
            last_step: now,
            beat_at: now,
            beat_number: 0,
            turn: 0,
            check_at: now,
            echo_at: now,
            hears: NodeSet::EMPTY.with(me.node),
            wanted: None,
            monitor: match strategy {
                Strategy::Mesh => Monitor::Mesh,
                Strategy::Ring(order) => Monitor::Ring(Rings::new(now, me, order)),
            },
            relayed: BTreeMap::new(),
            hearsay_due: false,
            lateness: Lateness::default(),
            plot: Plot::NONE,
        }
    }

    /// Plants the bug that the simulator chose, if any.
    pub fn plant(&mut self, plot: Plot) {
        self.plot = plot;
    }

    /// From now on these are in force; no grant of this node that may still run was for longer than `lease_max`.
    pub fn set_timings(&mut self, now: Tick, timings: Timings, lease_max: Span) {
        (self.timings, self.held_for) = (timings, timings.free_after(lease_max.max(timings.lease())));
        (self.timings_since, self.check_at) = (now, now);
    }

    /// To be called first in every step. If this node stood still: for how long. It should ask for answers at once.
    pub fn notice_gap(&mut self, now: Tick, expected: Tick, notes: &mut Vec<MembershipNote>) -> Option<Span> {
        let gap = now.since(self.last_step.max(expected));
        self.last_step = now;
        self.lateness.count(now, gap);
        if gap <= self.timings.detect() / PAUSE_PART {
            return None;
        }
        self.resumed = now;
        self.check_at = now;
        notes.push(MembershipNote::SelfPaused { gap });
        Some(gap)
    }

    /// Takes in a beat.
    pub fn hear(
        &mut self,
        now: Tick,
        path: PathId,
        from: Incarnation,
        beat: &Beat,
        notes: &mut Vec<MembershipNote>,
    ) -> Heard {
        let me = self.me.node;
        let Some(peer) = self.peers.get_mut(&from.node) else {
            return Heard { newest: false, new_life: false, urgent: false };
        };
        let old_life = peer.life.as_ref().map(|life| (life.incarnation, life.hears, life.flags));
        let moment = (now, self.resumed, self.held_for);
        let had_rival = peer.has_rival();
        let verdict = peer.hear(moment, path, from, beat, beat.hears_here.has(me), &self.timings);
        self.hearsay_due = true;
        let newcomer = !had_rival && peer.has_rival();
        if let (Monitor::Ring(rings), Verdict::Newest | Verdict::NewLife | Verdict::Older, Some(life)) =
            (&mut self.monitor, verdict, &peer.life)
        {
            rings.acknowledge(now, path, from, life.number);
            if beat.hears_here.has(me) {
                rings.meet(path, from);
            }
        }
        match verdict {
            Verdict::Newest | Verdict::NewLife => self.take_rumours(now, beat),
            Verdict::Cloned => notes.push(MembershipNote::IdentityCloned { node: from.node }),
            Verdict::Older | Verdict::Stale => {}
        }
        if newcomer {
            notes.push(MembershipNote::Reached { point: Point::NewcomerWaits });
        }
        let news = old_life != Some((from, beat.hears, beat.flags)) || !self.hears.has(from.node);
        if verdict == Verdict::Cloned || news || self.path_news(from.node, path) {
            self.check_at = now;
        }
        let new_life = verdict == Verdict::NewLife;
        if new_life && old_life.is_some() {
            notes.push(MembershipNote::Reached { point: Point::PeerReborn });
        }
        Heard { newest: verdict == Verdict::Newest || new_life, new_life, urgent: beat.flags.urgent }
    }

    /// Re-judges what may have changed by now. False if nothing can have.
    pub fn check(&mut self, now: Tick, notes: &mut Vec<MembershipNote>) -> bool {
        if now < self.check_at {
            return false;
        }
        let moment = ring::moment(now, self.resumed, self.timings);
        if let Monitor::Ring(rings) = &mut self.monitor {
            rings.judge(moment);
        }
        self.hearsay_due = true;
        self.shunned.retain(|_, until| *until > now);
        self.hears = self.judge_hearing(now);
        self.judge_peers(now, notes);
        self.judge_paths(now, notes);
        self.judge_adapters(notes);
        self.check_at = self.next_check(now);
        true
    }

    /// The beats to send now, if it is time or urgent.
    pub fn beats(
        &mut self,
        now: Tick,
        occasion: Occasion,
        speech: Speech,
        granted: impl Fn(Incarnation) -> Tick,
    ) -> Vec<(NodeId, PathId, Vec<u8>)> {
        if now < self.beat_at && occasion != Occasion::Urgent {
            return Vec::new();
        }
        if now >= self.beat_at {
            self.turn += 1;
            self.beat_at = (self.beat_at + self.timings.beat()).max(now + self.timings.beat() / 2);
        }
        let beat = self.next_beat(now, speech);
        self.address(now, &beat, occasion, granted)
    }

    /// A beat to one peer only, in answer to an urgent one.
    pub fn answer(
        &mut self,
        now: Tick,
        to: NodeId,
        path: PathId,
        speech: Speech,
        granted: impl Fn(Incarnation) -> Tick,
    ) -> Vec<u8> {
        let mut beat = self.next_beat(now, speech);
        beat.hears_here = self.heard_on(now, path.network);
        beat.grant = self.grant(to, &granted);
        debug_assert!(self.peers.contains_key(&to));
        beat.encode()
    }

    /// The nodes that a view should have: this one and those that all hear each other with it.
    pub fn wanted(&mut self, now: Tick) -> NodeSet {
        let graph = self.graph(now);
        if let Some((known, wanted)) = &self.wanted
            && *known == graph
        {
            return *wanted;
        }
        let wanted = match &self.monitor {
            Monitor::Mesh => clique_of(self.me.node, &graph),
            Monitor::Ring(_) => mirrored_clique_of(self.me.node, &graph),
        };
        self.wanted = Some((graph, wanted));
        wanted
    }

    /// Does not hear `node` for a while: it answers beats but not ordered messages.
    pub fn shun(&mut self, now: Tick, node: NodeId) {
        let until = match self.plot.has(Bug::ShunnedForGood) {
            true => Tick::NEVER,
            false => now + self.timings.detect() * SHUN_DETECTS,
        };
        self.shunned.insert(node, until);
        self.check_at = now;
    }

    /// The nodes heard within the detection time, this one included.
    pub fn hears(&self) -> NodeSet {
        self.hears
    }

    /// The peers of whom anything was heard within `span`, by whichever path and whether or not they are taken for up.
    pub fn heard_within(&self, now: Tick, span: Span) -> NodeSet {
        let heard = |peer: &Peer| peer.life.as_ref().is_some_and(|life| now.since(life.heard) < span);
        let heard: NodeSet =
            self.peers.iter().filter(|(_, peer)| heard(peer)).map(|(node, _)| *node).collect();
        match &self.monitor {
            Monitor::Mesh => heard,
            Monitor::Ring(rings) => heard.or(rings.seen_within(now, span)),
        }
    }

    /// Whether anybody is reached on each network, as last judged.
    pub fn hearing(&self) -> &BTreeMap<NetworkId, Hearing> {
        &self.hearing
    }

    /// Whether `node` and this one hear each other.
    pub fn is_mutual(&self, node: NodeId) -> bool {
        let hears_us = |peer: &Peer| peer.life.as_ref().is_some_and(|life| life.hears.has(self.me.node));
        self.hears.has(node) && self.peers.get(&node).is_some_and(hears_us)
    }

    /// The present life of a peer and its boot, as far as known.
    pub fn life(&self, node: NodeId) -> Option<(Incarnation, BootId)> {
        self.life_of(node).map(|life| (life.incarnation, life.boot))
    }

    /// What a peer said of itself in its newest beat.
    pub fn flags(&self, node: NodeId) -> BeatFlags {
        self.life_of(node).map(|life| life.flags).unwrap_or_default()
    }

    /// The view that a peer has installed, by its newest beat, and how far it received that view's messages.
    pub fn progress(&self, node: NodeId) -> Option<(ViewId, u64)> {
        self.life_of(node).map(|life| (life.view, life.received))
    }

    /// The newest beat of a life: when it was sent there, when it arrived here.
    pub fn newest_beat(&self, of: Incarnation) -> Option<(Tick, Tick)> {
        self.life_of(of.node).filter(|life| life.incarnation == of).map(|life| (life.sent, life.newest_at))
    }

    /// The highest view counter that any peer told of.
    pub fn counter_max(&self) -> u64 {
        let lives = self.peers.values().filter_map(|peer| peer.life.as_ref());
        lives.map(|life| life.counter_max).max().unwrap_or(0)
    }

    /// By which path to send to `node` when it was sent `tries` times before.
    pub fn route(&self, now: Tick, node: NodeId, tries: u32) -> Option<PathId> {
        let peer = self.peers.get(&node)?;
        match self.monitor {
            Monitor::Mesh => peer.route(tries, now, self.resumed, &self.timings),
            Monitor::Ring(_) => peer.connected_route(tries),
        }
    }

    /// Every configured peer.
    pub fn peers(&self) -> impl Iterator<Item = NodeId> {
        self.peers.keys().copied()
    }

    /// When to call again at the latest.
    pub fn wake_at(&self) -> Tick {
        match &self.monitor {
            Monitor::Mesh => self.beat_at.min(self.check_at),
            Monitor::Ring(rings) => rings.beat_at().min(self.check_at),
        }
    }

    /// Who hears whom, as far as this node knows: of those that it hears by their own word.
    fn graph(&self, now: Tick) -> Graph {
        let (mut graph, believed) = (Graph::new(), self.believed(now));
        let ignored = self.plot.has(Bug::RumoursIgnored);
        let rumours = self.rumours.iter().filter(|(node, _)| believed.has(**node) && !ignored);
        for (node, rumour) in rumours {
            graph.insert(*node, rumour.hears);
        }
        self.heard_lives().for_each(|life| graph.insert(life.incarnation.node, life.hears));
        graph.insert(self.me.node, self.hears);
        graph
    }

    fn heard_lives(&self) -> impl Iterator<Item = &Life> {
        let heard = self.peers.iter().filter(|(node, _)| self.hears.has(**node));
        heard.filter_map(|(_, peer)| peer.life.as_ref())
    }

    fn life_of(&self, node: NodeId) -> Option<&Life> {
        self.peers.get(&node)?.life.as_ref()
    }

    fn take_rumours(&mut self, now: Tick, beat: &Beat) {
        for entry in beat.entries.iter().filter(|entry| entry.node != self.me.node) {
            let rumour = Rumour { start: entry.start, number: entry.number, hears: entry.hears, at: now };
            let known = self.rumours.entry(entry.node).or_insert(rumour);
            if (entry.start, entry.number) < (known.start, known.number) {
                continue;
            }
            if known.hears != rumour.hears && !self.hears.has(entry.node) {
                self.check_at = now;
            }
            *known = rumour;
        }
    }

    /// Whether the verdict on a path differs from what was last told.
    fn path_news(&self, node: NodeId, id: PathId) -> bool {
        let paths = self.peers.get(&node).filter(|_| !self.has_rings()).map(|peer| peer.paths.iter());
        paths.into_iter().flatten().any(|path| path.id == id && path.up != path.hears_us)
    }

    /// Who was not heard when this node stood still has no silence to be forgiven.
    fn judge_hearing(&self, now: Tick) -> NodeSet {
        let resumed = |node| if self.hears.has(node) { self.resumed } else { Tick::ZERO };
        let is_heard = |node: &NodeId, peer: &Peer| {
            let forgiven = self.plot.has(Bug::SilenceForgiven) && peer.life.is_some();
            let heard = match &self.monitor {
                Monitor::Mesh => {
                    let fresh = self.hears.has(*node) || peer.heard_since(self.timings_since);
                    fresh && peer.is_heard(now, resumed(*node), &self.timings)
                }
                Monitor::Ring(rings) => peer.is_connected(now, |path, life| rings.connects(path, life)),
            };
            !self.shunned.contains_key(node) && (forgiven || heard)
        };
        let heard = self.peers.iter().filter(|(node, peer)| is_heard(node, peer));
        heard.map(|(node, _)| *node).collect::<NodeSet>().with(self.me.node)
    }

    fn judge_peers(&mut self, now: Tick, notes: &mut Vec<MembershipNote>) {
        for (node, peer) in &mut self.peers {
            let Some(life) = &peer.life else { continue };
            let up = self.hears.has(*node) && life.hears.has(self.me.node);
            if up == peer.up {
                continue;
            }
            peer.up = up;
            let (life, silent) = (life.incarnation, peer.silence(now));
            notes.push(match up {
                true => MembershipNote::PeerUp { life },
                false => MembershipNote::PeerDown { life, silent },
            });
        }
    }

    fn judge_paths(&mut self, now: Tick, notes: &mut Vec<MembershipNote>) {
        for (node, peer) in &mut self.peers {
            let life = peer.life.as_ref().map(|life| life.incarnation);
            for path in &mut peer.paths {
                let up = match &self.monitor {
                    Monitor::Mesh => path.works(now, self.resumed, &self.timings),
                    Monitor::Ring(rings) => life.is_some_and(|life| rings.connects(path.id, life)),
                };
                if up == path.up {
                    continue;
                }
                path.up = up;
                let (peer, path, silent) = (*node, path.id, path.silence(now));
                notes.push(match up {
                    true => MembershipNote::PathUp { peer, path },
                    false => MembershipNote::PathDown { peer, path, silent },
                });
            }
        }
    }

    /// No path of a network works while another network does: suspect our own adapter before our neighbours.
    fn judge_adapters(&mut self, notes: &mut Vec<MembershipNote>) {
        let mut any_up: BTreeMap<NetworkId, bool> = BTreeMap::new();
        for path in self.peers.values().flat_map(|peer| &peer.paths) {
            *any_up.entry(path.id.network).or_default() |= path.up;
        }
        let elsewhere = any_up.values().any(|up| *up);
        for (network, up) in any_up {
            let hearing = match (up, elsewhere) {
                (true, _) => Hearing::Somebody,
                (false, true) => Hearing::NobodyHere,
                (false, false) => Hearing::NobodyAnywhere,
            };
            if self.hearing.insert(network, hearing) != Some(hearing) && hearing == Hearing::NobodyHere {
                notes.push(MembershipNote::AdapterSuspected { network });
            }
        }
    }

    fn next_check(&self, now: Tick) -> Tick {
        let down = |peer: &Peer| peer.down_at(self.resumed, &self.timings);
        let downs = self.peers.iter().filter(|(node, _)| self.hears.has(**node)).map(|(_, peer)| down(peer));
        let late = |path: &crate::path::Path| path.heard.max(self.resumed) + path.patience(&self.timings);
        let paths = self.peers.values().flat_map(|peer| &peer.paths).filter(|path| path.up).map(late);
        let shuns = self.shunned.values().copied();
        let next = match &self.monitor {
            Monitor::Mesh => downs.chain(paths).chain(shuns).min(),
            Monitor::Ring(rings) => {
                let moment = ring::moment(now, self.resumed, self.timings);
                shuns.chain(self.clones_until(now)).chain([rings.changes_at(moment)]).min()
            }
        };
        let next = next.unwrap_or(Tick::NEVER);
        next.max(now + Span::from_millis(1))
    }

    fn clones_until(&self, now: Tick) -> impl Iterator<Item = Tick> {
        self.peers.values().map(Peer::cloned_until).filter(move |until| *until > now)
    }

    /// A beat as far as it is the same for all.
    fn next_beat(&mut self, now: Tick, speech: Speech) -> Beat {
        self.beat_number += 1;
        let entry = |life: &Life| BeatEntry {
            node: life.incarnation.node,
            start: life.incarnation.start,
            number: life.number,
            hears: life.hears,
        };
        Beat {
            flags: speech.flags,
            number: self.beat_number,
            sent: now,
            boot: self.boot,
            view: speech.view,
            received: speech.received,
            counter_max: speech.counter_max,
            hears: self.hears,
            hears_here: NodeSet::EMPTY,
            grant: None,
            entries: self.heard_lives().map(entry).collect(),
        }
    }

    /// What a peer is granted, if it is heard.
    fn grant(&self, node: NodeId, granted: &impl Fn(Incarnation) -> Tick) -> Option<BeatGrant> {
        let life = self.life_of(node).filter(|_| self.hears.has(node))?.incarnation;
        let sent = granted(life);
        let lease = self.timings.lease();
        (sent != Tick::ZERO).then_some(BeatGrant { start: life.start, sent, lease })
    }

    fn address(
        &self,
        now: Tick,
        beat: &Beat,
        occasion: Occasion,
        granted: impl Fn(Incarnation) -> Tick,
    ) -> Vec<(NodeId, PathId, Vec<u8>)> {
        let encoded = beat.encode();
        let heard: BTreeMap<NetworkId, NodeSet> =
            (self.hearing.keys()).map(|network| (*network, self.heard_on(now, *network))).collect();
        let to = |node: NodeId, path: PathId, grant: Option<BeatGrant>| {
            let mut bytes = encoded.clone();
            Beat::set_grant(&mut bytes, grant);
            Beat::set_hears_here(&mut bytes, heard.get(&path.network).copied().unwrap_or_default());
            (node, path, bytes)
        };
        let paths = |peer: &Peer| -> Vec<PathId> {
            match occasion {
                Occasion::Routine => peer.routine(self.turn).collect(),
                Occasion::News | Occasion::Urgent => peer.paths.iter().map(|path| path.id).collect(),
            }
        };
        let beats = |(node, peer): (&NodeId, &Peer)| {
            let (node, grant) = (*node, self.grant(*node, &granted));
            paths(peer).into_iter().map(move |path| to(node, path, grant))
        };
        self.peers.iter().flat_map(beats).collect()
    }

    fn heard_on(&self, now: Tick, network: NetworkId) -> NodeSet {
        let hears = |peer: &Peer| {
            let mut paths = peer.paths.iter().filter(|path| path.id.network == network);
            paths.any(|path| path.is_heard(now, self.resumed, &self.timings))
        };
        self.peers.iter().filter(|(_, peer)| hears(peer)).map(|(node, _)| *node).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outlook::Reach;
    use crate::ring::seats;
    use phalanx_types::{Monitoring, Step, TimingProfile};

    pub(super) const A: Incarnation = Incarnation { node: NodeId(1), start: 1 };
    pub(super) const B: Incarnation = Incarnation { node: NodeId(2), start: 1 };
    pub(super) const C: Incarnation = Incarnation { node: NodeId(3), start: 1 };
    pub(super) const NET: [PathId; 2] =
        [PathId { network: NetworkId(0), index: 0 }, PathId { network: NetworkId(1), index: 0 }];

    pub(super) fn at(ms: u64) -> Tick {
        Tick::ZERO + Span::from_millis(1_000 + ms)
    }

    pub(super) fn set(nodes: &[u16]) -> NodeSet {
        nodes.iter().map(|node| NodeId(*node)).collect()
    }

    /// A's picture of B and C on two networks.
    pub(super) struct Story {
        pub topology: Topology,
        pub notes: Vec<MembershipNote>,
        number: u64,
    }

    impl Story {
        fn new() -> Story {
            Story::under(Timings::of(TimingProfile::Auto))
        }

        pub fn under(timings: Timings) -> Story {
            let paths = [B, C].map(|peer| (peer.node, NET.to_vec())).into_iter().collect();
            let topology = Topology::new(at(0), A, BootId([1; 16]), timings, paths, Strategy::Mesh);
            Story { topology, notes: Vec::new(), number: 0 }
        }

        fn beat(&mut self, ms: u64, from: Incarnation, path: PathId, hears: &[u16]) -> Heard {
            self.beat_of(ms, from, path, hears, from.node.0 as u8)
        }

        /// From another boot of the same host, or another host.
        fn boot(&mut self, ms: u64, from: Incarnation, boot: u8) -> Heard {
            self.beat_of(ms, from, NET[0], &[1, 2], boot)
        }

        fn beat_of(&mut self, ms: u64, from: Incarnation, path: PathId, hears: &[u16], boot: u8) -> Heard {
            self.number += 1;
            let hears = set(hears);
            let beat = Beat {
                flags: BeatFlags::default(),
                number: self.number,
                sent: at(ms),
                boot: BootId([boot; 16]),
                view: ViewId::NONE,
                received: 0,
                counter_max: 0,
                hears,
                hears_here: hears,
                grant: None,
                entries: vec![],
            };
            let heard = self.topology.hear(at(ms), path, from, &beat, &mut self.notes);
            self.topology.check(at(ms), &mut self.notes);
            heard
        }

        pub fn beats(&mut self, from_ms: u64, to_ms: u64, peers: &[Incarnation], paths: &[PathId]) {
            for ms in (from_ms..to_ms).step_by(25) {
                self.topology.notice_gap(at(ms), at(ms), &mut self.notes);
                for peer in peers {
                    paths.iter().for_each(|path| {
                        self.beat(ms, *peer, *path, &[1, 2, 3]);
                    });
                }
                self.topology.check(at(ms), &mut self.notes);
            }
        }
    }

    #[test]
    fn a_silent_peer_is_down_after_the_detection_time_and_not_before() {
        let mut story = Story::new();
        story.beats(0, 500, &[B, C], &NET);
        assert_eq!(story.topology.wanted(at(480)), set(&[1, 2, 3]));
        story.beats(500, 875, &[B], &NET);
        assert_eq!(story.topology.wanted(at(874)), set(&[1, 2, 3]));
        story.beats(875, 900, &[B], &NET);
        assert_eq!(story.topology.wanted(at(899)), set(&[1, 2]));
        assert!(
            story
                .notes
                .iter()
                .any(|note| matches!(note, MembershipNote::PeerDown { life, .. } if *life == C))
        );
    }

    #[test]
    fn one_network_less_is_a_path_down_and_a_suspected_adapter_but_no_peer_down() {
        let mut story = Story::new();
        story.beats(0, 500, &[B, C], &NET);
        story.notes.clear();
        story.beats(500, 2_000, &[B, C], &NET[..1]);
        assert_eq!(story.topology.wanted(at(1_990)), set(&[1, 2, 3]));
        // Four of its beats, which are every second one, and then the next look.
        let silent = Span::from_millis(325);
        let expected = [
            MembershipNote::PathDown { peer: B.node, path: NET[1], silent },
            MembershipNote::PathDown { peer: C.node, path: NET[1], silent },
            MembershipNote::AdapterSuspected { network: NetworkId(1) },
        ];
        assert_eq!(story.notes, expected);
    }

    #[test]
    fn beats_that_tell_nothing_new_take_turns_on_paths_that_all_work() {
        let mut story = Story::new();
        let speech = Speech { flags: BeatFlags::default(), view: ViewId::NONE, received: 0, counter_max: 0 };
        let said = |story: &mut Story, ms, occasion| -> Vec<(NodeId, NetworkId)> {
            let beats = story.topology.beats(at(ms), occasion, speech, |_| Tick::ZERO);
            beats.into_iter().map(|(to, path, _)| (to, path.network)).collect()
        };
        let by = |network: PathId| vec![(B.node, network.network), (C.node, network.network)];
        let everywhere = [B, C].map(|peer| NET.map(|path| (peer.node, path.network))).concat();
        assert_eq!(said(&mut story, 0, Occasion::Routine), everywhere, "nothing works yet");
        story.beats(0, 500, &[B, C], &NET);
        assert_eq!(said(&mut story, 500, Occasion::Routine), by(NET[0]));
        assert_eq!(said(&mut story, 540, Occasion::Routine), by(NET[1]));
        assert_eq!(said(&mut story, 550, Occasion::Routine), [], "it is not time");
        assert_eq!(said(&mut story, 550, Occasion::Urgent), everywhere);
        assert_eq!(said(&mut story, 580, Occasion::News), everywhere);
        story.beats(500, 900, &[B, C], &NET[1..]);
        assert_eq!(said(&mut story, 900, Occasion::Routine), everywhere, "a path is late");
    }

    #[test]
    fn a_network_where_nobody_hears_us_is_one_where_we_reach_nobody() {
        let mut story = Story::new();
        story.beats(0, 500, &[B, C], &NET);
        let reached = |story: &Story| story.topology.hearing().values().copied().collect::<Vec<_>>();
        assert_eq!(reached(&story), [Hearing::Somebody; 2]);
        story.beats(500, 1_000, &[B, C], &NET[..1]);
        assert_eq!(reached(&story), [Hearing::Somebody, Hearing::NobodyHere]);
        for ms in (1_000..1_500).step_by(25) {
            story.beat(ms, B, NET[0], &[1, 2, 3]);
            story.beat(ms, B, NET[1], &[2, 3]);
        }
        assert_eq!(reached(&story), [Hearing::Somebody, Hearing::NobodyHere], "we hear, and are not heard");
        story.topology.check(at(3_000), &mut story.notes);
        assert_eq!(reached(&story), [Hearing::NobodyAnywhere; 2]);
    }

    #[test]
    fn a_peer_that_does_not_hear_us_is_not_wanted() {
        let mut story = Story::new();
        story.beats(0, 500, &[B, C], &NET);
        story.beat(500, B, NET[0], &[2, 3]);
        assert_eq!(story.topology.wanted(at(500)), set(&[1, 3]));
    }

    #[test]
    fn what_was_not_heard_during_our_own_stall_is_no_suspicion() {
        let mut story = Story::new();
        story.beats(0, 500, &[B, C], &NET);
        assert!(story.topology.notice_gap(at(3_000), at(500), &mut story.notes).is_some());
        story.topology.check(at(3_000), &mut story.notes);
        assert_eq!(story.topology.wanted(at(3_000)), set(&[1, 2, 3]));
        story.topology.check(at(3_401), &mut story.notes);
        assert_eq!(story.topology.wanted(at(3_401)), set(&[1]), "but silence afterwards counts");
    }

    #[test]
    fn who_was_down_before_a_stall_of_ours_is_not_up_after_it() {
        let mut story = Story::new();
        story.beats(0, 500, &[B, C], &NET);
        story.beats(500, 1_000, &[C], &NET);
        assert_eq!(story.topology.wanted(at(1_000)), set(&[1, 3]));
        story.notes.clear();
        assert!(story.topology.notice_gap(at(3_000), at(1_000), &mut story.notes).is_some());
        story.topology.check(at(3_000), &mut story.notes);
        assert_eq!(story.topology.hears(), set(&[1, 3]));
        let back = |note: &MembershipNote| {
            matches!(note, MembershipNote::PeerUp { .. } | MembershipNote::PathUp { .. })
        };
        assert!(!story.notes.iter().any(back), "{:?}", story.notes);
    }

    #[test]
    fn who_was_down_before_timings_were_stretched_is_not_up_by_that() {
        let mut story = Story::new();
        story.beats(0, 500, &[B, C], &NET);
        story.beats(500, 1_000, &[B], &NET);
        assert_eq!(story.topology.wanted(at(1_000)), set(&[1, 2]));
        let timings = Timings::of(TimingProfile::Auto).stretched(Step(3));
        story.topology.set_timings(at(1_000), timings, timings.lease());
        story.beats(1_000, 1_050, &[B], &NET);
        assert_eq!(story.topology.wanted(at(1_050)), set(&[1, 2]));
        story.beats(1_050, 1_100, &[B, C], &NET);
        assert_eq!(story.topology.wanted(at(1_100)), set(&[1, 2, 3]));
        story.beats(1_100, 2_200, &[B], &NET);
        assert_eq!(story.topology.wanted(at(2_200)), set(&[1, 2, 3]), "and now it takes longer");
        story.beats(2_200, 2_300, &[B], &NET);
        assert_eq!(story.topology.wanted(at(2_300)), set(&[1, 2]));
    }

    #[test]
    fn a_restarted_peer_is_a_new_life_and_late_beats_of_the_old_one_are_nothing() {
        let mut story = Story::new();
        story.beats(0, 100, &[B], &NET);
        let reborn = Incarnation { start: 2, ..B };
        assert!(story.beat(100, reborn, NET[0], &[1, 2]).new_life);
        assert!(!story.beat(101, B, NET[0], &[1, 2]).newest);
        assert_eq!(story.topology.life(B.node).map(|(life, _)| life), Some(reborn));
    }

    #[test]
    fn a_host_booted_anew_comes_in_once_the_life_before_holds_nothing_any_more() {
        let mut story = Story::new();
        story.beats(0, 500, &[B], &NET);
        let reborn = Incarnation { start: 2, ..B };
        let mut comes_in = |ms| story.boot(ms, reborn, 9).new_life;
        let free = 475 + Timings::of(TimingProfile::Auto).takeover_wait().as_millis();
        assert!(!comes_in(600) && !comes_in(900) && !comes_in(free));
        assert!(comes_in(free + 2), "the last beat before was at 475 ms");
    }

    #[test]
    fn a_copy_of_a_host_is_not_let_in_while_the_original_beats_and_both_are_left_out() {
        let mut story = Story::new();
        story.beats(0, 500, &[B], &NET);
        let copy = Incarnation { start: 2, ..B };
        for ms in (500..1_500).step_by(25) {
            story.beat(ms, B, NET[0], &[1, 2]);
            assert!(!story.boot(ms, copy, 9).newest, "at {ms}");
        }
        let said = |note: &&MembershipNote| matches!(note, MembershipNote::IdentityCloned { .. });
        assert_eq!(story.notes.iter().filter(said).count(), 1, "said once");
        assert_eq!(story.topology.wanted(at(1_500)), set(&[1]));
    }

    #[test]
    fn a_node_that_exists_twice_is_not_heard() {
        let mut story = Story::new();
        let reborn = Incarnation { start: 2, ..B };
        for ms in (0..1_000).step_by(25) {
            story.beat(ms, reborn, NET[0], &[1, 2]);
            story.beat(ms, B, NET[0], &[1, 2]);
        }
        assert!(story.notes.contains(&MembershipNote::IdentityCloned { node: B.node }));
        assert_eq!(story.topology.wanted(at(1_000)), set(&[1]));
    }

    #[test]
    fn who_looks_sees_who_is_reached_where_and_since_when() {
        let mut story = Story::new();
        story.beats(0, 100, &[B], &NET[..1]);
        let outlook = story.topology.outlook(at(90));
        let seen = |path: PathId, peer: Incarnation| {
            let peer = outlook.paths[&path].peers[&peer.node];
            (peer.reach, peer.heard)
        };
        assert_eq!(seen(NET[0], B), (Reach::Up, Some(Span::from_millis(15))));
        assert_eq!(seen(NET[1], B), (Reach::Down, None));
        assert_eq!(seen(NET[0], C), (Reach::Down, None));
        assert!(outlook.paths.values().all(|path| path.ring.is_none()));
    }

    #[test]
    fn along_a_ring_who_looks_sees_the_group_it_is_in() {
        let paths = [B, C].map(|peer| (peer.node, NET[..1].to_vec())).into_iter().collect();
        let order = [(NET[0], seats([A, B, C].map(|life| life.node)))].into();
        let timings = Timings::under(Monitoring::Ring, TimingProfile::Auto);
        let topology = Topology::new(at(0), A, BootId([1; 16]), timings, paths, Strategy::Ring(order));
        let outlook = topology.outlook(at(0));
        let ring = outlook.paths[&NET[0]].ring.as_ref().expect("it is in one");
        assert_eq!((ring.members.as_slice(), ring.leader()), ([A].as_slice(), Some(A.node)), "of its own");
        assert!(outlook.paths[&NET[0]].peers.values().all(|peer| peer.reach == Reach::Down));
    }
}
