//! A membership view: who is in, in which life, and whether together they may run resources.

use crate::id::{BootId, Incarnation, NodeId, ViewId};
use crate::node_set::NodeSet;
use minicbor::{Decode, Encode};
use serde::Serialize;
use std::collections::BTreeMap;

/// One member of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Member {
    /// The life that is a member; another life of the same node is another member.
    #[n(0)]
    pub incarnation: Incarnation,
    /// The boot of its host.
    #[n(1)]
    pub boot: BootId,
    /// Whether it counts toward the quorum and grants leases: not until every promise that an earlier life of it
    /// could have made has run out.
    #[n(2)]
    pub counts: bool,
}

/// An agreed view. Two nodes that install a view with one id install the same view.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct View {
    /// Grows at every node, across restarts.
    #[n(0)]
    pub id: ViewId,
    /// The members by node.
    #[n(1)]
    pub members: BTreeMap<NodeId, Member>,
    /// Whether the members that count reach the quorum: only then may they run resources.
    #[n(2)]
    pub primary: bool,
}

impl View {
    /// Whether `node`, in whichever life, is a member.
    pub fn has(&self, node: NodeId) -> bool {
        self.members.contains_key(&node)
    }

    /// Whether exactly this life is a member.
    pub fn has_life(&self, life: Incarnation) -> bool {
        self.members.get(&life.node).is_some_and(|member| member.incarnation == life)
    }

    /// The members that count.
    pub fn counting(&self) -> NodeSet {
        self.members.iter().filter(|(_, member)| member.counts).map(|(node, _)| *node).collect()
    }

    /// The member that numbers this view's messages: the lowest.
    pub fn sequencer(&self) -> NodeId {
        *self.members.keys().next().expect("a view has at least the node that formed it")
    }
}
