//! Who and what the file has declared so far, so that references resolve and nothing is claimed twice.
//!
//! A thing counts as declared as soon as its name stands in the file, even if the rest of it is faulty: one slip
//! shall not draw a fault at every place that refers to it.

use crate::cluster::{Network, Subnet};
use crate::fault::{FaultId, Refused, quoted};
use crate::suggest;
use crate::table::{Table, Value};
use phalanx_types::{NetworkId, NodeId};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;

/// What is declared, and what is taken.
#[derive(Default)]
pub(crate) struct Directory {
    nodes: BTreeMap<String, NodeId>,
    networks: BTreeMap<String, NetworkId>,
    tie_breakers: BTreeSet<String>,
    described: BTreeMap<NetworkId, Network>,
    attached: BTreeMap<NodeId, BTreeSet<NetworkId>>,
    seated: BTreeMap<(NodeId, NetworkId), Subnet>,
    addresses: BTreeMap<IpAddr, String>,
    targets: BTreeMap<IpAddr, String>,
    devices: BTreeMap<String, String>,
    mounts: BTreeMap<String, Mount>,
}

/// A mount point that is taken.
struct Mount {
    group: String,
    holder: String,
}

impl Directory {
    /// Gives the next node its id.
    pub(crate) fn declare_node(&mut self, name: &str) -> NodeId {
        let count = u16::try_from(self.nodes.len()).expect("the walk stops at NODES_MAX");
        *self.nodes.entry(name.to_owned()).or_insert(NodeId(count + 1))
    }

    /// Gives the next network its id.
    pub(crate) fn declare_network(&mut self, name: &str) -> NetworkId {
        let count = u8::try_from(self.networks.len()).expect("the walk stops at NETWORKS_MAX");
        *self.networks.entry(name.to_owned()).or_insert(NetworkId(count))
    }

    /// Remembers a tie-breaker's name.
    pub(crate) fn declare_tie_breaker(&mut self, name: &str) {
        self.tie_breakers.insert(name.to_owned());
    }

    /// Refuses the name of a tie-breaker that is not declared.
    pub(crate) fn check_tie_breaker(
        &self,
        name: &str,
        at: Range<usize>,
        table: &Table,
    ) -> Result<(), Refused> {
        let (id, known) = (FaultId::UnknownTieBreaker, self.tie_breakers.iter());
        match self.tie_breakers.contains(name) {
            true => Ok(()),
            false => Err(undeclared(id, "tie-breaker", name, at, table, known)),
        }
    }

    /// Remembers a network that holds.
    pub(crate) fn describe_network(&mut self, id: NetworkId, network: Network) {
        self.described.insert(id, network);
    }

    /// The network, unless there is a fault in it.
    pub(crate) fn described(&self, id: NetworkId) -> Option<&Network> {
        self.described.get(&id)
    }

    /// A subnet of another network that has addresses in common with `subnet`.
    pub(crate) fn overlap(&self, subnet: Subnet) -> Option<(Subnet, &Network)> {
        let subnets = |network| move |subnet: &Subnet| (*subnet, network);
        let mut all =
            self.described.values().flat_map(|network| network.subnets.iter().map(subnets(network)));
        all.find(|(other, _)| other.overlaps(subnet))
    }

    /// Remembers that a node has an address on a network.
    pub(crate) fn attach(&mut self, node: NodeId, network: NetworkId) {
        self.attached.entry(node).or_default().insert(network);
    }

    /// Remembers which subnet of a network a node's addresses there are in.
    pub(crate) fn seat(&mut self, node: NodeId, network: NetworkId, subnet: Subnet) {
        self.seated.insert((node, network), subnet);
    }

    /// The subnet of a network that a node's addresses there are in, unless there is a fault in them.
    pub(crate) fn seat_of(&self, node: NodeId, network: NetworkId) -> Option<Subnet> {
        self.seated.get(&(node, network)).copied()
    }

    /// Whether a node is known to be on some network, but not on this one.
    pub(crate) fn is_off(&self, node: NodeId, network: NetworkId) -> bool {
        self.attached.get(&node).is_some_and(|networks| !networks.contains(&network))
    }

    /// Whether two nodes are each on some network, but on none together.
    pub(crate) fn are_strangers(&self, one: &str, other: &str) -> bool {
        let networks = |name| self.nodes.get(name).and_then(|id| self.attached.get(id));
        networks(one).zip(networks(other)).is_some_and(|(one, other)| one.is_disjoint(other))
    }

    /// The node called `name`.
    pub(crate) fn node(&self, name: &str, at: Range<usize>, table: &Table) -> Result<NodeId, Refused> {
        let known = self.nodes.get(name).copied();
        known.ok_or_else(|| undeclared(FaultId::UnknownNode, "node", name, at, table, self.nodes.keys()))
    }

    /// The name of a declared node.
    pub(crate) fn node_name(&self, node: NodeId) -> &str {
        let found = self.nodes.iter().find(|(_, id)| **id == node);
        found.map(|(name, _)| name.as_str()).expect("only the directory gives ids")
    }

    /// The network called `name`.
    pub(crate) fn network(&self, name: &str, at: Range<usize>, table: &Table) -> Result<NetworkId, Refused> {
        let known = self.networks.get(name).copied();
        known.ok_or_else(|| {
            undeclared(FaultId::UnknownNetwork, "network", name, at, table, self.networks.keys())
        })
    }

    /// Remembers a target of `network`: it belongs to nobody of the cluster. Networks may share one.
    pub(crate) fn aim_at(&mut self, address: IpAddr, network: &str) {
        self.targets.entry(address).or_insert_with(|| network.to_owned());
    }

    /// Takes an address for `holder`.
    pub(crate) fn claim_address(
        &mut self,
        value: &Value,
        address: IpAddr,
        holder: &str,
    ) -> Result<(), Refused> {
        if let Some(network) = self.targets.get(&address) {
            let what = format!(
                "address {address} is a target of {network}, and only hosts outside the cluster are of use there"
            );
            return Err(value.refuse(
                FaultId::AddressTaken,
                &what,
                "use another address, or take it from the targets",
            ));
        }
        let earlier = claim(&mut self.addresses, address, holder);
        let refuse = |other| {
            let what = format!("address {address} is already that of {other}");
            Err(value.refuse(FaultId::AddressTaken, &what, "give each an address of its own"))
        };
        earlier.map_or(Ok(()), refuse)
    }

    /// Takes a device for `holder`.
    pub(crate) fn claim_device(&mut self, value: &Value, device: &str, holder: &str) -> Result<(), Refused> {
        let earlier = claim(&mut self.devices, device.to_owned(), holder);
        let refuse = |other| {
            let what = format!("device {} is already that of {other}", quoted(device));
            Err(value.refuse(FaultId::DiskTaken, &what, "give each file system a device of its own"))
        };
        earlier.map_or(Ok(()), refuse)
    }

    /// Takes a mount point for `holder` in `group`.
    pub(crate) fn claim_mount(
        &mut self,
        value: &Value,
        path: &str,
        group: &str,
        holder: &str,
    ) -> Result<(), Refused> {
        let refusal =
            self.mount_conflict(path, group).map(|(id, what, remedy)| value.refuse(id, &what, remedy));
        let mount = Mount { group: group.to_owned(), holder: holder.to_owned() };
        self.mounts.entry(path.to_owned()).or_insert(mount);
        refusal.map_or(Ok(()), Err)
    }

    fn mount_conflict(&self, path: &str, group: &str) -> Option<(FaultId, String, &'static str)> {
        if let Some(other) = self.mounts.get(path) {
            let what = format!("mount {} is already that of {}", quoted(path), other.holder);
            return Some((FaultId::DiskTaken, what, "give each file system a mount point of its own"));
        }
        let below = format!("{path}/");
        let inner = self.mounts.range(below.clone()..).take_while(|(other, _)| other.starts_with(&below));
        let outer = enclosing(path).filter_map(|outer| self.mounts.get_key_value(outer));
        let related =
            inner.map(|inner| ("would hide", inner)).chain(outer.map(|outer| ("lies within", outer)));
        let (relation, (other, mount)) = { related }.find(|(_, (_, mount))| mount.group != group)?;
        let what = format!("mount {} {relation} {}, that of {}", quoted(path), quoted(other), mount.holder);
        Some((FaultId::NestedMount, what, "use another mount point, or one group for both"))
    }
}

/// Takes `thing` for `holder`, unless somebody has it; then who that is.
fn claim<T: Ord>(taken: &mut BTreeMap<T, String>, thing: T, holder: &str) -> Option<String> {
    match taken.entry(thing) {
        Entry::Vacant(free) => {
            free.insert(holder.to_owned());
            None
        }
        Entry::Occupied(held) => Some(held.get().clone()),
    }
}

/// The directories that `path` lies in, the nearest first.
fn enclosing(path: &str) -> impl Iterator<Item = &str> {
    path.rmatch_indices('/').map(|(at, _)| &path[..at]).filter(|outer| !outer.is_empty())
}

/// Whether `inner` lies within `outer`.
pub(crate) fn lies_within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}

fn undeclared<'a>(
    id: FaultId,
    kind: &str,
    name: &str,
    at: Range<usize>,
    table: &Table,
    known: impl Iterator<Item = &'a String>,
) -> Refused {
    let what = table.say(&format!("{kind} {} is not declared", quoted(name)));
    let remedy = match suggest::nearest(name, known.map(String::as_str)) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("declare it under [{kind}] or remove it"),
    };
    table.notebook.refuse(id, at, what, remedy)
}
