//! Who watches whom as `phalanx topology` gets it: by names and addresses, in the order of the addresses.

use phalanx_api::SCHEMA;
use phalanx_membership::topology::{
    LATE_CLASSES, Lateness, PathOutlook, Reach, RingOutlook, TopologyOutlook,
};
use phalanx_model::Cluster;
use phalanx_types::{Monitoring, NodeId, PathId, Seat, Segment, Span, Tick, Timings};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The whole.
#[derive(Serialize)]
struct Outlook<'a> {
    schema: u32,
    cluster: &'a str,
    pid: i32,
    /// The node that answers.
    node: &'a str,
    monitoring: Monitoring,
    /// Between two beats.
    beat: Span,
    /// Silence on all paths after which a node is declared down.
    detect: Span,
    /// How much longer silence may last while the node's kernel answers an echo.
    #[serde(skip_serializing_if = "Option::is_none")]
    grace: Option<Span>,
    own_time: OwnTime,
    networks: Vec<Network<'a>>,
}

/// How late the node that answers was for what was due, in this life.
#[derive(Serialize)]
struct OwnTime {
    /// How often it was late by at most so many nanoseconds, and by more than the class before.
    late_by: Vec<(Span, u64)>,
    /// How often it was later than all of them.
    later: u64,
    /// By how much it was late at worst.
    worst: Span,
    /// How long ago that was.
    worst_ago: Span,
}

impl OwnTime {
    fn of(lateness: &Lateness, now: Tick) -> OwnTime {
        let Lateness { counts, worst, worst_at } = *lateness;
        OwnTime {
            late_by: LATE_CLASSES.into_iter().zip(counts).collect(),
            later: counts[LATE_CLASSES.len()],
            worst,
            worst_ago: now.since(worst_at),
        }
    }
}

/// A network, and a place among the nodes' addresses there.
#[derive(Serialize)]
struct Network<'a> {
    network: &'a str,
    index: u8,
    /// Of a ring: the highest member, which speaks for all.
    leader: Option<&'a str>,
    /// Of a ring: the one that takes over from it.
    crown_prince: Option<&'a str>,
    /// Of a ring in several subnets: those that speak for the leader in the others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mayors: Vec<&'a str>,
    /// Of a ring: which of the groups that this leader has led.
    instance: Option<u64>,
    members: Vec<Member<'a>>,
}

/// A node with an address there.
#[derive(Serialize)]
struct Member<'a> {
    node: &'a str,
    address: Option<IpAddr>,
    state: &'static str,
    /// How long ago anything came from it.
    heard: Option<Span>,
    /// Whom it is known to watch.
    watches: Vec<&'a str>,
}

/// The topology as JSON.
pub fn topology_outlook(
    cluster: &Cluster,
    timings: &Timings,
    topology: &TopologyOutlook,
    now: Tick,
) -> Value {
    let names = Names { cluster, me: topology.node };
    let rings = cluster.rings();
    let networks = topology.paths.iter().map(|(path, seen)| names.network(*path, &rings[path], seen));
    let outlook = Outlook {
        schema: SCHEMA,
        cluster: cluster.name.as_str(),
        pid: rustix::process::getpid().as_raw_nonzero().get(),
        node: names.node(topology.node),
        monitoring: cluster.monitoring,
        beat: timings.beat(),
        detect: timings.detect(),
        grace: cluster.grace,
        own_time: OwnTime::of(&topology.lateness, now),
        networks: networks.collect(),
    };
    serde_json::to_value(outlook).expect("a topology is plain data")
}

/// In each subnet but the leader's the highest member.
fn mayors(ring: &RingOutlook, order: &[Seat]) -> Vec<NodeId> {
    let is_member = |seat: &&Seat| ring.members.iter().any(|life| life.node == seat.node);
    let members = order.iter().filter(is_member);
    let highest: BTreeMap<Segment, NodeId> = members.map(|seat| (seat.segment, seat.node)).collect();
    highest.into_values().filter(|node| Some(*node) != ring.leader()).collect()
}

struct Names<'a> {
    cluster: &'a Cluster,
    me: NodeId,
}

impl<'a> Names<'a> {
    fn node(&self, node: NodeId) -> &'a str {
        self.cluster.nodes.get(&node).map_or("?", |known| known.name.as_str())
    }

    fn network(&self, path: PathId, order: &[Seat], seen: &PathOutlook) -> Network<'a> {
        let network = self.cluster.networks.get(&path.network);
        let ring = seen.ring.as_ref();
        let name = |node: NodeId| self.node(node);
        Network {
            network: network.map_or("?", |network| network.name.as_str()),
            index: path.index,
            leader: ring.and_then(|ring| ring.leader()).map(name),
            crown_prince: ring.and_then(|ring| ring.crown_prince()).map(name),
            mayors: ring.map_or(Vec::new(), |ring| mayors(ring, order)).into_iter().map(name).collect(),
            instance: ring.map(|ring| ring.instance),
            members: order.iter().map(|seat| self.member(seat.node, path, order, seen)).collect(),
        }
    }

    fn member(&self, node: NodeId, path: PathId, order: &[Seat], seen: &PathOutlook) -> Member<'a> {
        let peer = seen.peers.get(&node);
        let addresses = self.cluster.nodes.get(&node).and_then(|known| known.addresses.get(&path.network));
        let state = match peer.map(|peer| peer.reach) {
            None | Some(Reach::Up) => "up",
            Some(Reach::Unstable) => "unstable",
            Some(Reach::Down) => "down",
        };
        let watches: Vec<NodeId> = match &seen.ring {
            Some(ring) => ring.watched_by(node).into_iter().collect(),
            // With beats to all each watches every other; of one that is down nobody knows.
            None if state == "down" => Vec::new(),
            None => order.iter().map(|seat| seat.node).filter(|other| *other != node).collect(),
        };
        Member {
            node: self.node(node),
            address: addresses.and_then(|all| all.get(usize::from(path.index))).copied(),
            state,
            heard: peer.filter(|_| node != self.me).and_then(|peer| peer.heard),
            watches: watches.into_iter().map(|node| self.node(node)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_membership::topology::{PeerOutlook, RingOutlook};
    use phalanx_types::{Incarnation, NetworkId};
    use std::collections::BTreeMap;

    const FILE: &str = "schema = 1\n\
        cluster = { name = \"demo\", timing = \"auto\", quorum = \"majority\" }\n\
        [node]\n\
        ada = { address = { lan = \"10.11.0.3\" } }\n\
        bob = { address = { lan = \"10.11.0.2\" } }\n\
        cyd = { address = { lan = \"10.11.0.1\" } }\n\
        [network]\n\
        lan = { subnet = \"10.11.0.0/24\" }\n";

    fn outlook(ring: Option<RingOutlook>) -> Value {
        outlook_of(FILE, ring)
    }

    fn outlook_of(file: &str, ring: Option<RingOutlook>) -> Value {
        let cluster = phalanx_model::parse("demo", file).expect("it is good").cluster;
        let peer = |reach, heard: Option<u64>| PeerOutlook { reach, heard: heard.map(Span::from_millis) };
        let peers = [(NodeId(2), peer(Reach::Up, Some(12))), (NodeId(3), peer(Reach::Down, None))];
        let path = PathId { network: NetworkId(0), index: 0 };
        let seen = PathOutlook { peers: peers.into(), ring };
        let paths = BTreeMap::from([(path, seen)]);
        let topology = TopologyOutlook { node: NodeId(1), paths, lateness: Lateness::default() };
        topology_outlook(&cluster, &cluster.timings(), &topology, Tick::ZERO)
    }

    fn column(outlook: &Value, key: &str) -> Vec<Value> {
        let members = outlook["networks"][0]["members"].as_array().expect("a list");
        members.iter().map(|member| member[key].clone()).collect()
    }

    #[test]
    fn nodes_stand_in_the_order_of_their_addresses() {
        let outlook = outlook(None);
        assert_eq!(column(&outlook, "node"), ["cyd", "bob", "ada"]);
        assert_eq!(column(&outlook, "state"), ["down", "up", "up"]);
        assert_eq!(column(&outlook, "heard"), [Value::Null, 12_000_000.into(), Value::Null]);
        assert_eq!(outlook["networks"][0]["leader"], Value::Null);
        assert_eq!(column(&outlook, "watches")[1], serde_json::json!(["cyd", "ada"]));
    }

    #[test]
    fn a_ring_names_who_leads_it_and_who_watches_whom() {
        let life = |node| Incarnation { node: NodeId(node), start: 1 };
        let outlook = outlook(Some(RingOutlook { members: vec![life(2), life(1)], instance: 4 }));
        let network = &outlook["networks"][0];
        assert_eq!((&network["leader"], &network["crown_prince"]), (&"ada".into(), &"bob".into()));
        let watches = column(&outlook, "watches");
        assert_eq!(watches, [serde_json::json!([]), serde_json::json!(["ada"]), serde_json::json!(["bob"])]);
    }

    #[test]
    fn a_ring_in_several_subnets_names_its_mayors() {
        let life = |node| Incarnation { node: NodeId(node), start: 1 };
        let ring = |nodes: &[u16]| {
            Some(RingOutlook { members: nodes.iter().copied().map(life).collect(), instance: 4 })
        };
        let file = FILE
            .replace("ada = { address = { lan = \"10.11.0.3\"", "ada = { address = { lan = \"10.12.0.3\"")
            .replace("\"10.11.0.0/24\"", "[\"10.11.0.0/24\", \"10.12.0.0/24\"]");
        let mayors = |file: &str, nodes| outlook_of(file, ring(nodes))["networks"][0]["mayors"].clone();
        assert_eq!(mayors(&file, &[3, 2, 1]), serde_json::json!(["bob"]));
        assert_eq!(mayors(&file, &[3, 1]), serde_json::json!(["cyd"]));
        assert_eq!(mayors(&file, &[3, 2]), Value::Null);
        assert_eq!(mayors(FILE, &[3, 2, 1]), Value::Null);
    }
}
