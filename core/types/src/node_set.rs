//! A set of nodes as one word, since a cluster has at most 64 of them.

use crate::id::NodeId;
use crate::limits::NODES_MAX;
use minicbor::{Decode, Encode};
use serde::Serialize;
use std::fmt;

/// A set of nodes. Ids outside `1..=NODES_MAX` are never in it.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct NodeSet(#[n(0)] u64);

#[inline]
fn bit(node: NodeId) -> u64 {
    match usize::from(node.0) {
        number @ 1..=NODES_MAX => 1 << (number - 1),
        _ => 0,
    }
}

impl Serialize for NodeSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl NodeSet {
    /// No node.
    pub const EMPTY: NodeSet = NodeSet(0);

    /// The set that a word from the wire stands for; every word is a set.
    #[inline]
    pub fn from_bits(bits: u64) -> NodeSet {
        NodeSet(bits)
    }

    /// The word that stands for this set.
    #[inline]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Whether `node` is in it.
    #[inline]
    pub fn has(self, node: NodeId) -> bool {
        self.0 & bit(node) != 0
    }

    /// This set with `node`.
    #[inline]
    #[must_use]
    pub fn with(self, node: NodeId) -> NodeSet {
        NodeSet(self.0 | bit(node))
    }

    /// This set without `node`.
    #[inline]
    #[must_use]
    pub fn without(self, node: NodeId) -> NodeSet {
        NodeSet(self.0 & !bit(node))
    }

    /// The nodes in both.
    #[inline]
    #[must_use]
    pub fn and(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 & other.0)
    }

    /// The nodes in either.
    #[inline]
    #[must_use]
    pub fn or(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 | other.0)
    }

    /// The nodes in this one only.
    #[inline]
    #[must_use]
    pub fn minus(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 & !other.0)
    }

    /// The same seen from the other end: the highest node that a cluster may have stands for the lowest, and so on.
    #[inline]
    #[must_use]
    pub fn mirrored(self) -> NodeSet {
        NodeSet(self.0.reverse_bits())
    }

    /// How many nodes there are.
    #[inline]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of this set's nodes are in `other`.
    #[inline]
    pub fn is_within(self, other: NodeSet) -> bool {
        self.0 & !other.0 == 0
    }

    /// The lowest node.
    #[inline]
    pub fn first(self) -> Option<NodeId> {
        self.iter().next()
    }

    /// The nodes in order.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let number = rest.trailing_zeros() as u16 + 1;
            let found = (rest != 0).then_some(NodeId(number));
            rest &= rest.wrapping_sub(1);
            found
        })
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> NodeSet {
        nodes.into_iter().fold(NodeSet::EMPTY, NodeSet::with)
    }
}

impl fmt::Debug for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|node| node.0)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_behaves_as_a_set() {
        let set: NodeSet = [64, 1, 3, 0, 65].map(NodeId).into_iter().collect();
        assert_eq!(set.iter().map(|node| node.0).collect::<Vec<_>>(), [1, 3, 64], "0 and 65 are no nodes");
        assert_eq!(set.len(), 3);
        assert!(set.without(NodeId(3)).is_within(set) && !set.is_within(set.without(NodeId(3))));
        assert_eq!(set.first(), Some(NodeId(1)));
        assert_eq!(NodeSet::EMPTY.first(), None);
    }

    #[test]
    fn mirrored_the_highest_is_the_lowest() {
        let set: NodeSet = [64, 1, 3].map(NodeId).into_iter().collect();
        assert_eq!(set.mirrored().iter().map(|node| node.0).collect::<Vec<_>>(), [1, 62, 64]);
        assert_eq!(set.mirrored().mirrored(), set);
    }
}
