//! What is unwise in a cluster that holds. Warns only; never refuses.

use crate::cluster::{Cluster, Group, Node, Resource, ResourceKind};
use crate::fault::FaultId;
use crate::table::Table;
use phalanx_types::{NodeId, ProofClass};
use std::ops::Range;

/// Warns of everything unwise in `cluster`, at the places of `file` where it stands.
pub(crate) fn advise(cluster: &Cluster, file: &Table) {
    let adviser = Adviser { file };
    adviser.on_numbers(cluster);
    cluster.nodes.values().for_each(|node| adviser.on_node(node, cluster));
    adviser.on_networks(cluster);
    cluster.groups.values().for_each(|group| adviser.on_group(group));
}

struct Adviser<'a> {
    file: &'a Table<'a>,
}

impl Adviser<'_> {
    fn warn(&self, id: FaultId, at: Range<usize>, what: impl Into<String>, remedy: &str) {
        self.file.notebook.warn(id, at, what, remedy);
    }

    fn on_numbers(&self, cluster: &Cluster) {
        if cluster.nodes.len() == 1 {
            let what = "one node can restart an application, but nothing can take it over";
            self.warn(FaultId::OneNode, self.file.key_at("node"), what, "declare at least three nodes");
        }
        if let [network] = &cluster.networks.values().collect::<Vec<_>>()[..] {
            let what = format!(
                "all nodes meet on network \"{}\" only: a failed switch looks like failed nodes",
                network.name
            );
            self.warn(FaultId::OneNetwork, self.file.key_at("network"), what, "declare a second network");
        }
    }

    fn on_node(&self, node: &Node, cluster: &Cluster) {
        if cluster.networks.len() > 1 && node.addresses.len() == 1 {
            let what = format!(
                "node \"{}\" is on one network only: a failed adapter looks like a failed node",
                node.name
            );
            let at = self.file.place(&["node", node.name.as_str()]);
            self.warn(FaultId::OnePath, at, what, "give it an address on a second network");
        }
    }

    fn on_networks(&self, cluster: &Cluster) {
        for (id, network) in &cluster.networks {
            let joined = cluster.nodes.values().filter(|node| node.addresses.contains_key(id)).count();
            if joined < 2 && cluster.nodes.len() > 1 {
                let what = format!(
                    "network \"{}\" joins {joined} of the nodes, so nothing can be seen over it",
                    network.name
                );
                let at = self.file.place(&["network", network.name.as_str()]);
                self.warn(FaultId::LonelyNetwork, at, what, "give the nodes addresses on it, or remove it");
            }
        }
    }

    fn on_group(&self, group: &Group) {
        let at = || self.file.place(&["group", group.name.as_str()]);
        let name = &group.name;
        if let [NodeId(_)] = group.nodes[..] {
            let what = format!("group \"{name}\" has one node and nowhere to go");
            self.warn(FaultId::OneHome, at(), what, "add a second node to `nodes`");
        }
        if group.resources.is_empty() {
            let what = format!("group \"{name}\" has no resources");
            self.warn(
                FaultId::NoResources,
                at(),
                what,
                &format!("declare them under [group.{name}.resource]"),
            );
        }
        self.on_proof(group, at());
        group.resources.iter().for_each(|resource| self.on_resource(group, resource));
    }

    fn on_proof(&self, group: &Group, at: Range<usize>) {
        let (name, needs) = (&group.name, group.takeover_needs);
        let is_disk = |resource: &&Resource| matches!(resource.kind, ResourceKind::FileSystem(_));
        let shared = group.resources.iter().find(is_disk);
        if needs > ProofClass::Process {
            let what = format!(
                "group \"{name}\": this version gives no proof of class {needs}, so what a lost node has of it moves only when that node is back or was booted anew"
            );
            let remedy = "use takeover-needs = \"process\" if it is to move by itself, or be ready to bring a lost node back";
            self.warn(FaultId::NoFencing, at, what, remedy);
        } else if let Some(disk) = shared.filter(|_| group.nodes.len() > 1) {
            let what = format!(
                "group \"{name}\": shared data \"{}\" moves on proof of class {needs}, which does not cover a host that is frozen as a whole and thawed",
                disk.name
            );
            let remedy = "accept it knowingly and neither suspend nor migrate its hosts, or use takeover-needs = \"fenced\", which waits until the lost node is back";
            self.warn(FaultId::WeakProof, at, what, remedy);
        }
    }

    fn on_resource(&self, group: &Group, resource: &Resource) {
        let ResourceKind::Application(application) = &resource.kind else { return };
        if !application.monitors.process && application.monitors.custom.is_empty() {
            let what = format!(
                "group \"{}\": application \"{}\" has no monitor: nobody notices when it fails",
                group.name, resource.name
            );
            let at = self.file.place(&["group", group.name.as_str(), "resource", resource.name.as_str()]);
            self.warn(
                FaultId::NoMonitor,
                at,
                what,
                "add at least monitor = { alive = { type = \"process\" } }",
            );
        }
    }
}
