//! Which addresses a path joins: the pair of a node's and a peer's addresses with one place on one network.

use phalanx_model::Cluster;
use phalanx_types::{NetworkId, NodeId, NodeSet, PathId};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// The port that daemons use among themselves, unless told otherwise.
pub const PORT_DEFAULT: u16 = 6174;

/// The paths of one node.
pub struct Paths {
    own: BTreeMap<PathId, SocketAddr>,
    theirs: BTreeMap<(NodeId, PathId), SocketAddr>,
}

impl Paths {
    /// The paths of `me` in a cluster.
    pub fn new(cluster: &Cluster, me: NodeId, port: u16) -> Paths {
        let mut paths = Paths { own: BTreeMap::new(), theirs: BTreeMap::new() };
        for (node, configured) in &cluster.nodes {
            for (path, address) in places(&configured.addresses) {
                let address = SocketAddr::new(address, port);
                let known = if *node == me {
                    paths.own.insert(path, address)
                } else {
                    paths.theirs.insert((*node, path), address)
                };
                assert!(known.is_none(), "a place on a network is one node's once");
            }
        }
        paths
    }

    /// This node's end of each path.
    pub fn own(&self) -> impl Iterator<Item = (PathId, SocketAddr)> {
        self.own.iter().map(|(path, address)| (*path, *address))
    }

    /// The other nodes.
    pub fn peers(&self) -> NodeSet {
        self.theirs.keys().map(|(node, _)| *node).collect()
    }

    /// Where `node` is reached by `path`.
    pub fn of(&self, node: NodeId, path: PathId) -> Option<SocketAddr> {
        self.theirs.get(&(node, path)).copied()
    }

    /// Whose end of `path` an address is.
    pub fn node_at(&self, path: PathId, address: SocketAddr) -> Option<NodeId> {
        let mut ends = self.theirs.iter();
        ends.find(|((_, at), theirs)| *at == path && same(**theirs, address)).map(|((node, _), _)| *node)
    }
}

fn places(addresses: &BTreeMap<NetworkId, Vec<IpAddr>>) -> impl Iterator<Item = (PathId, IpAddr)> {
    addresses.iter().flat_map(|(network, addresses)| {
        let place = |(index, address): (u8, &IpAddr)| (PathId { network: *network, index }, *address);
        (0..=u8::MAX).zip(addresses).map(place)
    })
}

/// Flow labels and scopes of IPv6 say nothing about who it is.
fn same(one: SocketAddr, other: SocketAddr) -> bool {
    one.ip() == other.ip() && one.port() == other.port()
}
