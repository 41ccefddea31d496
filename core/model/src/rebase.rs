//! A changed cluster file on a running cluster: which changes can take effect, and the ids that stay.
//!
//! Ids follow the order of the file; on a running cluster they follow the names. Says what is refused and what to do
//! instead, all at once. Never looks at what runs.

use crate::cluster::{Cluster, Group, Network, Node, ResourceKind};
use crate::duration;
use phalanx_types::{NetworkId, NodeId};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;

const NEW_CLUSTER: &str = "this version changes it only in a new cluster; leave it as it is";

/// `new` with the ids that nodes and networks have in `old`, or every change that cannot take effect.
pub fn rebase(new: &Cluster, old: &Cluster) -> Result<Cluster, Vec<String>> {
    let mut refused = Vec::new();
    keep("cluster name", &new.name, &old.name, &mut refused);
    keep("timing", &new.timing, &old.timing, &mut refused);
    keep("monitoring", &new.monitoring, &old.monitoring, &mut refused);
    let grace = |cluster: &Cluster| cluster.grace.map_or("0s".into(), duration::print);
    keep("grace", &grace(new), &grace(old), &mut refused);
    keep_quorum(new, old, &mut refused);
    keep_tie_breakers(new, old, &mut refused);
    keep_all("network", &networks(new), &networks(old), &mut refused);
    keep_all("node", &nodes(new), &nodes(old), &mut refused);
    match refused.is_empty() {
        true => Ok(rename(new, old)),
        false => Err(refused),
    }
}

/// Whether two definitions of a group differ in nothing but policies: where it should run and how it is watched. Such a
/// change may take effect while the group runs.
pub fn differ_in_policies_only(one: &Group, other: &Group) -> bool {
    stripped(one) == stripped(other)
}

/// A group without its policies.
fn stripped(group: &Group) -> Group {
    let mut bare = group.clone();
    bare.nodes.sort_unstable();
    let policies = (crate::Startup::HomeNode, crate::Fallover::NextPriority, crate::Fallback::Never);
    (bare.startup, bare.fallover, bare.fallback) = policies;
    bare.takeover_needs = phalanx_types::ProofClass::Process;
    for resource in &mut bare.resources {
        if let ResourceKind::Application(application) = &mut resource.kind {
            application.monitors = crate::Monitors::default();
            application.restart.count = 0;
            application.restart.within = phalanx_types::Span::ZERO;
            application.restart.then = crate::Exhausted::Notify;
        }
    }
    bare
}

fn keep<T: PartialEq + Display>(what: &str, new: &T, old: &T, refused: &mut Vec<String>) {
    if new != old {
        refused.push(format!("{what} \"{new}\" is \"{old}\" in the running cluster; {NEW_CLUSTER}"));
    }
}

fn keep_quorum(new: &Cluster, old: &Cluster, refused: &mut Vec<String>) {
    if new.quorum != old.quorum {
        refused.push(format!("the quorum policy differs from the running cluster's; {NEW_CLUSTER}"));
    }
}

/// Two tie-breakers could be won by two halves.
fn keep_tie_breakers(new: &Cluster, old: &Cluster, refused: &mut Vec<String>) {
    if (&new.tie_breaker, &new.tie_breakers) != (&old.tie_breaker, &old.tie_breakers) {
        refused.push(format!("the tie-breakers differ from the running cluster's; {NEW_CLUSTER}"));
    }
}

/// What is known of a network or node, by names alone.
type Known<'a, T> = BTreeMap<&'a str, T>;

/// Networks without their targets, which may change at any time.
fn networks(cluster: &Cluster) -> Known<'_, Network> {
    let bare = |network: &Network| Network { targets: Vec::new(), ..network.clone() };
    cluster.networks.values().map(|network| (network.name.as_str(), bare(network))).collect()
}

fn nodes(cluster: &Cluster) -> Known<'_, Known<'_, &Vec<IpAddr>>> {
    cluster.nodes.values().map(|node| (node.name.as_str(), addresses(cluster, node))).collect()
}

fn addresses<'a>(cluster: &'a Cluster, node: &'a Node) -> Known<'a, &'a Vec<IpAddr>> {
    let named =
        |(id, addresses): (&NetworkId, &'a Vec<IpAddr>)| (cluster.networks[id].name.as_str(), addresses);
    node.addresses.iter().map(named).collect()
}

fn keep_all<T: PartialEq>(what: &str, new: &Known<'_, T>, old: &Known<'_, T>, refused: &mut Vec<String>) {
    for (name, wanted) in new {
        match old.get(name) {
            Some(known) if known == wanted => {}
            Some(_) => refused.push(format!("{what} \"{name}\" differs; {NEW_CLUSTER}")),
            None => refused.push(format!(
                "{what} \"{name}\" is new; this version adds none to a running cluster: remove it from the file"
            )),
        }
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        refused.push(format!(
            "{what} \"{name}\" is missing; this version removes none from a running cluster: put it back"
        ));
    }
}

/// `new` in the ids of `old`; all names are the same.
fn rename(new: &Cluster, old: &Cluster) -> Cluster {
    let node = |id: &NodeId| old.node_named(new.nodes[id].name.as_str()).expect("the names are the same");
    let network = |id: NetworkId| {
        let named = |other: &&NetworkId| old.networks[other].name == new.networks[&id].name;
        old.networks.keys().find(named).copied().expect("the names are the same")
    };
    let mut renamed = Cluster { groups: new.groups.clone(), ..old.clone() };
    for (id, wanted) in &new.networks {
        let known = renamed.networks.get_mut(&network(*id)).expect("the names are the same");
        known.targets.clone_from(&wanted.targets);
    }
    for group in renamed.groups.values_mut() {
        group.nodes = group.nodes.iter().map(node).collect();
        for resource in &mut group.resources {
            if let ResourceKind::ServiceAddress(address) = &mut resource.kind {
                address.network = network(address.network);
            }
        }
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    const OLD: &str = r#"
        schema = 1
        cluster = { name = "demo" }
        [node]
        ada = { address = { lan = "10.1.0.1" } }
        bob = { address = { lan = "10.1.0.2" } }
        cyd = { address = { lan = "10.1.0.3" } }
        [network]
        lan = { subnet = "10.1.0.0/24" }
        [group.shop]
        nodes = ["ada", "bob"]
        [group.shop.resource.ip]
        type = "service-address"
        network = "lan"
        address = "10.1.0.100/24"
    "#;

    fn cluster(text: &str) -> Cluster {
        parse("test", text).unwrap_or_else(|faults| panic!("{faults:?}")).cluster
    }

    fn check(text: &str, refused: &[&str]) {
        let said = rebase(&cluster(text), &cluster(OLD)).err().unwrap_or_default();
        assert_eq!(said.len(), refused.len(), "{said:?}");
        for fragment in refused {
            assert!(said.iter().any(|line| line.contains(fragment)), "{fragment:?} is not in {said:?}");
        }
    }

    #[test]
    fn ids_follow_the_names_whatever_the_order_of_the_file() {
        let bob = "        bob = { address = { lan = \"10.1.0.2\" } }\n";
        let shuffled = OLD.replace(bob, "").replace("[node]\n", &format!("[node]\n{bob}"));
        assert_eq!(cluster(&shuffled).node_named("bob"), Some(NodeId(1)));
        assert_eq!(rebase(&cluster(&shuffled), &cluster(OLD)), Ok(cluster(OLD)));
    }

    #[test]
    fn groups_come_go_and_change() {
        check(&OLD.replace("[\"ada\", \"bob\"]", "[\"cyd\", \"ada\"]"), &[]);
        check(&format!("{OLD}\n[group.mail]\nnodes = [\"bob\", \"cyd\"]\n"), &[]);
    }

    #[test]
    fn targets_change_at_any_time() {
        let aimed = OLD.replace("/24\" }", "/24\", targets = [\"10.1.0.254\"] }");
        let rebased = rebase(&cluster(&aimed), &cluster(OLD));
        assert_eq!(rebased, Ok(cluster(&aimed)));
        assert_eq!(rebase(&cluster(OLD), &cluster(&aimed)), Ok(cluster(OLD)));
    }

    #[test]
    fn every_change_that_cannot_take_effect_is_told_with_its_remedy() {
        check(&OLD.replace("name = \"demo\"", "name = \"demo\", timing = \"fast\""), &["timing \"fast\" is"]);
        check(&OLD.replace("name = \"demo\"", "name = \"demo\", grace = \"2s\""), &["grace \"2s\" is"]);
        let dan = "cyd = { address = { lan = \"10.1.0.3\" } }\n dan = { address = { lan = \"10.1.0.4\" } }";
        check(
            &OLD.replace("cyd = { address = { lan = \"10.1.0.3\" } }", dan)
                .replace("10.1.0.2\"", "10.1.0.9\""),
            &["node \"dan\" is new", "node \"bob\" differs"],
        );
        check(
            &OLD.replace("cyd = {", "eve = {").replace("lan", "net"),
            &["is new", "is new", "is missing", "is missing", "differs", "differs"],
        );
    }

    #[test]
    fn policies_are_told_from_what_runs() {
        let changed =
            |from: &str, to: &str| cluster(&OLD.replace(from, to)).groups.into_values().next().unwrap();
        let old = changed("", "");
        let check = |from: &str, to: &str, policies: bool| {
            assert_eq!(differ_in_policies_only(&changed(from, to), &old), policies, "{to}");
        };
        check(
            "[\"ada\", \"bob\"]",
            "[\"bob\", \"ada\"]\nfallback = \"never\"\nstartup = \"first-available\"",
            true,
        );
        check("[\"ada\", \"bob\"]", "[\"ada\", \"cyd\"]", false);
        check("10.1.0.100/24", "10.1.0.101/24", false);
    }
}
