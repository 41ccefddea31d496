//! The cluster of a story: three nodes, and one group of an address, a file system and an application.

use phalanx_model::{
    Address, Application, Cluster, Command, Exhausted, Fallback, Fallover, FileSystem, Format, Group,
    Monitors, Network, Node, OperationLimits, Quorum, Resource, ResourceKind, RestartPolicy, ServiceAddress,
    Startup, Subnet,
};
use phalanx_types::{Monitoring, NetworkId, NodeId, ProofClass, Span, TimingProfile};
use std::collections::BTreeMap;

pub const NODES: [&str; 3] = ["ada", "bob", "cyd"];

/// A cluster whose groups are told by lines such as `group shop on ada bob startup home-node fallback never`.
pub fn of(lines: &[&str]) -> Cluster {
    let node = |(index, name): (usize, &&str)| {
        let address = format!("10.11.0.{}", index + 1).parse().unwrap();
        let addresses = BTreeMap::from([(NetworkId(0), vec![address])]);
        (NodeId(index as u16 + 1), Node { name: name.parse().unwrap(), addresses })
    };
    let group = |(index, line): (usize, &&str)| {
        let group = group(index, line);
        (group.name.clone(), group)
    };
    let lan = Network {
        name: "lan".parse().unwrap(),
        subnets: vec![Subnet { base: "10.11.0.0".parse().unwrap(), prefix: 24 }],
        service: true,
        targets: Vec::new(),
    };
    let cluster = Cluster {
        grace: None,
        tie_breaker: None,
        tie_breakers: BTreeMap::new(),
        name: "demo".parse().unwrap(),
        timing: TimingProfile::Auto,
        monitoring: Monitoring::Mesh,
        quorum: Quorum::Majority,
        nodes: NODES.iter().enumerate().map(node).collect(),
        networks: BTreeMap::from([(NetworkId(0), lan)]),
        groups: lines.iter().enumerate().map(group).collect(),
    };
    // As the ledger has it: its own order of resources.
    phalanx_model::parse("story", &cluster.to_toml()).unwrap_or_else(|faults| panic!("{faults:?}")).cluster
}

pub fn node(name: &str) -> NodeId {
    let index = NODES.iter().position(|known| *known == name).unwrap_or_else(|| panic!("no node {name}"));
    NodeId(index as u16 + 1)
}

pub fn name(node: NodeId) -> &'static str {
    NODES[usize::from(node.0) - 1]
}

fn group(index: usize, line: &str) -> Group {
    let words: Vec<_> = line.split_whitespace().collect();
    let value = |key: &str| words.iter().position(|word| *word == key).map(|at| words[at + 1]);
    let at = |key: &str| words.iter().position(|word| *word == key).unwrap_or(words.len());
    let nodes = words[at("on") + 1..].iter().take_while(|word| NODES.contains(*word));
    let restarts = value("restarts").map_or(1, |count| count.parse().unwrap());
    Group {
        name: words[1].parse().unwrap(),
        nodes: nodes.map(|name| node(name)).collect(),
        startup: match value("startup") {
            Some("first-available") => Startup::FirstAvailable,
            _ => Startup::HomeNode,
        },
        fallover: Fallover::NextPriority,
        fallback: match value("fallback") {
            Some("never") => Fallback::Never,
            _ => Fallback::HigherPriority,
        },
        takeover_needs: ProofClass::Process,
        resources: resources(index, words[1], restarts),
    }
}

fn resources(index: usize, group: &str, restarts: u32) -> Vec<Resource> {
    let named = |what: &str| format!("{group}-{what}").parse().unwrap();
    let limits =
        OperationLimits { start: Span::from_secs(10), stop: Span::from_secs(5), probe: Span::from_secs(1) };
    let address = ServiceAddress {
        network: NetworkId(0),
        address: Address { address: format!("10.11.0.{}", 100 + index).parse().unwrap(), prefix: 24 },
    };
    let data = FileSystem {
        device: format!("/dev/phalanx/{group}"),
        mount: format!("/srv/{group}"),
        format: Format::Ext4,
        options: Vec::new(),
    };
    let web = Application {
        start: Command(vec!["shop".into()]),
        stop: None,
        restart: RestartPolicy { count: restarts, within: Span::from_secs(60), then: Exhausted::Fallover },
        monitors: Monitors { process: true, custom: BTreeMap::new() },
    };
    vec![
        Resource { name: named("ip"), after: vec![], limits, kind: ResourceKind::ServiceAddress(address) },
        Resource { name: named("data"), after: vec![], limits, kind: ResourceKind::FileSystem(data) },
        Resource {
            name: named("web"),
            after: vec![named("ip"), named("data")],
            limits,
            kind: ResourceKind::Application(Box::new(web)),
        },
    ]
}
