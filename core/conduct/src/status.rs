//! The state of things as one value, for `phalanx status` and programs: where each group is, and why.

use crate::manager::{Manager, Phase};
use phalanx_groups::Membership;
use phalanx_model::Cluster;
use phalanx_plan::{GroupRecord, Holding, Intent, Standstill, Verdict, render, verdict};
use phalanx_types::{
    BootId, Digest, GroupName, Majority, NodeId, NodeSet, OwnershipEpoch, Span, Step, Tick, Timings, View,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// The whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The node that says so.
    pub node: String,
    /// Its start number.
    pub start: u64,
    /// The boot of its host.
    pub boot: BootId,
    /// The view it is in.
    pub view: Option<String>,
    /// Whether it may run resources and is in step.
    pub in_step: bool,
    /// The quorum in words: `no quorum: 1 of 3, waiting for bob, cyd`.
    pub quorum: String,
    /// How often operators formed the cluster, counting its beginning.
    pub generation: u64,
    /// Whose word is needed since an operator formed the cluster without the others; empty in a cluster that is whole.
    pub formed_by: Vec<String>,
    /// How long the lease holds.
    pub lease_left: Span,
    /// How far the timings are stretched, and why.
    pub timings: TimingStatus,
    /// Version of the active configuration.
    pub config_version: u64,
    /// Its digest.
    pub config: Digest,
    /// Whether the node shuts down.
    pub leaving: bool,
    /// Every configured node by name.
    pub nodes: BTreeMap<String, NodeStatus>,
    /// Every configured group.
    pub groups: BTreeMap<GroupName, GroupStatus>,
}

/// The timings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimingStatus {
    /// What the cluster file says.
    pub configured: Timings,
    /// What this node goes by.
    pub in_force: Timings,
    /// The step of the ladder that was agreed on: 0 is as configured.
    pub step: Step,
    /// Whether all members are known to go by it.
    pub settled: bool,
    /// The stall for which they were stretched.
    pub stall: Option<StallStatus>,
    /// For how long no stall was told of that they are needed for.
    pub calm_for: Span,
}

/// A node that stood still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StallStatus {
    /// Which.
    pub node: String,
    /// For how long.
    pub length: Span,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeStatus {
    /// Whether it is a member of the view.
    pub member: bool,
    /// Whether it counts toward the quorum.
    pub counts: bool,
    /// Its start number, as a member.
    pub start: Option<u64>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupStatus {
    /// Its state in one word.
    pub state: GroupWord,
    /// Where it is, or is going.
    pub node: Option<String>,
    /// Its last acquisition.
    pub epoch: OwnershipEpoch,
    /// What the operator wants.
    pub intent: Intent,
    /// The node it was moved to.
    pub placed: Option<String>,
    /// Why it is as it is.
    pub reason: String,
    /// Nodes whose proof is waited for here.
    pub awaiting: Vec<String>,
    /// What each of its nodes has to do with it.
    pub nodes: BTreeMap<String, Holding>,
}

/// A group's state in one word (PowerHA: clRGinfo).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupWord {
    /// All its resources are active on one node.
    Online,
    /// It is being started.
    Acquiring,
    /// It is being stopped.
    Releasing,
    /// It runs nowhere, as it should.
    Offline,
    /// People must look.
    Error,
    /// This node cannot tell.
    Unknown,
}

impl Manager {
    /// The state of things as this node knows it.
    pub fn status(&self, now: Tick) -> Status {
        let view = self.view();
        let nodes = self.cluster().nodes.iter();
        Status {
            node: self.name(self.me.node),
            start: self.me.start,
            boot: self.boot,
            view: view.map(|view| view.id.to_string()),
            in_step: self.in_step().is_some(),
            quorum: self.quorum(),
            generation: self.config.ledger.charter().generation,
            formed_by: self.names(self.few()),
            lease_left: now.until(self.standing.lease_until),
            timings: self.timing_status(now),
            config_version: self.config.ledger.active().index(),
            config: self.config.active(),
            leaving: self.shutdown != crate::shutdown::Shutdown::No,
            nodes: nodes.map(|(id, node)| (node.name.to_string(), node_status(view, *id))).collect(),
            groups: self.groups(now),
        }
    }

    /// The quorum in words, with who is missing if there is none.
    pub(crate) fn quorum(&self) -> String {
        let (cluster, Some(view)) = (self.cluster(), self.view()) else { return self.no_quorum() };
        let decides = match self.names(self.few()).join(", ") {
            few if few.is_empty() => self.decides(),
            few if self.is_won() => format!(", {few} won the tie-breaker and decides until both are back"),
            few => format!(", formed by {few} alone until a majority is back"),
        };
        match view.primary {
            true => format!("quorum: {} of {}{decides}", view.counting().len(), cluster.nodes.len()),
            false => self.no_quorum(),
        }
    }

    /// Who decides, where it is not simply a majority of all.
    fn decides(&self) -> String {
        let needed = self.config.ledger.charter().stage.needed().filter_map(Majority::only);
        needed.map(|nodes| format!(", more than half of {} decides", self.names(nodes).join(", "))).collect()
    }

    /// Whether who decides does so by the tie-breaker's word.
    fn is_won(&self) -> bool {
        let needed = self.config.ledger.charter().stage.needed();
        needed.into_iter().any(|majority| matches!(majority, Majority::AllOf(_)))
    }

    /// The few that formed the cluster, or won the tie-breaker, while their word is needed.
    fn few(&self) -> NodeSet {
        self.config.ledger.charter().few().unwrap_or(NodeSet::EMPTY)
    }

    /// Names for people.
    pub(crate) fn names(&self, nodes: NodeSet) -> Vec<String> {
        nodes.iter().map(|node| self.name(node)).collect()
    }

    /// That there is no quorum, and who is waited for.
    pub(crate) fn no_quorum(&self) -> String {
        let cluster = self.cluster();
        let view = self.view();
        let counting = view.map_or(NodeSet::EMPTY, View::counting);
        let missing = self.electorate().nodes.minus(counting).without(self.me.node);
        // Without those that decide, nobody else's return helps.
        let waited = self.undecided(counting).and(missing);
        let (waited, who) = match (waited.is_empty(), self.few().is_empty()) {
            (true, _) => (missing, String::new()),
            (false, false) => (waited, ", by whom an operator formed the cluster".to_owned()),
            (false, true) => (waited, self.decides()),
        };
        let there = counting.len().max(1);
        let waited = self.names(waited).join(", ");
        format!("no quorum: {there} of {}, waiting for {waited}{who}", cluster.nodes.len())
    }

    /// Of those that decide, where it is not simply a majority of all, those of whom too few are among `there`.
    fn undecided(&self, there: NodeSet) -> NodeSet {
        let all = self.electorate();
        let needed = self.config.ledger.charter().stage.needed();
        let lacking = needed.filter(|majority| !majority.is_in(there, all));
        lacking.filter_map(Majority::only).fold(NodeSet::EMPTY, NodeSet::or)
    }

    fn view(&self) -> Option<&View> {
        match &self.phase {
            Phase::Alone => None,
            Phase::Apart(membership) | Phase::CatchingUp(membership) | Phase::InStep(membership) => {
                Some(&membership.view)
            }
        }
    }

    fn groups(&self, now: Tick) -> BTreeMap<GroupName, GroupStatus> {
        let cluster = self.cluster();
        let record = |name: &GroupName| self.state.groups.get(name).cloned().unwrap_or_default();
        cluster
            .groups
            .keys()
            .map(|name| (name.clone(), self.group_status(cluster, name, &record(name), now)))
            .collect()
    }

    fn group_status(
        &self,
        cluster: &Cluster,
        name: &GroupName,
        record: &GroupRecord,
        now: Tick,
    ) -> GroupStatus {
        let (state, node, reason) = match self.in_step() {
            Some(membership) => self.known(cluster, name, record, membership),
            None => self.guessed(name, now),
        };
        let nodes = record.nodes.iter().map(|(node, said)| (self.name(*node), said.holding.clone()));
        GroupStatus {
            state,
            node: node.map(|node| self.name(node)),
            epoch: record.epoch,
            intent: record.intent,
            placed: record.placed.map(|node| self.name(node)),
            reason,
            awaiting: self.unproven(name, now).into_iter().map(|node| self.name(node)).collect(),
            nodes: nodes.collect(),
        }
    }

    /// In step: what everybody knows.
    fn known(
        &self,
        cluster: &Cluster,
        name: &GroupName,
        record: &GroupRecord,
        membership: &Membership,
    ) -> (GroupWord, Option<NodeId>, String) {
        let Some(group) = cluster.groups.get(name) else {
            return (GroupWord::Unknown, None, "not configured".into());
        };
        let motion = record.motion.clone();
        match (motion, verdict(group, &membership.view, &self.state)) {
            (Some(motion), _) | (None, Verdict::Move(motion)) => {
                let to = motion.acquire.map(|acquire| acquire.node);
                let word = if to.is_some() { GroupWord::Acquiring } else { GroupWord::Releasing };
                (word, to.or(motion.release.first().copied()), render::reason(cluster, &motion.reason))
            }
            (None, Verdict::Stay(why)) => {
                let (word, node) = word(&why);
                (word, node, render::standstill(cluster, name, &why))
            }
        }
    }

    /// Without quorum: only what this node itself does.
    fn guessed(&self, name: &GroupName, now: Tick) -> (GroupWord, Option<NodeId>, String) {
        let me = Some(self.me.node);
        let quorum = self.quorum();
        match self.agents.get(name).map(|agent| agent.holding()) {
            Some(Holding::Online { .. }) => (GroupWord::Online, me, quorum),
            Some(Holding::Acquiring { .. }) => (GroupWord::Acquiring, me, quorum),
            Some(Holding::Releasing { .. }) => (GroupWord::Releasing, me, quorum),
            Some(Holding::Stuck { why, .. }) => (GroupWord::Error, me, why),
            Some(Holding::Free { .. } | Holding::Unknown | Holding::Lost { .. }) | None => {
                (GroupWord::Unknown, None, self.let_go_words(name, now) + &quorum)
            }
        }
    }
}

impl Manager {
    /// What was stopped here for want of a quorum, when and why.
    fn let_go_words(&self, name: &GroupName, now: Tick) -> String {
        let since = self.let_go.get(name).map(|at| now.since(*at).as_millis() / 1_000);
        since.map_or_else(String::new, |since| {
            format!("stopped here {since} s ago, before its lease was over; ")
        })
    }
}

fn word(why: &Standstill) -> (GroupWord, Option<NodeId>) {
    match why {
        Standstill::Online { node } | Standstill::Unreachable { node, .. } => {
            (GroupWord::Online, Some(*node))
        }
        Standstill::InMotion => (GroupWord::Acquiring, None),
        Standstill::ByOperator | Standstill::LackOfNode | Standstill::AwaitsHome { .. } => {
            (GroupWord::Offline, None)
        }
        Standstill::FailedEverywhere | Standstill::NoNetwork { .. } | Standstill::Halted { .. } => {
            (GroupWord::Error, None)
        }
        Standstill::Stuck { node, .. } => (GroupWord::Error, Some(*node)),
        Standstill::Releasing { node } => (GroupWord::Releasing, Some(*node)),
        Standstill::Unprobed { node } => (GroupWord::Unknown, Some(*node)),
    }
}

fn node_status(view: Option<&View>, node: NodeId) -> NodeStatus {
    let member = view.and_then(|view| view.members.get(&node));
    NodeStatus {
        member: member.is_some(),
        counts: member.is_some_and(|member| member.counts),
        start: member.map(|member| member.incarnation.start),
    }
}
