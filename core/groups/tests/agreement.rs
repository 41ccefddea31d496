//! Votes come in any order: whatever reaches which node first, all that go on together tell the same of each group, end with
//! the same domain, and leave nothing open.

use phalanx_groups::Vote;
use phalanx_groups::domain::{
    Act, Attributes, Audience, Batch, Cast, Change, DefaultVote, Domain, Gone, LocalName, Name, Notice,
    PhaseId, Phases, Proposal, Said, StateValue, Tell, VoteWord, Word,
};
use phalanx_types::{Incarnation, NodeId, Span};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const NODES: u16 = 3;
const GROUPS: [&str; 2] = ["disk", "web"];
const VOTED: Phases = Phases::Many { limit: Span::from_secs(1) };
/// More steps than any run takes to come to rest.
const STEPS_MAX: usize = 10_000;

type Seat = (Name, i16);

fn life(node: u16) -> Incarnation {
    Incarnation { node: NodeId(node), start: 1 }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// One node: what it has heard, and what its clients are asked.
#[derive(Default)]
struct Node {
    domain: Domain,
    /// How far in the order it is.
    heard: usize,
    /// Votes on their way to it, by sender.
    coming: BTreeMap<u16, VecDeque<VoteWord>>,
    /// All that it has heard of each sender: what it brings to the end of the view.
    kept: BTreeMap<u16, Vec<VoteWord>>,
    told: Vec<Tell>,
    clients: BTreeSet<Seat>,
    asked: VecDeque<(PhaseId, i16)>,
    /// Words that have no place yet.
    outbox: VecDeque<Word>,
    placed: BTreeMap<Name, u64>,
}

struct Site {
    order: Vec<(u16, Word)>,
    nodes: BTreeMap<u16, Node>,
    /// While a view ends nothing is sent; what nodes would say goes into the next one.
    is_changing: bool,
    unsent: Vec<(u16, VoteWord)>,
}

impl Site {
    fn new() -> Site {
        let node = |_| {
            let coming = (1..=NODES).map(|other| (other, VecDeque::new())).collect();
            Node { coming, ..Node::default() }
        };
        let nodes = (1..=NODES).map(|id| (id, node(id))).collect();
        Site { order: Vec::new(), nodes, is_changing: false, unsent: Vec::new() }
    }

    fn say(&mut self, id: u16, group: &Name, act: Act) {
        let node = self.nodes.get_mut(&id).expect("it is there");
        let seen = node.domain.seen(group);
        node.outbox.push_back(Word { group: group.clone(), act, seen });
    }

    /// The first word of a node gets its place.
    fn order(&mut self, id: u16) -> bool {
        let word = self.nodes.get_mut(&id).and_then(|node| node.outbox.pop_front());
        word.map(|word| self.order.push((id, word))).is_some()
    }

    /// A node hears the next word.
    fn hear(&mut self, id: u16) -> bool {
        let node = self.nodes.get_mut(&id).expect("it is there");
        let Some((sender, word)) = self.order.get(node.heard).cloned() else { return false };
        node.heard += 1;
        let told = node.domain.hear(life(sender), word);
        self.tell(id, told);
        true
    }

    /// A node hears the next vote of another.
    fn hear_vote(&mut self, id: u16, from: u16) -> bool {
        let node = self.nodes.get_mut(&id).expect("it is there");
        let Some(vote) = node.coming.get_mut(&from).and_then(VecDeque::pop_front) else { return false };
        self.take_vote(id, from, vote);
        true
    }

    fn take_vote(&mut self, id: u16, from: u16, vote: VoteWord) {
        let node = self.nodes.get_mut(&id).expect("it is there");
        node.kept.entry(from).or_default().push(vote.clone());
        let told = node.domain.vote(life(from), vote);
        self.tell(id, told);
    }

    /// A node votes for a provider of its own: it has its own vote at once, the others get it some time.
    fn cast(&mut self, id: u16, phase: PhaseId, instance: i16, cast: Cast) {
        let vote = VoteWord { phase, instance, cast };
        if self.is_changing {
            return self.unsent.push((id, vote));
        }
        self.send(id, vote);
    }

    fn send(&mut self, id: u16, vote: VoteWord) {
        for (other, node) in &mut self.nodes {
            if *other != id {
                node.coming.get_mut(&id).expect("all are listed").push_back(vote.clone());
            }
        }
        self.take_vote(id, id, vote);
    }

    fn tell(&mut self, id: u16, told: Vec<Tell>) {
        self.nodes.get_mut(&id).expect("it is there").told.extend(told.clone());
        told.iter().for_each(|tell| self.note_question(id, tell));
    }

    fn note_question(&mut self, id: u16, tell: &Tell) {
        let (Audience::Providers(voters), Notice::Phase { protocol, phase, .. }) = (&tell.to, &tell.notice)
        else {
            return;
        };
        let phase = PhaseId { group: tell.group.clone(), protocol: *protocol, phase: *phase };
        let own = voters.iter().filter(|voter| voter.life == life(id)).map(|voter| voter.instance);
        for instance in own {
            let node = self.nodes.get_mut(&id).expect("it is there");
            match node.clients.contains(&(tell.group.clone(), instance)) {
                true => node.asked.push_back((phase.clone(), instance)),
                false => self.cast(id, phase.clone(), instance, Cast::Failed),
            }
        }
    }

    fn answer(&mut self, id: u16, cast: Cast) -> bool {
        let node = self.nodes.get_mut(&id).expect("it is there");
        let Some((phase, instance)) = node.asked.pop_front() else { return false };
        self.cast(id, phase, instance, cast);
        true
    }

    fn join(&mut self, id: u16, group: &Name, instance: i16) {
        let seat = (group.clone(), instance);
        let node = self.nodes.get_mut(&id).expect("it is there");
        if node.clients.insert(seat) {
            let local = LocalName::default();
            self.say(id, group, Act::Join { instance, local, attributes: attributes(group) });
        }
    }

    fn leave(&mut self, id: u16, group: &Name, instance: i16) {
        let node = self.nodes.get_mut(&id).expect("it is there");
        if !node.clients.remove(&(group.clone(), instance)) {
            return;
        }
        let of_seat = |(phase, who): &(PhaseId, i16)| phase.group == *group && *who == instance;
        let (mine, others): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut node.asked).into_iter().partition(of_seat);
        node.asked = others;
        mine.into_iter().for_each(|(phase, who)| self.cast(id, phase, who, Cast::Failed));
        self.say(id, group, Act::Lost { instance, how: Gone::Failed });
    }

    /// The lowest node says which ends it has seen, where something waits for them.
    fn place_ends(&mut self) -> bool {
        let id = *self.nodes.keys().next().expect("somebody is there");
        let node = self.nodes.get_mut(&id).expect("it is there");
        let unplaced: Vec<Name> = node.domain.unplaced().cloned().collect();
        let new = |group: &Name| {
            let seen = node.domain.seen(group);
            node.placed.insert(group.clone(), seen) != Some(seen)
        };
        let news: Vec<Name> = unplaced.into_iter().filter(new).collect();
        news.iter().for_each(|group| self.say(id, group, Act::Ended));
        !news.is_empty()
    }

    /// A node is lost. The others go on with all words and all votes that any of them has.
    fn crash(&mut self, gone: u16) {
        self.nodes.remove(&gone);
        self.is_changing = true;
        let last = self.nodes.values().map(|node| node.heard).max().expect("others are there");
        self.order.truncate(last);
        let ids: Vec<u16> = self.nodes.keys().copied().collect();
        for id in &ids {
            while self.hear(*id) {}
        }
        let most = |from: &u16| {
            let kept = self.nodes.values().filter_map(|node| node.kept.get(from));
            kept.max_by_key(|kept| kept.len()).cloned().unwrap_or_default()
        };
        let senders: Vec<u16> = ids.iter().copied().chain([gone]).collect();
        let votes: BTreeMap<u16, Vec<VoteWord>> = senders.iter().map(|from| (*from, most(from))).collect();
        for id in &ids {
            for (from, votes) in &votes {
                let known = self.nodes[id].kept.get(from).map_or(0, Vec::len);
                votes.iter().skip(known).for_each(|vote| self.take_vote(*id, *from, vote.clone()));
            }
        }
        self.begin_view();
        let lives: BTreeSet<Incarnation> = ids.iter().map(|id| life(*id)).collect();
        for id in &ids {
            let told = self.nodes.get_mut(id).expect("it is there").domain.keep(&lives);
            self.tell(*id, told);
        }
        self.is_changing = false;
        for (id, vote) in std::mem::take(&mut self.unsent) {
            self.send(id, vote);
        }
    }

    /// Whatever was under way has come.
    fn begin_view(&mut self) {
        for node in self.nodes.values_mut() {
            node.placed.clear();
            node.coming.values_mut().for_each(VecDeque::clear);
        }
    }

    fn act(&mut self, kind: u8, id: u16, what: u8) {
        if !self.nodes.contains_key(&id) {
            return;
        }
        let group = name(GROUPS[usize::from(what) % 2]);
        let instance = i16::from(what / 2 % 2);
        match kind {
            0 => self.join(id, &group, instance),
            1 => self.leave(id, &group, instance),
            2 | 3 => self.say(id, &group, proposal(instance, what, kind == 3)),
            4 => drop(self.answer(id, vote(what))),
            5 => drop(self.answer(id, Cast::Silent)),
            6 | 7 => drop(self.order(id)),
            8..12 => drop(self.hear(id)),
            12 => drop(self.place_ends()),
            13 if what == 0 && self.nodes.len() > 2 => self.crash(id),
            _ => drop(self.hear_vote(id, u16::from(what) % NODES + 1)),
        }
    }

    /// Everything arrives, and everybody agrees to everything.
    fn come_to_rest(&mut self) {
        for _ in 0..STEPS_MAX {
            let ids: Vec<u16> = self.nodes.keys().copied().collect();
            let mut moved = self.place_ends();
            for id in &ids {
                moved |= self.order(*id) | self.hear(*id);
                moved |= (1..=NODES).fold(false, |moved, from| moved | self.hear_vote(*id, from));
                moved |= self.answer(*id, Cast::Vote { vote: Vote::Approve, said: Said::default() });
            }
            if !moved {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    /// What a node tells of a group, in order; and what it refuses, which is told to nobody but who asked.
    fn told(&self, id: u16, group: &str) -> (Vec<&Tell>, Vec<&Tell>) {
        let of_group = self.nodes[&id].told.iter().filter(|tell| tell.group.as_str() == group);
        of_group.partition(|tell| !matches!(tell.notice, Notice::Refused(_)))
    }
}

fn attributes(group: &Name) -> Attributes {
    match group.as_str() {
        "disk" => Attributes { default_vote: DefaultVote::Approve, ..Attributes::default() },
        _ => Attributes {
            membership: VOTED,
            reflection: VOTED,
            batch: Batch::Both,
            source: Some(name("disk")),
            ..Attributes::default()
        },
    }
}

fn proposal(instance: i16, what: u8, voted: bool) -> Act {
    let (state, phases) = (StateValue::new(vec![what]).ok(), if voted { VOTED } else { Phases::One });
    Act::Propose { instance, proposal: Proposal { change: Change::State, state, message: None }, phases }
}

fn vote(what: u8) -> Cast {
    let vote = match what % 5 {
        0 => Vote::Reject,
        1 => Vote::Continue,
        _ => Vote::Approve,
    };
    let said = Said {
        state: what.is_multiple_of(7).then(|| StateValue::new(vec![what]).expect("a value")),
        message: None,
        default: what.is_multiple_of(6).then_some(DefaultVote::Approve),
    };
    Cast::Vote { vote, said }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn all_that_go_on_together_tell_the_same_and_come_to_rest(
        acts in proptest::collection::vec((0_u8..20, 1..=NODES, 0_u8..12), 1..250)
    ) {
        let mut site = Site::new();
        for group in GROUPS {
            (1..=NODES).for_each(|id| site.join(id, &name(group), 0));
        }
        acts.into_iter().for_each(|(kind, id, what)| site.act(kind, id, what));
        site.come_to_rest();
        let first = *site.nodes.keys().next().expect("somebody is there");
        for id in site.nodes.keys().copied() {
            for group in GROUPS {
                prop_assert_eq!(site.told(first, group), site.told(id, group), "{} and {} of {}", first, id, group);
            }
            prop_assert_eq!(&site.nodes[&first].domain, &site.nodes[&id].domain);
            prop_assert_eq!(site.nodes[&id].domain.unplaced().count(), 0);
            for group in GROUPS {
                prop_assert_eq!(site.nodes[&id].domain.phase(&name(group)), None, "nothing is under way");
            }
        }
    }
}
