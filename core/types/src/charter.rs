//! Whose agreement makes a primary view: a majority of the configured nodes, or, after an operator formed the cluster
//! without some of them, a majority of those that formed it.
//!
//! A charter goes one way only: formed by few, closing, everybody's again. The next one begins when an operator forms the
//! cluster anew. Of two charters the one of the later generation holds, and of one generation the one that is further.
//!
//! Why closing stands in between: while it lasts a majority of both is needed, so nobody acts any more on the word of
//! the few alone before anybody acts without them.

use crate::node_set::NodeSet;
use minicbor::{Decode, Encode};
use serde::Serialize;

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Charter {
    /// Begins anew, one higher, each time an operator forms the cluster.
    #[n(0)]
    pub generation: u64,
    /// How far it is.
    #[n(1)]
    pub stage: CharterStage,
    /// Nodes that are down by the operator's word and were no member since.
    #[n(2)]
    pub confirmed_down: NodeSet,
    /// Place in the ledger of the last version that this generation knows of the one before.
    #[n(3)]
    pub base: u64,
}

/// How far a charter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CharterStage {
    /// A majority of these decides, whoever else is there.
    #[n(0)]
    Few(#[n(0)] NodeSet),
    /// A majority of these decides together with a majority of all.
    #[n(1)]
    Closing(#[n(0)] NodeSet),
    /// A majority of all decides.
    #[n(2)]
    All,
}

/// The nodes of a cluster and how many of them are a majority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Electorate {
    /// All configured nodes.
    pub nodes: NodeSet,
    /// How many of them decide.
    pub quorum: usize,
}

impl Charter {
    /// The charter of a cluster that formed by itself.
    pub const FIRST: Charter =
        Charter { generation: 1, stage: CharterStage::All, confirmed_down: NodeSet::EMPTY, base: 0 };

    /// The charter of `few`, formed by an operator who says that `others` are down; `base` is the newest version they
    /// know.
    #[must_use]
    pub fn formed_by(self, few: NodeSet, others: NodeSet, base: u64) -> Charter {
        let generation = self.generation + 1;
        Charter { generation, stage: CharterStage::Few(few), confirmed_down: others, base }
    }

    /// The one of the two that holds. What either has seen alive again is no longer down by anybody's word.
    #[must_use]
    pub fn merged(self, other: Charter) -> Charter {
        let later = if self.rank() >= other.rank() { self } else { other };
        match self.generation == other.generation {
            true => Charter { confirmed_down: self.confirmed_down.and(other.confirmed_down), ..later },
            false => later,
        }
    }

    fn rank(&self) -> (u64, u8) {
        let stage = match self.stage {
            CharterStage::Few(_) => 0,
            CharterStage::Closing(_) => 1,
            CharterStage::All => 2,
        };
        (self.generation, stage)
    }

    /// This charter once `seen` were members.
    #[must_use]
    pub fn having_seen(self, seen: NodeSet) -> Charter {
        Charter { confirmed_down: self.confirmed_down.minus(seen), ..self }
    }

    /// This charter at another stage.
    #[must_use]
    pub fn at(self, stage: CharterStage) -> Charter {
        Charter { stage, ..self }
    }

    /// The few that formed the cluster, while their word is needed.
    pub fn few(&self) -> Option<NodeSet> {
        match self.stage {
            CharterStage::Few(few) | CharterStage::Closing(few) => Some(few),
            CharterStage::All => None,
        }
    }

    /// Whether `by` can decide.
    pub fn is_met(&self, by: NodeSet, all: Electorate) -> bool {
        let most_of = |few: NodeSet| few.and(by).len() > few.len() / 2;
        let most = all.has_quorum(by);
        match self.stage {
            CharterStage::Few(few) => most_of(few),
            CharterStage::Closing(few) => most_of(few) && most,
            CharterStage::All => most,
        }
    }
}

impl Electorate {
    /// Whether `by` are a majority of all.
    pub fn has_quorum(&self, by: NodeSet) -> bool {
        self.nodes.and(by).len() >= self.quorum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;
    use CharterStage::{All, Closing, Few};

    fn set(nodes: &[u16]) -> NodeSet {
        nodes.iter().map(|node| NodeId(*node)).collect()
    }

    fn check(stage: CharterStage, deciding: &[&[u16]], powerless: &[&[u16]]) {
        let charter = Charter::FIRST.at(stage);
        let all = Electorate { nodes: set(&[1, 2, 3, 4, 5]), quorum: 3 };
        deciding.iter().for_each(|by| assert!(charter.is_met(set(by), all), "{stage:?} {by:?}"));
        powerless.iter().for_each(|by| assert!(!charter.is_met(set(by), all), "{stage:?} {by:?}"));
    }

    #[test]
    fn who_decides() {
        check(All, &[&[3, 4, 5], &[1, 2, 3, 4]], &[&[1, 2], &[]]);
        check(Few(set(&[1])), &[&[1], &[1, 5]], &[&[2, 3, 4, 5]]);
        check(Few(set(&[1, 2])), &[&[1, 2]], &[&[1, 3, 4, 5]]);
        check(Closing(set(&[1])), &[&[1, 2, 3]], &[&[1, 2], &[2, 3, 4, 5]]);
    }

    #[test]
    fn two_that_can_decide_under_neighbouring_stages_share_a_node() {
        let all = Electorate { nodes: set(&[1, 2, 3, 4, 5]), quorum: 3 };
        for few in (1..32).map(NodeSet::from_bits) {
            for (one, other) in [(Few(few), Closing(few)), (Closing(few), All), (Closing(few), Closing(few))]
            {
                let deciding = |stage| {
                    let charter = Charter::FIRST.at(stage);
                    (1..32).map(NodeSet::from_bits).filter(move |by| charter.is_met(*by, all))
                };
                assert!(deciding(one).all(|a| deciding(other).all(|b| !a.and(b).is_empty())), "{few:?}");
            }
        }
    }

    #[test]
    fn the_later_generation_holds_and_then_the_later_stage() {
        let second = Charter::FIRST.formed_by(set(&[1]), set(&[2, 3]), 7);
        assert_eq!(Charter::FIRST.merged(second), second);
        let closing = second.at(Closing(set(&[1]))).having_seen(set(&[2]));
        assert_eq!(closing.merged(second), closing);
        assert_eq!(second.merged(closing).confirmed_down, set(&[3]), "2 was seen alive");
    }
}
