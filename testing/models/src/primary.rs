//! A primary that may shrink: quorum `dynamic` across partitions and crashes while primaries form.
//!
//! The product decides by a majority of all nodes (`membership/ending.rs`, `types/charter.rs`); this is the design of what
//! is to come beside it, and docs/design/membership-dynamic.md says the rule in words. What stands for what:
//!
//! - [`Deed::Connect`]: the network becomes another; every view under way is given up;
//! - [`Deed::Try`]: the flushes of a view have told its coordinator what each member remembers, and it may try to be primary;
//! - [`Deed::Record`]: a member has the attempt on its disk, and says so;
//! - [`Deed::Form`]: a member has heard that all have it: for it the view is primary, and confirmed;
//! - [`Deed::Crash`]: a member forgets all but its disk, and is in no view.
//!
//! A primary that some member has formed is one that may have acted: [`Primaries::properties`] asks that all those be one
//! succession, each with more than half of the one before, or half of it and the tie-breaker's word.

use stateright::{Model, Property};
use std::collections::{BTreeMap, BTreeSet};

/// Nodes, one bit each.
pub type Nodes = u8;

/// Which of the rules is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// None.
    Whole,
    /// Only primaries that were formed count as possible predecessors; attempts that nobody knows the end of do not.
    Naive,
    /// An attempt is on disk only once it has succeeded.
    NotDurable,
    /// A member takes its own record for everybody's.
    Unconfirmed,
    /// Half of a primary is enough, and nobody is asked.
    HalfIsEnough,
    /// The tie-breaker forgets whom it gave its word.
    TieForgets,
    /// One of those that have the tie-breaker's word has it for itself.
    OneHasTheWord,
    /// What others know is enough to forget an attempt, and is itself not kept.
    ForgetsTooSoon,
}

/// What may happen.
#[derive(Clone, Debug)]
pub struct Primaries {
    /// Which rule is left out.
    pub rule: Rule,
    /// How many nodes there are.
    pub nodes: usize,
    /// The network changes so often.
    pub changes: u8,
    /// Nodes crash so often.
    pub crashes: u8,
    /// So many attempts follow each other.
    pub attempts: u8,
    /// Whether there is a tie-breaker.
    pub tie_breaker: bool,
    /// Whether a node may leave in good order.
    pub leaves: bool,
}

/// A primary, or the attempt at one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt {
    number: u8,
    members: Nodes,
    /// The view that agreed to it: the members, and who leaves.
    view: Nodes,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// On disk: the last primary that it formed.
    formed: Attempt,
    /// On disk: attempts since, whose end it does not know.
    unresolved: BTreeSet<Attempt>,
    /// In memory: what its view tries, and whether that is on disk here.
    trying: Option<(Attempt, bool)>,
}

/// All nodes, and what is between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    nodes: Vec<Node>,
    /// Who hears whom: in which part each node is.
    part: Vec<u8>,
    /// Whom the tie-breaker gave its word, for each primary that broke in half.
    ties: BTreeMap<Attempt, Nodes>,
    changes: u8,
    crashes: u8,
    /// Every primary that any node formed: what no node knows.
    primaries: BTreeSet<Attempt>,
    /// Some attempt was held back by one that is unresolved.
    held_back: bool,
    dropped: bool,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Node by node, the part that it is in.
    Connect(Vec<u8>),
    /// Members of one part try to be primary; of them, these shall be it (fewer only where some leave in good order).
    Try(Nodes, Nodes),
    /// A node puts the attempt on its disk.
    Record(usize),
    /// A node knows that it is primary.
    Form(usize),
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

/// Every way in which nodes can be parted.
fn partitions(nodes: usize) -> Vec<Vec<u8>> {
    let mut all = vec![vec![0]];
    for _ in 1..nodes {
        let longer = |part: &Vec<u8>| {
            let parts = part.iter().max().map_or(0, |highest| highest + 1);
            (0..=parts).map(|next| part.iter().copied().chain([next]).collect()).collect::<Vec<Vec<u8>>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

/// What the members of a view know together.
struct Known {
    formed: Attempt,
    unresolved: BTreeSet<Attempt>,
    dropped: bool,
}

impl World {
    fn new(nodes: usize) -> World {
        let all = (1 << nodes) - 1;
        let formed = Attempt { number: 0, members: all, view: all };
        let node = Node { formed, unresolved: BTreeSet::new(), trying: None };
        World {
            nodes: vec![node; nodes],
            part: vec![0; nodes],
            ties: BTreeMap::new(),
            changes: 0,
            crashes: 0,
            primaries: BTreeSet::from([formed]),
            held_back: false,
            dropped: false,
        }
    }

    fn parts(&self) -> BTreeSet<Nodes> {
        let part = |of: u8| self.part.iter().enumerate().filter(move |(_, part)| **part == of);
        self.part.iter().map(|of| part(*of).fold(0, |set, (node, _)| set | 1 << node)).collect()
    }

    fn known(&self, view: Nodes) -> Known {
        let members = || each(view).map(|node| &self.nodes[node]);
        let formed = members().map(|node| node.formed).max().expect("a view has members");
        let all: BTreeSet<Attempt> = members().flat_map(|node| node.unresolved.iter().copied()).collect();
        // A member that is past an attempt and has no trace of it never agreed to it, so it came to nothing.
        let void = |attempt: &Attempt| {
            each(view & attempt.members).any(|node| {
                let node = &self.nodes[node];
                node.formed < *attempt && !node.unresolved.contains(attempt)
            })
        };
        let later = |attempt: &&Attempt| **attempt > formed;
        let unresolved = all.iter().filter(later).filter(|attempt| !void(attempt)).copied().collect();
        Known { formed, unresolved, dropped: all.iter().filter(later).any(void) }
    }

    fn next_number(&self, view: Nodes) -> u8 {
        let numbers = |node: usize| {
            let node = &self.nodes[node];
            let tried = node.trying.map(|(attempt, _)| attempt);
            node.unresolved.iter().copied().chain(tried).chain([node.formed]).map(|attempt| attempt.number)
        };
        each(view).flat_map(numbers).max().map_or(0, |highest| highest + 1)
    }

    /// Everybody that an attempt counts on has it on disk, as far as those know that it still counts on.
    fn all_recorded(&self, attempt: Attempt, witnesses: Nodes) -> bool {
        each(witnesses).all(|node| {
            let node = &self.nodes[node];
            node.formed == attempt || node.trying == Some((attempt, true))
        })
    }
}

impl Primaries {
    /// Whether members of a view may follow a primary; and whether only by the tie-breaker's word.
    fn may_follow(&self, world: &World, view: Nodes, before: Attempt) -> (bool, bool) {
        let (there, all) = ((view & before.members).count_ones(), before.members.count_ones());
        if there * 2 != all || self.rule == Rule::HalfIsEnough {
            return (there * 2 >= all, false);
        }
        let word = world.ties.get(&before).filter(|_| self.rule != Rule::TieForgets);
        let speaks_for = |winners: &Nodes| match self.rule == Rule::OneHasTheWord {
            true => view & winners != 0,
            false => is_most(view, *winners),
        };
        (self.tie_breaker && word.is_none_or(speaks_for), true)
    }

    fn attempt(&self, world: &mut World, view: Nodes, members: Nodes) {
        let known = world.known(view);
        world.dropped |= known.dropped;
        let follows = |before: &Attempt| self.may_follow(world, view, *before);
        if !follows(&known.formed).0 {
            return;
        }
        let held_back = known.unresolved.iter().any(|attempt| !follows(attempt).0);
        if held_back && self.rule != Rule::Naive {
            world.held_back = true;
            return;
        }
        // Its word cannot be taken back, so the tie-breaker is asked last.
        let before = known.unresolved.iter().copied().chain([known.formed]);
        let ties: Vec<Attempt> = before.filter(|before| follows(before) == (true, true)).collect();
        for before in ties {
            let word = view & before.members;
            let winner = world.ties.entry(before).or_insert(word);
            if self.rule == Rule::TieForgets {
                *winner = word;
            }
        }
        let attempt = Attempt { number: world.next_number(view), members, view };
        for node in each(view) {
            let node = &mut world.nodes[node];
            node.unresolved.retain(|old| known.unresolved.contains(old));
            if self.rule != Rule::ForgetsTooSoon {
                node.formed = node.formed.max(known.formed);
            }
            node.trying = Some((attempt, false));
        }
    }

    fn record(&self, node: &mut Node) {
        let Some((attempt, recorded)) = &mut node.trying else { return };
        *recorded = true;
        if self.rule != Rule::NotDurable {
            node.unresolved.insert(*attempt);
        }
    }

    fn form(&self, world: &mut World, at: usize) {
        let Some((attempt, _)) = world.nodes[at].trying else { return };
        let node = &mut world.nodes[at];
        (node.formed, node.unresolved, node.trying) = (attempt, BTreeSet::new(), None);
        world.primaries.insert(attempt);
    }

    /// Only the last may be tried further; each step is another member's turn.
    fn steps(&self, world: &World, deeds: &mut Vec<Deed>) {
        for (at, node) in world.nodes.iter().enumerate() {
            let Some((attempt, recorded)) = node.trying else { continue };
            if !recorded {
                deeds.push(Deed::Record(at));
                continue;
            }
            let witnesses = if self.rule == Rule::Unconfirmed { 0 } else { attempt.view };
            if world.all_recorded(attempt, witnesses) {
                deeds.push(Deed::Form(at));
            }
        }
    }

    /// Each that a part may try to be: itself; or without one that is there, and leaves.
    fn tries(&self, part: Nodes) -> Vec<Nodes> {
        let without = each(part).map(|node| part & !(1 << node)).filter(|rest| *rest != 0 && self.leaves);
        without.chain([part]).collect()
    }
}

impl Model for Primaries {
    type State = World;
    type Action = Deed;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.nodes)]
    }

    fn actions(&self, world: &World, deeds: &mut Vec<Deed>) {
        self.steps(world, deeds);
        for part in world.parts() {
            let idle = each(part).all(|node| world.nodes[node].trying.is_none());
            let fresh = |members: &Nodes| each(part).any(|node| world.nodes[node].formed.members != *members);
            if idle {
                let tries = self.tries(part).into_iter().filter(fresh);
                deeds.extend(tries.map(|members| Deed::Try(part, members)));
            }
        }
        if world.changes < self.changes {
            let others = partitions(self.nodes).into_iter().filter(|part| *part != world.part);
            deeds.extend(others.map(Deed::Connect));
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
                world.nodes.iter_mut().for_each(|node| node.trying = None);
            }
            Deed::Try(view, members) => self.attempt(&mut world, view, members),
            Deed::Record(at) => self.record(&mut world.nodes[at]),
            Deed::Form(at) => self.form(&mut world, at),
            Deed::Crash(at) => {
                world.crashes += 1;
                let part = world.part[at];
                let beside = (0..self.nodes).filter(|node| world.part[*node] == part);
                beside.for_each(|node| world.nodes[node].trying = None);
            }
        }
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = vec![
            Property::always("ONE-PRIMARY", |_: &Primaries, world: &World| is_one_succession(world)),
            Property::sometimes("held back by an attempt", |_, world: &World| world.held_back),
            Property::sometimes("an attempt came to nothing", |_, world: &World| world.dropped),
        ];
        all.extend(self.tie_breaker.then(|| {
            Property::sometimes("two became one", |_, world: &World| {
                world.primaries.iter().any(|primary| primary.members.count_ones() == 1)
            })
        }));
        all
    }

    fn within_boundary(&self, world: &World) -> bool {
        let tried = |node: &Node| node.trying.is_none_or(|(attempt, _)| attempt.number <= self.attempts);
        world.nodes.iter().all(tried)
    }
}

/// More than half of each primary agreed to the one after it, or half and the tie-breaker.
fn is_one_succession(world: &World) -> bool {
    let all: Vec<Attempt> = world.primaries.iter().copied().collect();
    all.windows(2).all(|pair| {
        let [before, after] = [pair[0], pair[1]];
        let (there, whole) = ((after.view & before.members).count_ones(), before.members.count_ones());
        let tie = world.ties.get(&before).is_some_and(|winners| is_most(after.view, *winners));
        let distinct = before.number < after.number;
        distinct && (there * 2 > whole || (there * 2 == whole && tie))
    })
}
