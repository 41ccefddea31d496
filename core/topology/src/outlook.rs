//! Who watches whom as one node sees it, for people and programs that look.

pub use crate::lateness::{LATE_CLASSES, Lateness};
use phalanx_types::{Incarnation, NodeId, PathId, Span};
use std::collections::BTreeMap;

/// Every path on which this node has an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopologyOutlook {
    /// The node that looks.
    pub node: NodeId,
    /// What is known of each.
    pub paths: BTreeMap<PathId, PathOutlook>,
    /// How late it was for what was due.
    pub lateness: Lateness,
}

/// One path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathOutlook {
    /// The others with an address there.
    pub peers: BTreeMap<NodeId, PeerOutlook>,
    /// The ring there, if nodes watch each other along rings.
    pub ring: Option<RingOutlook>,
}

/// A peer on one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerOutlook {
    /// Whether it is reached there.
    pub reach: Reach,
    /// How long ago it was heard there, of a ring as a member of the group; not known if not told.
    pub heard: Option<Span>,
}

/// Whether a peer is reached on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It is, in both directions.
    Up,
    /// It is in the ring's group, and not to be relied on yet, or not any more.
    Unstable,
    /// It is not.
    Down,
}

/// The group of one ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingOutlook {
    /// Its members in the order of their addresses. The last one leads, the one before it is the crown prince.
    pub members: Vec<Incarnation>,
    /// Which of the groups that this leader has led it is.
    pub instance: u64,
}

impl RingOutlook {
    /// The member that leads it.
    pub fn leader(&self) -> Option<NodeId> {
        self.members.last().map(|life| life.node)
    }

    /// The member that takes over when the leader is missed.
    pub fn crown_prince(&self) -> Option<NodeId> {
        self.members.iter().rev().nth(1).map(|life| life.node)
    }

    /// Whom a member watches: the next lower address; the lowest watches the leader.
    pub fn watched_by(&self, node: NodeId) -> Option<NodeId> {
        let own = self.members.iter().position(|life| life.node == node)?;
        let next = self.members[(own + self.members.len() - 1) % self.members.len()].node;
        (next != node).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_watches_the_next_lower_and_the_lowest_the_leader() {
        let life = |node| Incarnation { node: NodeId(node), start: 1 };
        let ring = RingOutlook { members: vec![life(3), life(1), life(2)], instance: 1 };
        assert_eq!((ring.leader(), ring.crown_prince()), (Some(NodeId(2)), Some(NodeId(1))));
        let watched = [3, 1, 2].map(|node| ring.watched_by(NodeId(node)));
        assert_eq!(watched, [Some(NodeId(2)), Some(NodeId(3)), Some(NodeId(1))]);
        let alone = RingOutlook { members: vec![life(1)], instance: 1 };
        assert_eq!((alone.crown_prince(), alone.watched_by(NodeId(1))), (None, None));
    }
}
