//! Which networks each member reaches, and what that means for groups with a service address there.
//!
//! Each member says of its own adapters what it sees; what follows from it is decided here, from everybody's word. A node
//! is left only if its network is certainly down there and not for all: its adapter is dead, or it alone reaches nobody
//! while others reach each other, or a target outside the cluster. When a switch dies everybody is deaf, nobody is at fault, and nothing moves.

use crate::state::GroupsState;
use minicbor::{Decode, Encode};
use phalanx_model::{Cluster, Group, ResourceKind};
use phalanx_types::{Incarnation, NetworkId, NodeId, View};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a life says of its adapters on one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// It reaches somebody there.
    #[n(0)]
    Well,
    /// It reaches somebody there again, but not for long.
    #[n(1)]
    Settling,
    /// It reaches nobody there, though others elsewhere.
    #[n(2)]
    Deaf,
    /// The same for so long that everybody in the same plight has said so.
    #[n(3)]
    Silent,
    /// It has no adapter with a carrier there.
    #[n(4)]
    Lost,
    /// It reaches nobody of the cluster there, but a target outside it: its adapter works.
    #[n(5)]
    Alone,
}

/// What a life says of its adapters; what it does not know yet is not there.
pub type Reaches = BTreeMap<NetworkId, Reach>;

/// How good a place a node is, as far as networks go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Footing {
    /// Nothing speaks against it.
    Firm,
    /// It may be the only one there is.
    Shaky,
    /// Nobody would reach the group there.
    None(NetworkId),
}

/// A network that is down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outage {
    /// The members at which it is.
    pub at: BTreeSet<NodeId>,
    /// Whether no member reaches anybody there.
    pub everywhere: bool,
}

/// The networks that a group has service addresses on.
pub fn networks(group: &Group) -> impl Iterator<Item = NetworkId> {
    group.resources.iter().filter_map(|resource| match &resource.kind {
        ResourceKind::ServiceAddress(address) => Some(address.network),
        ResourceKind::FileSystem(_) | ResourceKind::Application(_) => None,
    })
}

impl GroupsState {
    /// A life says what its adapters reach. A network that is up there again forgives failures for want of it.
    pub fn see_reach(&mut self, cluster: &Cluster, life: Incarnation, reaches: Reaches) {
        let before = self.reach.insert(life, reaches).unwrap_or_default();
        let now = &self.reach[&life];
        let back = |network: &NetworkId| {
            before.get(network).is_some_and(Reach::is_down) && !now.get(network).is_some_and(Reach::is_down)
        };
        let back: BTreeSet<_> = before.keys().copied().filter(back).collect();
        for group in cluster.groups.values().filter(|group| networks(group).any(|one| back.contains(&one))) {
            if let Some(record) = self.groups.get_mut(&group.name) {
                record.welcome(&[life.node]);
            }
        }
    }

    /// How good a place a member is for a group that it does not have.
    pub fn footing(&self, view: &View, group: &Group, node: NodeId) -> Footing {
        networks(group).map(|network| self.footing_on(view, network, node)).max().unwrap_or(Footing::Firm)
    }

    fn footing_on(&self, view: &View, network: NetworkId, node: NodeId) -> Footing {
        match self.reach_of(view, network, node) {
            Some(Reach::Lost) => Footing::None(network),
            Some(Reach::Silent) if self.is_witnessed(view, network) => Footing::None(network),
            Some(Reach::Deaf) if self.is_witnessed(view, network) => Footing::Shaky,
            Some(Reach::Settling) => Footing::Shaky,
            Some(Reach::Well | Reach::Alone | Reach::Deaf | Reach::Silent) | None => Footing::Firm,
        }
    }

    /// Whether some member reaches another on a network, or a target, so that the network itself works.
    fn is_witnessed(&self, view: &View, network: NetworkId) -> bool {
        let reaches = |node| matches!(self.reach_of(view, network, node), Some(Reach::Well | Reach::Alone));
        view.members.keys().any(|node| reaches(*node))
    }

    fn reach_of(&self, view: &View, network: NetworkId, node: NodeId) -> Option<Reach> {
        let life = view.members.get(&node)?.incarnation;
        self.reach.get(&life)?.get(&network).copied()
    }

    /// The networks that are down somewhere.
    pub fn outages(&self, cluster: &Cluster, view: &View) -> BTreeMap<NetworkId, Outage> {
        let outages = cluster.networks.keys().map(|network| (*network, self.outage(cluster, view, *network)));
        outages.filter(|(_, outage)| *outage != Outage::default()).collect()
    }

    fn outage(&self, cluster: &Cluster, view: &View, network: NetworkId) -> Outage {
        let on = |node: &&NodeId| {
            cluster.nodes.get(*node).is_some_and(|node| node.addresses.contains_key(&network))
        };
        let members: Vec<NodeId> = view.members.keys().filter(on).copied().collect();
        let down = |node: &NodeId| self.reach_of(view, network, *node).is_some_and(|reach| reach.is_down());
        let lost = |node: &NodeId| matches!(self.footing_on(view, network, *node), Footing::None(_));
        let everywhere = members.len() > 1 && members.iter().all(down);
        Outage { at: members.into_iter().filter(lost).collect(), everywhere }
    }
}

impl Reach {
    /// Whether the node that says so takes its adapter for down.
    pub fn is_down(&self) -> bool {
        match self {
            Reach::Silent | Reach::Lost => true,
            Reach::Well | Reach::Settling | Reach::Deaf | Reach::Alone => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::{BootId, Digest, Member, ViewId};

    const LAN: NetworkId = NetworkId(0);

    fn life(node: u16) -> Incarnation {
        Incarnation { node: NodeId(node), start: 1 }
    }

    fn check(said: [Option<Reach>; 3], expected: [Footing; 3]) {
        let member = |node: u16| Member { incarnation: life(node), boot: BootId([0; 16]), counts: true };
        let members = (1..=3).map(|node| (NodeId(node), member(node))).collect();
        let id = ViewId { counter: 1, coordinator: NodeId(1) };
        let view = View { id, members, primary: true };
        let mut state = GroupsState::empty();
        state.config = Digest([1; 32]);
        for (node, reach) in (1..=3).zip(said) {
            let reaches = reach.map(|reach| (LAN, reach)).into_iter().collect();
            state.reach.insert(life(node), reaches);
        }
        let found = [1, 2, 3].map(|node| state.footing_on(&view, LAN, NodeId(node)));
        assert_eq!(found, expected, "{said:?}");
    }

    #[test]
    fn a_node_is_left_only_if_its_network_is_down_there_and_not_for_all() {
        use Reach::{Alone, Deaf, Lost, Settling, Silent, Well};
        let (firm, shaky, none) = (Footing::Firm, Footing::Shaky, Footing::None(LAN));
        check([None, None, None], [firm; 3]);
        check([Some(Well), Some(Well), Some(Lost)], [firm, firm, none]);
        check([Some(Silent), Some(Well), Some(Well)], [none, firm, firm]);
        check([Some(Deaf), Some(Well), Some(Settling)], [shaky, firm, shaky]);
        check([Some(Silent), Some(Deaf), Some(Silent)], [firm; 3]);
        check([Some(Silent), Some(Lost), Some(Lost)], [firm, none, none]);
        check([Some(Silent), Some(Settling), None], [firm, shaky, firm]);
        check([Some(Silent), Some(Alone), None], [none, firm, firm]);
        check([Some(Deaf), Some(Alone), Some(Alone)], [shaky, firm, firm]);
    }
}
