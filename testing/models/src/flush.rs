//! A view's change and its flush: virtual synchrony, and that each number means one message.
//!
//! Three nodes, ordered messages and rounds that anybody may begin at any time for any reason: what is safe here does not rest
//! on who suspects whom. What stands for what:
//!
//! - [`Deed::Send`], [`Paper::Submit`], [`Paper::Ordered`], [`Paper::Ack`]: `membership/machine/traffic.rs` and `order.rs`;
//! - [`Deed::Propose`], [`Paper::Prepare`], [`Paper::Flush`], [`Paper::Install`]: `machine/forming.rs` and `ending.rs`;
//! - [`Deed::Crash`] and [`Deed::Cut`]: a node, or what one node sends to another, is lost for good.
//!
//! Leases, quorums and beats have no part in it.

use stateright::{Model, Property};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const NODES: usize = 3;

/// Nodes, one bit each.
pub type Nodes = u8;
/// Counter and coordinator; later ones are greater.
pub type ViewId = (u8, u8);
/// A message's number. Even ones are agreed, odd ones safe.
pub type Message = u8;

/// Which of the rules is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// None.
    Whole,
    /// A node that has flushed goes on receiving in its old view.
    NotFrozen,
    /// An ending brings nobody what it lacks.
    NothingMissing,
    /// A node accepts a round that is older than one it has accepted.
    OldRounds,
    /// A safe message is delivered like an agreed one.
    SafeAtOnce,
    /// The sequencer numbers messages while its view is frozen.
    NumbersOn,
}

/// What may happen.
#[derive(Clone, Debug)]
pub struct Flushing {
    /// Which rule is left out.
    pub rule: Rule,
    /// Who sends which message.
    pub sends: Vec<(usize, Message)>,
    /// So many rounds are begun.
    pub rounds: u8,
    /// So many nodes crash.
    pub crashes: u8,
    /// So many ways from one node to another are cut.
    pub cuts: u8,
}

/// What a member brings out of its old view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flush {
    previous: ViewId,
    received: Vec<Message>,
}

/// What nodes send to each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Paper {
    /// A message that wants a number.
    Submit(ViewId, Message),
    /// The next message of a view.
    Ordered(ViewId, u8, Message),
    /// How far a member has received.
    Ack(ViewId, u8),
    /// A new view is to be.
    Prepare(ViewId, Nodes),
    /// A member agrees.
    Flush(ViewId, Flush),
    /// All have.
    Install(ViewId, Nodes, BTreeMap<u8, Flush>),
}

/// How far a node is on its way to the next view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It has one.
    Installed,
    /// It has accepted another's.
    Accepted(ViewId),
    /// It forms one.
    Coordinating(ViewId, Nodes, BTreeMap<u8, Flush>),
}

/// What a node did, for the properties.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// It delivered a message in a view.
    Delivered(ViewId, u8, Message),
    /// It installed a view, coming from another, together with these.
    Installed {
        /// Which.
        view: ViewId,
        /// Who is in it.
        members: Nodes,
        /// Where this node comes from.
        previous: ViewId,
        /// Who comes from there too, as the coordinator said.
        together: Nodes,
    },
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    alive: bool,
    view: ViewId,
    members: Nodes,
    received: Vec<Message>,
    delivered: usize,
    acked: [u8; NODES],
    pending: Vec<Message>,
    phase: Phase,
    accepted: ViewId,
    early: Vec<(usize, Paper)>,
    log: Vec<Step>,
}

/// All nodes, and what is between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    nodes: Vec<Node>,
    links: Vec<Vec<VecDeque<Paper>>>,
    cut: BTreeSet<(usize, usize)>,
    sent: BTreeSet<Message>,
    rounds: u8,
    /// A safe message was delivered in its view before all of the view had it.
    unsafe_delivery: bool,
    brought: bool,
    overtaken: bool,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A node sends a message.
    Send(usize, Message),
    /// The oldest paper on the way from one node to another arrives.
    Arrive(usize, usize),
    /// A node begins a round for these.
    Propose(usize, Nodes),
    /// A node crashes.
    Crash(usize),
    /// Nothing gets from one node to another any more.
    Cut(usize, usize),
}

fn each(set: Nodes) -> impl Iterator<Item = usize> {
    (0..NODES).filter(move |node| set & (1 << node) != 0)
}

fn sequencer(members: Nodes) -> usize {
    members.trailing_zeros() as usize
}

impl World {
    fn new() -> World {
        let node = Node {
            alive: true,
            view: (0, 0),
            members: 0b111,
            received: Vec::new(),
            delivered: 0,
            acked: [0; NODES],
            pending: Vec::new(),
            phase: Phase::Installed,
            accepted: (0, 0),
            early: Vec::new(),
            log: Vec::new(),
        };
        World {
            nodes: vec![node; NODES],
            links: vec![vec![VecDeque::new(); NODES]; NODES],
            cut: BTreeSet::new(),
            sent: BTreeSet::new(),
            rounds: 0,
            unsafe_delivery: false,
            brought: false,
            overtaken: false,
        }
    }

    fn post(&mut self, from: usize, to: usize, paper: Paper) {
        if self.nodes[to].alive && !self.cut.contains(&(from, to)) {
            self.links[from][to].push_back(paper);
        }
    }

    fn post_to(&mut self, from: usize, to: Nodes, paper: &Paper) {
        each(to & !(1 << from)).for_each(|to| self.post(from, to, paper.clone()));
    }
}

impl Flushing {
    fn is_open(&self, node: &Node) -> bool {
        node.phase == Phase::Installed || self.rule == Rule::NotFrozen
    }

    fn send(&self, world: &mut World, at: usize, message: Message) {
        world.sent.insert(message);
        world.nodes[at].pending.push(message);
        let (view, to) = (world.nodes[at].view, sequencer(world.nodes[at].members));
        match to == at {
            true => self.number(world, at, message),
            false => world.post(at, to, Paper::Submit(view, message)),
        }
    }

    fn number(&self, world: &mut World, at: usize, message: Message) {
        let node = &world.nodes[at];
        let paper = Paper::Ordered(node.view, node.received.len() as u8 + 1, message);
        let members = node.members;
        self.receive(world, at, message);
        world.post_to(at, members, &paper);
    }

    fn receive(&self, world: &mut World, at: usize, message: Message) {
        let node = &mut world.nodes[at];
        node.received.push(message);
        node.pending.retain(|own| *own != message);
        node.acked[at] = node.received.len() as u8;
        let ack = Paper::Ack(node.view, node.acked[at]);
        let members = node.members;
        // Nobody waits to know how far an agreed message has come.
        if message % 2 == 1 {
            world.post_to(at, members, &ack);
        }
        self.deliver(world, at);
    }

    fn deliver(&self, world: &mut World, at: usize) {
        loop {
            let node = &world.nodes[at];
            let Some(message) = node.received.get(node.delivered).copied() else { return };
            let number = node.delivered as u8 + 1;
            let stable = each(node.members).map(|member| node.acked[member]).min().unwrap_or(0);
            let safe = message % 2 == 1;
            if safe && stable < number && self.rule != Rule::SafeAtOnce {
                return;
            }
            let (view, members) = (node.view, node.members);
            let has = |node: &Node| !node.alive || node.view > view || node.received.contains(&message);
            let all_have = each(members).all(|member| has(&world.nodes[member]));
            world.unsafe_delivery |= safe && !all_have;
            let node = &mut world.nodes[at];
            node.delivered += 1;
            node.log.push(Step::Delivered(view, number, message));
        }
    }

    fn propose(&self, world: &mut World, at: usize, members: Nodes) {
        world.rounds += 1;
        let id = (world.nodes[at].accepted.0 + 1, at as u8);
        let flush = self.accept(&mut world.nodes[at], id);
        world.nodes[at].phase = Phase::Coordinating(id, members, BTreeMap::from([(at as u8, flush)]));
        world.post_to(at, members, &Paper::Prepare(id, members));
        self.try_install(world, at);
    }

    fn accept(&self, node: &mut Node, id: ViewId) -> Flush {
        node.accepted = id;
        node.early.clear();
        Flush { previous: node.view, received: node.received.clone() }
    }

    fn arrive(&self, world: &mut World, from: usize, at: usize, paper: Paper) {
        let node = &mut world.nodes[at];
        match paper {
            Paper::Submit(view, message) => {
                let numbers = node.phase == Phase::Installed || self.rule == Rule::NumbersOn;
                if view == node.view && numbers {
                    self.number(world, at, message);
                } else {
                    self.keep_early(node, from, view, Paper::Submit(view, message));
                }
            }
            Paper::Ordered(view, number, message) => {
                let next = node.received.len() as u8 + 1;
                if view == node.view && number == next && self.is_open(node) {
                    self.receive(world, at, message);
                } else {
                    self.keep_early(node, from, view, Paper::Ordered(view, number, message));
                }
            }
            Paper::Ack(view, received) => {
                if view == node.view && self.is_open(node) {
                    node.acked[from] = node.acked[from].max(received);
                    self.deliver(world, at);
                } else {
                    self.keep_early(node, from, view, Paper::Ack(view, received));
                }
            }
            Paper::Prepare(id, _) => self.on_prepare(world, from, at, id),
            Paper::Flush(id, flush) => {
                if let Phase::Coordinating(round, _, flushes) = &mut node.phase
                    && *round == id
                {
                    flushes.insert(from as u8, flush);
                    self.try_install(world, at);
                }
            }
            Paper::Install(id, members, flushes) => {
                if node.phase == Phase::Accepted(id) {
                    self.install(world, at, id, members, &flushes);
                }
            }
        }
    }

    /// Of a view that is being formed, and not installed here yet.
    fn keep_early(&self, node: &mut Node, from: usize, view: ViewId, paper: Paper) {
        if node.phase == Phase::Accepted(view) {
            node.early.push((from, paper));
        }
    }

    fn on_prepare(&self, world: &mut World, from: usize, at: usize, id: ViewId) {
        let node = &mut world.nodes[at];
        if id <= node.accepted && self.rule != Rule::OldRounds {
            return;
        }
        let overtaken = node.phase != Phase::Installed;
        let flush = self.accept(node, id);
        node.phase = Phase::Accepted(id);
        world.overtaken |= overtaken;
        world.post(at, from, Paper::Flush(id, flush));
    }

    fn try_install(&self, world: &mut World, at: usize) {
        let Phase::Coordinating(id, members, flushes) = world.nodes[at].phase.clone() else { return };
        if each(members).all(|member| flushes.contains_key(&(member as u8))) {
            world.post_to(at, members, &Paper::Install(id, members, flushes.clone()));
            self.install(world, at, id, members, &flushes);
        }
    }

    fn install(
        &self,
        world: &mut World,
        at: usize,
        id: ViewId,
        members: Nodes,
        flushes: &BTreeMap<u8, Flush>,
    ) {
        let previous = world.nodes[at].view;
        let from_here = |flush: &&Flush| flush.previous == previous;
        let longest = flushes
            .values()
            .filter(from_here)
            .map(|flush| &flush.received)
            .max_by_key(|received| received.len());
        let node = &mut world.nodes[at];
        if let Some(longest) = longest.filter(|_| self.rule != Rule::NothingMissing) {
            world.brought |= longest.len() > node.received.len();
            let known = node.received.len().min(longest.len());
            node.received.extend(&longest[known..]);
        }
        for number in node.delivered..node.received.len() {
            node.log.push(Step::Delivered(previous, number as u8 + 1, node.received[number]));
        }
        let together = flushes.iter().filter(|(_, flush)| flush.previous == previous);
        let together = together.fold(0, |set, (member, _)| set | 1 << member);
        node.log.push(Step::Installed { view: id, members, previous, together });
        let returned: Vec<Message> = std::mem::take(&mut node.pending)
            .into_iter()
            .filter(|own| !node.received.contains(own))
            .collect();
        (node.view, node.members, node.phase) = (id, members, Phase::Installed);
        (node.received, node.delivered, node.acked) = (Vec::new(), 0, [0; NODES]);
        let early = std::mem::take(&mut node.early);
        returned.into_iter().for_each(|message| self.send(world, at, message));
        early.into_iter().for_each(|(from, paper)| self.arrive(world, from, at, paper));
    }
}

impl Model for Flushing {
    type State = World;
    type Action = Deed;

    fn init_states(&self) -> Vec<World> {
        vec![World::new()]
    }

    fn actions(&self, world: &World, deeds: &mut Vec<Deed>) {
        for from in 0..NODES {
            let arrives = |to: &usize| world.nodes[*to].alive && !world.links[from][*to].is_empty();
            deeds.extend((0..NODES).filter(arrives).map(|to| Deed::Arrive(from, to)));
        }
        let may = |(at, message): &&(usize, Message)| {
            world.nodes[*at].alive
                && world.nodes[*at].phase == Phase::Installed
                && !world.sent.contains(message)
        };
        deeds.extend(self.sends.iter().filter(may).map(|(at, message)| Deed::Send(*at, *message)));
        for (at, _) in world.nodes.iter().enumerate().filter(|(_, node)| node.alive) {
            if world.rounds < self.rounds {
                let others = (1..1 << NODES).filter(|members| members & (1 << at) != 0 && *members != 0b111);
                deeds.extend(others.map(|members| Deed::Propose(at, members)));
            }
            if world.nodes.iter().filter(|node| !node.alive).count() < usize::from(self.crashes) {
                deeds.push(Deed::Crash(at));
            }
        }
        if world.cut.len() < usize::from(self.cuts) {
            let pairs = (0..NODES).flat_map(|from| (0..NODES).map(move |to| (from, to)));
            let pairs = pairs.filter(|(from, to)| from != to && !world.cut.contains(&(*from, *to)));
            deeds.extend(pairs.map(|(from, to)| Deed::Cut(from, to)));
        }
    }

    fn next_state(&self, last: &World, deed: Deed) -> Option<World> {
        let mut world = last.clone();
        match deed {
            Deed::Send(at, message) => self.send(&mut world, at, message),
            Deed::Arrive(from, to) => {
                let paper = world.links[from][to].pop_front()?;
                self.arrive(&mut world, from, to, paper);
            }
            Deed::Propose(at, members) => self.propose(&mut world, at, members),
            Deed::Crash(at) => {
                world.nodes[at].alive = false;
                (0..NODES).for_each(|from| world.links[from][at].clear());
            }
            Deed::Cut(from, to) => {
                world.links[from][to].clear();
                world.cut.insert((from, to));
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = vec![
            always("M1 self-inclusion", |_, world| {
                entries(world).all(|one| one.members & (1 << one.at) != 0)
            }),
            always("M2 local monotonicity", |_, world| entries(world).all(|one| one.previous < one.view)),
            always("M3 view agreement", |_, world| both(world, |one, other| one.members == other.members)),
            always("M8 agreement on successors", |_, world| {
                both(world, |one, other| {
                    one.together & (1 << other.at) == 0 || one.previous == other.previous
                })
            }),
            always("M9 transitional set", |_, world| {
                both(world, |one, other| {
                    (one.together & (1 << other.at) != 0) == (one.previous == other.previous)
                })
            }),
            always("G2 no duplication", |_, world| world.nodes.iter().all(delivers_once)),
            always("G4 virtual synchrony", |_, world| is_synchronous(world)),
            always("G7 total order", |_, world| has_total_order(world)),
            always("G9 safe delivery", |_, world| !world.unsafe_delivery),
            Property::sometimes("an ending brings a message", |_: &Flushing, world: &World| world.brought),
        ];
        all.extend((self.rounds > 1).then(|| {
            Property::sometimes("a round overtakes another", |_: &Flushing, world: &World| world.overtaken)
        }));
        all
    }

    fn within_boundary(&self, world: &World) -> bool {
        world.rounds <= self.rounds
    }
}

fn always(name: &'static str, holds: fn(&Flushing, &World) -> bool) -> Property<Flushing> {
    Property::always(name, holds)
}

/// A view as a node installed it.
#[derive(Clone, Copy)]
struct Entry {
    at: usize,
    view: ViewId,
    members: Nodes,
    previous: ViewId,
    together: Nodes,
}

fn entries(world: &World) -> impl Iterator<Item = Entry> {
    let of = |(at, node): (usize, &Node)| {
        let entry = move |step: &Step| match *step {
            Step::Installed { view, members, previous, together } => {
                Some(Entry { at, view, members, previous, together })
            }
            Step::Delivered(..) => None,
        };
        node.log.iter().filter_map(entry).collect::<Vec<Entry>>()
    };
    world.nodes.iter().enumerate().flat_map(of)
}

/// Of each two that installed one view.
fn both(world: &World, agree: fn(Entry, Entry) -> bool) -> bool {
    let all: Vec<Entry> = entries(world).collect();
    let with = |one: &Entry| {
        let one = *one;
        all.iter()
            .filter(move |other| other.view == one.view && other.at != one.at)
            .all(move |other| agree(one, *other))
    };
    all.iter().all(with)
}

fn delivered(node: &Node, view: ViewId) -> Vec<(u8, Message)> {
    let of = |step: &Step| match *step {
        Step::Delivered(of, number, message) if of == view => Some((number, message)),
        Step::Delivered(..) | Step::Installed { .. } => None,
    };
    node.log.iter().filter_map(of).collect()
}

fn delivers_once(node: &Node) -> bool {
    let views: BTreeSet<ViewId> = node
        .log
        .iter()
        .filter_map(|step| match step {
            Step::Delivered(view, ..) => Some(*view),
            Step::Installed { .. } => None,
        })
        .collect();
    views.into_iter().all(|view| {
        let all = delivered(node, view);
        all.iter().map(|(_, message)| message).collect::<BTreeSet<_>>().len() == all.len()
    })
}

/// Who goes from one view to the next together has delivered the same in it.
fn is_synchronous(world: &World) -> bool {
    entries(world).all(|one| {
        let here = delivered(&world.nodes[one.at], one.previous);
        entries(world)
            .filter(|other| other.view == one.view && other.previous == one.previous)
            .all(|other| delivered(&world.nodes[other.at], one.previous) == here)
    })
}

/// In a view one number means one message, and each counts from 1.
fn has_total_order(world: &World) -> bool {
    let mut known: BTreeMap<(ViewId, u8), Message> = BTreeMap::new();
    world.nodes.iter().all(|node| {
        let mut last: BTreeMap<ViewId, u8> = BTreeMap::new();
        node.log.iter().all(|step| match *step {
            Step::Delivered(view, number, message) => {
                let before = last.insert(view, number).unwrap_or(0);
                before + 1 == number && *known.entry((view, number)).or_insert(message) == message
            }
            Step::Installed { .. } => true,
        })
    })
}
