//! How leases are asked for and granted along a ring: member → collector → all members, and back.
//!
//! The leader collects. At each beat it tells all members who has asked since the last one; each answers with whom it
//! grants, and asks for itself with the same frame; the next round tells each what it was granted. So a member sends and
//! hears one frame a beat, however many there are. A grant binds its grantor from when it heard the round, which is
//! later than the asking: so what the asker counts from its *sending* is covered, however long the way was.
//!
//! A member that hears no round turns to the crown prince too, then to the one below; who is asked collects. The ring
//! decides nothing about leases: whom to grant is said by membership, and what was granted is told it.

use super::formation::Moment;
use super::group::Group;
use phalanx_types::limits::ROUND_GRANTS_MAX;
use phalanx_types::timing::STANDIN_BEATS;
use phalanx_types::{Incarnation, NodeId, NodeSet, Tick};
use phalanx_wire::{LeaseRequest, LeaseRound, RingId};
use std::collections::{BTreeMap, VecDeque};

/// A grant that was given: to whom, and when what it answers was received.
pub(crate) type Given = (NodeId, Tick);
/// A grant that was earned: from whom, and when the request was sent.
pub(crate) type Earned = (NodeId, Tick);

/// One ring's part in renewing leases.
#[derive(Clone, Debug)]
pub(crate) struct Leases {
    me: Incarnation,
    /// When a round of each collector came last.
    rounds: BTreeMap<NodeId, Tick>,
    /// When any came last, or the group began.
    served: Tick,
    /// Rounds that are not answered yet.
    owed: BTreeMap<NodeId, Owed>,
    /// At a collector: who has asked since the last round: when that was sent there, and when it came.
    requests: BTreeMap<NodeId, (Tick, Tick)>,
    /// At a collector: counts its rounds.
    number: u64,
    /// At a collector: the last rounds.
    book: VecDeque<Round>,
    earned: Vec<Earned>,
}

#[derive(Clone, Debug)]
struct Owed {
    group: RingId,
    number: u64,
    asking: NodeSet,
    received: Tick,
}

/// One round: what each asker's request was sent at, and who has granted it.
#[derive(Clone, Debug)]
struct Round {
    group: RingId,
    number: u64,
    sent: BTreeMap<NodeId, Tick>,
    granted: BTreeMap<NodeId, NodeSet>,
}

impl Leases {
    pub fn new(now: Tick, me: Incarnation) -> Leases {
        let (rounds, owed, requests) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Leases {
            me,
            rounds,
            served: now,
            owed,
            requests,
            number: 0,
            book: VecDeque::new(),
            earned: Vec::new(),
        }
    }

    /// Another group begins; what was asked in the one before is void, what was granted there stands.
    pub fn follow(&mut self, now: Tick) {
        self.served = now;
        self.rounds.clear();
        self.owed.clear();
        self.requests.clear();
    }

    /// What was earned since this was asked last.
    pub fn earned(&mut self) -> Vec<Earned> {
        std::mem::take(&mut self.earned)
    }

    /// A round of a member of `group` arrived.
    pub fn hear_round(&mut self, now: Tick, from: Incarnation, round: &LeaseRound) {
        self.served = now;
        self.rounds.insert(from.node, now);
        let LeaseRound { group, number, asking, ref grants } = *round;
        self.owed.insert(from.node, Owed { group, number, asking, received: now });
        for (sent, by) in grants {
            self.earned.extend(by.without(self.me.node).iter().map(|node| (node, *sent)));
        }
    }

    /// A request of a member of the group arrived.
    pub fn hear_request(&mut self, now: Tick, from: Incarnation, request: &LeaseRequest) {
        if request.sent != Tick::ZERO {
            self.requests.insert(from.node, (request.sent, now));
        }
        let asked_in = |round: &&mut Round| round.number == request.round && round.group == request.group;
        let Some(round) = self.book.iter_mut().find(asked_in) else { return };
        for node in request.granted.iter().filter(|node| round.sent.contains_key(node)) {
            let by = round.granted.entry(node).or_default();
            *by = by.with(from.node);
        }
        if let Some(sent) = round.sent.get(&self.me.node).filter(|_| request.granted.has(self.me.node)) {
            self.earned.push((from.node, *sent));
        }
    }

    /// The answers to the rounds that came: each grants whom `grantee` allows, and asks unless a better collector does.
    pub fn answers(
        &mut self,
        moment: Moment,
        group: &Group,
        grantee: &dyn Fn(Incarnation) -> bool,
        given: &mut Vec<Given>,
    ) -> Vec<(NodeId, LeaseRequest)> {
        let mut answers = Vec::new();
        for (to, owed) in std::mem::take(&mut self.owed) {
            if owed.group != group.id() {
                continue;
            }
            let granted = self.grant(group, owed.asking, grantee);
            given.extend(granted.iter().map(|node| (node, owed.received)));
            let sent = if self.is_served_above(group, to, moment) { Tick::ZERO } else { moment.now };
            answers.push((to, LeaseRequest { group: owed.group, sent, round: owed.number, granted }));
        }
        answers
    }

    fn grant(&self, group: &Group, asking: NodeSet, grantee: &dyn Fn(Incarnation) -> bool) -> NodeSet {
        let others = asking.without(self.me.node).iter();
        others.filter(|node| group.life_of(*node).is_some_and(grantee)).collect()
    }

    /// Whether a collector above `collector` has served this node of late.
    fn is_served_above(&self, group: &Group, collector: NodeId, moment: Moment) -> bool {
        let patience = moment.timings.beat() * STANDIN_BEATS;
        let mut above = group.above(self.me).take_while(|life| life.node != collector);
        above.any(|life| self.rounds.get(&life.node).is_some_and(|at| moment.now.since(*at) < patience))
    }

    /// How many of those at the top of the group are silent by the time that has passed without a round.
    fn silent(&self, moment: Moment) -> usize {
        let unserved = moment.now.since(self.served.max(moment.resumed));
        (unserved.0 / (moment.timings.beat() * STANDIN_BEATS).0.max(1)) as usize
    }

    /// At a beat without a round: the requests to those who might collect.
    pub fn requests(&self, moment: Moment, group: &Group) -> Vec<(NodeId, LeaseRequest)> {
        let now = moment.now;
        if now.since(self.served) < moment.timings.beat() {
            return Vec::new();
        }
        let request = LeaseRequest { group: group.id(), sent: now, round: 0, granted: NodeSet::EMPTY };
        group.above(self.me).take(self.silent(moment) + 1).map(|life| (life.node, request)).collect()
    }

    /// At a beat of who collects: a round, as each member is to hear it.
    pub fn collect(
        &mut self,
        moment: Moment,
        group: &Group,
        grantee: &dyn Fn(Incarnation) -> bool,
        given: &mut Vec<Given>,
    ) -> Vec<(NodeId, LeaseRound)> {
        let above = group.above(self.me).count();
        let asked = !self.requests.is_empty();
        if group.is_alone() || (above > 0 && !asked && self.silent(moment) < above) {
            return Vec::new();
        }
        self.number += 1;
        let requests = std::mem::take(&mut self.requests);
        let asking: NodeSet = requests.keys().copied().collect();
        let own = self.grant(group, asking, grantee);
        given.extend(own.iter().map(|node| (node, requests[&node].1)));
        let sent =
            requests.iter().map(|(node, (sent, _))| (*node, *sent)).chain([(self.me.node, moment.now)]);
        let granted = own.iter().map(|node| (node, NodeSet::EMPTY.with(self.me.node))).collect();
        let round = Round { group: group.id(), number: self.number, sent: sent.collect(), granted };
        self.book.push_front(round);
        self.book.truncate(ROUND_GRANTS_MAX);
        let asking = asking.with(self.me.node);
        let others = group.nodes().without(self.me.node);
        let to = |node| {
            let grants = self.grants_of(group, node);
            (node, LeaseRound { group: group.id(), number: self.number, asking, grants })
        };
        others.iter().map(to).collect()
    }

    /// Of this group only: in another one the node may have been in another life, with another clock.
    fn grants_of(&self, group: &Group, node: NodeId) -> Vec<(Tick, NodeSet)> {
        let grants = |round: &Round| Some((*round.sent.get(&node)?, *round.granted.get(&node)?));
        self.book.iter().filter(|round| round.group == group.id()).filter_map(grants).collect()
    }
}
