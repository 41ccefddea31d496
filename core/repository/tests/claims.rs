//! At most one claim is ever chosen: several nodes try at once over one disk, crash in the middle of writes, and begin again with
//! what the disk has. One search goes through every order of two nodes, the other through random orders of four.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use phalanx_repository::{Ballot, Block, Claim, Effect, Outcome, Proposer, Seen, Turn};
use phalanx_types::{NodeId, NodeSet, ViewId};
use proptest::prelude::*;
use std::collections::BTreeSet;

const ROUND: u64 = 3;

/// A node's two copies on the disk; each has the number of its write.
type Cell = [(u64, Option<Block>); 2];

/// What a node has under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    /// Its life is over, or its attempt is.
    Nothing,
    /// So many copies of this block are written.
    Writing(Block, usize),
    /// These blocks are still to be read.
    Reading(Turn, NodeSet),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Node {
    /// None while it is down.
    proposer: Option<Proposer>,
    doing: Doing,
    attempts_left: u32,
    crashes_left: u32,
}

/// Some nodes and their disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct World {
    disk: Vec<Cell>,
    nodes: Vec<Node>,
    chosen: BTreeSet<Claim>,
}

/// What can happen to a node next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It writes the next copy, or begins an attempt where none is under way.
    Go,
    /// It reads the block of another.
    Read(usize),
    /// It dies. A copy that it was writing is written, or it is not.
    Crash,
}

fn node(index: usize) -> NodeId {
    NodeId(index as u16 + 1)
}

fn claim(index: usize) -> Claim {
    let view = |counter| ViewId { counter, coordinator: NodeId(1) };
    Claim { predecessor: view(7), generation: 1, epoch: 8, holders: NodeSet::EMPTY.with(node(index)) }
}

impl World {
    fn new(count: usize, attempts: u32, crashes: u32) -> World {
        let one =
            Node { proposer: None, doing: Doing::Nothing, attempts_left: attempts, crashes_left: crashes };
        World { disk: vec![[(0, None); 2]; count], nodes: vec![one; count], chosen: BTreeSet::new() }
    }

    /// What a reader makes of a node's two copies: the newer one.
    fn newest(&self, index: usize) -> Option<Block> {
        self.disk[index].iter().max_by_key(|(number, _)| *number).and_then(|(_, block)| *block)
    }

    fn steps(&self, index: usize) -> Vec<Step> {
        let one = &self.nodes[index];
        let mut steps = match one.doing {
            Doing::Nothing if one.attempts_left > 0 => vec![Step::Go],
            Doing::Nothing => Vec::new(),
            Doing::Writing(..) => vec![Step::Go],
            Doing::Reading(_, waiting) => {
                let others = (0..self.nodes.len()).filter(|other| waiting.has(node(*other)));
                others.map(Step::Read).collect()
            }
        };
        if one.crashes_left > 0 && one.proposer.is_some() {
            steps.push(Step::Crash);
        }
        steps
    }

    fn take(&mut self, index: usize, step: Step) {
        match step {
            Step::Go => match self.nodes[index].doing {
                Doing::Writing(block, copies) => self.write(index, block, copies),
                Doing::Nothing | Doing::Reading(..) => self.begin(index),
            },
            Step::Read(other) => self.read(index, other),
            Step::Crash => self.crash(index),
        }
        self.note(index);
    }

    fn begin(&mut self, index: usize) {
        self.nodes[index].attempts_left -= 1;
        let others = (0..self.nodes.len()).map(node).collect();
        // A life that has none of its own yet reads what the disk has.
        let before = self.nodes[index].proposer.as_ref();
        let on_disk = || self.newest(index).unwrap_or(Block::untried(ROUND));
        let own = before.map_or_else(on_disk, Proposer::block);
        let above = match before.and_then(Proposer::outcome) {
            Some(Outcome::Outbid(ballot)) => ballot,
            _ => Ballot::NONE,
        };
        let (proposer, effect) = Proposer::begin(node(index), others, ROUND, claim(index), own, above);
        self.nodes[index].proposer = Some(proposer);
        self.carry_out(index, effect);
    }

    fn carry_out(&mut self, index: usize, effect: Option<Effect>) {
        self.nodes[index].doing = match effect {
            Some(Effect::Write(block)) => Doing::Writing(block, 0),
            Some(Effect::Read(turn, waiting)) => Doing::Reading(turn, waiting),
            None => Doing::Nothing,
        };
    }

    fn write(&mut self, index: usize, block: Block, copies: usize) {
        let number = self.disk[index].map(|(number, _)| number).into_iter().max().unwrap();
        let number = if copies == 0 { number + 1 } else { number };
        self.disk[index][copies] = (number, Some(block));
        if copies == 0 {
            self.nodes[index].doing = Doing::Writing(block, 1);
        } else {
            let effect = self.nodes[index].proposer.as_mut().unwrap().written();
            self.carry_out(index, effect);
        }
    }

    fn read(&mut self, index: usize, other: usize) {
        let seen = self.newest(other).map_or(Seen::Untried, Seen::Block);
        let one = &mut self.nodes[index];
        let Doing::Reading(turn, waiting) = one.doing else { return };
        let proposer = one.proposer.as_mut().unwrap();
        let effect = proposer.read(turn, node(other), seen);
        let waiting = waiting.without(node(other));
        let over = proposer.outcome().is_some() || effect.is_some();
        match over {
            true => self.carry_out(index, effect),
            false => one.doing = Doing::Reading(turn, waiting),
        }
    }

    fn crash(&mut self, index: usize) {
        let one = &mut self.nodes[index];
        (one.proposer, one.doing) = (None, Doing::Nothing);
        one.crashes_left = one.crashes_left.saturating_sub(1);
    }

    /// One node tries while no other does, again for each of the others that had a higher ballot; what is chosen then.
    fn alone(&mut self, index: usize) -> &BTreeSet<Claim> {
        (self.nodes[index].attempts_left, self.nodes[index].crashes_left) = (self.nodes.len() as u32, 0);
        while let Some(step) = self.steps(index).first().copied() {
            let outcome = self.nodes[index].proposer.as_ref().and_then(Proposer::outcome);
            if matches!(outcome, Some(Outcome::Chosen(_))) {
                break;
            }
            self.take(index, step);
        }
        let outcome = self.nodes[index].proposer.as_ref().and_then(Proposer::outcome);
        assert!(matches!(outcome, Some(Outcome::Chosen(_))), "{outcome:?}");
        &self.chosen
    }

    fn note(&mut self, index: usize) {
        if let Some(Outcome::Chosen(claim)) = self.nodes[index].proposer.as_ref().and_then(Proposer::outcome)
        {
            self.chosen.insert(claim);
        }
    }
}

/// Goes through every order of events from `world`, and returns how many worlds there are and what was chosen in any.
fn search(world: World) -> (usize, BTreeSet<Claim>) {
    let (mut known, mut waiting) = (BTreeSet::from([world.clone()]), vec![world]);
    let mut chosen = BTreeSet::new();
    while let Some(world) = waiting.pop() {
        assert!(world.chosen.len() <= 1, "two claims are chosen: {world:#?}");
        chosen.extend(world.chosen.iter().copied());
        for index in 0..world.nodes.len() {
            for step in world.steps(index) {
                let mut next = world.clone();
                next.take(index, step);
                if known.insert(next.clone()) {
                    waiting.push(next);
                }
            }
        }
    }
    (known.len(), chosen)
}

#[test]
fn every_order_of_two_nodes_that_try_twice_and_crash_once() {
    let (worlds, chosen) = search(World::new(2, 2, 1));
    assert_eq!(chosen, BTreeSet::from([claim(0), claim(1)]), "either can win");
    assert!(worlds > 5_000, "{worlds} worlds");
}

#[test]
fn every_order_of_three_nodes_that_try_once_and_may_crash() {
    let (worlds, chosen) = search(World::new(3, 1, 1));
    assert_eq!(chosen.len(), 3, "each can win");
    assert!(worlds > 10_000, "{worlds} worlds");
}

#[test]
fn who_tries_alone_wins_and_who_comes_later_learns_of_it() {
    let mut world = World::new(3, 1, 0);
    for index in [0, 2] {
        while let Some(step) = world.steps(index).first().copied() {
            world.take(index, step);
        }
        let outcome = world.nodes[index].proposer.as_ref().and_then(Proposer::outcome);
        assert_eq!(outcome, Some(Outcome::Chosen(claim(0))));
    }
}

#[test]
fn a_block_that_is_lost_blocks_and_a_later_round_ends_the_attempt() {
    let others: NodeSet = [1, 2].map(NodeId).into_iter().collect();
    let check = |seen, expected| {
        let own = Block::untried(ROUND);
        let (mut proposer, _) = Proposer::begin(NodeId(1), others, ROUND, claim(0), own, Ballot::NONE);
        let Some(Effect::Read(turn, _)) = proposer.written() else { panic!("it reads after it wrote") };
        proposer.read(turn, NodeId(2), seen);
        assert_eq!(proposer.outcome(), expected);
    };
    check(Seen::Lost, Some(Outcome::Blocked(NodeId(2))));
    check(Seen::Block(Block::untried(ROUND + 1)), Some(Outcome::Over { round: ROUND + 1 }));
    let high = Ballot { number: 9, node: NodeId(2) };
    let block = |round| Block { tried: high, ..Block::untried(round) };
    check(Seen::Block(block(ROUND)), Some(Outcome::Outbid(high)));
    check(Seen::Block(block(ROUND - 1)), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]
    #[test]
    fn four_nodes_in_any_order(count in 2usize..5, choices in proptest::collection::vec((any::<u8>(), any::<u8>()), 0..400)) {
        let mut world = World::new(count, 12, 6);
        for (who, what) in choices {
            let index = usize::from(who) % count;
            let steps = world.steps(index);
            // Crashes are the last of the steps; one in eight is enough.
            let crash = what % 8 == 0;
            let pick = |steps: &[Step]| steps.get(usize::from(what / 8) % steps.len().max(1)).copied();
            let calm: Vec<Step> = steps.iter().copied().filter(|step| *step != Step::Crash).collect();
            let step = if crash { steps.last().copied() } else { pick(&calm) };
            if let Some(step) = step {
                world.take(index, step);
                prop_assert!(world.chosen.len() <= 1, "two claims are chosen: {:?}", world.chosen);
            }
        }
        // Whatever the others left behind, one that goes on alone gets an answer, and the same as everybody before.
        (0..count).for_each(|index| world.crash(index));
        for index in 0..count {
            prop_assert_eq!(world.alone(index).len(), 1);
        }
    }
}
