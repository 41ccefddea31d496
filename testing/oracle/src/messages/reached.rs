//! How far each node has come in the order of one view. Shared by the properties of that order; judges nothing.

use crate::event::Delivery;
use phalanx_types::NodeId;
use std::collections::BTreeMap;

/// The last place that each node has delivered.
#[derive(Default)]
pub(super) struct Reached {
    by_node: BTreeMap<NodeId, u64>,
}

impl Reached {
    /// The last place that this node has delivered; 0 before the first.
    pub fn by(&self, node: NodeId) -> u64 {
        self.by_node.get(&node).copied().unwrap_or(0)
    }

    /// The node delivers its next; says what it had reached before.
    pub fn advance(&mut self, node: NodeId, delivery: &Delivery) -> u64 {
        self.by_node.insert(node, delivery.sequence).unwrap_or(0)
    }
}
