//! What people call nodes and networks; never what they are.

use phalanx_model::Cluster;
use phalanx_types::{Incarnation, NetworkId, NodeId, PathId};
use std::collections::BTreeMap;

/// What nodes and networks are called.
pub struct Names {
    own: String,
    nodes: BTreeMap<NodeId, String>,
    networks: BTreeMap<NetworkId, String>,
}

impl Names {
    /// The names in a cluster, as `me` uses them.
    pub fn new(cluster: &Cluster, me: NodeId) -> Names {
        let nodes: BTreeMap<_, _> =
            cluster.nodes.iter().map(|(id, node)| (*id, node.name.to_string())).collect();
        let networks = cluster.networks.iter().map(|(id, network)| (*id, network.name.to_string())).collect();
        Names { own: nodes.get(&me).cloned().unwrap_or_default(), nodes, networks }
    }

    /// This node's name.
    pub fn own(&self) -> &str {
        &self.own
    }

    /// A node's name.
    pub fn node(&self, node: NodeId) -> String {
        self.nodes.get(&node).cloned().unwrap_or_else(|| node.to_string())
    }

    /// Which life it is stands in the data of the note.
    pub(crate) fn life(&self, life: Incarnation) -> String {
        self.node(life.node)
    }

    pub(crate) fn network(&self, network: NetworkId) -> String {
        self.networks.get(&network).cloned().unwrap_or_else(|| format!("network {}", network.0))
    }

    pub(crate) fn path(&self, path: PathId) -> String {
        match path.index {
            0 => self.network(path.network),
            index => format!("{} (address {})", self.network(path.network), index + 1),
        }
    }

    pub(crate) fn list(&self, nodes: impl IntoIterator<Item = NodeId>) -> String {
        nodes.into_iter().map(|node| self.node(node)).collect::<Vec<_>>().join(", ")
    }
}
