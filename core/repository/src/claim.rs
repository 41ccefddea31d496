//! The claim of a tie-breaker: what is claimed, and the block in which each node says how far its own attempt is.
//!
//! After Gafni and Lamport, "Disk Paxos": consensus over blocks on a disk, each written by its own node alone and read by all. It asks
//! nothing of the disk but that a block is read as it was last written, or as it is being written; no reservation, no lock.

use phalanx_types::{NodeId, NodeSet, ViewId};

/// No attempt comes near this number: a block that says so is no block.
pub(crate) const BALLOT_MAX: u64 = 1 << 62;

/// Which attempt; a higher one overtakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ballot {
    /// Counts up.
    pub number: u64,
    /// Whose attempt it is: makes those of two nodes differ.
    pub node: NodeId,
}

/// What is claimed: to go on from a view, as its only successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// The primary view that broke into parts.
    pub predecessor: ViewId,
    /// The generation of its charter.
    pub generation: u64,
    /// The counter of the view that claims.
    pub epoch: u64,
    /// Its members: they hold the claim together.
    pub holders: NodeSet,
}

/// What stands in a node's own block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block {
    /// Which claim of the cluster's life it is about: the generation of the charter that is claimed. What stands in blocks of earlier
    /// rounds is over.
    pub round: u64,
    /// The highest ballot that this node began.
    pub tried: Ballot,
    /// What it accepted last, and under which ballot.
    pub accepted: Option<(Ballot, Claim)>,
}

impl Ballot {
    /// Lower than every attempt.
    pub const NONE: Ballot = Ballot { number: 0, node: NodeId(0) };

    /// An attempt of `node` that is higher than this one.
    #[must_use]
    pub fn above(self, node: NodeId) -> Ballot {
        Ballot { number: self.number + 1, node }
    }
}

impl Claim {
    /// What stands for no claim in a block that has none.
    pub(crate) const NOTHING: Claim =
        Claim { predecessor: ViewId::NONE, generation: 0, epoch: 0, holders: NodeSet::EMPTY };
}

impl Block {
    /// The block of a node that has not tried in this round.
    pub fn untried(round: u64) -> Block {
        Block { round, tried: Ballot::NONE, accepted: None }
    }

    /// What of a block counts in `round`: of an earlier one nothing.
    pub(crate) fn of_round(self, round: u64) -> Block {
        if self.round < round { Block::untried(round) } else { self }
    }
}
