//! Another host that answers for a service address: a machine that nobody here knows, or a node whose time is over.
//!
//! Who starts a group has proof that no node of the cluster may have it any more. So a node that still answers for its
//! address has lost the right to it, whatever its kernel says, and is overruled. Any other machine is not ours to overrule.

use phalanx_model::{Cluster, ServiceAddress};
use phalanx_netlink::{Interface, Mac, Netlink, NetlinkError, Owners, ask};
use phalanx_types::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::net::IpAddr;

/// Another host that has a service address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contest {
    /// The address.
    pub address: IpAddr,
    /// The interface on which it was heard.
    pub interface: String,
    /// Its hardware address.
    pub mac: Mac,
    /// The node of the cluster that it is; none if it is a stranger.
    pub node: Option<String>,
}

/// One address on one adapter, and who else may answer there.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    address: IpAddr,
    interface: Interface,
    /// The hardware addresses of this host.
    own: BTreeSet<Mac>,
    /// The addresses of the cluster's nodes in its subnet, and their names. For others a router might answer.
    nodes: BTreeMap<IpAddr, String>,
}

impl Question {
    pub fn new(
        netlink: &mut Netlink,
        interface: &Interface,
        service: &ServiceAddress,
        cluster: &Cluster,
    ) -> Result<Question, NetlinkError> {
        let address = service.address.address;
        let own = netlink.interfaces()?.into_iter().filter_map(|interface| interface.mac).collect();
        let named = |node: &phalanx_model::Node| {
            let addresses = node.addresses.get(&service.network).cloned().unwrap_or_default();
            addresses.into_iter().map(|address| (address, node.name.to_string())).collect::<Vec<_>>()
        };
        let nodes = cluster.nodes.values().flat_map(named);
        let subnet = service.address.subnet();
        let nodes = nodes.filter(|(other, _)| subnet.contains(*other)).collect();
        Ok(Question { address, interface: interface.clone(), own, nodes })
    }

    /// Asks the network who else has the address, and if there is one, who that is.
    pub fn ask(&self, patience: Span) -> io::Result<Option<Contest>> {
        let owners = ask(&self.interface, &self.own, &[self.address], patience)?;
        let Some(mac) = owners.get(&self.address).copied() else { return Ok(None) };
        let addresses: Vec<IpAddr> = self.nodes.keys().copied().collect();
        let known = ask(&self.interface, &self.own, &addresses, patience)?;
        let node = whose(mac, &known, &self.nodes);
        Ok(Some(Contest { address: self.address, interface: self.interface.name.clone(), mac, node }))
    }
}

/// The node whose adapter `mac` is, by who answered for the nodes' addresses.
fn whose(mac: Mac, known: &Owners, nodes: &BTreeMap<IpAddr, String>) -> Option<String> {
    let (address, _) = known.iter().find(|(_, owner)| **owner == mac)?;
    nodes.get(address).cloned()
}

impl fmt::Display for Contest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Contest { address, interface, mac, node } = self;
        match node {
            Some(node) => write!(f, "{address} is still held by {node} ({mac} on {interface})"),
            None => write!(
                f,
                "{address} is in use by a host that is not of this cluster ({mac} on {interface}); take it off there"
            ),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_has_a_nodes_address_is_that_node_and_any_other_is_a_stranger() {
        let (bob, cyd, stranger) =
            (Mac([2, 0, 0, 0, 0, 2]), Mac([2, 0, 0, 0, 0, 3]), Mac([2, 0, 0, 0, 0, 9]));
        let at = |last: u8| IpAddr::from([10, 11, 0, last]);
        let nodes = BTreeMap::from([(at(2), "bob".to_owned()), (at(3), "cyd".to_owned())]);
        let known = Owners::from([(at(2), bob), (at(3), cyd)]);
        assert_eq!(whose(bob, &known, &nodes).as_deref(), Some("bob"));
        assert_eq!(whose(cyd, &known, &nodes).as_deref(), Some("cyd"));
        assert_eq!(whose(stranger, &known, &nodes), None);
        assert_eq!(whose(bob, &Owners::new(), &nodes), None, "one that does not say who it is");
    }
}
