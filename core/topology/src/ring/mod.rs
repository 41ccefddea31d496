//! Monitoring by rings (RSCT: Topology Services): one on each path, each with a group of its own.
//!
//! Along a ring each member costs the others the same, however many there are: a heartbeat to its neighbour, a request for
//! its lease to the leader, and one question in turn to somebody else. News goes to all, and again until each has it.
//! Two nodes are connected where both are in a group that is stable and reach each other directly. Who forms a view of
//! those is decided as with beats to all: by who says to hear whom.

mod formation;
mod group;
mod leases;
mod reach;
#[cfg(test)]
mod stories;

#[cfg(test)]
pub(crate) use group::tests::seats;

use crate::outlook::RingOutlook;
use crate::topology::Occasion;
use formation::{Formation, Moment};
pub use leases::Earned;
pub(crate) use leases::Given;
use leases::Leases;
use phalanx_types::{Incarnation, NodeId, NodeSet, PathId, Seat, Span, Tick, Timings};
use phalanx_wire::{Frame, Receipt, RingFrame, RingWord};
use reach::{Due, Reach};
use std::collections::{BTreeMap, BTreeSet};
use std::mem;

/// A tick that comes with a leader's round is not sooner than this part of a beat after the one before.
const EARLY_PART: u64 = 2;
/// Without a leader's round a member's own tick comes so much later than a beat, as a part of one.
const LATE_PART: u64 = 4;

/// After a life's first beat, which finds those whom it has not met, the second follows after this part of a beat.
const MEET_PART: u64 = 4;

/// A frame to send, and whether it need not wake its receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The receiver.
    pub to: NodeId,
    /// By which path.
    pub path: PathId,
    /// Whether it need not wake its receiver.
    pub routine: bool,
    /// The frame.
    pub bytes: Vec<u8>,
}

/// This node's part in all rings.
#[derive(Clone, Debug)]
pub(crate) struct Rings {
    me: Incarnation,
    rings: BTreeMap<PathId, Ring>,
    /// When anything came last from nodes, members or not.
    seen: BTreeMap<NodeId, Tick>,
    /// When the last beat was, and when the next is due.
    beaten: Tick,
    beat_at: Tick,
    turn: u64,
    /// The first beat number that says what there is to say now.
    news: u64,
    out: Vec<Posting>,
}

/// One ring.
#[derive(Clone, Debug)]
struct Ring {
    formation: Formation,
    leases: Leases,
    reach: Reach,
    /// What was last told of it: which members are connected.
    connected: NodeSet,
}

/// What a beat along all rings comes to.
#[derive(Debug, Default)]
pub(crate) struct Beaten {
    /// Grants that the requests and rounds sent give.
    pub given: Vec<Given>,
    /// To whom a beat with the news is due, and by which path.
    pub news: Vec<(NodeId, PathId)>,
}

impl Rings {
    /// Rings of one. `order` says for each path which nodes have an address there, in the order of these.
    pub fn new(now: Tick, me: Incarnation, order: BTreeMap<PathId, Vec<Seat>>) -> Rings {
        let ring = |order| Ring {
            formation: Formation::new(now, me, order),
            leases: Leases::new(now, me),
            reach: Reach::default(),
            connected: NodeSet::EMPTY,
        };
        Rings {
            me,
            rings: order.into_iter().map(|(path, order)| (path, ring(order))).collect(),
            seen: BTreeMap::new(),
            beaten: now,
            beat_at: now,
            turn: 0,
            news: 1,
            out: Vec::new(),
        }
    }

    /// Takes in a frame of a ring that came by `path`; gives the lives that it shows to be there.
    pub fn hear(
        &mut self,
        moment: Moment,
        path: PathId,
        from: Incarnation,
        frame: &Frame<'_>,
        noted: u64,
    ) -> Vec<Incarnation> {
        self.seen.insert(from.node, moment.now);
        // An answer to a life that is over would reach the one after it.
        let ring = self.rings.get_mut(&path).filter(|ring| !ring.formation.has_outlived(from));
        let Some(ring) = ring else { return Vec::new() };
        let now = moment.now;
        let mut shown = vec![from];
        match frame {
            Frame::Ring(frame) => ring.formation.hear(moment, from, frame),
            Frame::LeaseRequest(request) => {
                if ring.formation.see(now, from, request.group) {
                    ring.leases.hear_request(now, from, request);
                }
            }
            Frame::LeaseRound(round) => {
                if ring.formation.see(now, from, round.group) {
                    ring.leases.hear_round(now, from, round);
                    let group = ring.formation.group();
                    shown.extend(round.asking.iter().filter_map(|node| group.life_of(node)));
                    let leads = group.leader() == from;
                    let early = now.since(self.beaten) < moment.timings.beat() / EARLY_PART;
                    if leads && !early {
                        // At once, and yet in a step of its own: that begins with what came and did not wake this node.
                        self.beat_at = self.beat_at.min(now + Span(1));
                    }
                } else {
                    ring.formation.is_missed_by(from, round.group);
                }
            }
            Frame::Receipt(Receipt { asks: true, .. }) => {
                let bytes = Receipt { asks: false, number: noted }.encode();
                self.out.push(Posting { to: from.node, path, routine: true, bytes });
            }
            Frame::Receipt(Receipt { asks: false, number }) => ring.reach.answer(now, from, *number),
            Frame::Beat(_) | Frame::Segment(_) | Frame::Ack(_) => {}
        }
        ring.follow(now);
        shown
    }

    /// A beat says that `from` relies on this node on `path`.
    pub fn meet(&mut self, path: PathId, from: Incarnation) {
        if let Some(ring) = self.rings.get_mut(&path).filter(|ring| !ring.formation.has_outlived(from)) {
            ring.formation.meet();
        }
    }

    /// A beat of `from` was taken in, and its newest is number `noted`: that is acknowledged.
    pub fn acknowledge(&mut self, now: Tick, path: PathId, from: Incarnation, noted: u64) {
        self.seen.insert(from.node, now);
        if self.rings.get(&path).is_some_and(|ring| ring.formation.has_outlived(from)) {
            return;
        }
        let bytes = Receipt { asks: false, number: noted }.encode();
        self.out.push(Posting { to: from.node, path, routine: true, bytes });
    }

    /// Re-judges all rings; true if who is connected differs from what was told last.
    pub fn judge(&mut self, moment: Moment) -> bool {
        let mut changed = false;
        for ring in self.rings.values_mut() {
            ring.formation.judge(moment);
            ring.follow(moment.now);
            let connected = ring.judge(moment);
            changed |= mem::replace(&mut ring.connected, connected) != connected;
        }
        changed
    }

    /// Whether anything of who is connected is due to be judged again.
    pub fn is_stale(&self, moment: Moment) -> bool {
        self.rings.values().any(|ring| ring.judge(moment) != ring.connected)
    }

    /// Those on each path who will be lost in half of the detection time if nothing comes of them.
    pub fn doubted(&self, moment: Moment) -> impl Iterator<Item = (NodeId, PathId)> {
        self.rings.iter().flat_map(move |(path, ring)| {
            let doubted = ring.formation.doubted(moment).or(ring.reach.doubted(moment));
            doubted.and(ring.connected).iter().map(|node| (node, *path)).collect::<Vec<_>>()
        })
    }

    /// The kernel of `node` answered an echo on `path`. Who is lost there already is not found by that.
    pub fn echo(&mut self, now: Tick, node: NodeId, path: PathId) {
        let ring = self.rings.get_mut(&path).filter(|ring| ring.connected.has(node));
        if let Some(ring) = ring {
            ring.formation.echo(now, node);
            ring.reach.echo(now, node);
        }
    }

    /// Whether `life` and this node are connected on `path`, as last judged.
    pub fn connects(&self, path: PathId, life: Incarnation) -> bool {
        let ring = self.rings.get(&path);
        ring.is_some_and(|ring| ring.connected.has(life.node) && ring.formation.group().has(life))
    }

    /// Whether this life is in the group on `path`, reached or not.
    pub fn has(&self, path: PathId, life: Incarnation) -> bool {
        self.rings.get(&path).is_some_and(|ring| ring.formation.group().has(life))
    }

    /// When a node last showed that it is in the group on `path`.
    pub fn shown(&self, path: PathId, node: NodeId) -> Option<Tick> {
        self.rings.get(&path)?.formation.shown(node)
    }

    /// The groups, for those who look.
    pub fn outlook(&self) -> impl Iterator<Item = (PathId, RingOutlook)> {
        self.rings.iter().map(|(path, ring)| {
            let group = ring.formation.group();
            let (members, instance) = (group.members().to_vec(), group.id().instance);
            (*path, RingOutlook { members, instance })
        })
    }

    /// When [`Rings::judge`] next says something else if nothing arrives.
    pub fn changes_at(&self, moment: Moment) -> Tick {
        let of = |ring: &Ring| ring.formation.changes_at(moment).min(ring.reach.changes_at(moment));
        self.rings.values().map(of).min().unwrap_or(Tick::NEVER)
    }

    /// While this node has gone over to another group on some path: until when its members may not be connected yet.
    pub fn moving_until(&self, moment: Moment) -> Option<Tick> {
        self.rings.values().filter_map(|ring| ring.formation.moving_until(moment)).max()
    }

    /// Whether on some path a mayor's word was heeded since this was asked last.
    pub fn take_heeded(&mut self) -> bool {
        let heeded: Vec<bool> = self.rings.values_mut().map(|ring| ring.formation.take_heeded()).collect();
        heeded.contains(&true)
    }

    /// When the next beat is due.
    pub fn beat_at(&self) -> Tick {
        self.beat_at
    }

    /// The nodes of whom anything came within `span`.
    pub fn seen_within(&self, now: Tick, span: Span) -> NodeSet {
        self.seen.iter().filter(|(_, at)| now.since(**at) < span).map(|(node, _)| *node).collect()
    }

    /// What this node says of itself is new from beat `number` on: to whom that is to be said at once, and whether it is
    /// being said at all now rather than when it is time.
    pub fn tell(
        &mut self,
        moment: Moment,
        occasion: Occasion,
        number: u64,
    ) -> (BTreeSet<(NodeId, PathId)>, bool) {
        let mut to = BTreeSet::new();
        match occasion {
            Occasion::Routine => return (to, false),
            Occasion::News if moment.now < self.beat_at => return (to, false),
            Occasion::News => {}
            Occasion::Urgent => {
                for (path, ring) in &mut self.rings {
                    for node in ring.formation.group().nodes().without(self.me.node).iter() {
                        ring.reach.ask(moment.now, node);
                        to.insert((node, *path));
                    }
                }
            }
        }
        self.news = number;
        (to, true)
    }

    /// Whether [`Rings::beat`] may grant anything now.
    pub fn grants(&self, now: Tick) -> bool {
        now >= self.beat_at || self.rings.values().any(|ring| ring.leases.owes())
    }

    /// Answers the rounds that came; and if it is time, beats along all rings.
    pub fn beat(&mut self, moment: Moment, grantee: &dyn Fn(Incarnation) -> bool) -> Beaten {
        let mut beaten = Beaten::default();
        let due = moment.now >= self.beat_at;
        if due {
            self.turn += 1;
            self.beaten = moment.now;
        }
        for (path, ring) in &mut self.rings {
            ring.answer(moment, *path, grantee, &mut beaten, &mut self.out);
            if due {
                ring.beat(moment, *path, (self.turn, self.news), grantee, &mut beaten, &mut self.out);
            }
        }
        if due {
            let beat = moment.timings.beat();
            let leads = self.rings.values().all(|ring| ring.formation.leads());
            let after = match () {
                () if self.turn == 1 => beat / MEET_PART,
                () if leads => beat,
                () => beat + beat / LATE_PART,
            };
            self.beat_at = moment.now + after;
        }
        beaten
    }

    /// What is to be sent.
    pub fn poll(&mut self) -> Vec<Posting> {
        for (path, ring) in &mut self.rings {
            for (to, frame) in ring.formation.poll() {
                let (routine, bytes) = (is_routine(&frame), frame.encode());
                self.out.push(Posting { to, path: *path, routine, bytes });
            }
        }
        mem::take(&mut self.out)
    }

    /// What was earned since this was asked last.
    pub fn earned(&mut self) -> Vec<Earned> {
        self.rings.values_mut().flat_map(|ring| ring.leases.earned()).collect()
    }
}

fn is_routine(frame: &RingFrame) -> bool {
    match frame.word {
        RingWord::Heartbeat => true,
        RingWord::Proclaim
        | RingWord::Join
        | RingWord::Prepare
        | RingWord::Ready
        | RingWord::Commit
        | RingWord::DeathInFamily
        | RingWord::Dissolve
        | RingWord::Decline => false,
    }
}

impl Ring {
    /// Keeps what depends on the group in step with it.
    fn follow(&mut self, now: Tick) {
        if self.formation.take_new() {
            let me = self.formation.me();
            self.leases.follow(now);
            let members: BTreeSet<Incarnation> = self.formation.group().members().iter().copied().collect();
            self.reach.follow(members.into_iter().filter(|life| *life != me));
        }
    }

    fn judge(&self, moment: Moment) -> NodeSet {
        let present = self.formation.present(moment);
        let members = self.formation.group().members().iter();
        let connected = |life: &&Incarnation| present.has(life.node) && self.reach.works(**life, moment);
        members.filter(connected).map(|life| life.node).collect()
    }

    fn answer(
        &mut self,
        moment: Moment,
        path: PathId,
        grantee: &dyn Fn(Incarnation) -> bool,
        beaten: &mut Beaten,
        out: &mut Vec<Posting>,
    ) {
        let group = self.formation.group();
        let answers = self.leases.answers(moment, group, grantee, &mut beaten.given);
        out.extend(answers.into_iter().map(|(to, request)| Posting {
            to,
            path,
            routine: true,
            bytes: request.encode(),
        }));
    }

    fn beat(
        &mut self,
        moment: Moment,
        path: PathId,
        (turn, news): (u64, u64),
        grantee: &dyn Fn(Incarnation) -> bool,
        beaten: &mut Beaten,
        out: &mut Vec<Posting>,
    ) {
        self.formation.beat(moment);
        self.follow(moment.now);
        let group = self.formation.group();
        let mut post = |to, routine, bytes| out.push(Posting { to, path, routine, bytes });
        for (to, round) in self.leases.collect(moment, group, grantee, &mut beaten.given) {
            post(to, false, round.encode());
        }
        for (to, request) in self.leases.requests(moment, group) {
            post(to, true, request.encode());
        }
        for (node, due) in self.reach.due(moment, self.formation.me().node, turn, news) {
            self.reach.ask(moment.now, node);
            match due {
                Due::News => beaten.news.push((node, path)),
                Due::Question => post(node, true, Receipt { asks: true, number: news }.encode()),
            }
        }
    }
}

/// What time it is for the rings.
pub(crate) fn moment(now: Tick, resumed: Tick, timings: Timings) -> Moment {
    Moment { now, resumed, timings }
}
