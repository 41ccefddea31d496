//! The steps of a plan: who does what to which group, after which other steps, and why.
//!
//! The edges say what each step waits for. Those within one node follow the group's resources; those between nodes
//! are crossed by ordered reports.

use crate::state::{GroupRecord, Holding, Motion, Reason};
use minicbor::{Decode, Encode};
use phalanx_model::{Group, Resource};
use phalanx_types::{GroupName, NodeId, OwnershipEpoch, ResourceName, View};
use serde::Serialize;
use std::collections::BTreeMap;

/// Names a step within its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct StepId(#[n(0)] pub u32);

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Step {
    /// Its name.
    #[n(0)]
    pub id: StepId,
    /// The group it concerns.
    #[n(1)]
    pub group: GroupName,
    /// The node that does it.
    #[n(2)]
    pub node: NodeId,
    /// What is done.
    #[n(3)]
    pub kind: StepKind,
    /// What must be done before.
    #[n(4)]
    pub after: Vec<StepId>,
    /// Why it is planned.
    #[n(5)]
    pub reason: Reason,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum StepKind {
    /// Stop a resource.
    #[n(0)]
    Stop {
        /// Which.
        #[n(0)]
        resource: ResourceName,
    },
    /// Probe that nothing of the group is left and report it released.
    #[n(1)]
    Release,
    /// Wait until a node that is not a member provably holds nothing.
    #[n(2)]
    AwaitProof {
        /// Which.
        #[n(0)]
        of: NodeId,
    },
    /// Start a resource.
    #[n(3)]
    Start {
        /// Which.
        #[n(0)]
        resource: ResourceName,
        /// For which acquisition.
        #[n(1)]
        epoch: OwnershipEpoch,
    },
    /// Report the group online.
    #[n(4)]
    Declare,
}

/// The steps of one motion after another.
pub(crate) struct Steps<'a> {
    view: &'a View,
    steps: Vec<Step>,
}

impl<'a> Steps<'a> {
    pub(crate) fn new(view: &'a View) -> Steps<'a> {
        Steps { view, steps: Vec::new() }
    }

    pub(crate) fn into_vec(self) -> Vec<Step> {
        self.steps
    }

    /// Adds the steps of one motion.
    pub(crate) fn add(&mut self, group: &Group, record: &GroupRecord, motion: &Motion) {
        let mut gates: Vec<_> =
            motion.release.iter().map(|node| self.release(group, *node, &motion.reason)).collect();
        if let Some(acquire) = &motion.acquire {
            let pending = self.releasing(record, group, motion);
            gates.extend(pending.into_iter().map(|node| self.release(group, node, &motion.reason)));
            let absent: Vec<_> = group.nodes.iter().copied().filter(|node| !self.view.has(*node)).collect();
            gates.extend(absent.into_iter().map(|of| self.proof(group, acquire.node, of)));
            self.acquire(group, acquire.node, acquire.epoch, &gates, &motion.reason);
        }
    }

    /// Members other than the taker that already let go and have only to finish.
    fn releasing(&self, record: &GroupRecord, group: &Group, motion: &Motion) -> Vec<NodeId> {
        let still = |node: &NodeId| {
            self.view.has(*node)
                && !motion.release.contains(node)
                && matches!(record.holding(*node), Holding::Releasing { .. })
        };
        group.nodes.iter().copied().filter(still).collect()
    }

    fn release(&mut self, group: &Group, node: NodeId, reason: &Reason) -> StepId {
        let mut stops: BTreeMap<&ResourceName, StepId> = BTreeMap::new();
        for resource in group.resources.iter().rev() {
            let after = dependents(group, resource).filter_map(|name| stops.get(name).copied()).collect();
            let kind = StepKind::Stop { resource: resource.name.clone() };
            stops.insert(&resource.name, self.push(group, node, kind, after, reason));
        }
        let after = stops.into_values().collect();
        self.push(group, node, StepKind::Release, after, reason)
    }

    fn proof(&mut self, group: &Group, node: NodeId, of: NodeId) -> StepId {
        self.push(group, node, StepKind::AwaitProof { of }, Vec::new(), &Reason::MayHold { node: of })
    }

    fn acquire(
        &mut self,
        group: &Group,
        node: NodeId,
        epoch: OwnershipEpoch,
        gates: &[StepId],
        why: &Reason,
    ) {
        let mut starts: BTreeMap<&ResourceName, StepId> = BTreeMap::new();
        for resource in &group.resources {
            let before = resource.after.iter().filter_map(|name| starts.get(name).copied());
            let after = gates.iter().copied().chain(before).collect();
            let kind = StepKind::Start { resource: resource.name.clone(), epoch };
            starts.insert(&resource.name, self.push(group, node, kind, after, why));
        }
        let after = gates.iter().copied().chain(starts.into_values()).collect();
        self.push(group, node, StepKind::Declare, after, why);
    }

    fn push(
        &mut self,
        group: &Group,
        node: NodeId,
        kind: StepKind,
        mut after: Vec<StepId>,
        reason: &Reason,
    ) -> StepId {
        after.sort_unstable();
        let id = StepId(u32::try_from(self.steps.len()).expect("a plan has far fewer steps"));
        self.steps.push(Step { id, group: group.name.clone(), node, kind, after, reason: reason.clone() });
        id
    }
}

fn dependents<'a>(group: &'a Group, resource: &'a Resource) -> impl Iterator<Item = &'a ResourceName> {
    group.resources.iter().filter(|other| other.after.contains(&resource.name)).map(|other| &other.name)
}
