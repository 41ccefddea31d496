//! A service address while its group is here: asked about before it is started, looked at when adapters change.
//!
//! Never believes that an address stays where it was put: others may take it off, and its adapter may die.

use crate::desk::{Desk, Pending, brief};
use phalanx_model::{Group, Resource, ResourceKind};
use phalanx_types::limits::{SWAPS_MAX, SWAPS_WITHIN};
use phalanx_types::{NetworkId, OperationId, OperationResult, OwnershipEpoch, Tick, Verb};

/// A watched address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    network: NetworkId,
    scout: Scout,
    look: Option<Pending>,
    /// Something changed since the last look.
    due: bool,
    /// What was wrong where it was, when it was last found astray.
    cause: String,
    swaps: Vec<Tick>,
    /// It is being put back.
    swapping: bool,
}

/// Whether it was asked who else has it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Scout {
    Due,
    Under(Pending),
    Over,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing is in the way, or nobody said so.
    Well,
    /// Another host has it.
    Taken(String),
    /// It is not on a good adapter.
    Astray(String),
}

impl Address {
    /// The address that a resource is, if it is one.
    pub fn of(resource: &Resource) -> Option<Address> {
        match &resource.kind {
            ResourceKind::ServiceAddress(address) => Some(Address {
                network: address.network,
                scout: Scout::Due,
                look: None,
                due: false,
                cause: String::new(),
                swaps: Vec::new(),
                swapping: false,
            }),
            ResourceKind::FileSystem(_) | ResourceKind::Application(_) => None,
        }
    }

    /// Its network.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// Adapters changed: it wants a look.
    pub fn stir(&mut self) {
        self.due = true;
    }

    /// Whether it was asked who else has it.
    pub fn is_scouted(&self) -> bool {
        self.scout == Scout::Over
    }

    /// Asks who else has it, once. Not to be told in time is no objection.
    pub fn scout(&mut self, desk: &mut Desk<'_>, group: &Group, resource: &Resource, epoch: OwnershipEpoch) {
        match &self.scout {
            Scout::Due => self.scout = Scout::Under(desk.operate(group, resource, Verb::Scout, epoch)),
            Scout::Under(pending) if pending.overdue(desk.now) => self.scout = Scout::Over,
            Scout::Under(_) | Scout::Over => {}
        }
    }

    /// Looks where it is, if something changed.
    pub fn look(&mut self, desk: &mut Desk<'_>, group: &Group, resource: &Resource, epoch: OwnershipEpoch) {
        self.look.take_if(|look| look.overdue(desk.now));
        if self.due && self.look.is_none() {
            self.due = false;
            self.look = Some(desk.operate(group, resource, Verb::Monitor, epoch));
        }
    }

    /// Whether the operation is one of these.
    pub fn owns(&self, id: OperationId) -> bool {
        let scouts = matches!(&self.scout, Scout::Under(pending) if pending.id == id);
        scouts || self.look.as_ref().is_some_and(|look| look.id == id)
    }

    /// Takes the answer of one of these.
    pub fn answered(&mut self, id: OperationId, result: &OperationResult) -> Said {
        let looked = self.look.take_if(|look| look.id == id).is_some();
        if !looked {
            self.scout = Scout::Over;
        }
        match result {
            OperationResult::Failed(why) if looked => Said::Astray(brief(why)),
            OperationResult::Failed(why) => Said::Taken(brief(why)),
            OperationResult::Done
            | OperationResult::Placed { .. }
            | OperationResult::Active { .. }
            | OperationResult::Inactive
            | OperationResult::TimedOut
            | OperationResult::Stale => Said::Well,
        }
    }

    /// It was found astray.
    pub fn stray(&mut self, cause: String) {
        self.cause = cause;
    }

    /// It is put back; what was wrong, or `Err` if that was done too often.
    pub fn swap(&mut self, now: Tick) -> Result<String, String> {
        self.swaps.retain(|when| now.since(*when) < SWAPS_WITHIN);
        if self.swaps.len() >= SWAPS_MAX {
            let cause = &self.cause;
            return Err(format!(
                "it was put back {SWAPS_MAX} times within {SWAPS_WITHIN} and does not stay: {cause}"
            ));
        }
        self.swaps.push(now);
        self.swapping = true;
        Ok(self.cause.clone())
    }

    /// A start is over; whether that put it back.
    pub fn started(&mut self) -> bool {
        std::mem::take(&mut self.swapping)
    }

    /// When it wants to be driven.
    pub fn wake_at(&self) -> Tick {
        let scout = match &self.scout {
            Scout::Under(pending) => pending.deadline,
            Scout::Due | Scout::Over => Tick::NEVER,
        };
        scout.min(self.look.as_ref().map_or(Tick::NEVER, |look| look.deadline))
    }
}
