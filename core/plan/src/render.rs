//! Plans in words, for logs, `explain` and golden tests.

use crate::order::Objection;
use crate::place::Standstill;
use crate::plan::Plan;
use crate::state::Reason;
use crate::step::{Step, StepKind};
use phalanx_model::Cluster;
use phalanx_types::{GroupName, NetworkId, NodeId};
use std::collections::BTreeSet;

/// The name of a node, or its number where the configuration does not know it.
pub fn node_name(cluster: &Cluster, node: NodeId) -> String {
    cluster.nodes.get(&node).map_or_else(|| node.to_string(), |known| known.name.to_string())
}

/// The name of a network, or its number where the configuration does not know it.
pub fn network_name(cluster: &Cluster, network: NetworkId) -> String {
    let known = cluster.networks.get(&network);
    known.map_or_else(|| format!("network {}", network.0), |known| known.name.to_string())
}

/// A reason in words.
pub fn reason(cluster: &Cluster, reason: &Reason) -> String {
    let name = |node: &NodeId| node_name(cluster, *node);
    match reason {
        Reason::Startup => "its startup policy brings it online".into(),
        Reason::Fallover { from } => format!("{} is lost", name(from)),
        Reason::NextNode { failed, why } => format!("it failed on {}: {why}", name(failed)),
        Reason::Fallback { to } => format!("{} has higher priority and is there", name(to)),
        Reason::Moved { to } => format!("an operator moves it to {}", name(to)),
        Reason::Offline => "an operator brings it offline".into(),
        Reason::Claimed { keeper } => format!("two nodes claim it; {} acquired it later", name(keeper)),
        Reason::Superseded { node } => {
            format!("a later acquisition was begun since {} acquired it", name(node))
        }
        Reason::Continued => "its acquisition goes on after a change of view".into(),
        Reason::Leaving { node } => format!("{} shuts down", name(node)),
        Reason::Unguarded { node } => format!("{} has no deadman, and without one no lease", name(node)),
        Reason::NetworkDown { node, network } => {
            format!("network {} is down on {}", network_name(cluster, *network), name(node))
        }
        Reason::Recovered => "nobody has it any more".into(),
        Reason::Blocked { node } => format!("{} cannot stop it, so nobody else can start it", name(node)),
        Reason::MayHold { node } => format!("{} may still hold it", name(node)),
    }
}

/// Why nothing is done, in words.
pub fn standstill(cluster: &Cluster, group: &GroupName, why: &Standstill) -> String {
    let name = |node: &NodeId| node_name(cluster, *node);
    match why {
        Standstill::Online { node } => format!("{group} runs on {}", name(node)),
        Standstill::InMotion => format!("a plan for {group} is under way"),
        Standstill::ByOperator => format!("an operator brought {group} offline"),
        Standstill::Unreachable { node, network } => format!(
            "{group} runs on {0}, where network {1} of its service address is down; no other node is better",
            name(node),
            network_name(cluster, *network)
        ),
        Standstill::NoNetwork { network } => format!(
            "network {} of the service address of {group} is down on every node that could have it",
            network_name(cluster, *network)
        ),
        Standstill::LackOfNode => format!("lack of available node: none of the nodes of {group} is there"),
        Standstill::AwaitsHome { home } => {
            format!("{group} starts on its home node {} only, and that is not there", name(home))
        }
        Standstill::FailedEverywhere => format!("{group} failed on every node that is there"),
        Standstill::Stuck { node, why } => format!("{group} cannot be stopped on {}: {why}", name(node)),
        Standstill::Releasing { node } => format!("{} is still letting {group} go", name(node)),
        Standstill::Unprobed { node } => {
            format!("{} has not yet looked whether it holds {group}", name(node))
        }
        Standstill::Halted { why } => format!("automation of {group} stopped: {why}"),
    }
}

/// Why an order was turned down and what to do, in words.
pub fn objection(cluster: &Cluster, objection: &Objection) -> String {
    let name = |node: &NodeId| node_name(cluster, *node);
    match objection {
        Objection::UnknownGroup(group) => {
            let known: Vec<_> = cluster.groups.keys().map(GroupName::as_str).collect();
            format!("there is no group {group}; the groups are: {}", known.join(", "))
        }
        Objection::UnknownNode(node) => format!("there is no {node} in this cluster"),
        Objection::NotItsNode(group, node) => {
            format!("{group} may not run on {}; add the node to its list first", name(node))
        }
        Objection::NotThere(node) => format!("{0} is not in the cluster now; start {0} first", name(node)),
        Objection::IsUnguarded(node) => {
            format!("{} has no deadman, and without one no lease; start phalanx-deadman there", name(node))
        }
        Objection::NoNetwork(node, network) => format!(
            "network {} of its service address is down on {}; choose another node, or mend the adapter first",
            network_name(cluster, *network),
            name(node)
        ),
        Objection::IsLeaving(node) => format!("{} is shutting down; choose another node", name(node)),
        Objection::IsOffline(group) => format!("{group} is offline; bring it online first"),
    }
}

impl Plan {
    /// The plan as lines, one for each step, in an order in which they could be done.
    pub fn lines(&self, cluster: &Cluster) -> Vec<String> {
        self.steps.iter().map(|step| self.line(cluster, step)).collect()
    }

    fn line(&self, cluster: &Cluster, step: &Step) -> String {
        let (node, group) = (node_name(cluster, step.node), &step.group);
        let what = match &step.kind {
            StepKind::Stop { resource } => format!("stop {resource}"),
            StepKind::Release => format!("probe and release {group}"),
            StepKind::AwaitProof { of } => {
                format!("await proof that {} let {group} go", node_name(cluster, *of))
            }
            StepKind::Start { resource, .. } => format!("start {resource}"),
            StepKind::Declare => format!("declare {group} online"),
        };
        let causes: BTreeSet<_> =
            step.after.iter().filter_map(|id| self.cause(cluster, step, self.step(*id)?)).collect();
        match causes.is_empty() {
            true => format!("{node}: {what} — because {}", reason(cluster, &step.reason)),
            false => format!("{node}: {what} — after {}", causes.into_iter().collect::<Vec<_>>().join(", ")),
        }
    }

    /// What `before` is to `step`; gates are told by the first starts only.
    fn cause(&self, cluster: &Cluster, step: &Step, before: &Step) -> Option<String> {
        let inner = |id| self.step(id).is_some_and(|other| other.node == step.node && !other.is_gate());
        let first = before.node == step.node && !before.is_gate();
        let gated_before = step.after.iter().any(|id| inner(*id));
        match &before.kind {
            StepKind::Stop { resource } => Some(format!("{resource} stopped")),
            StepKind::Start { resource, .. } => Some(format!("{resource} started")),
            StepKind::Release | StepKind::AwaitProof { .. } | StepKind::Declare if gated_before && !first => {
                None
            }
            StepKind::Release => {
                Some(format!("{} released {}", node_name(cluster, before.node), before.group))
            }
            StepKind::AwaitProof { of } => Some(format!("{} provably let go", node_name(cluster, *of))),
            StepKind::Declare => Some(format!("{} is online", before.group)),
        }
    }

    fn step(&self, id: crate::step::StepId) -> Option<&Step> {
        self.steps.get(usize::try_from(id.0).ok()?)
    }
}

impl Step {
    fn is_gate(&self) -> bool {
        matches!(self.kind, StepKind::Release | StepKind::AwaitProof { .. })
    }
}
