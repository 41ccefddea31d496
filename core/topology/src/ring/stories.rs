//! Rings on a small perfect network with a hand on its cables: how groups form, lose members and come together again.

use super::formation::{Formation, Moment};
use super::group::tests::{life, seats};
use phalanx_types::{Incarnation, NodeId, NodeSet, Seat, Segment, Span, Tick, TimingProfile, Timings};
use phalanx_wire::{RingFrame, RingWord};
use std::collections::{BTreeMap, BTreeSet};

const HOP: Span = Span::from_micros(200);

/// Adapters on one network.
struct Lab {
    now: Tick,
    seats: Vec<Seat>,
    timings: Timings,
    adapters: BTreeMap<NodeId, Formation>,
    beats: BTreeMap<NodeId, Tick>,
    /// Who sent what to which life.
    frames: BTreeMap<(Tick, u64), (Incarnation, Incarnation, RingFrame)>,
    /// The life of the second that the first has heard of: it cannot say anything to a later one.
    met: BTreeMap<(NodeId, NodeId), Incarnation>,
    sent: u64,
    /// Heartbeats that wait for their receiver's next beat, as what is routine does.
    unread: BTreeMap<NodeId, Vec<(Incarnation, RingFrame)>>,
    cut: BTreeSet<(u16, u16)>,
    /// While there is a number, it draws how late each frame is, and whether it comes twice.
    noise: Option<u64>,
    /// How many frames of each word were sent.
    words: BTreeMap<RingWord, u64>,
    /// Who proclaimed a group to whom.
    proclaimed: BTreeSet<(u16, u16)>,
}

impl Lab {
    fn new(nodes: u16) -> Lab {
        Lab::beating(nodes, |node| node)
    }

    /// `place` says whose beat is how early.
    fn beating(nodes: u16, place: impl Fn(u16) -> u16) -> Lab {
        Lab::seated(seats((1..=nodes).map(NodeId)), place)
    }

    /// Two subnets, the second from node `first` on, with a router between them.
    fn routed(nodes: u16, first: u16) -> Lab {
        let segment = |node| Segment(u8::from(node >= first));
        Lab::seated(
            (1..=nodes).map(|node| Seat { node: NodeId(node), segment: segment(node) }).collect(),
            |node| node,
        )
    }

    fn seated(seats: Vec<Seat>, place: impl Fn(u16) -> u16) -> Lab {
        let start = Tick(1_000_000_000);
        let adapter = |seat: &Seat| (seat.node, Formation::new(start, life(seat.node.0), seats.clone()));
        Lab {
            now: start,
            timings: Timings::of(TimingProfile::Auto),
            adapters: seats.iter().map(adapter).collect(),
            beats: seats
                .iter()
                .map(|seat| (seat.node, start + Span::from_millis(u64::from(place(seat.node.0)) * 7)))
                .collect(),
            seats,
            frames: BTreeMap::new(),
            met: BTreeMap::new(),
            sent: 0,
            unread: BTreeMap::new(),
            cut: BTreeSet::new(),
            noise: None,
            words: BTreeMap::new(),
            proclaimed: BTreeSet::new(),
        }
    }

    fn moment(&self) -> Moment {
        Moment { now: self.now, resumed: Tick::ZERO, timings: self.timings }
    }

    /// Everything that happens in `span`. Here each beat brings a heartbeat to the leader too, and one back, as requests
    /// and rounds do.
    fn run(&mut self, span: Span) {
        let end = self.now + span;
        loop {
            let frame = self.frames.keys().next().copied();
            let (beat, node) =
                self.beats.iter().map(|(node, at)| (*at, *node)).min().expect("there are adapters");
            let at = frame.map_or(beat, |(at, _)| at.min(beat));
            if at > end {
                break;
            }
            self.now = at;
            if frame.is_some_and(|(arrives, _)| arrives <= beat) {
                let (from, to, frame) = self.frames.remove(&frame.expect("just seen")).expect("just seen");
                self.arrive(from, to, &frame);
            } else {
                self.beats.insert(node, beat + self.timings.beat());
                self.beat(node);
            }
            self.judge();
        }
        self.now = end;
    }

    fn arrive(&mut self, from: Incarnation, life: Incarnation, frame: &RingFrame) {
        let (moment, to) = (self.moment(), life.node);
        let lives = self.adapters.get(&to).is_some_and(|adapter| adapter.me() == life);
        if self.cut.contains(&(from.node.0, to.0)) || !lives {
            return;
        }
        self.met.insert((to, from.node), from);
        if frame.word == RingWord::Heartbeat {
            return self.unread.entry(to).or_default().push((from, frame.clone()));
        }
        if let Some(adapter) = self.adapters.get_mut(&to) {
            adapter.hear(moment, from, frame);
            self.post(to);
        }
    }

    fn beat(&mut self, node: NodeId) {
        let moment = self.moment();
        let Some(adapter) = self.adapters.get_mut(&node) else { return };
        for (from, frame) in self.unread.remove(&node).unwrap_or_default() {
            adapter.hear(moment, from, &frame);
        }
        adapter.beat(moment);
        let (me, group, leads) = (adapter.me(), adapter.group().clone(), adapter.leads());
        let round = || RingFrame { word: RingWord::Heartbeat, group: group.id(), lives: Vec::new() };
        let others: Vec<NodeId> = match leads {
            true => group.nodes().without(node).iter().collect(),
            false => vec![group.leader().node],
        };
        others.into_iter().for_each(|to| self.send(me, to, round()));
        self.post(node);
    }

    fn judge(&mut self) {
        let moment = self.moment();
        for node in self.adapters.keys().copied().collect::<Vec<_>>() {
            self.adapters.get_mut(&node).expect("it is there").judge(moment);
            self.post(node);
        }
    }

    fn post(&mut self, node: NodeId) {
        let adapter = self.adapters.get_mut(&node).expect("it is there");
        let me = adapter.me();
        for (to, frame) in adapter.poll() {
            *self.words.entry(frame.word).or_default() += 1;
            if frame.word == RingWord::Proclaim {
                self.proclaimed.insert((node.0, to.0));
            }
            self.send(me, to, frame);
        }
    }

    fn send(&mut self, from: Incarnation, to: NodeId, frame: RingFrame) {
        let to = self.met.get(&(from.node, to)).copied().unwrap_or(life(to.0));
        for late in self.lateness() {
            self.sent += 1;
            self.frames.insert((self.now + HOP + late, self.sent), (from, to, frame.clone()));
        }
    }

    fn lateness(&mut self) -> Vec<Span> {
        let Some(noise) = &mut self.noise else { return vec![Span::ZERO] };
        let mut draw = |below: u64| {
            *noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*noise >> 33) % below
        };
        let copies = if draw(4) == 0 { 2 } else { 1 };
        (0..copies).map(|_| ms(41 + draw(24))).collect()
    }

    /// A node comes back in its second life.
    fn restart(&mut self, node: u16) -> Incarnation {
        let reborn = Incarnation { start: 2, ..life(node) };
        self.adapters.insert(reborn.node, Formation::new(self.now, reborn, self.seats.clone()));
        reborn
    }

    fn isolate(&mut self, nodes: &[u16]) {
        let all: Vec<u16> = self.adapters.keys().map(|node| node.0).collect();
        for one in nodes {
            for other in all.iter().filter(|other| !nodes.contains(other)) {
                self.cut.extend([(*one, *other), (*other, *one)]);
            }
        }
    }

    fn group(&self, node: u16) -> Vec<u16> {
        self.adapters[&NodeId(node)].group().members().iter().map(|life| life.node.0).collect()
    }

    fn check(&self, groups: &[&[u16]]) {
        for group in groups {
            group
                .iter()
                .for_each(|node| assert_eq!(self.group(*node), *group, "at {node}, {:?}", self.words));
        }
    }
}

fn ms(ms: u64) -> Span {
    Span::from_millis(ms)
}

#[test]
fn adapters_come_into_one_group_and_count_once_it_is_stable() {
    let mut lab = Lab::new(5);
    lab.run(ms(150));
    lab.check(&[&[1, 2, 3, 4, 5]]);
    let all: NodeSet = (1..=5).map(NodeId).collect();
    lab.run(ms(100));
    for adapter in lab.adapters.values() {
        assert_eq!(adapter.present(lab.moment()), all);
    }
    let formed = lab.words.clone();
    lab.run(ms(2_000));
    let quiet = |word| lab.words.get(&word) == formed.get(&word);
    assert!(
        quiet(RingWord::Prepare) && quiet(RingWord::Join) && quiet(RingWord::DeathInFamily),
        "{:?}",
        lab.words
    );
}

#[test]
fn a_member_that_dies_is_left_out_after_the_detection_time() {
    for victim in 1..=5 {
        let mut lab = Lab::new(5);
        lab.run(ms(1_000));
        lab.adapters.remove(&NodeId(victim));
        lab.run(ms(340));
        let rest: Vec<u16> = (1..=5).filter(|node| *node != victim).collect();
        rest.iter().for_each(|node| assert_eq!(lab.group(*node), [1, 2, 3, 4, 5], "{victim} too soon"));
        lab.run(ms(90));
        lab.check(&[&rest]);
        assert!(!lab.words.contains_key(&RingWord::Dissolve), "of {victim}: {:?}", lab.words);
    }
}

#[test]
fn both_halves_of_a_divided_network_go_on_and_come_together_again() {
    for parts in
        [[&[1, 2, 3, 4][..], &[5]], [&[1, 2], &[3, 4, 5]], [&[1, 3, 5], &[2, 4]], [&[2, 3, 4, 5], &[1]]]
    {
        let mut lab = Lab::new(5);
        lab.run(ms(1_000));
        lab.isolate(parts[1]);
        lab.run(ms(700));
        lab.check(&parts);
        lab.run(ms(3_000));
        lab.check(&parts);
        lab.cut.clear();
        lab.run(ms(200));
        lab.check(&[&[1, 2, 3, 4, 5]]);
    }
}

#[test]
fn who_is_wanted_by_several_leaders_at_once_holds_up_none_of_them() {
    // Who is heard first is so by chance, and goes to the first leader that beats then.
    for (first, early) in (0..5).flat_map(|first| (0..32).map(move |early| (first, early * 5))) {
        let mut lab = Lab::beating(5, |node| (node * 2 + first) % 5);
        (1..5).for_each(|node| lab.isolate(&[node]));
        lab.run(ms(2_000 + early));
        lab.check(&[&[1], &[2], &[3], &[4], &[5]]);
        lab.cut.clear();
        lab.run(lab.timings.beat() * 3);
        lab.check(&[&[1, 2, 3, 4, 5]]);
    }
}

#[test]
fn leader_and_crown_prince_at_once_are_succeeded_by_the_third() {
    let mut lab = Lab::new(5);
    lab.run(ms(1_000));
    lab.isolate(&[4]);
    lab.isolate(&[5]);
    lab.run(ms(900));
    lab.check(&[&[1, 2, 3], &[4], &[5]]);
}

#[test]
fn a_way_that_carries_nothing_in_one_direction_settles_and_stays() {
    for one in 1..=5 {
        for other in (1..=5).filter(|other| *other != one) {
            let mut lab = Lab::new(5);
            lab.run(ms(1_000));
            lab.cut.insert((one, other));
            lab.run(ms(1_000));
            let groups = |lab: &Lab| (1..=5).map(|node| lab.group(node)).collect::<Vec<_>>();
            let settled = groups(&lab);
            assert!(
                settled.iter().filter(|group| group.len() >= 4).count() >= 4,
                "{one} to {other}: {settled:?}"
            );
            lab.run(ms(3_000));
            assert_eq!(groups(&lab), settled, "{one} to {other}");
            lab.cut.clear();
            lab.run(ms(1_000));
            lab.check(&[&[1, 2, 3, 4, 5]]);
        }
    }
}

#[test]
fn a_member_that_hears_its_leader_does_not_follow_the_crown_prince() {
    let mut lab = Lab::new(5);
    lab.run(ms(1_000));
    lab.cut.extend([(4, 5), (5, 4)]);
    for _ in 0..300 {
        lab.run(ms(5));
        assert_eq!(lab.adapters[&NodeId(1)].group().leader(), life(5));
    }
    lab.check(&[&[1, 2, 3, 5], &[4]]);
}

#[test]
fn who_is_left_out_together_stays_together() {
    let mut lab = Lab::new(5);
    lab.run(ms(1_000));
    // Node 4 hears both sides, and goes with its leader.
    for (one, other) in [(2, 1), (2, 3), (5, 1), (5, 3)] {
        lab.cut.extend([(one, other), (other, one)]);
    }
    for _ in 0..200 {
        lab.run(ms(5));
        assert!(
            lab.group(1).contains(&3) && lab.group(3).contains(&1),
            "{:?} {:?}",
            lab.group(1),
            lab.group(3)
        );
    }
    lab.check(&[&[1, 3], &[2, 4, 5]]);
}

#[test]
fn the_side_that_lost_leader_and_crown_prince_stays_together() {
    for side in [[1, 3], [1, 2], [2, 3]] {
        let mut lab = Lab::new(5);
        lab.run(ms(1_000));
        lab.isolate(&side);
        for _ in 0..200 {
            lab.run(ms(5));
            assert!(
                lab.group(side[0]).contains(&side[1]) && lab.group(side[1]).contains(&side[0]),
                "{side:?} {:?}",
                lab.words
            );
        }
        lab.check(&[&side]);
    }
}

#[test]
fn those_whom_a_deaf_leader_leaves_stay_together() {
    for (nodes, backwards, early) in
        [3, 5].into_iter().flat_map(|nodes| (0..16).map(move |early| (nodes, early % 2 == 0, early * 3)))
    {
        let mut lab = Lab::beating(nodes, |node| if backwards { nodes - node } else { node });
        lab.run(ms(1_000 + early));
        lab.cut.extend((1..nodes).map(|node| (node, nodes)));
        for _ in 0..300 {
            lab.run(ms(5));
            (1..nodes).for_each(|node| {
                assert!(lab.group(node).len() + 1 >= usize::from(nodes), "{node}: {:?}", lab.group(node));
            });
        }
        let rest: Vec<u16> = (1..nodes).collect();
        lab.check(&[&rest, &[nodes]]);
    }
}

#[test]
fn who_comes_back_in_a_later_life_takes_the_place_of_the_one_before_at_once() {
    for node in 1..=5 {
        let mut lab = Lab::new(5);
        lab.run(ms(1_000));
        let reborn = lab.restart(node);
        lab.run(lab.timings.beat() + ms(5));
        lab.check(&[&[1, 2, 3, 4, 5]]);
        for adapter in lab.adapters.values() {
            assert!(adapter.group().has(reborn), "of {node}: {:?}", adapter.group());
        }
        lab.run(ms(1_000));
        lab.check(&[&[1, 2, 3, 4, 5]]);
    }
}

#[test]
fn a_life_that_a_later_one_has_replaced_does_not_come_back() {
    let mut lab = Lab::new(3);
    lab.run(ms(1_000));
    let former = lab.adapters[&NodeId(2)].clone();
    let reborn = lab.restart(2);
    lab.run(ms(1_000));
    let id = lab.adapters[&NodeId(3)].group().id();
    let join = RingFrame { word: RingWord::Join, group: former.group().id(), lives: vec![life(2)] };
    let moment = lab.moment();
    lab.adapters.get_mut(&NodeId(3)).expect("it is there").hear(moment, life(2), &join);
    lab.run(ms(200));
    assert_eq!(lab.adapters[&NodeId(3)].group().id(), id);
    assert!(lab.adapters[&NodeId(3)].group().has(reborn));
}

#[test]
fn after_any_noise_all_come_into_one_group_and_stay() {
    for seed in 0..15 {
        let mut lab = Lab::new(4);
        lab.timings = Timings::under(phalanx_types::Monitoring::Ring, TimingProfile::Fast);
        lab.run(ms(500));
        lab.noise = Some(seed);
        lab.run(ms(1_500));
        lab.noise = None;
        lab.run(ms(700));
        lab.check(&[&[1, 2, 3, 4]]);
        let formed = lab.words.clone();
        lab.run(ms(1_000));
        lab.check(&[&[1, 2, 3, 4]]);
        assert_eq!(lab.words.get(&RingWord::Prepare), formed.get(&RingWord::Prepare), "seed {seed}");
    }
}

#[test]
fn a_crown_prince_that_answered_and_then_left_is_passed_over() {
    let mut lab = Lab::new(5);
    lab.run(ms(1_000));
    lab.cut.extend((1..4).map(|node| (5, node)));
    lab.run(ms(600));
    lab.adapters.remove(&NodeId(5));
    lab.adapters.insert(NodeId(4), Formation::new(lab.now, life(4), lab.seats.clone()));
    lab.run(ms(900));
    lab.check(&[&[1, 2, 3, 4]]);
}

#[test]
fn subnets_come_together_by_themselves_first_and_then_with_each_other() {
    let mut lab = Lab::routed(6, 4);
    lab.run(ms(110));
    lab.check(&[&[1, 2, 3], &[4, 5, 6]]);
    // Nobody counts before all do: or there would be a view of each subnet first.
    let all: NodeSet = (1..=6).map(NodeId).collect();
    for _ in 0..100 {
        lab.run(ms(2));
        for adapter in lab.adapters.values() {
            let present = adapter.present(lab.moment());
            assert!(present.is_empty() || present == all, "{present:?}");
        }
    }
    lab.check(&[&[1, 2, 3, 4, 5, 6]]);
    lab.run(ms(70));
    assert!(lab.adapters.values().all(|adapter| adapter.present(lab.moment()) == all));
}

#[test]
fn a_new_life_greets_the_other_subnet_though_it_proclaims_nothing_there_yet() {
    let mut lab = Lab::routed(4, 3);
    let said = |lab: &mut Lab| {
        let moment = lab.moment();
        let adapter = lab.adapters.get_mut(&NodeId(1)).expect("it is there");
        adapter.beat(moment);
        adapter.poll().into_iter().map(|(to, frame)| (to.0, frame.word)).collect::<Vec<_>>()
    };
    let greeting = [(3, RingWord::Heartbeat), (4, RingWord::Heartbeat)];
    let first: Vec<_> = greeting.into_iter().chain([(2, RingWord::Proclaim)]).collect();
    assert_eq!(said(&mut lab), first);
    assert_eq!(said(&mut lab), first, "the first only tells that there is somebody");
    assert!(
        (0..9).map(|_| said(&mut lab)).skip(2).all(|words| !words.iter().any(|word| greeting.contains(word)))
    );
}

#[test]
fn a_subnet_that_is_alone_from_the_beginning_does_not_wait_for_ever() {
    let mut lab = Lab::routed(6, 4);
    lab.isolate(&[4, 5, 6]);
    lab.run(lab.timings.beat() * 9);
    let present = |lab: &Lab| lab.adapters[&NodeId(2)].present(lab.moment());
    assert!(present(&lab).is_empty());
    assert!(lab.adapters[&NodeId(2)].changes_at(lab.moment()) <= lab.now + lab.timings.beat());
    lab.run(lab.timings.beat());
    assert_eq!(present(&lab), (1..=3).map(NodeId).collect());
}

#[test]
fn a_life_that_members_rely_on_already_does_not_wait_for_a_subnet_that_is_not_there() {
    let mut lab = Lab::routed(6, 4);
    lab.isolate(&[4, 5, 6]);
    lab.run(ms(1_000));
    lab.restart(2);
    lab.run(lab.timings.beat() * 4);
    lab.check(&[&[1, 2, 3]]);
    let all: NodeSet = (1..=3).map(NodeId).collect();
    assert_eq!(lab.adapters[&NodeId(1)].present(lab.moment()), all);
    assert!(lab.adapters[&NodeId(2)].present(lab.moment()).is_empty());
    lab.adapters.get_mut(&NodeId(2)).expect("it is there").meet();
    assert_eq!(lab.adapters[&NodeId(2)].present(lab.moment()), all);
}

#[test]
fn when_the_router_is_down_each_subnet_goes_on_and_they_meet_again_as_soon_as_it_is_up() {
    for first in 2..=6 {
        let mut lab = Lab::routed(6, first);
        lab.run(ms(1_000));
        let (low, high): (Vec<u16>, Vec<u16>) = (1..=6).partition(|node| *node < first);
        lab.isolate(&low);
        lab.run(ms(700));
        lab.check(&[&low, &high]);
        lab.run(ms(3_000));
        lab.check(&[&low, &high]);
        lab.cut.clear();
        lab.run(ms(200));
        lab.check(&[&[1, 2, 3, 4, 5, 6]]);
    }
}

#[test]
fn a_mayor_tells_newcomers_of_its_subnet_lower_and_higher_ones_of_the_group() {
    for newcomer in 1..=3 {
        let mut lab = Lab::routed(6, 4);
        lab.isolate(&[newcomer]);
        lab.run(ms(1_000));
        let mayor = if newcomer == 3 { 2 } else { 3 };
        lab.proclaimed.clear();
        lab.run(ms(1_000));
        let tells = lab.proclaimed.iter().filter(|(_, to)| *to == newcomer);
        assert_eq!(tells.collect::<Vec<_>>(), [&(mayor, newcomer)], "nobody else does");
        // It cannot tell anybody of itself: what it hears of the group it has from its mayor.
        lab.cut.retain(|(from, to)| (*from, *to) != (mayor, newcomer));
        lab.cut.remove(&(newcomer, 6));
        lab.cut.remove(&(6, newcomer));
        lab.run(lab.timings.beat() * 3);
        lab.check(&[&[1, 2, 3, 4, 5, 6]]);
        assert!(lab.adapters.get_mut(&NodeId(newcomer)).expect("it is there").take_heeded());
    }
}

#[test]
fn who_reaches_its_leader_but_not_its_mayor_comes_in_all_the_same() {
    let mut lab = Lab::routed(6, 4);
    lab.isolate(&[2]);
    lab.run(ms(1_000));
    lab.check(&[&[1, 3, 4, 5, 6]]);
    lab.cut.retain(|cut| matches!(cut, (2, 3) | (3, 2)));
    lab.run(ms(400));
    lab.check(&[&[1, 2, 3, 4, 5, 6]]);
}

#[test]
fn when_the_mayor_dies_the_next_one_of_its_subnet_proclaims() {
    let mut lab = Lab::routed(6, 4);
    lab.isolate(&[1]);
    lab.run(ms(1_000));
    lab.adapters.remove(&NodeId(3));
    lab.run(ms(600));
    lab.proclaimed.clear();
    lab.run(ms(400));
    let said: Vec<_> = lab.proclaimed.iter().filter(|(from, _)| *from != 1).copied().collect();
    assert_eq!(said, [(2, 1), (2, 3)]);
    lab.cut.clear();
    lab.run(lab.timings.beat() * 3);
    lab.check(&[&[1, 2, 4, 5, 6]]);
}

#[test]
fn a_later_life_in_either_subnet_is_answered_by_its_mayor_and_back_at_once() {
    for node in 1..=6 {
        let mut lab = Lab::routed(6, 4);
        lab.run(ms(1_000));
        let reborn = lab.restart(node);
        // That the leader is in a later life the other subnet hears when a new group is proclaimed there.
        let beats = if node == 6 { 5 } else { 1 };
        lab.run(lab.timings.beat() * beats + ms(5));
        lab.check(&[&[1, 2, 3, 4, 5, 6]]);
        assert!(lab.adapters.values().all(|adapter| adapter.group().has(reborn)), "{node}");
        lab.run(ms(1_000));
        lab.check(&[&[1, 2, 3, 4, 5, 6]]);
    }
}

#[test]
fn a_mayor_that_was_left_out_misleads_nobody_for_long() {
    let mut lab = Lab::routed(6, 4);
    lab.isolate(&[1]);
    lab.run(ms(1_000));
    // The mayor reaches nobody but the newcomer, and goes on proclaiming a group that it is not in any more.
    lab.isolate(&[3]);
    lab.cut.retain(|cut| !matches!(cut, (1, 3) | (3, 1)));
    lab.run(ms(700));
    lab.check(&[&[1, 3], &[2, 4, 5, 6]]);
    lab.cut.clear();
    lab.run(ms(200));
    lab.check(&[&[1, 2, 3, 4, 5, 6]]);
}

#[test]
fn after_any_noise_two_subnets_come_into_one_group_and_stay() {
    for seed in 0..15 {
        let mut lab = Lab::routed(5, 3);
        lab.timings = Timings::under(phalanx_types::Monitoring::Ring, TimingProfile::Fast);
        lab.run(ms(500));
        lab.noise = Some(seed);
        lab.run(ms(1_500));
        lab.noise = None;
        lab.run(ms(700));
        lab.check(&[&[1, 2, 3, 4, 5]]);
        let formed = lab.words.clone();
        lab.run(ms(1_000));
        assert_eq!(lab.words.get(&RingWord::Prepare), formed.get(&RingWord::Prepare), "seed {seed}");
    }
}
