//! Networks and nodes: subnets that do not overlap, addresses that lie in them, nodes that can see each other.

use crate::address::{self, family, same_family};
use crate::cluster::{Address, Network, Node, Subnet};
use crate::directory::Directory;
use crate::fault::{FaultId, Refused, quoted};
use crate::keys::Section;
use crate::read::{limited, refuse_repeated};
use crate::table::{Entry, Read, Table, Value};
use phalanx_types::limits::{ADDRESSES_PER_NETWORK_MAX, NETWORKS_MAX, NODES_MAX, SUBNETS_MAX, TARGETS_MAX};
use phalanx_types::{NetworkId, NodeId};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// All networks of the file.
pub(crate) fn networks(
    file: &Table,
    directory: &mut Directory,
) -> Result<BTreeMap<NetworkId, Network>, Refused> {
    file.required_value("network")?;
    let entries = file.entries("network", NETWORKS_MAX)?;
    if entries.is_empty() {
        return Err(refuse_none(file, "network", "networks"));
    }
    let networks: Vec<_> = entries.iter().map(|entry| network(entry, directory)).collect();
    networks.into_iter().collect()
}

fn refuse_none(file: &Table, name: &str, things: &str) -> Refused {
    let (at, what) = (file.key_at(name), format!("no {things} are declared"));
    let example = Section::File.key(name).map(|key| key.example).unwrap_or_default();
    file.notebook.refuse(FaultId::TooFew, at, what, format!("declare them, for example {name} = {example}"))
}

fn network(entry: &Entry, directory: &mut Directory) -> Result<(NetworkId, Network), Refused> {
    let id = directory.declare_network(entry.name);
    let name = entry.name();
    let table = entry.table("network", Section::Network)?;
    table.check_keys();
    let subnets = subnets(&table, directory);
    let service = table.or_default("service");
    let targets =
        targets(&table, subnets.as_ref().ok().and_then(|subnets| subnets.first().copied()), directory);
    let network = Network { name: name?, subnets: subnets?, service: service?, targets: targets? };
    directory.describe_network(id, network.clone());
    Ok((id, network))
}

/// The subnets of a network: of one family, and apart from each other and from those of other networks.
fn subnets(table: &Table, directory: &Directory) -> Result<Vec<Subnet>, Refused> {
    let value = table.required_value("subnet")?;
    let items = value.items_or_alone("a list of subnets")?;
    if items.is_empty() {
        let remedy = format!("write for example subnet = {}", value.key.example);
        return Err(value.refuse(FaultId::TooFew, "subnet names none", remedy));
    }
    limited(&value, items.len(), SUBNETS_MAX)?;
    let (mut subnets, mut refused) = (Vec::new(), None);
    for item in &items {
        match subnet(item, directory).and_then(|subnet| check_beside(item, subnet, &subnets)) {
            Ok(subnet) => subnets.push(subnet),
            Err(fault) => refused = Some(fault),
        }
    }
    refused.map_or(Ok(subnets), Err)
}

/// Refuses a subnet that does not go with `others` of its network.
fn check_beside(value: &Value, subnet: Subnet, others: &[Subnet]) -> Result<Subnet, Refused> {
    if let Some(other) = others.iter().find(|other| !same_family(other.base, subnet.base)) {
        let (own, first) = (family(subnet.base), family(other.base));
        let what = format!("subnet {subnet} is {own}, but {other} is {first}");
        return Err(value.refuse(FaultId::OtherFamily, &what, "declare a network for each family"));
    }
    if let Some(other) = others.iter().find(|other| other.overlaps(subnet)) {
        let what = format!("subnet {subnet} overlaps {other} of the same network");
        return Err(value.refuse(FaultId::SubnetOverlap, &what, "keep one of the two"));
    }
    Ok(subnet)
}

fn subnet(value: &Value, directory: &Directory) -> Result<Subnet, Refused> {
    let written = Address::read(value)?;
    let subnet = written.subnet();
    if subnet.base != written.address {
        let what = format!("subnet {written} has bits set beyond its prefix");
        return Err(value.refuse(FaultId::HostBits, &what, format!("write \"{subnet}\"")));
    }
    if !subnet.is_sensible() {
        let what = format!("subnet {subnet} does not suit a network of nodes");
        return Err(value.refuse(
            FaultId::PrefixRange,
            &what,
            "use /8 to /30 for IPv4, /16 to /126 for IPv6",
        ));
    }
    if let Some((overlapped, other)) = directory.overlap(subnet) {
        let what = format!("subnet {subnet} overlaps {overlapped} of network \"{}\"", other.name);
        return Err(value.refuse(FaultId::SubnetOverlap, &what, "give each network a subnet of its own"));
    }
    Ok(subnet)
}

/// The targets of a network: hosts of its family that are no node of the cluster; in a subnet of it or behind a router.
fn targets(table: &Table, subnet: Option<Subnet>, directory: &mut Directory) -> Result<Vec<IpAddr>, Refused> {
    let Some(value) = table.value("targets") else { return Ok(Vec::new()) };
    let items = value.items("a list of addresses")?;
    limited(&value, items.len(), TARGETS_MAX)?;
    let targets: Vec<_> = items.iter().map(|item| target(item, subnet, &table.subject, directory)).collect();
    refuse_repeated(&items, &targets);
    targets.into_iter().collect()
}

fn target(
    value: &Value,
    subnet: Option<Subnet>,
    network: &str,
    directory: &mut Directory,
) -> Result<IpAddr, Refused> {
    let address = IpAddr::read(value)?;
    if let Some(kind) = address::special(address) {
        let what = format!("address {address} {kind}");
        return Err(value.refuse(
            FaultId::SpecialAddress,
            &what,
            "use the address of a host, such as a router",
        ));
    }
    if let Some(subnet) = subnet.filter(|subnet| !same_family(address, subnet.base)) {
        let (own, other) = (family(address), family(subnet.base));
        let what = format!("address {address} is {own}, but {subnet} is {other}");
        return Err(value.refuse(FaultId::OtherFamily, &what, "use an address of the network's family"));
    }
    directory.aim_at(address, network);
    Ok(address)
}

/// All nodes of the file.
pub(crate) fn nodes(file: &Table, directory: &mut Directory) -> Result<BTreeMap<NodeId, Node>, Refused> {
    file.required_value("node")?;
    let entries = file.entries("node", NODES_MAX)?;
    if entries.is_empty() {
        return Err(refuse_none(file, "node", "nodes"));
    }
    let nodes: Vec<_> = entries.iter().map(|entry| node(entry, directory)).collect();
    refuse_strangers(&entries, directory);
    if let [first, second] = &entries[..]
        && !is_tie_broken(file)
    {
        let what = format!(
            "nodes {} and {}: neither has a majority without the other",
            quoted(first.name),
            quoted(second.name)
        );
        let remedy = "declare a third node, or a tie-breaker and its name in [cluster]";
        file.notebook.refuse(FaultId::TwoNodes, file.key_at("node"), what, remedy);
    }
    nodes.into_iter().collect()
}

/// Whether the file names a tie-breaker, good or bad.
fn is_tie_broken(file: &Table) -> bool {
    file.child("cluster", Section::Cluster).is_ok_and(|cluster| cluster.value("tie-breaker").is_some())
}

fn node(entry: &Entry, directory: &mut Directory) -> Result<(NodeId, Node), Refused> {
    let id = directory.declare_node(entry.name);
    let name = entry.name();
    let table = entry.table("node", Section::Node)?;
    table.check_keys();
    let addresses = addresses(&table, id, directory);
    Ok((id, Node { name: name?, addresses: addresses? }))
}

fn addresses(
    table: &Table,
    node: NodeId,
    directory: &mut Directory,
) -> Result<BTreeMap<NetworkId, Vec<IpAddr>>, Refused> {
    let value = table.required_value("address")?;
    let entries = table.entries("address", NETWORKS_MAX)?;
    if entries.is_empty() {
        let remedy = format!("write for example address = {}", value.key.example);
        return Err(value.refuse(FaultId::TooFew, "address names no network", remedy));
    }
    let addresses: Vec<_> = entries.iter().map(|entry| addresses_on(entry, table, node, directory)).collect();
    addresses.into_iter().collect()
}

/// The addresses of a node on one network.
fn addresses_on(
    entry: &Entry,
    table: &Table,
    node: NodeId,
    directory: &mut Directory,
) -> Result<(NetworkId, Vec<IpAddr>), Refused> {
    let network = directory.network(entry.name, entry.at.clone(), table);
    if let Ok(network) = network {
        directory.attach(node, network);
    }
    let items = entry.value.items_or_alone("a list")?;
    if items.is_empty() {
        let what = format!("{} has no address", entry.name);
        return Err(entry.value.refuse(FaultId::TooFew, &what, "write an address, or leave the network out"));
    }
    limited(&entry.value, items.len(), ADDRESSES_PER_NETWORK_MAX)?;
    let addresses: Vec<_> =
        items.iter().map(|item| node_address(item, network.ok(), table, directory)).collect();
    let (network, addresses) = (network?, addresses.into_iter().collect::<Result<Vec<_>, _>>()?);
    if let Some(known) = directory.described(network) {
        let subnet = one_subnet(&items, &addresses, known)?;
        directory.seat(node, network, subnet);
    }
    Ok((network, addresses))
}

/// The subnet that all addresses of a node on a network are in.
fn one_subnet(items: &[Value], addresses: &[IpAddr], network: &Network) -> Result<Subnet, Refused> {
    let subnets = || addresses.iter().filter_map(|address| network.subnet_of(*address));
    let first = subnets().next().expect("each was checked, and there is one");
    let placed = items.iter().zip(addresses).zip(subnets());
    let Some(((item, address), other)) = { placed }.find(|(_, subnet)| *subnet != first) else {
        return Ok(first);
    };
    let what = format!(
        "address {address} is in {other}, but the node's first on network \"{}\" is in {first}",
        network.name
    );
    let remedy = "use an address of that subnet, or declare another network for this adapter";
    Err(item.refuse(FaultId::TwoSubnets, &what, remedy))
}

fn node_address(
    value: &Value,
    network: Option<NetworkId>,
    table: &Table,
    directory: &mut Directory,
) -> Result<IpAddr, Refused> {
    let address = IpAddr::read(value)?;
    if let Some(network) = network.and_then(|network| directory.described(network)) {
        check_address(value, address, network)?;
    }
    directory.claim_address(value, address, &table.subject)?;
    Ok(address)
}

/// The subnet of `network` that holds `address`; refuses one that no host can have there.
pub(crate) fn check_address(value: &Value, address: IpAddr, network: &Network) -> Result<Subnet, Refused> {
    let Network { name, subnets, .. } = network;
    let texts: Vec<String> = subnets.iter().map(ToString::to_string).collect();
    let shown = texts.join(" or ");
    if let Some(kind) = address::special(address) {
        let what = format!("address {address} {kind}");
        return Err(value.refuse(FaultId::SpecialAddress, &what, format!("use an address of {shown}")));
    }
    if let Some(subnet) = subnets.iter().find(|subnet| !same_family(address, subnet.base)) {
        let (own, other) = (family(address), family(subnet.base));
        let what = format!("address {address} is {own}, but network \"{name}\" is {other}");
        return Err(value.refuse(FaultId::OtherFamily, &what, format!("use an address of {shown}")));
    }
    let Some(subnet) = network.subnet_of(address) else {
        let word = if subnets.len() == 1 { "the subnet" } else { "the subnets" };
        let what = format!("address {address} is not in {shown}, {word} of network \"{name}\"");
        return Err(value.refuse(
            FaultId::OutsideSubnet,
            &what,
            "correct the address, its network or the subnet",
        ));
    };
    if subnet.reserves(address) {
        let what = format!("address {address} is an end of {subnet} and names no host");
        return Err(value.refuse(FaultId::SubnetEnds, &what, "use an address in between"));
    }
    Ok(subnet)
}

/// Refuses nodes that have no network in common with one declared before.
fn refuse_strangers(entries: &[Entry], directory: &Directory) {
    for (index, entry) in entries.iter().enumerate() {
        let stranger = entries[..index].iter().find(|other| directory.are_strangers(entry.name, other.name));
        if let Some(other) = stranger {
            let what =
                format!("nodes {} and {} have no network in common", quoted(other.name), quoted(entry.name));
            let remedy = "give both an address on one network";
            entry.value.notebook.refuse(FaultId::NoCommonNetwork, entry.at.clone(), what, remedy);
        }
    }
}
