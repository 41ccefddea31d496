//! The checked model. Only the parser makes a [`Cluster`], so every reference in it resolves and every limit holds.

use phalanx_types::{
    GroupName, Monitoring, NetworkId, NetworkName, NodeId, NodeName, PathId, ProofClass, ResourceName, Seat,
    Segment, Span, TieBreakerName, TimingProfile, Timings,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A whole cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cluster {
    /// What the cluster is called.
    pub name: NodeName,
    /// The timing profile.
    pub timing: TimingProfile,
    /// How nodes watch each other.
    pub monitoring: Monitoring,
    /// How much longer a silent node is waited for while its kernel answers an echo (RSCT: `cthatstune -g`); at most
    /// [`GRACE_MAX`](phalanx_types::limits::GRACE_MAX).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<Span>,
    /// Which members may run resources.
    pub quorum: Quorum,
    /// Which tie-breaker decides between two equal halves; it is declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tie_breaker: Option<TieBreakerName>,
    /// Every tie-breaker that is declared.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tie_breakers: BTreeMap<TieBreakerName, TieBreaker>,
    /// The nodes; ids follow the order of the file.
    pub nodes: BTreeMap<NodeId, Node>,
    /// The networks; ids follow the order of the file.
    pub networks: BTreeMap<NetworkId, Network>,
    /// The resource groups.
    pub groups: BTreeMap<GroupName, Group>,
}

/// Which component of a partitioned cluster may run resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quorum {
    /// More than half of the configured nodes.
    Majority,
    /// More than half of those that last had a quorum together for a while.
    Dynamic,
}

/// Where one of two equal halves can claim that it goes on (PowerHA: tie breaker).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TieBreaker {
    /// What it is.
    pub kind: TieBreakerKind,
    /// How long an answer may take, at most [`CLAIM_LIMIT_MAX`](phalanx_types::limits::CLAIM_LIMIT_MAX).
    pub limit: Span,
}

/// What a tie-breaker is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum TieBreakerKind {
    /// Files in a directory that all nodes have mounted from a file server (PowerHA: NFS tie breaker).
    Nfs {
        /// The directory, an absolute path.
        directory: String,
    },
}

/// A node and where it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Its addresses on each network, at least one network, at least one address on each named, all of one subnet.
    pub addresses: BTreeMap<NetworkId, Vec<IpAddr>>,
}

/// A network that joins nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Network {
    /// Its name.
    pub name: NetworkName,
    /// The addresses on it: subnets of one family that do not overlap, at least one. Routers join several.
    pub subnets: Vec<Subnet>,
    /// Whether service addresses may live on it (PowerHA: public rather than private).
    pub service: bool,
    /// Addresses that answer an ICMP echo to who has a working adapter there, such as a router (PowerHA: netmon.cf).
    pub targets: Vec<IpAddr>,
}

/// An address range such as `10.11.0.0/24`; the host part is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Subnet {
    /// The first address.
    pub base: IpAddr,
    /// Leading bits that all addresses share.
    pub prefix: u8,
}

/// An address with the length of its subnet's prefix, such as `10.11.0.100/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Address {
    /// The address itself.
    pub address: IpAddr,
    /// Leading bits shared with its subnet.
    pub prefix: u8,
}

/// A resource group: what moves as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// Where it may run, best first; the first is the home node. Never empty, no node twice.
    pub nodes: Vec<NodeId>,
    /// Where it starts.
    pub startup: Startup,
    /// Where it goes when its node fails.
    pub fallover: Fallover,
    /// Whether it returns.
    pub fallback: Fallback,
    /// The least proof that may move it away from a lost node.
    pub takeover_needs: ProofClass,
    /// Its resources in starting order: a resource comes after everything in its `after`.
    pub resources: Vec<Resource>,
}

/// Where a group starts when the cluster does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Startup {
    /// Only on its home node (PowerHA: OHN).
    HomeNode,
    /// On the first of its nodes that is there (PowerHA: OFAN).
    FirstAvailable,
}

/// Where a group goes when its node fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fallover {
    /// To the next of its nodes in priority order (PowerHA: FNPN).
    NextPriority,
}

/// Whether a group returns to a better node that joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// To a node of higher priority when one joins (PowerHA: FBHPN).
    HigherPriority,
    /// It stays (PowerHA: NFB).
    Never,
}

/// One resource of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// Its name, unique in the group.
    pub name: ResourceName,
    /// Resources of the same group that start before it and stop after it. Free of cycles.
    pub after: Vec<ResourceName>,
    /// Deadlines of its operations.
    pub limits: OperationLimits,
    /// What it is.
    pub kind: ResourceKind,
}

/// Deadlines of a resource's operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OperationLimits {
    /// For a start.
    pub start: Span,
    /// For a stop, before it is killed.
    pub stop: Span,
    /// For a probe or a monitor.
    pub probe: Span,
}

/// What a resource is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ResourceKind {
    /// An address that clients use.
    ServiceAddress(ServiceAddress),
    /// A file system on a shared disk.
    FileSystem(FileSystem),
    /// An application.
    Application(Box<Application>),
}

/// An address that clients use, an alias on an interface of its network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceAddress {
    /// The network; one of its subnets holds the address, and every node of the group has an address in that.
    pub network: NetworkId,
    /// The address.
    pub address: Address,
}

/// A file system on a shared disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileSystem {
    /// The block device, an absolute path, the same on every node of the group.
    pub device: String,
    /// The mount point, an absolute path.
    pub mount: String,
    /// The format.
    pub format: Format,
    /// Mount options as for `mount -o`.
    pub options: Vec<String>,
}

/// Formats of file systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// ext4
    Ext4,
    /// XFS
    Xfs,
    /// Btrfs
    Btrfs,
}

/// A program and its arguments: no shell is between. The program is an absolute path or a bare file name that is
/// looked up in the daemon's fixed PATH. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Command(pub Vec<String>);

/// An application under the cluster's control (PowerHA: application controller).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Application {
    /// Runs the application. It stays in the foreground; with a `process` monitor its end is a failure.
    pub start: Command,
    /// Ends it; without one SIGTERM, then the cgroup is killed.
    pub stop: Option<Command>,
    /// What is done when a monitor fails.
    pub restart: RestartPolicy,
    /// How its health is known.
    pub monitors: Monitors,
}

/// Restart in place, then what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RestartPolicy {
    /// Restarts in place before `then`; 0 means none.
    pub count: u32,
    /// The span over which they are counted.
    pub within: Span,
    /// What follows.
    pub then: Exhausted,
}

/// What follows when an application has used up its restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exhausted {
    /// The group moves to another node.
    Fallover,
    /// An event tells people; the group stays.
    Notify,
}

/// How an application's health is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Monitors {
    /// Watch the main process: its end is a failure, noticed at once.
    pub process: bool,
    /// Commands run at intervals, by name.
    pub custom: BTreeMap<ResourceName, CustomMonitor>,
}

/// A command that says whether an application is well: exit code 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CustomMonitor {
    /// The command.
    pub command: Command,
    /// From one start to the next.
    pub every: Span,
    /// When a run is killed and counts as a failure.
    pub limit: Span,
    /// Failures in a row that make a failure.
    pub failures: u32,
}

impl Cluster {
    /// The node called `name`.
    pub fn node_named(&self, name: &str) -> Option<NodeId> {
        self.nodes.iter().find(|(_, node)| node.name.as_str() == name).map(|(id, _)| *id)
    }

    /// What decides between two equal halves, if anything does.
    pub fn tie_breaker(&self) -> Option<&TieBreaker> {
        self.tie_breakers.get(self.tie_breaker.as_ref()?)
    }

    /// The timings that are configured.
    pub fn timings(&self) -> Timings {
        let timings = Timings::under(self.monitoring, self.timing);
        let timings = self.tie_breaker().map_or(timings, |breaker| timings.with_tie_breaker(breaker.limit));
        timings.with_grace(self.grace.unwrap_or(Span::ZERO))
    }

    /// The nodes with an address on each path, in the order of these addresses, and in which subnet each is.
    pub fn rings(&self) -> BTreeMap<PathId, Vec<Seat>> {
        let mut rings: BTreeMap<PathId, BTreeMap<IpAddr, Seat>> = BTreeMap::new();
        for (node, configured) in &self.nodes {
            for (network, addresses) in &configured.addresses {
                for (index, address) in (0..).zip(addresses) {
                    let path = PathId { network: *network, index };
                    let seat = Seat { node: *node, segment: self.networks[network].segment(*address) };
                    rings.entry(path).or_default().insert(*address, seat);
                }
            }
        }
        rings.into_iter().map(|(path, ring)| (path, ring.into_values().collect())).collect()
    }

    /// How many nodes that count make a quorum where all nodes decide.
    pub fn quorum_size(&self) -> usize {
        match self.quorum {
            Quorum::Majority | Quorum::Dynamic => self.nodes.len() / 2 + 1,
        }
    }
}

impl Network {
    /// The subnet that holds `address`, if any does.
    pub fn subnet_of(&self, address: IpAddr) -> Option<Subnet> {
        self.subnets.iter().copied().find(|subnet| subnet.contains(address))
    }

    /// The place of that subnet among those of the network. The parser sees to it that there is one.
    fn segment(&self, address: IpAddr) -> Segment {
        let found = (0..).zip(&self.subnets).find(|(_, subnet)| subnet.contains(address));
        found.map(|(place, _)| Segment(place)).expect("an address lies in a subnet of its network")
    }
}

impl Group {
    /// The resource called `name`.
    pub fn resource(&self, name: &ResourceName) -> Option<&Resource> {
        self.resources.iter().find(|resource| &resource.name == name)
    }

    /// How far down the priority list `node` is; `None` if the group may not run there.
    pub fn rank(&self, node: NodeId) -> Option<usize> {
        self.nodes.iter().position(|candidate| *candidate == node)
    }
}
