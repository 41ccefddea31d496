//! The view that each living node is in. Shared by the properties of where all end; judges nothing.

use crate::event::Event;
use phalanx_types::{NodeId, View};
use std::collections::{BTreeMap, BTreeSet};

/// The last view that each living node installed.
#[derive(Default)]
pub(super) struct CurrentViews {
    by_node: BTreeMap<NodeId, View>,
}

impl CurrentViews {
    /// Takes in an event.
    pub fn see(&mut self, event: &Event) {
        if let Some(install) = event.install() {
            self.by_node.insert(event.life.node, install.view.clone());
        }
        if event.ends_life() {
            self.by_node.remove(&event.life.node);
        }
    }

    /// This node's; `None` if it has none.
    pub fn of(&self, node: NodeId) -> Option<&View> {
        self.by_node.get(&node)
    }
}

/// The nodes in a view.
pub(super) fn nodes(view: &View) -> BTreeSet<NodeId> {
    view.members.keys().copied().collect()
}
