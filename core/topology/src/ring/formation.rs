//! How one ring's group forms, and how it loses a member: the state machine of one adapter.
//!
//! Each begins alone and leads itself. A leader proclaims its group to the lower addresses outside it; the leader of one of
//! those answers with a join; the higher one asks all members to be to prepare, and commits with those that were ready.
//! Now and then it proclaims it to the higher ones too, whose leader answers with a proclamation: who has not met this life
//! cannot say anything to it before. A later life of a member shows that the one before is over.
//!
//! Where routers join several subnets to one network, groups form within each of them first, and then with each other. In
//! a subnet other than the leader's the highest member is its mayor: it proclaims the group there on the leader's behalf.
//!
//! A member watches its lower neighbour and its leader. Whom it misses for the detection time it reports: to the leader,
//! which leaves out whoever it does not hear either; or, if the leader is missed, to the crown prince, who takes over if he
//! misses the leader too.
//!
//! A group decides nothing by itself: who may act is membership's to agree on. So what is said here is said once a beat
//! until it shows, and whoever hears of a later group follows it.

use super::group::{Group, place};
use phalanx_types::{Incarnation, NodeId, NodeSet, Seat, Segment, Span, Tick, Timings};
use phalanx_wire::{RingFrame, RingId, RingWord};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;

/// So many beats a leader waits for members to be ready; who is not by then is left out.
const READY_BEATS: u32 = 4;
/// So many beats a member that is ready waits for the group to be committed.
const COMMIT_BEATS: u32 = 6;
/// Who is to succeed a leader answers what it is told within so many beats, or is passed over.
const ANSWER_BEATS: u64 = 2;
/// So many beats a newcomer must have been in the group before it counts for connectivity.
const STABLE_BEATS: u64 = 2;
/// So many beats after it went over to others a member is still about to be connected with them.
const MOVE_BEATS: u64 = STABLE_BEATS + 2;
/// In its first so many beats a group is proclaimed to the higher addresses too, and a life greets those in other subnets:
/// to meet takes two, and one may be lost.
const NEW_BEATS: u64 = 4;
/// Later that is done at each beat of this count only.
const UPWARD_BEATS: u64 = 4;
/// A group is so many beats old before it is proclaimed in other subnets, so that each comes together by itself first.
const ABROAD_BEATS: u64 = 3;
/// In its first so many beats a life relies on nobody before the group has members in every subnet.
const AWAIT_BEATS: u64 = 10;
/// Groups that this node remembers to have been in.
const FORMER_MAX: usize = 4;

/// What time it is, when this node last stood still, and the timings in force.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub now: Tick,
    pub resumed: Tick,
    pub timings: Timings,
}

/// One adapter's part in one ring.
#[derive(Clone, Debug)]
pub(crate) struct Formation {
    me: Incarnation,
    /// All nodes with an adapter on this path, in the order of their addresses.
    order: Vec<Seat>,
    /// How many subnets these are in.
    subnets: usize,
    /// When this life began, and how many beats ago.
    born: Tick,
    age: u64,
    /// Nobody has been heard yet to rely on this life.
    unmet: bool,
    /// The group that this adapter is in: committed, be it of one.
    group: Group,
    phase: Phase,
    /// Counts the groups that this life has led.
    instance: u64,
    /// The lower groups that want to come in, by their leaders.
    joins: BTreeMap<NodeId, Vec<Incarnation>>,
    /// When each member last showed that it is in this group.
    shown: BTreeMap<NodeId, Tick>,
    /// When the kernels of those that were missed by half last answered an echo.
    echoed: BTreeMap<Incarnation, Tick>,
    /// Since when each member has been in it.
    admitted: BTreeMap<Incarnation, Tick>,
    /// Groups that this one came from by leaving somebody out or letting somebody in.
    former: VecDeque<RingId>,
    /// At the leader: the members that are known to have this group.
    told: NodeSet,
    grief: Option<Grief>,
    /// Members that are known to be in another group by now, or in another life.
    gone: NodeSet,
    /// The leader in a later life, which this node joins as soon as it has taken over from the life before.
    heir_of: Option<NodeId>,
    /// Beats since this group was committed.
    beats: u64,
    /// When this member went over to others, or began to go over to a later life of its leader, and left somebody behind.
    moved: Option<Tick>,
    /// Another group was committed since this was asked last.
    new: bool,
    /// A mayor's word was heeded since this was asked last.
    heeded: bool,
    out: Vec<(NodeId, RingFrame)>,
}

#[derive(Clone, Debug)]
enum Phase {
    /// Nothing is under way.
    Settled,
    /// At a leader: the members of the next group were asked to prepare; so many are ready, and some go with others.
    Preparing { next: Group, ready: NodeSet, declined: NodeSet, beats: u32 },
    /// This member is ready for the next group.
    Prepared { next: Group, beats: u32 },
}

/// Members that are missed, and how long nothing has come of it.
#[derive(Clone, Debug)]
struct Grief {
    victims: NodeSet,
    beats: u32,
}

impl Formation {
    pub fn new(now: Tick, me: Incarnation, order: Vec<Seat>) -> Formation {
        let subnets: BTreeSet<Segment> = order.iter().map(|seat| seat.segment).collect();
        Formation {
            me,
            order,
            subnets: subnets.len(),
            born: now,
            age: 0,
            unmet: true,
            group: Group::alone(me, 1),
            phase: Phase::Settled,
            instance: 1,
            joins: BTreeMap::new(),
            shown: BTreeMap::new(),
            echoed: BTreeMap::new(),
            admitted: [(me, now)].into(),
            former: VecDeque::new(),
            told: NodeSet::EMPTY,
            grief: None,
            gone: NodeSet::EMPTY,
            heir_of: None,
            beats: 0,
            moved: None,
            new: false,
            heeded: false,
            out: Vec::new(),
        }
    }

    /// The group that is committed here.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// When a node last showed that it is in it.
    pub fn shown(&self, node: NodeId) -> Option<Tick> {
        self.shown.get(&node).copied()
    }

    /// Whether this node leads it.
    pub fn leads(&self) -> bool {
        self.group.leader() == self.me
    }

    /// This node.
    pub fn me(&self) -> Incarnation {
        self.me
    }

    /// Whether another group was committed since this was asked last.
    pub fn take_new(&mut self) -> bool {
        mem::take(&mut self.new)
    }

    /// Whether this node asked to come in on a mayor's word since this was asked last.
    pub fn take_heeded(&mut self) -> bool {
        mem::take(&mut self.heeded)
    }

    /// While this member has gone over to others who are not connected with it yet: until when that may last.
    pub fn moving_until(&self, moment: Moment) -> Option<Tick> {
        let until = self.moved.map(|at| at + moment.timings.beat() * MOVE_BEATS);
        until.filter(|until| moment.now < *until)
    }

    /// What is to be said, to whom.
    pub fn poll(&mut self) -> Vec<(NodeId, RingFrame)> {
        mem::take(&mut self.out)
    }

    /// The members that have been there long enough to be relied on and are not missed.
    pub fn present(&self, moment: Moment) -> NodeSet {
        let settle = moment.timings.beat() * STABLE_BEATS;
        let stable = |life: &&Incarnation| {
            self.admitted.get(life).is_some_and(|since| moment.now.since(*since) >= settle)
        };
        let stable: NodeSet = self.group.members().iter().filter(stable).map(|life| life.node).collect();
        let whole = || self.mayors(stable).len() == self.subnets && self.group.nodes().is_within(stable);
        match moment.now >= self.awaits_until(moment) || whole() {
            true => stable.minus(self.missed(moment)),
            false => NodeSet::EMPTY,
        }
    }

    /// Until when a new life among new ones waits for the other subnets: they would ask for a view without those, and a beat
    /// later for another.
    fn awaits_until(&self, moment: Moment) -> Tick {
        let beats = if self.subnets > 1 && self.unmet { AWAIT_BEATS } else { 0 };
        self.born + moment.timings.beat() * beats
    }

    /// A member relies on this life: it is not as new as this one.
    pub fn meet(&mut self) {
        self.unmet = false;
    }

    /// When [`Formation::judge`] or [`Formation::present`] next say something else if nothing arrives.
    pub fn changes_at(&self, moment: Moment) -> Tick {
        let settle = moment.timings.beat() * STABLE_BEATS;
        let missed = |life: Incarnation| self.lost_at(life, moment.timings.detect(), moment);
        let missing = self.watched().into_iter().map(missed).filter(|at| *at > moment.now);
        let settling = self.admitted.values().map(|since| *since + settle);
        let settling = settling.chain([self.awaits_until(moment)]).filter(|at| *at > moment.now);
        missing.chain(settling).min().unwrap_or(Tick::NEVER)
    }

    /// A frame of `from` names the group `id`: that shows that it is in it. True if that is the group here.
    pub fn see(&mut self, now: Tick, from: Incarnation, id: RingId) -> bool {
        let current = id == self.group.id();
        let ahead = self.next().is_some_and(|next| next.id() == id);
        let behind = self.former.contains(&id);
        if self.group.has(from) && (current || ahead || behind) {
            self.shown.insert(from.node, now);
            self.told = if current { self.told.with(from.node) } else { self.told };
        } else if behind && !self.group.has(from) && self.next().is_none() {
            self.say(from.node, RingWord::Dissolve, id, self.group.members().to_vec());
        }
        current && self.group.has(from)
    }

    /// Somebody above takes this node for a member of a group that it is not in.
    pub fn is_missed_by(&mut self, leader: Incarnation, id: RingId) {
        if id.leader == leader && self.is_above(leader.node) && self.leads() && self.next().is_none() {
            self.join(leader.node);
        }
    }

    /// Whether a later life of that node is a member: what was sent by this one comes late.
    pub fn has_outlived(&self, life: Incarnation) -> bool {
        self.group.life_of(life.node).is_some_and(|known| known.start > life.start)
    }

    /// Takes in a frame about groups.
    pub fn hear(&mut self, moment: Moment, from: Incarnation, frame: &RingFrame) {
        let RingFrame { word, group: id, lives } = frame;
        if self.has_outlived(from) {
            return;
        }
        match word {
            RingWord::Proclaim => self.on_proclaim(moment, from, *id, lives),
            RingWord::Join => self.on_join(moment, from, lives.clone()),
            RingWord::Prepare => self.on_prepare(moment, from, *id, lives.clone()),
            RingWord::Ready => self.on_ready(moment.now, from, *id),
            RingWord::Decline => self.on_decline(moment.now, from, *id),
            RingWord::Commit => self.on_commit(moment.now, from, *id, lives.clone()),
            RingWord::DeathInFamily => self.on_death(moment, from, *id, lives),
            RingWord::Dissolve if *id == self.group.id() => self.part_from(moment, lives),
            RingWord::Dissolve => {}
            RingWord::Heartbeat => {
                self.see(moment.now, from, *id);
            }
        }
    }

    /// Looks whether somebody is missed.
    pub fn judge(&mut self, moment: Moment) {
        if !matches!(self.phase, Phase::Settled) || self.group.is_alone() {
            return;
        }
        let missed = self.missed(moment);
        match () {
            () if missed.is_empty() => self.grief = None,
            () if self.leads() => self.regroup(moment.now, missed),
            () if self.grief.as_ref().is_none_or(|grief| grief.victims != missed) => {
                self.grief = Some(Grief { victims: missed, beats: 0 });
                self.mourn(moment);
            }
            () => {}
        }
    }

    /// It is time for a beat.
    pub fn beat(&mut self, moment: Moment) {
        self.press_on(moment);
        self.judge(moment);
        if let (Phase::Settled, Some(grief)) = (&self.phase, &mut self.grief) {
            grief.beats += 1;
            self.mourn(moment);
        }
        if self.leads() {
            self.let_in(moment.now);
        }
        self.greet();
        self.proclaim();
        if self.leads() {
            self.repeat_commit();
        }
        self.beats += 1;
        if let Some(watcher) = self.group.watcher_of(self.me) {
            self.say(watcher.node, RingWord::Heartbeat, self.group.id(), Vec::new());
        }
    }

    fn next(&self) -> Option<&Group> {
        match &self.phase {
            Phase::Settled => None,
            Phase::Preparing { next, .. } | Phase::Prepared { next, .. } => Some(next),
        }
    }

    fn say(&mut self, to: NodeId, word: RingWord, group: RingId, lives: Vec<Incarnation>) {
        self.out.push((to, RingFrame { word, group, lives }));
    }

    fn is_above(&self, node: NodeId) -> bool {
        self.rank(node) > self.rank(self.me.node)
    }

    fn rank(&self, node: NodeId) -> Option<usize> {
        place(&self.order, node)
    }

    /// Those whose silence this node notices by itself: its neighbour and its leader; of a leader, all.
    fn watched(&self) -> Vec<Incarnation> {
        let others = self.group.members().iter().copied().filter(|life| *life != self.me);
        match self.leads() {
            true => others.collect(),
            false => {
                let neighbour = self.group.watched_by(self.me);
                others.filter(|life| *life == self.group.leader() || Some(*life) == neighbour).collect()
            }
        }
    }

    /// Of those, who has been silent for the detection time, and beyond it for as long as there is grace.
    fn missed(&self, moment: Moment) -> NodeSet {
        let lost = |life: &Incarnation| moment.now >= self.lost_at(*life, moment.timings.detect(), moment);
        self.watched().into_iter().filter(lost).map(|life| life.node).collect::<NodeSet>().or(self.gone)
    }

    /// Of those, whom to ask for an echo.
    pub fn doubted(&self, moment: Moment) -> NodeSet {
        let doubted = |life: &Incarnation| self.silence(*life, moment) >= moment.timings.doubt();
        self.watched().into_iter().filter(doubted).map(|life| life.node).collect::<NodeSet>().minus(self.gone)
    }

    /// The kernel of `node` answered an echo.
    pub fn echo(&mut self, now: Tick, node: NodeId) {
        if let Some(life) = self.group.life_of(node) {
            self.echoed.insert(life, now);
        }
    }

    /// `lives` are in a group without this node. Those that are left go on as one.
    fn part_from(&mut self, moment: Moment, lives: &[Incarnation]) {
        let gone = lives.iter().filter(|life| **life != self.me && self.group.has(**life));
        self.gone = self.gone.or(gone.map(|life| life.node).collect());
        self.judge(moment);
    }

    /// Whether somebody else's word is enough to believe that it is gone.
    fn is_doubted(&self, life: Incarnation, moment: Moment) -> bool {
        self.gone.has(life.node) || moment.now >= self.lost_at(life, moment.timings.doubt(), moment)
    }

    /// When it will have been silent for so long, and for the grace period too if that holds.
    fn lost_at(&self, life: Incarnation, silent: Span, moment: Moment) -> Tick {
        let echoed = self.echoed.get(&life).copied().unwrap_or(Tick::ZERO);
        moment.timings.given_up_at(self.heard_at(life, moment) + silent, echoed)
    }

    fn silence(&self, life: Incarnation, moment: Moment) -> Span {
        moment.now.since(self.heard_at(life, moment))
    }

    /// Since when it counts as silent.
    fn heard_at(&self, life: Incarnation, moment: Moment) -> Tick {
        let shown = self.shown.get(&life.node).copied().unwrap_or(Tick::ZERO);
        let admitted = self.admitted.get(&life).copied().unwrap_or(Tick::ZERO);
        shown.max(admitted).max(moment.resumed)
    }

    /// A group that is being formed is pressed on with, or given up.
    fn press_on(&mut self, moment: Moment) {
        let missed = self.missed(moment);
        match &mut self.phase {
            Phase::Settled => {}
            Phase::Preparing { next, ready, declined, beats } => {
                *beats += 1;
                let (id, lives) = (next.id(), next.members().to_vec());
                let waiting = next.nodes().minus(ready.or(*declined));
                if *beats > READY_BEATS || waiting.is_within(missed) {
                    return self.commit(moment.now);
                }
                waiting.iter().for_each(|node| self.say(node, RingWord::Prepare, id, lives.clone()));
            }
            Phase::Prepared { beats, .. } => {
                *beats += 1;
                if *beats > COMMIT_BEATS {
                    self.phase = Phase::Settled;
                }
            }
        }
    }

    /// At a leader: takes in the lower groups that asked.
    fn let_in(&mut self, now: Tick) {
        if !self.joins.is_empty() && matches!(self.phase, Phase::Settled) {
            self.regroup(now, NodeSet::EMPTY);
        }
    }

    /// As leader, or in its place: goes on without those that are `gone`, and with those that asked.
    fn regroup(&mut self, now: Tick, gone: NodeSet) {
        let joining = mem::take(&mut self.joins).into_values().flatten();
        let mut members: BTreeMap<usize, Incarnation> = BTreeMap::new();
        for life in self.group.without(gone).into_iter().chain(joining) {
            // Another life of a member has to wait until that one is known to be gone.
            if let Some(place) = place(&self.order, life.node) {
                members.entry(place).or_insert(life);
            }
        }
        self.prepare(now, members.into_values().collect());
    }

    /// A new life makes itself known in the other subnets, before anything is proclaimed there. It may be no leader by then,
    /// and a leader there could not ask it to come in.
    fn greet(&mut self) {
        if self.age < NEW_BEATS {
            let (own, nodes) = (self.segment_of(self.me.node), self.group.nodes());
            let abroad = |seat: &&Seat| Some(seat.segment) != own && !nodes.has(seat.node);
            let strangers: Vec<NodeId> = self.order.iter().filter(abroad).map(|seat| seat.node).collect();
            let id = self.group.id();
            strangers.into_iter().for_each(|node| self.say(node, RingWord::Heartbeat, id, Vec::new()));
        }
        self.age += 1;
    }

    /// A mayor proclaims the group in its subnet: the leader in its own, and where there is no member.
    fn proclaim(&mut self) {
        let nodes = self.group.nodes();
        let mayors = self.mayors(nodes);
        let leader = self.group.leader().node;
        let is_mine = |segment| mayors.get(&segment).copied().unwrap_or(leader) == self.me.node;
        let meant = |seat: &&Seat| is_mine(seat.segment) && !nodes.has(seat.node) && self.is_due_to(seat);
        let absent: Vec<NodeId> = self.order.iter().filter(meant).map(|seat| seat.node).collect();
        let (id, lives) = (self.group.id(), self.group.members().to_vec());
        absent.into_iter().for_each(|node| self.say(node, RingWord::Proclaim, id, lives.clone()));
    }

    /// Whether the group is proclaimed at this beat to an adapter outside it, lower than its leader or higher.
    fn is_due_to(&self, seat: &Seat) -> bool {
        let abroad = Some(seat.segment) != self.segment_of(self.me.node);
        let age = if abroad { self.beats.checked_sub(ABROAD_BEATS) } else { Some(self.beats) };
        let is_higher = self.rank(seat.node) > self.rank(self.group.leader().node);
        age.is_some_and(|age| !is_higher || age < NEW_BEATS || age.is_multiple_of(UPWARD_BEATS))
    }

    /// In each subnet with members the highest of them. In the leader's that is the leader.
    fn mayors(&self, nodes: NodeSet) -> BTreeMap<Segment, NodeId> {
        let members = self.order.iter().filter(|seat| nodes.has(seat.node));
        members.map(|seat| (seat.segment, seat.node)).collect()
    }

    /// Whether this node is the mayor where `node` has its address, or was its second if that is a later life of the mayor.
    fn is_mayor_of(&self, node: NodeId) -> bool {
        let mayors = self.mayors(self.group.nodes().without(node));
        self.segment_of(node).is_some_and(|segment| mayors.get(&segment) == Some(&self.me.node))
    }

    fn segment_of(&self, node: NodeId) -> Option<Segment> {
        self.order.iter().find(|seat| seat.node == node).map(|seat| seat.segment)
    }

    fn repeat_commit(&mut self) {
        let untold = self.group.nodes().minus(self.told).without(self.me.node);
        let (id, lives) = (self.group.id(), self.group.members().to_vec());
        untold.iter().for_each(|node| self.say(node, RingWord::Commit, id, lives.clone()));
    }

    fn join(&mut self, to: NodeId) {
        self.say(to, RingWord::Join, self.group.id(), self.group.members().to_vec());
    }

    /// A leader proclaims its group, or a mayor does for it. Either way it is the leader that is asked, and that decides.
    fn on_proclaim(&mut self, moment: Moment, from: Incarnation, id: RingId, lives: &[Incarnation]) {
        let (leader, own) = (id.leader, self.group.id());
        let speaks = leader == from || lives.contains(&from);
        if !speaks || leader.node == self.me.node || self.has_outlived(leader) {
            return;
        }
        let is_lower = self.rank(leader.node) < self.rank(own.leader.node);
        if is_lower && (self.leads() || self.is_mayor_of(leader.node)) && !self.group.has(leader) {
            // What it says proves only one direction: it is to ask.
            self.say(leader.node, RingWord::Proclaim, own, self.group.members().to_vec());
        }
        if !self.is_above(leader.node) {
            return;
        }
        if let Phase::Prepared { next, .. } = &self.phase
            && next.leader() == leader
        {
            if id.instance < next.id().instance {
                return;
            }
            // The group that this node was ready for was committed without it.
            self.phase = Phase::Settled;
        }
        let later = (leader.start, id.instance) > (own.leader.start, own.instance);
        if leader.node == own.leader.node && later {
            // A group is proclaimed to those outside it only, and in a later life its leader is in none of before.
            if self.outlive(leader) && self.heir_of.is_none() {
                (self.heir_of, self.moved) = (Some(leader.node), Some(moment.now));
            }
            self.part_from(moment, lives);
        }
        if self.leads() {
            self.heeded |= leader != from;
            self.join(leader.node);
        }
    }

    /// A member that asks in a later life is taken in at once: the one before cannot speak any more. So is who asks last;
    /// others wait for the next beat, and for each other.
    fn on_join(&mut self, moment: Moment, from: Incarnation, lives: Vec<Incarnation>) {
        let known = self.next().is_some_and(|next| next.has(from));
        let sane = lives.contains(&from) && !self.is_above(from.node) && from.node != self.me.node;
        if self.leads() && sane && !known {
            self.joins.insert(from.node, lives);
            match self.outlive(from) {
                true => self.judge(moment),
                false if self.is_complete() => self.let_in(moment.now),
                false => {}
            }
        }
    }

    /// Whether all who have an adapter here are in the group or want to be.
    fn is_complete(&self) -> bool {
        let joining = self.joins.values().flatten().map(|life| life.node).collect();
        self.order.iter().all(|seat| self.group.nodes().or(joining).has(seat.node))
    }

    /// Whether `life` is a later one of some member; that one is gone then.
    fn outlive(&mut self, life: Incarnation) -> bool {
        let outlives = self.group.life_of(life.node).is_some_and(|known| known.start < life.start);
        if outlives {
            self.gone = self.gone.with(life.node);
        }
        outlives
    }

    /// As leader, asks all members to be to prepare.
    fn prepare(&mut self, now: Tick, members: Vec<Incarnation>) {
        self.instance += 1;
        let id = RingId { leader: self.me, instance: self.instance };
        let Some(next) = Group::of(id, members, &self.order) else { return };
        let others = next.nodes().without(self.me.node);
        others.iter().for_each(|node| self.say(node, RingWord::Prepare, id, next.members().to_vec()));
        let (ready, declined) = (NodeSet::EMPTY.with(self.me.node), NodeSet::EMPTY);
        self.phase = Phase::Preparing { next, ready, declined, beats: 0 };
        self.try_commit(now);
    }

    /// A member follows its leader, or goes with it; if it misses that it follows whoever takes over.
    fn on_prepare(&mut self, moment: Moment, from: Incarnation, id: RingId, lives: Vec<Incarnation>) {
        let Some(next) = Group::of(id, lives, &self.order) else { return };
        let own = self.group.id();
        let stale = from == own.leader && id.instance <= own.instance;
        let rank = |life: Incarnation| self.rank(life.node);
        let outranked = self.next().is_some_and(|other| rank(other.leader()) > rank(from));
        let deserted = match own.leader {
            leader if leader == from => false,
            leader if leader == self.me => !self.group.nodes().is_within(next.nodes()),
            leader => !next.has(leader) && !self.is_doubted(leader, moment),
        };
        let usurper = rank(from) < rank(own.leader) && next.has(own.leader);
        if id.leader != from || !next.has(self.me) || stale {
            return;
        }
        if outranked || deserted || usurper {
            return self.say(from.node, RingWord::Decline, id, Vec::new());
        }
        self.phase = Phase::Prepared { next, beats: 0 };
        self.say(from.node, RingWord::Ready, id, Vec::new());
    }

    fn on_ready(&mut self, now: Tick, from: Incarnation, id: RingId) {
        if let Phase::Preparing { next, ready, .. } = &mut self.phase
            && next.id() == id
            && next.has(from)
        {
            *ready = ready.with(from.node);
            self.try_commit(now);
        }
    }

    /// A newcomer that goes with somebody else need not be waited for. A member that says so may think better of it.
    fn on_decline(&mut self, now: Tick, from: Incarnation, id: RingId) {
        if let Phase::Preparing { next, declined, .. } = &mut self.phase
            && next.id() == id
            && next.has(from)
            && !self.group.has(from)
        {
            *declined = declined.with(from.node);
            self.try_commit(now);
        }
    }

    fn try_commit(&mut self, now: Tick) {
        let Phase::Preparing { next, ready, declined, .. } = &self.phase else { return };
        if next.nodes().is_within(ready.or(*declined)) {
            self.commit(now);
        }
    }

    /// The group of those that are ready is committed.
    fn commit(&mut self, now: Tick) {
        let Phase::Preparing { next, ready, .. } = mem::replace(&mut self.phase, Phase::Settled) else {
            return;
        };
        let members = next.without(next.nodes().minus(ready));
        let Some(group) = Group::of(next.id(), members, &self.order) else { return };
        for node in group.nodes().without(self.me.node).iter() {
            self.say(node, RingWord::Commit, group.id(), group.members().to_vec());
        }
        let heir_of = self.heir_of;
        self.install(now, group);
        heir_of.into_iter().for_each(|node| self.join(node));
    }

    fn on_commit(&mut self, now: Tick, from: Incarnation, id: RingId, lives: Vec<Incarnation>) {
        let Some(group) = Group::of(id, lives, &self.order) else { return };
        let own = self.group.id();
        if id.leader != from || !group.has(self.me) || id == own {
            return;
        }
        let awaited = self.next().is_some_and(|next| next.id() == id);
        let later =
            from.node == own.leader.node && (id.leader.start, id.instance) > (own.leader.start, own.instance);
        if awaited || later {
            self.install(now, group);
        }
    }

    fn install(&mut self, now: Tick, group: Group) {
        let watched = self.watched();
        let old = mem::replace(&mut self.group, group);
        self.former.push_back(old.id());
        if self.former.len() > FORMER_MAX {
            self.former.pop_front();
        }
        if self.group.is_alone() {
            self.former.clear();
        }
        // Who asked while this group was being formed comes next.
        let (leads, nodes) = (self.leads(), self.group.nodes());
        self.joins.retain(|node, _| leads && !nodes.has(*node));
        let left = old.members().iter().any(|life| !self.group.has(*life));
        let found = self.group.members().iter().any(|life| !old.has(*life));
        self.moved = match (left, found) {
            (true, true) => Some(now),
            (true, false) => self.moved.filter(|_| self.heir_of.is_some()),
            (false, true) => self.moved,
            (false, false) => None,
        };
        let admitted = mem::take(&mut self.admitted);
        let since = |life: &Incarnation| (*life, admitted.get(life).copied().unwrap_or(now));
        self.admitted = self.group.members().iter().map(since).collect();
        // Who was not watched before is watched from now on.
        let shown = mem::take(&mut self.shown);
        let last = |life: &Incarnation| shown.get(&life.node).copied().filter(|_| watched.contains(life));
        self.shown = self.group.members().iter().map(|life| (life.node, last(life).unwrap_or(now))).collect();
        self.echoed.retain(|life, _| self.group.has(*life));
        (self.beats, self.heir_of) = (0, None);
        (self.phase, self.grief, self.told) = (Phase::Settled, None, NodeSet::EMPTY);
        self.gone = NodeSet::EMPTY;
        self.new = true;
    }

    /// Reports who is missed, to the leader or to who should succeed it.
    fn mourn(&mut self, moment: Moment) {
        let Some(Grief { victims, beats }) = self.grief.clone() else { return };
        if !victims.has(self.group.leader().node) {
            return self.report(self.group.leader().node, victims);
        }
        let above: Vec<Incarnation> =
            self.group.above(self.me).filter(|life| !victims.has(life.node)).collect();
        if beats == 1 {
            // A roll call: who lives answers.
            above.iter().for_each(|life| self.report(life.node, victims));
            return;
        }
        // Each report is answered; who has not done so of late is not there any more.
        let recent = moment.timings.beat() * ANSWER_BEATS;
        let answers = |life: &Incarnation| beats == 0 || self.silence(*life, moment) <= recent;
        let successor = above.iter().find(|life| answers(life)).copied();
        let dumb = above.iter().take_while(|life| !answers(life)).map(|life| life.node).collect();
        match successor {
            Some(life) => self.report(life.node, victims.or(dumb)),
            None => self.regroup(moment.now, victims.or(dumb)),
        }
    }

    fn report(&mut self, to: NodeId, victims: NodeSet) {
        let lives = self.group.members().iter().copied().filter(|life| victims.has(life.node)).collect();
        self.say(to, RingWord::DeathInFamily, self.group.id(), lives);
    }

    fn on_death(&mut self, moment: Moment, from: Incarnation, id: RingId, lives: &[Incarnation]) {
        if !self.see(moment.now, from, id) {
            return;
        }
        let doubted = |life: &&Incarnation| self.group.has(**life) && self.is_doubted(**life, moment);
        let victims: NodeSet = lives.iter().filter(doubted).map(|life| life.node).collect();
        if !self.leads() {
            self.say(from.node, RingWord::Heartbeat, self.group.id(), Vec::new());
        }
        let idle = matches!(self.phase, Phase::Settled);
        let succeeds = || {
            let leader_gone = victims.has(self.group.leader().node);
            leader_gone && self.group.above(self.me).all(|life| victims.has(life.node))
        };
        if idle && !victims.is_empty() && (self.leads() || succeeds()) {
            let victims = if self.leads() { victims.or(self.missed(moment)) } else { victims };
            self.regroup(moment.now, victims);
        }
    }
}
