//! Who decides, and how that changes: charters that pass while views change, disks lag, and nodes crash.
//!
//! The product's rule is in `types/charter.rs`, `conduct/charter.rs` and `membership/ending.rs`;
//! docs/design/membership-dynamic.md says it in words. What stands for what:
//!
//! - [`Deed::Connect`]: the network becomes another;
//! - [`Deed::Form`]: all of a part accept a view, and their flushes bring the charters that they know;
//! - [`Deed::Install`]: one of them installs it;
//! - [`Deed::Pass`]: a member decides that the charter passes to the members of its view (the product asks that this gains
//!   something; here it may always);
//! - [`Deed::Store`]: what a node has decided or heard is on its disk;
//! - [`Deed::Say`]: a member says to its view what it has on disk; the others take over what is later than theirs;
//! - [`Deed::Settle`]: a member has heard that all of its view have it;
//! - [`Deed::Crash`]: a node forgets all but its disk, and is in no view.
//!
//! A view *decides* as long as those that have it installed are enough by the charter that one of them knows: they can act,
//! and renew each other's leases. How long an old lease lasts after that is the model of takeovers' to say.

use stateright::{Model, Property};
use std::collections::{BTreeMap, BTreeSet};

/// Nodes, one bit each.
pub type Nodes = u8;

/// Which of the rules is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// None.
    Whole,
    /// A member says that it has a charter before its disk has it.
    SaidBeforeStored,
    /// A member settles once it has the step itself.
    SettledAlone,
    /// The members decide at once; nothing passes.
    AtOnce,
    /// A step that broke off is not brought into the next view.
    BrokenOffForgotten,
    /// While a charter passes, those it passes to are enough.
    OneMajority,
}

/// What may happen.
#[derive(Clone, Debug)]
pub struct Charters {
    /// Which rule is left out.
    pub rule: Rule,
    /// How many nodes there are.
    pub nodes: usize,
    /// How many of them begin in a view together, cut off from the others; by the first charter all decide.
    pub first_view: usize,
    /// The network changes so often.
    pub changes: u8,
    /// So many views there are.
    pub views: u8,
    /// Nodes crash so often.
    pub crashes: u8,
    /// Whether all members install a view at once, and the lowest lets the charter pass, which leaves fewer states.
    pub at_once: bool,
}

/// Who decides; the later one is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Charter {
    steps: u8,
    view: u8,
    /// Those that it passes from, while it does.
    from: Option<Nodes>,
    to: Nodes,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    disk: Charter,
    /// In memory: what the views that it installed were formed under, if that is later.
    heard: Charter,
    /// On its way to the disk.
    pending: Option<Charter>,
    /// The view that it installed last, and the one that it accepted last; 0 for none.
    installed: u8,
    accepted: u8,
}

/// A view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    members: Nodes,
    charter: Charter,
    primary: bool,
    /// Who has said that it has which charter on disk.
    said: BTreeMap<Charter, Nodes>,
}

/// All nodes, and what is between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    nodes: Vec<Node>,
    /// Who hears whom: in which part each node is.
    part: Vec<u8>,
    /// The views so far, from 1.
    views: Vec<View>,
    /// Those that could decide at some time.
    decided: BTreeSet<u8>,
    changes: u8,
    crashes: u8,
    /// A view would be primary, were it not for a step that broke off.
    held_back: bool,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Node by node, the part that it is in.
    Connect(Vec<u8>),
    /// These accept a view of themselves.
    Form(Nodes),
    /// A node installs the view that it accepted.
    Install(usize),
    /// A member lets the charter pass to the members of its view.
    Pass(usize),
    /// A node's disk has what is on its way.
    Store(usize),
    /// A member says what it has on disk.
    Say(usize),
    /// A member settles what all have.
    Settle(usize),
    /// A node crashes.
    Crash(usize),
}

fn each(set: Nodes) -> impl Iterator<Item = usize> {
    (0..8).filter(move |node| set & (1 << node) != 0)
}

/// Whether more than half of `all` are there.
fn is_most(there: Nodes, all: Nodes) -> bool {
    (there & all).count_ones() * 2 > all.count_ones()
}

/// Every way in which nodes can be parted in two.
fn partitions(nodes: usize) -> impl Iterator<Item = Vec<u8>> {
    // The first node is in the first part.
    (0..1_u8 << (nodes - 1)).map(move |set| (0..nodes).map(|node| (set << 1 >> node) & 1).collect())
}

impl Node {
    /// What it brings into a view.
    fn brings(&self, rule: Rule) -> Charter {
        let known = self.disk.max(self.heard);
        match (rule, known.from) {
            (Rule::BrokenOffForgotten, Some(from)) => Charter { from: None, to: from, ..known },
            _ => known,
        }
    }

    /// Takes a later charter over.
    fn learn(&mut self, charter: Charter) {
        if charter > self.disk.max(self.pending.unwrap_or(self.disk)) {
            self.pending = Some(charter);
        }
    }

    /// The view that it is in and has not frozen.
    fn view(&self) -> Option<u8> {
        (self.installed == self.accepted && self.installed != 0).then_some(self.installed)
    }
}

impl World {
    /// The first are in a view together.
    fn new(nodes: usize, first: usize) -> World {
        let disk = Charter { steps: 0, view: 0, from: None, to: (1 << nodes) - 1 };
        let inside = |node: usize| u8::from(node < first);
        let node = |at: usize| Node {
            disk,
            heard: disk,
            pending: None,
            installed: inside(at),
            accepted: inside(at),
        };
        let view = View { members: (1 << first) - 1, charter: disk, primary: true, said: BTreeMap::new() };
        World {
            nodes: (0..nodes).map(node).collect(),
            part: (0..nodes).map(|at| 1 - inside(at)).collect(),
            views: vec![view],
            decided: BTreeSet::from([1]),
            changes: 0,
            crashes: 0,
            held_back: false,
        }
    }

    fn view(&self, id: u8) -> &View {
        &self.views[usize::from(id) - 1]
    }

    fn parts(&self) -> BTreeSet<Nodes> {
        let part = |of: u8| self.part.iter().enumerate().filter(move |(_, part)| **part == of);
        self.part.iter().map(|of| part(*of).fold(0, |set, (node, _)| set | 1 << node)).collect()
    }

    /// Those that are in this view and have not frozen it.
    fn inside(&self, id: u8) -> Nodes {
        let inside = self.nodes.iter().enumerate().filter(|(_, node)| node.view() == Some(id));
        inside.fold(0, |set, (node, _)| set | 1 << node)
    }

    /// Member `at` of a primary view, and the view, if its disk has all that it knows.
    fn steady(&self, at: usize) -> Option<(u8, &View, Charter)> {
        let node = &self.nodes[at];
        let id = node.view().filter(|id| self.view(*id).primary && node.pending.is_none())?;
        Some((id, self.view(id), node.disk))
    }
}

/// A node is in the view that it accepted, and knows what the others brought.
fn install(world: &mut World, at: usize) {
    let charter = world.view(world.nodes[at].accepted).charter;
    let node = &mut world.nodes[at];
    (node.installed, node.heard) = (node.accepted, node.heard.max(charter));
    node.learn(charter);
}

impl Charters {
    fn is_met(&self, charter: Charter, by: Nodes) -> bool {
        let from = charter.from.filter(|_| self.rule != Rule::OneMajority);
        is_most(by, charter.to) && from.is_none_or(|from| is_most(by, from))
    }

    /// The views that can decide.
    fn deciding<'a>(&'a self, world: &'a World) -> impl Iterator<Item = u8> + 'a {
        let ids = 1..=world.views.len() as u8;
        ids.filter(|id| {
            let inside = world.inside(*id);
            let knows = |node: usize| world.nodes[node].disk.max(world.nodes[node].heard);
            world.view(*id).primary && each(inside).any(|node| self.is_met(knows(node), inside))
        })
    }

    fn form(&self, world: &mut World, members: Nodes) {
        let flushed = each(members).map(|node| world.nodes[node].brings(self.rule));
        let charter = flushed.max().expect("a view has members");
        let primary = self.is_met(charter, members);
        let before = charter.from.is_some_and(|from| is_most(members, from));
        world.held_back |= before && !primary;
        world.views.push(View { members, charter, primary, said: BTreeMap::new() });
        let id = world.views.len() as u8;
        each(members).for_each(|node| world.nodes[node].accepted = id);
        if self.at_once {
            each(members).for_each(|node| install(world, node));
        }
    }

    fn pass(&self, world: &mut World, at: usize) {
        let Some((view, members, disk)) = world.steady(at).map(|(id, view, disk)| (id, view.members, disk))
        else {
            return;
        };
        let from = Some(disk.to).filter(|_| self.rule != Rule::AtOnce);
        let next = Charter { steps: disk.steps + 1, view, from, to: members };
        world.nodes[at].pending = Some(next);
    }

    fn say(&self, world: &mut World, at: usize) {
        let node = &world.nodes[at];
        let (Some(id), charter) = (node.view(), self.to_say(node)) else { return };
        *world.views[usize::from(id) - 1].said.entry(charter).or_default() |= 1 << at;
        each(world.inside(id)).for_each(|member| world.nodes[member].learn(charter));
    }

    fn to_say(&self, node: &Node) -> Charter {
        let early = node.pending.filter(|_| self.rule == Rule::SaidBeforeStored);
        early.unwrap_or(node.disk)
    }

    /// What a member can do by itself.
    fn steps(&self, world: &World, deeds: &mut Vec<Deed>) {
        for (at, node) in world.nodes.iter().enumerate() {
            if node.accepted > node.installed {
                deeds.push(Deed::Install(at));
            }
            if node.pending.is_some() {
                deeds.push(Deed::Store(at));
            }
            let said = node.view().map(|id| &world.view(id).said);
            let charter = self.to_say(node);
            let has_said = said.and_then(|said| said.get(&charter)).is_some_and(|by| by & (1 << at) != 0);
            let stored = node.pending.is_none() || self.rule == Rule::SaidBeforeStored;
            if said.is_some() && !has_said && charter.from.is_some() && stored {
                deeds.push(Deed::Say(at));
            }
            let Some((_, view, disk)) = world.steady(at) else { continue };
            let may = !self.at_once || view.members.trailing_zeros() as usize == at;
            if may && disk.from.is_none() && disk.to != view.members && self.is_met(disk, view.members) {
                deeds.push(Deed::Pass(at));
            }
            let all = view.said.get(&disk).is_some_and(|by| view.members & !by == 0);
            let enough = all || self.rule == Rule::SettledAlone;
            if disk.from.is_some() && enough && self.is_met(disk, view.members) {
                deeds.push(Deed::Settle(at));
            }
        }
    }
}

impl Model for Charters {
    type State = World;
    type Action = Deed;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.nodes, self.first_view)]
    }

    fn actions(&self, world: &World, deeds: &mut Vec<Deed>) {
        self.steps(world, deeds);
        if world.views.len() < usize::from(self.views) {
            let settled = |part: &Nodes| {
                let ids: BTreeSet<_> = each(*part).map(|node| world.nodes[node].view()).collect();
                ids.first()
                    .copied()
                    .flatten()
                    .is_some_and(|id| ids.len() == 1 && world.view(id).members == *part)
            };
            deeds.extend(world.parts().into_iter().filter(|part| !settled(part)).map(Deed::Form));
        }
        if world.changes < self.changes {
            deeds.extend(partitions(self.nodes).filter(|part| *part != world.part).map(Deed::Connect));
        }
        if world.crashes < self.crashes {
            deeds.extend((0..self.nodes).map(Deed::Crash));
        }
    }

    fn next_state(&self, last: &World, deed: Deed) -> Option<World> {
        let mut world = last.clone();
        match deed {
            Deed::Connect(part) => {
                world.part = part;
                world.changes += 1;
            }
            Deed::Form(members) => self.form(&mut world, members),
            Deed::Install(at) => install(&mut world, at),
            Deed::Pass(at) => self.pass(&mut world, at),
            Deed::Store(at) => {
                let node = &mut world.nodes[at];
                node.disk = node.pending.take()?.max(node.disk);
            }
            Deed::Say(at) => self.say(&mut world, at),
            Deed::Settle(at) => {
                let (id, _, disk) = world.steady(at)?;
                let next = Charter { steps: disk.steps + 1, view: id, from: None, to: disk.to };
                world.nodes[at].pending = Some(next);
            }
            Deed::Crash(at) => {
                world.crashes += 1;
                let disk = world.nodes[at].disk;
                world.nodes[at] = Node { disk, heard: disk, pending: None, installed: 0, accepted: 0 };
            }
        }
        let deciding: Vec<_> = self.deciding(&world).collect();
        world.decided.extend(deciding);
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = vec![
            Property::always("ONE-PRIMARY", |model: &Charters, world: &World| {
                model.deciding(world).count() <= 1
            }),
            Property::always("SUCCESSION", |_: &Charters, world: &World| {
                let decided: Vec<_> = world.decided.iter().map(|id| world.view(*id).members).collect();
                decided.windows(2).all(|pair| pair[0] & pair[1] != 0)
            }),
            Property::sometimes("few decide", |model: &Charters, world: &World| {
                let all = (1 << model.nodes) - 1;
                model.deciding(world).any(|id| !is_most(world.view(id).members, all))
            }),
        ];
        // Three of four always have two of any three in them.
        all.extend((self.nodes > 4).then(|| {
            Property::sometimes("held back by a step that broke off", |_, world: &World| world.held_back)
        }));
        all
    }
}
