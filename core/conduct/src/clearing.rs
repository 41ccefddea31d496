//! Which acquisitions of this node are cleared: the proofs that nobody else can hold the group.
//!
//! A member proves it by its own word in this view; a node that is not a member only by the end of its last lease,
//! whatever it said before it left.

use crate::manager::{Manager, Turn};
use phalanx_groups::Membership;
use phalanx_membership::{Clearance, Finding, Missing, Proof};
use phalanx_model::Group;
use phalanx_plan::{GroupRecord, Holding};
use phalanx_types::{Bug, GroupName, NodeId, Plot, Tick};

impl Manager {
    /// Hands a clearance to each agent that waits for one and can have it.
    pub(crate) fn clear_agents(&mut self, turn: &mut Turn<'_>) {
        let cleared: Vec<_> = self
            .waiting()
            .filter_map(|name| Some((name.clone(), self.clearance(name, turn.now)?.ok()?)))
            .collect();
        for (name, clearance) in cleared {
            self.with_agent(turn, &name, |agent, desk| agent.clear(desk, clearance));
        }
    }

    /// Nodes that keep `name` from being started here: not proven to have let go.
    pub(crate) fn unproven(&self, name: &GroupName, now: Tick) -> Vec<NodeId> {
        match self.clearance(name, now) {
            Some(Err(Missing(nodes))) => nodes,
            Some(Ok(_)) | None => Vec::new(),
        }
    }

    /// When the next proof that is waited for can be had.
    pub(crate) fn proofs_at(&self) -> Tick {
        let Some(membership) = self.in_step() else { return Tick::NEVER };
        let pending = self.waiting().flat_map(|name| self.unproven(name, Tick::ZERO));
        let ends = pending.filter_map(|node| Some((node, membership.expiries.get(&node)?)));
        // One that is past and yet unproven is too weak; waiting longer does not help.
        ends.map(|(_, expiry)| expiry.until()).filter(|until| *until > self.now).min().unwrap_or(Tick::NEVER)
    }

    fn waiting(&self) -> impl Iterator<Item = &GroupName> {
        self.agents.iter().filter(|(_, agent)| agent.wants_clearance()).map(|(name, _)| name)
    }

    /// The clearance for a group that this node is to start; `None` if it is not to.
    fn clearance(&self, name: &GroupName, now: Tick) -> Option<Result<Clearance, Missing>> {
        let membership =
            self.in_step().filter(|one| one.view.id == self.standing.view && !self.sealed.get())?;
        let group = self.config.cluster.groups.get(name)?;
        let record = self.state.groups.get(name).filter(|record| self.is_mine(name, record))?;
        let others = group.nodes.iter().filter(|node| **node != self.me.node);
        let proofs =
            others.filter_map(|node| proof(membership, group, record, *node, now, self.plot)).collect();
        let candidates = group.nodes.iter().copied();
        Some(Clearance::check(name, self.me.node, group.takeover_needs, candidates, proofs))
    }

    /// Whether the agreed state gives the group to this node: a motion under way, or what it already runs.
    fn is_mine(&self, name: &GroupName, record: &GroupRecord) -> bool {
        let Some(truth) = self.agents.get(name).map(|agent| agent.holding()) else { return false };
        let agreed = record.motion.as_ref().and_then(|motion| motion.acquire);
        match truth {
            Holding::Acquiring { epoch } => {
                agreed.is_some_and(|acquire| acquire.node == self.me.node && acquire.epoch == epoch)
            }
            Holding::Online { .. } => record.claimants() == [self.me.node],
            Holding::Unknown
            | Holding::Releasing { .. }
            | Holding::Stuck { .. }
            | Holding::Free { .. }
            | Holding::Lost { .. } => false,
        }
    }
}

fn proof(
    membership: &Membership,
    group: &Group,
    record: &GroupRecord,
    node: NodeId,
    now: Tick,
    plot: Plot,
) -> Option<Proof> {
    let Some(member) = membership.view.members.get(&node) else {
        let now = if plot.has(Bug::ProofNotAwaited) { Tick::NEVER } else { now };
        return membership.expiries.get(&node)?.proof(now);
    };
    let said = record.nodes.get(&node).filter(|said| said.life == member.incarnation)?;
    let leaving = matches!(said.holding, Holding::Releasing { .. });
    let free = said.holding.is_free() || (leaving && plot.has(Bug::ReleasingIsReleased));
    let finding = Finding { life: said.life, group: &group.name, epoch: said.holding.epoch(), active: !free };
    Proof::from_finding(&finding)
}
