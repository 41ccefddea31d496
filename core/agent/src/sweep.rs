//! One probe of every resource of a group, and what the probes together say.

use crate::desk::{Desk, Pending, brief};
use phalanx_model::Group;
use phalanx_types::{OperationId, OperationResult, OwnershipEpoch, Tick, Verb};

/// Probes of all resources, in the group's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    looks: Vec<Look>,
}

/// One probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// Under way.
    Waiting(Pending),
    /// Something of the resource is active.
    Active(Option<OwnershipEpoch>),
    /// Nothing of it is.
    Inactive,
    /// The probe did not say.
    Blind(String),
}

/// What a finished sweep says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Nothing of the group is active.
    Nothing,
    /// Everything is active, for one known acquisition.
    Whole(OwnershipEpoch),
    /// Something is active, of a known acquisition or not.
    Part(Option<OwnershipEpoch>),
    /// At least one probe did not say.
    Blind(String),
}

impl From<OperationResult> for Look {
    fn from(result: OperationResult) -> Look {
        match result {
            OperationResult::Active { epoch } => Look::Active(epoch),
            OperationResult::Inactive => Look::Inactive,
            OperationResult::Failed(why) => Look::Blind(brief(&why)),
            OperationResult::TimedOut => Look::Blind("the probe did not end".into()),
            OperationResult::Done | OperationResult::Placed { .. } | OperationResult::Stale => {
                Look::Blind("the probe did not say".into())
            }
        }
    }
}

impl Sweep {
    /// Begins one.
    pub fn begin(desk: &mut Desk<'_>, group: &Group, epoch: OwnershipEpoch) -> Sweep {
        let probe = |resource| Look::Waiting(desk.operate(group, resource, Verb::Probe, epoch));
        Sweep { looks: group.resources.iter().map(probe).collect() }
    }

    /// Takes the answer of one of its probes; whether it was.
    pub fn operated(&mut self, id: OperationId, result: &OperationResult) -> bool {
        let mine = |look: &&mut Look| matches!(look, Look::Waiting(pending) if pending.id == id);
        let Some(look) = self.looks.iter_mut().find(mine) else { return false };
        *look = Look::from(result.clone());
        true
    }

    /// Gives up probes that are overdue.
    pub fn expire(&mut self, now: Tick) {
        for look in &mut self.looks {
            if matches!(look, Look::Waiting(pending) if pending.overdue(now)) {
                *look = Look::Blind("the probe did not end".into());
            }
        }
    }

    /// What was found, once every probe ended.
    pub fn finding(&self) -> Option<Finding> {
        let waiting = self.looks.iter().any(|look| matches!(look, Look::Waiting(_)));
        (!waiting).then(|| self.conclusion())
    }

    /// What was found for each resource.
    pub fn looks(&self) -> &[Look] {
        &self.looks
    }

    /// When the next probe is overdue.
    pub fn wake_at(&self) -> Tick {
        let deadlines = self.looks.iter().filter_map(|look| match look {
            Look::Waiting(pending) => Some(pending.deadline),
            Look::Active(_) | Look::Inactive | Look::Blind(_) => None,
        });
        deadlines.min().unwrap_or(Tick::NEVER)
    }

    fn conclusion(&self) -> Finding {
        let (mut active, mut epochs, mut blind) = (0, Vec::new(), None);
        for look in &self.looks {
            match look {
                Look::Active(epoch) => {
                    active += 1;
                    epochs.extend(*epoch);
                }
                Look::Blind(why) => blind = blind.or(Some(why.clone())),
                Look::Inactive | Look::Waiting(_) => {}
            }
        }
        let one = epochs.iter().min() == epochs.iter().max();
        match (blind, epochs.iter().max().copied()) {
            (Some(why), _) => Finding::Blind(why),
            (None, _) if active == 0 => Finding::Nothing,
            (None, Some(epoch)) if one && active == self.looks.len() => Finding::Whole(epoch),
            (None, epoch) => Finding::Part(epoch.filter(|_| one)),
        }
    }
}
