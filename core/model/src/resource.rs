//! One resource: its type, what every type has, and what each type has of its own.

use crate::application::application;
use crate::cluster::{Address, FileSystem, OperationLimits, Resource, ResourceKind, ServiceAddress, Subnet};
use crate::directory::{Directory, lies_within};
use crate::fault::{FaultId, Refused, quoted};
use crate::keys::Section;
use crate::read::{Options, Path, refuse_repeated};
use crate::suggest;
use crate::table::{Entry, Read, Table, Value};
use crate::topology::check_address;
use crate::words::ResourceType;
use phalanx_types::{NetworkId, NodeId};
use std::ops::Range;

/// The group that a resource is in.
pub(crate) struct Home<'a> {
    /// Its name, unchecked.
    pub(crate) group: &'a str,
    /// Its nodes; none if there is a fault in them.
    pub(crate) nodes: &'a [NodeId],
}

/// A resource as far as it could be read, with what its order depends on.
pub(crate) struct Draft {
    /// The place of its type in the order.
    pub(crate) rank: u8,
    /// What `after` says.
    pub(crate) after: Option<Vec<usize>>,
    /// Where `after` stands, else the resource's name.
    pub(crate) after_at: Range<usize>,
    /// Its mount point, if it has one.
    pub(crate) mount: Option<String>,
    /// The resource; its `after` is still empty.
    pub(crate) resource: Result<Resource, Refused>,
}

/// Reads a resource; `names` are those of the whole group.
pub(crate) fn draft(entry: &Entry, names: &[&str], home: &Home, directory: &mut Directory) -> Draft {
    match entry.table("resource", Section::Resource) {
        Ok(table) => draft_table(entry, table, names, home, directory),
        Err(refused) => Draft {
            rank: 0,
            after: Some(Vec::new()),
            after_at: entry.at.clone(),
            mount: None,
            resource: Err(refused),
        },
    }
}

fn draft_table(
    entry: &Entry,
    mut table: Table,
    names: &[&str],
    home: &Home,
    directory: &mut Directory,
) -> Draft {
    let resource_type = table.required::<ResourceType>("type");
    table.section = resource_type.map_or(Section::Resource, section);
    table.check_keys();
    let (name, after, limits) = (entry.name(), after(&table, names), limits(&table));
    let kind = resource_type.and_then(|resource_type| kind(resource_type, &table, home, directory));
    let whole = || Ok(Resource { name: name?, after: Vec::new(), limits: limits?, kind: kind? });
    let resource: Result<Resource, Refused> = whole();
    Draft {
        rank: resource_type.map_or(0, rank),
        after_at: table.key_at("after"),
        mount: mount(&resource),
        resource: after.as_ref().map_or_else(|refused| Err(*refused), |_| resource),
        after: after.unwrap_or(Some(Vec::new())),
    }
}

fn section(resource_type: ResourceType) -> Section {
    match resource_type {
        ResourceType::ServiceAddress => Section::ServiceAddress,
        ResourceType::FileSystem => Section::FileSystem,
        ResourceType::Application => Section::Application,
    }
}

/// The order in which PowerHA acquires types: disks before addresses before applications.
fn rank(resource_type: ResourceType) -> u8 {
    match resource_type {
        ResourceType::FileSystem => 0,
        ResourceType::ServiceAddress => 1,
        ResourceType::Application => 2,
    }
}

fn mount(resource: &Result<Resource, Refused>) -> Option<String> {
    match resource.as_ref().map(|resource| &resource.kind) {
        Ok(ResourceKind::FileSystem(file_system)) => Some(file_system.mount.clone()),
        Ok(ResourceKind::ServiceAddress(_) | ResourceKind::Application(_)) | Err(Refused { .. }) => None,
    }
}

/// What `after` names, as positions in `names`.
fn after(table: &Table, names: &[&str]) -> Result<Option<Vec<usize>>, Refused> {
    const WANTED: &str = "a list of resource names";
    let Some(value) = table.value("after") else { return Ok(None) };
    let items = value.items(WANTED)?;
    let found: Vec<_> = items.iter().map(|item| named(item, item.text(WANTED)?, names)).collect();
    refuse_repeated(&items, &found);
    found.into_iter().collect::<Result<_, _>>().map(Some)
}

fn named(value: &Value, name: &str, names: &[&str]) -> Result<usize, Refused> {
    names.iter().position(|other| *other == name).ok_or_else(|| {
        let what = format!("after names {}, which is not a resource of this group", quoted(name));
        let remedy = match suggest::nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "declare it in this group or remove it".into(),
        };
        value.refuse(FaultId::UnknownResource, &what, remedy)
    })
}

fn limits(table: &Table) -> Result<OperationLimits, Refused> {
    let table = table.child("limits", Section::Limits)?;
    table.check_keys();
    let (start, stop, probe) =
        (table.or_default("start"), table.or_default("stop"), table.or_default("probe"));
    Ok(OperationLimits { start: start?, stop: stop?, probe: probe? })
}

fn kind(
    resource_type: ResourceType,
    table: &Table,
    home: &Home,
    directory: &mut Directory,
) -> Result<ResourceKind, Refused> {
    match resource_type {
        ResourceType::ServiceAddress => {
            service_address(table, home, directory).map(ResourceKind::ServiceAddress)
        }
        ResourceType::FileSystem => file_system(table, home, directory).map(ResourceKind::FileSystem),
        ResourceType::Application => application(table).map(Box::new).map(ResourceKind::Application),
    }
}

fn service_address(table: &Table, home: &Home, directory: &mut Directory) -> Result<ServiceAddress, Refused> {
    let network = service_network(table, home, directory);
    let value = table.required_value("address");
    let address = value.and_then(|value| service_address_on(&value, network.ok(), table, home, directory));
    Ok(ServiceAddress { network: network?, address: address? })
}

/// The network of a service address; every node of the group must be on it.
fn service_network(table: &Table, home: &Home, directory: &Directory) -> Result<NetworkId, Refused> {
    let value = table.required_value("network")?;
    let name = value.text("a network name in quotes")?;
    let network = directory.network(name, value.at.clone(), table)?;
    if directory.described(network).is_some_and(|network| !network.service) {
        let what = format!("network {} is private: it has service = false", quoted(name));
        let remedy = "use another network, or remove service = false";
        return Err(value.refuse(FaultId::PrivateNetwork, &what, remedy));
    }
    for node in home.nodes.iter().filter(|node| directory.is_off(**node, network)) {
        let node = quoted(directory.node_name(*node));
        let what = format!("node {node} of this group is not on network {}", quoted(name));
        value.refuse(FaultId::NodeOffNetwork, &what, "give it an address there, or remove it from `nodes`");
    }
    Ok(network)
}

fn service_address_on(
    value: &Value,
    network: Option<NetworkId>,
    table: &Table,
    home: &Home,
    directory: &mut Directory,
) -> Result<Address, Refused> {
    let address = Address::read(value)?;
    if let Some((id, network)) = network.and_then(|id| directory.described(id).map(|network| (id, network))) {
        let subnet = check_address(value, address.address, network)?;
        if address.prefix != subnet.prefix {
            let (prefix, right) = (address.prefix, subnet.prefix);
            let what = format!(
                "address {address} has prefix /{prefix}, but network \"{}\" has /{right}",
                network.name
            );
            let remedy = format!("write \"{}/{right}\"", address.address);
            return Err(value.refuse(FaultId::PrefixMismatch, &what, remedy));
        }
        check_seats(value, (id, subnet), home, directory)?;
    }
    directory.claim_address(value, address.address, &table.subject)?;
    Ok(address)
}

/// Refuses an address that could not be reached at some node of the group, which is in another subnet of the network.
fn check_seats(
    value: &Value,
    (network, subnet): (NetworkId, Subnet),
    home: &Home,
    directory: &Directory,
) -> Result<(), Refused> {
    let mut refused = None;
    for node in home.nodes {
        if let Some(other) = directory.seat_of(*node, network).filter(|other| *other != subnet) {
            let node = quoted(directory.node_name(*node));
            let what = format!("node {node} of this group is in {other}, not in {subnet} as the address is");
            let remedy = "use an address of a subnet that all nodes of the group are in";
            refused = Some(value.refuse(FaultId::NodeOffSubnet, &what, remedy));
        }
    }
    refused.map_or(Ok(()), Err)
}

fn file_system(table: &Table, home: &Home, directory: &mut Directory) -> Result<FileSystem, Refused> {
    let device = table.required_value("device").and_then(|value| device(&value, table, directory));
    let mount = table.required_value("mount").and_then(|value| mount_point(&value, table, home, directory));
    let (format, options) = (table.required("format"), table.or_default::<Options>("options"));
    Ok(FileSystem { device: device?, mount: mount?, format: format?, options: options?.0 })
}

fn device(value: &Value, table: &Table, directory: &mut Directory) -> Result<String, Refused> {
    let Path(path) = Path::read(value)?;
    directory.claim_device(value, &path, &table.subject)?;
    Ok(path)
}

fn mount_point(
    value: &Value,
    table: &Table,
    home: &Home,
    directory: &mut Directory,
) -> Result<String, Refused> {
    let Path(path) = Path::read(value)?;
    if is_system_directory(&path) {
        let what = format!("mount {} would hide a directory of the operating system", quoted(&path));
        return Err(value.refuse(
            FaultId::SystemDirectory,
            &what,
            "use a directory of its own, such as \"/srv/shop\"",
        ));
    }
    directory.claim_mount(value, &path, home.group, &table.subject)?;
    Ok(path)
}

/// Whether the system breaks when something is mounted on `path`.
fn is_system_directory(path: &str) -> bool {
    const KEPT: [&str; 14] = [
        "/",
        "/bin",
        "/boot",
        "/etc",
        "/lib",
        "/lib64",
        "/root",
        "/run",
        "/sbin",
        "/tmp",
        "/usr",
        "/var",
        "/var/lib",
        "/var/lib/phalanx",
    ];
    const KERNEL: [&str; 3] = ["/dev", "/proc", "/sys"];
    KEPT.contains(&path) || KERNEL.iter().any(|root| path == *root || lies_within(path, root))
}
