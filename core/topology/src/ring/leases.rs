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
use phalanx_types::limits::{ROUND_GRANTS_MAX, ROUNDS_KEPT};
use phalanx_types::timing::STANDIN_BEATS;
use phalanx_types::{Incarnation, NodeId, NodeSet, Span, Tick};
use phalanx_wire::{LeaseRequest, LeaseRound, RingId, RoundGrant};
use std::collections::{BTreeMap, VecDeque};

/// A grant that was given: to whom, and when what it answers was received.
pub(crate) type Given = (NodeId, Tick);
/// A grant that was earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earned {
    /// From whom.
    pub by: NodeId,
    /// When the request was sent.
    pub sent: Tick,
    /// For how long from there.
    pub lease: Span,
}

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

/// One round: what each asker's request was sent at, and who has granted it, and for how long.
#[derive(Clone, Debug)]
struct Round {
    group: RingId,
    number: u64,
    sent: BTreeMap<NodeId, Tick>,
    granted: BTreeMap<NodeId, BTreeMap<Span, NodeSet>>,
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

    /// Whether a round waits for its answer.
    pub fn owes(&self) -> bool {
        !self.owed.is_empty()
    }

    /// A round of a member of the group arrived.
    pub fn hear_round(&mut self, now: Tick, from: Incarnation, round: &LeaseRound) {
        self.served = now;
        self.rounds.insert(from.node, now);
        let LeaseRound { group, number, asking, ref grants } = *round;
        self.owed.insert(from.node, Owed { group, number, asking, received: now });
        for RoundGrant { sent, by, lease } in grants.iter().copied() {
            let others = by.without(self.me.node).iter();
            self.earned.extend(others.map(|by| Earned { by, sent, lease }));
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
            let by = round.granted.entry(node).or_default().entry(request.lease).or_default();
            *by = by.with(from.node);
        }
        if let Some(sent) = round.sent.get(&self.me.node).filter(|_| request.granted.has(self.me.node)) {
            self.earned.push(Earned { by: from.node, sent: *sent, lease: request.lease });
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
            let (round, lease) = (owed.number, moment.timings.lease());
            answers.push((to, LeaseRequest { group: owed.group, sent, round, granted, lease }));
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
        let (granted, lease) = (NodeSet::EMPTY, Span::ZERO);
        let request = LeaseRequest { group: group.id(), sent: now, round: 0, granted, lease };
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
        let here = [(moment.timings.lease(), NodeSet::EMPTY.with(self.me.node))];
        let granted = own.iter().map(|node| (node, here.into())).collect();
        let round = Round { group: group.id(), number: self.number, sent: sent.collect(), granted };
        self.book.push_front(round);
        self.book.truncate(ROUNDS_KEPT);
        let asking = asking.with(self.me.node);
        let others = group.nodes().without(self.me.node);
        let to = |node| {
            let grants = self.grants_of(group, node);
            (node, LeaseRound { group: group.id(), number: self.number, asking, grants })
        };
        others.iter().map(to).collect()
    }

    /// Of this group only: in another one the node may have been in another life, with another clock.
    fn grants_of(&self, group: &Group, node: NodeId) -> Vec<RoundGrant> {
        let of_group = self.book.iter().filter(|round| round.group == group.id());
        let grants = |round: &Round| {
            let (sent, granted) = (*round.sent.get(&node)?, round.granted.get(&node)?.clone());
            Some(granted.into_iter().map(move |(lease, by)| RoundGrant { sent, by, lease }))
        };
        of_group.filter_map(grants).flatten().take(ROUND_GRANTS_MAX).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::group::tests::{life, seats};
    use phalanx_types::{Step, TimingProfile, Timings};
    use std::collections::BTreeSet;

    fn group(instance: u64, nodes: &[u16]) -> Group {
        let order = seats((1..=9).map(NodeId));
        let members: Vec<Incarnation> = nodes.iter().map(|node| life(*node)).collect();
        let id = RingId { leader: *members.last().expect("a group has members"), instance };
        Group::of(id, members, &order).expect("they are in order")
    }

    fn at(ms: u64) -> Moment {
        let timings = Timings::of(TimingProfile::Auto);
        Moment { now: Tick::ZERO + Span::from_millis(1_000 + ms), resumed: Tick::ZERO, timings }
    }

    fn stretched(moment: Moment) -> Moment {
        Moment { timings: moment.timings.stretched(Step(2)), ..moment }
    }

    fn anybody(_: Incarnation) -> bool {
        true
    }

    /// Three members of one group, on a network without delay.
    struct Lab {
        group: Group,
        members: BTreeMap<NodeId, Leases>,
        given: BTreeMap<NodeId, Vec<Given>>,
        earned: BTreeMap<NodeId, Vec<Earned>>,
        /// The members whose timings are stretched already.
        stretched: BTreeSet<NodeId>,
    }

    impl Lab {
        fn new(nodes: &[u16]) -> Lab {
            let members =
                nodes.iter().map(|node| (NodeId(*node), Leases::new(at(0).now, life(*node)))).collect();
            let (given, earned, stretched) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
            Lab { group: group(1, nodes), members, given, earned, stretched }
        }

        fn at(&self, node: NodeId, ms: u64) -> Moment {
            if self.stretched.contains(&node) { stretched(at(ms)) } else { at(ms) }
        }

        fn of(&mut self, node: NodeId) -> &mut Leases {
            self.members.get_mut(&node).expect("a member")
        }

        /// A beat of one member, and all that comes of it at once.
        fn beat(&mut self, node: u16, ms: u64) {
            let (group, node) = (self.group.clone(), NodeId(node));
            let mut given = Vec::new();
            let moment = self.at(node, ms);
            let rounds = self.of(node).collect(moment, &group, &anybody, &mut given);
            self.given.entry(node).or_default().append(&mut given);
            for (to, round) in
                rounds.into_iter().filter(|(to, _)| self.members.contains_key(to)).collect::<Vec<_>>()
            {
                self.of(to).hear_round(at(ms).now, life(node.0), &round);
                let moment = self.at(to, ms);
                let answers = self.of(to).answers(moment, &group, &anybody, &mut given);
                self.given.entry(to).or_default().append(&mut given);
                self.ask(to, answers, ms);
            }
            let requests = self.of(node).requests(at(ms), &group);
            self.ask(node, requests, ms);
            for (node, leases) in &mut self.members {
                self.earned.entry(*node).or_default().append(&mut leases.earned());
            }
        }

        fn ask(&mut self, from: NodeId, requests: Vec<(NodeId, LeaseRequest)>, ms: u64) {
            for (to, request) in
                requests.into_iter().filter(|(to, _)| self.members.contains_key(to)).collect::<Vec<_>>()
            {
                self.of(to).hear_request(at(ms).now, life(from.0), &request);
            }
        }

        /// When the newest request was sent that `by` has granted `node`.
        fn newest(&self, node: u16, by: u16) -> Option<Tick> {
            let earned = self.earned.get(&NodeId(node)).into_iter().flatten();
            earned.filter(|earned| earned.by == NodeId(by)).map(|earned| earned.sent).max()
        }
    }

    #[test]
    fn a_request_is_granted_by_all_within_two_rounds_and_promised_for_longer() {
        let mut lab = Lab::new(&[1, 2, 3]);
        for (beat, ms) in [(3, 10), (3, 50), (3, 90)] {
            lab.beat(beat, ms);
        }
        for (node, by) in [(1, 2), (1, 3), (2, 1), (2, 3)] {
            assert_eq!(
                lab.newest(node, by),
                Some(if by == 3 { at(50).now } else { at(10).now }),
                "{node} by {by}"
            );
        }
        assert_eq!(lab.newest(3, 1), Some(at(90).now), "a leader asks with its own round");
        let promised =
            lab.given[&NodeId(2)].iter().filter(|(node, _)| *node == NodeId(1)).map(|(_, at)| *at).max();
        assert_eq!(
            promised,
            Some(at(90).now),
            "from the receipt of the round, which is later than the request"
        );
    }

    #[test]
    fn when_the_leader_is_silent_the_crown_prince_collects_in_time() {
        let mut lab = Lab::new(&[1, 2, 3, 4]);
        [(4, 10), (4, 50)].into_iter().for_each(|(node, ms)| lab.beat(node, ms));
        lab.members.remove(&NodeId(4));
        let timings = at(0).timings;
        for beat in 1..=RING_BEATS {
            let ms = 50 + beat * timings.beat().as_millis();
            [1, 2, 3].into_iter().for_each(|node| lab.beat(node, ms));
        }
        let newest = lab.newest(1, 2).expect("it was granted");
        assert!(newest > at(50).now, "by way of node 3");
    }

    const RING_BEATS: u64 = phalanx_types::timing::RING_STANDIN_BEATS;

    #[test]
    fn a_better_collector_makes_the_other_needless() {
        let mut lab = Lab::new(&[1, 2, 3]);
        lab.beat(3, 10);
        let round =
            LeaseRound { group: lab.group.id(), number: 1, asking: NodeSet::EMPTY, grants: Vec::new() };
        let group = lab.group.clone();
        lab.of(NodeId(1)).hear_round(at(20).now, life(2), &round);
        let answers = lab.of(NodeId(1)).answers(at(20), &group, &anybody, &mut Vec::new());
        assert_eq!(answers.iter().map(|(_, request)| request.sent).collect::<Vec<_>>(), [Tick::ZERO]);
    }

    #[test]
    fn what_was_granted_in_another_group_is_told_nobody() {
        let mut lab = Lab::new(&[1, 2, 3]);
        [(3, 10), (3, 50)].into_iter().for_each(|(node, ms)| lab.beat(node, ms));
        lab.group = group(2, &[1, 2, 3]);
        let next = lab.group.clone();
        lab.of(NodeId(3)).follow(at(60).now);
        let rounds = lab.of(NodeId(3)).collect(at(90), &next, &anybody, &mut Vec::new());
        assert!(
            rounds.iter().all(|(_, round)| round.grants.is_empty()),
            "the node may be in another life there"
        );
    }

    #[test]
    fn each_grant_says_for_how_long_its_grantor_has_promised() {
        let mut lab = Lab::new(&[1, 2, 3]);
        lab.stretched.insert(NodeId(2));
        [(3, 10), (3, 50), (3, 90)].into_iter().for_each(|(node, ms)| lab.beat(node, ms));
        let lengths = |node: u16, by: u16| -> BTreeSet<Span> {
            let earned = lab.earned[&NodeId(node)].iter().filter(|earned| earned.by == NodeId(by));
            earned.map(|earned| earned.lease).collect()
        };
        let (short, long) = (at(0).timings.lease(), stretched(at(0)).timings.lease());
        for (node, by, lease) in [(1, 2, long), (1, 3, short), (2, 1, short), (3, 2, long)] {
            assert_eq!(lengths(node, by), [lease].into(), "{node} by {by}");
        }
    }

    #[test]
    fn nobody_is_granted_whom_membership_does_not_name() {
        let mut lab = Lab::new(&[1, 2, 3]);
        let (group, mut given) = (lab.group.clone(), Vec::new());
        let asking = [1, 2].map(NodeId).into_iter().collect();
        let round = LeaseRound { group: group.id(), number: 7, asking, grants: Vec::new() };
        lab.of(NodeId(1)).hear_round(at(20).now, life(3), &round);
        let answers = lab.of(NodeId(1)).answers(at(20), &group, &|life| life.node != NodeId(2), &mut given);
        assert!(given.is_empty() && answers.iter().all(|(_, request)| request.granted.is_empty()));
    }
}
