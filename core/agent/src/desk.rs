//! What an agent works with during one step: the time, the node's standing, fresh operation ids, and the way out.

use phalanx_events::{ManagerNote, Point};
use phalanx_membership::Standing;
use phalanx_model::{Group, Resource};
use phalanx_types::limits::{OPERATION_GRACE, WHY_CHARS_MAX};
use phalanx_types::{
    NetworkId, Operation, OperationId, OperationResult, OwnershipEpoch, Permit, Span, Tick, Verb,
};
use std::collections::BTreeSet;

/// What an agent wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentEffect {
    /// Run an operation.
    Operate(Operation),
    /// Something happened.
    Note(ManagerNote),
}

/// Hands out operation ids, each once within an incarnation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperationIds(u64);

/// An agent's means during one step.
pub struct Desk<'a> {
    /// What time it is.
    pub now: Tick,
    /// What this node may do.
    pub standing: Standing,
    /// Networks on which this node has no adapter with a carrier.
    pub unplugged: &'a BTreeSet<NetworkId>,
    /// Where operation ids come from.
    pub ids: &'a mut OperationIds,
    /// Where effects go.
    pub out: &'a mut Vec<AgentEffect>,
}

/// An operation under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Names its answer.
    pub id: OperationId,
    /// What is done.
    pub verb: Verb,
    /// When it was begun.
    pub since: Tick,
    /// When it counts as timed out without an answer.
    pub deadline: Tick,
}

impl OperationIds {
    /// The next id.
    pub fn allot(&mut self) -> OperationId {
        self.0 += 1;
        OperationId(self.0)
    }
}

impl Desk<'_> {
    /// Begins an operation within the resource's own limit.
    pub fn operate(
        &mut self,
        group: &Group,
        resource: &Resource,
        verb: Verb,
        epoch: OwnershipEpoch,
    ) -> Pending {
        let limit = match verb {
            Verb::Start(_) => resource.limits.start,
            Verb::Stop | Verb::Kill => resource.limits.stop,
            Verb::Probe | Verb::Scout | Verb::Monitor => resource.limits.probe,
        };
        self.operate_within(group, resource, verb, epoch, limit)
    }

    /// Begins an operation within `limit`.
    pub fn operate_within(
        &mut self,
        group: &Group,
        resource: &Resource,
        verb: Verb,
        epoch: OwnershipEpoch,
        limit: Span,
    ) -> Pending {
        let (id, name) = (self.ids.allot(), &resource.name);
        let (group, resource) = (group.name.clone(), name.clone());
        match verb {
            Verb::Start(_) | Verb::Stop | Verb::Kill => self.note(ManagerNote::StepBegun {
                group: group.clone(),
                resource: resource.clone(),
                verb,
                epoch,
            }),
            // Looks change nothing and come often.
            Verb::Probe | Verb::Scout | Verb::Monitor => {}
        }
        self.out.push(AgentEffect::Operate(Operation { id, group, resource, verb, epoch, limit }));
        Pending { id, verb, since: self.now, deadline: self.now + limit + OPERATION_GRACE }
    }

    /// Says something.
    pub fn note(&mut self, note: ManagerNote) {
        self.out.push(AgentEffect::Note(note));
    }

    /// Says that a rare branch was taken.
    pub fn reached(&mut self, point: Point) {
        self.note(ManagerNote::Reached { point });
    }

    /// Says how an operation ended; `Err` with what it said if it failed.
    pub fn account(
        &mut self,
        group: &Group,
        resource: &Resource,
        epoch: OwnershipEpoch,
        pending: &Pending,
        result: OperationResult,
    ) -> Result<(), String> {
        let took = self.now.since(pending.since);
        let (group, resource, verb) = (group.name.clone(), resource.name.clone(), pending.verb);
        let why = match result {
            OperationResult::Done | OperationResult::Placed { .. } => {
                self.note(ManagerNote::StepDone { group, resource, verb, epoch, took });
                return Ok(());
            }
            OperationResult::Failed(why) => brief(&why),
            OperationResult::TimedOut => format!("no end within {took}"),
            OperationResult::Stale => "its permit no longer held".into(),
            OperationResult::Active { .. } | OperationResult::Inactive => {
                "an answer to another question".into()
            }
        };
        self.note(ManagerNote::StepFailed { group, resource, verb, epoch, took, why: why.clone() });
        Err(why)
    }
}

impl Pending {
    /// Whether its answer is overdue.
    pub fn overdue(&self, now: Tick) -> bool {
        now >= self.deadline
    }

    /// The permit it was begun with, if it acquires.
    pub fn permit(&self) -> Option<Permit> {
        match self.verb {
            Verb::Start(permit) => Some(permit),
            Verb::Probe | Verb::Scout | Verb::Stop | Verb::Kill | Verb::Monitor => None,
        }
    }
}

/// As much of an explanation as may travel in a message.
pub fn brief(why: &str) -> String {
    why.chars().take(WHY_CHARS_MAX).collect()
}
