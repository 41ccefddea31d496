//! One node's attempt at the claim, step by step: write the own block, read all others, twice.
//!
//! Phase 1 announces a ballot and learns what others accepted; phase 2 accepts a claim, its own only if nobody accepted any. After each
//! write all other blocks are read; whoever sees a higher ballot there gives up. When phase 2 has read them all and none is
//! higher, the claim is chosen, and every later attempt finds it. That is so whatever crashes and however reads and writes
//! of several nodes are mixed, as long as a life begins with its own block as it stands on the disk, and no write of a former life
//! can still arrive: who gave a disk up in the middle of a write must not claim by it before that write has ended.
//!
//! Never decides when to try again: two that try at once can overtake each other for ever, so whoever drives this waits for
//! different times.

use crate::claim::{Ballot, Block, Claim};
use phalanx_types::{NodeId, NodeSet};

/// What an attempt is told to find out or to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Write the own block, both copies, and say so when both are durable.
    Write(Block),
    /// Read the blocks of these nodes, *now*: what was read before counts for nothing.
    Read(Turn, NodeSet),
}

/// Which reading an answer belongs to; those of another are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    ballot: Ballot,
    phase: Phase,
}

/// What another node's block was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// A whole block.
    Block(Block),
    /// Whole, and as it was when the repository was made.
    Untried,
    /// Neither copy is whole. It may have said anything.
    Lost,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// This claim holds, now and in every later attempt of the round. It need not be the own one.
    Chosen(Claim),
    /// Somebody tries with this higher ballot. Nothing is known; try again above it, later.
    Outbid(Ballot),
    /// The cluster is in a later round already: the claim was about something that is over.
    Over {
        /// In which.
        round: u64,
    },
    /// This node's block cannot be read, so nobody can know whether a claim was chosen.
    Blocked(NodeId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Announce,
    Accept,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Writing(Phase),
    /// Whose blocks are still to be read, and the highest that was accepted in those that were.
    Reading(Phase, NodeSet, Option<(Ballot, Claim)>),
    Ended(Outcome),
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proposer {
    others: NodeSet,
    wanted: Claim,
    block: Block,
    state: State,
}

impl Proposer {
    /// Begins an attempt of `node` to claim `wanted` in `round`, with a ballot above `above`. `own` is the node's block as its present life
    /// has read or written it last; `others` is everybody else with a slot.
    pub fn begin(
        node: NodeId,
        others: NodeSet,
        round: u64,
        wanted: Claim,
        own: Block,
        above: Ballot,
    ) -> (Proposer, Option<Effect>) {
        let own = own.of_round(round);
        let others = others.without(node);
        if own.round > round {
            let state = State::Ended(Outcome::Over { round: own.round });
            return (Proposer { others, wanted, block: own, state }, None);
        }
        let block = Block { tried: own.tried.max(above).above(node), ..own };
        let proposer = Proposer { others, wanted, block, state: State::Writing(Phase::Announce) };
        (proposer, Some(Effect::Write(block)))
    }

    /// The own block was written, and both copies of it are durable.
    pub fn written(&mut self) -> Option<Effect> {
        let State::Writing(phase) = self.state else { return None };
        self.state = State::Reading(phase, self.others, self.block.accepted);
        match self.others.is_empty() {
            true => self.all_read(),
            false => Some(Effect::Read(Turn { ballot: self.block.tried, phase }, self.others)),
        }
    }

    /// The block of `node` was read.
    pub fn read(&mut self, turn: Turn, node: NodeId, seen: Seen) -> Option<Effect> {
        let State::Reading(phase, waiting, highest) = self.state else { return None };
        if turn != (Turn { ballot: self.block.tried, phase }) || !waiting.has(node) {
            return None;
        }
        match self.judge(node, seen) {
            Err(outcome) => {
                self.state = State::Ended(outcome);
                None
            }
            Ok(block) => {
                let waiting = waiting.without(node);
                self.state = State::Reading(phase, waiting, highest.max(block.accepted));
                if waiting.is_empty() { self.all_read() } else { None }
            }
        }
    }

    fn judge(&self, node: NodeId, seen: Seen) -> Result<Block, Outcome> {
        let round = self.block.round;
        let block = match seen {
            Seen::Block(block) => block.of_round(round),
            Seen::Untried => Block::untried(round),
            Seen::Lost => return Err(Outcome::Blocked(node)),
        };
        match () {
            () if block.round > round => Err(Outcome::Over { round: block.round }),
            () if block.tried > self.block.tried => Err(Outcome::Outbid(block.tried)),
            () => Ok(block),
        }
    }

    /// All blocks were read, and none has a higher ballot.
    fn all_read(&mut self) -> Option<Effect> {
        let State::Reading(phase, _, highest) = self.state else { return None };
        match phase {
            Phase::Announce => {
                let claim = highest.map_or(self.wanted, |(_, claim)| claim);
                self.block.accepted = Some((self.block.tried, claim));
                self.state = State::Writing(Phase::Accept);
                Some(Effect::Write(self.block))
            }
            Phase::Accept => {
                let (_, claim) = self.block.accepted.expect("phase 2 writes what it accepts before it reads");
                self.state = State::Ended(Outcome::Chosen(claim));
                None
            }
        }
    }

    /// How it ended, once it has.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.state {
            State::Ended(outcome) => Some(outcome),
            State::Writing(_) | State::Reading(..) => None,
        }
    }

    /// The own block as it was last to be written: what the next attempt of this life begins with.
    pub fn block(&self) -> Block {
        self.block
    }
}
