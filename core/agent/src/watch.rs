//! The custom monitors of an application, run as one look at the cadence of the most frequent.

use crate::desk::{Desk, Pending};
use phalanx_events::ManagerNote;
use phalanx_model::{Application, Group, Resource, ResourceKind};
use phalanx_types::{OperationId, OperationResult, OwnershipEpoch, Span, Tick, Verb};

/// A watched application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    every: Span,
    limit: Span,
    failures_max: u32,
    failures: u32,
    look: Look,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Look {
    At(Tick),
    Under(Pending),
}

/// The application of a resource, if it is one.
pub fn application(resource: &Resource) -> Option<&Application> {
    match &resource.kind {
        ResourceKind::Application(application) => Some(application),
        ResourceKind::ServiceAddress(_) | ResourceKind::FileSystem(_) => None,
    }
}

impl Watch {
    /// A watch over `resource` from `now` on, if it has custom monitors.
    pub fn over(resource: &Resource, now: Tick) -> Option<Watch> {
        let monitors = || application(resource).into_iter().flat_map(|one| one.monitors.custom.values());
        let every = monitors().map(|monitor| monitor.every).min()?;
        let limit = monitors().map(|monitor| monitor.limit).max()?;
        let failures_max = monitors().map(|monitor| monitor.failures).min()?.max(1);
        Some(Watch { every, limit, failures_max, failures: 0, look: Look::At(now + every) })
    }

    /// Looks if it is time; an answer that is overdue is a failure.
    pub fn drive(
        &mut self,
        desk: &mut Desk<'_>,
        group: &Group,
        resource: &Resource,
        epoch: OwnershipEpoch,
    ) -> Result<(), String> {
        match &self.look {
            Look::At(when) if desk.now >= *when => {
                let pending = desk.operate_within(group, resource, Verb::Monitor, epoch, self.limit);
                self.look = Look::Under(pending);
                Ok(())
            }
            Look::Under(pending) if pending.overdue(desk.now) => {
                self.judge(desk, group, resource, OperationResult::TimedOut)
            }
            Look::At(_) | Look::Under(_) => Ok(()),
        }
    }

    /// Whether the operation is this watch's.
    pub fn owns(&self, id: OperationId) -> bool {
        matches!(&self.look, Look::Under(pending) if pending.id == id)
    }

    /// Takes an answer; `Err` once the application counts as failed.
    pub fn judge(
        &mut self,
        desk: &mut Desk<'_>,
        group: &Group,
        resource: &Resource,
        result: OperationResult,
    ) -> Result<(), String> {
        self.look = Look::At(desk.now + self.every);
        let why = match result {
            OperationResult::Done => {
                self.failures = 0;
                return Ok(());
            }
            OperationResult::Failed(why) => crate::desk::brief(&why),
            OperationResult::TimedOut => format!("no answer within {}", self.limit),
            OperationResult::Placed { .. }
            | OperationResult::Active { .. }
            | OperationResult::Inactive
            | OperationResult::Stale => "it did not say".into(),
        };
        self.failures += 1;
        let (failures, limit) = (self.failures, self.failures_max);
        let (group, resource) = (group.name.clone(), resource.name.clone());
        desk.note(ManagerNote::MonitorFailed { group, resource, failures, limit, why: why.clone() });
        match failures >= limit {
            true => Err(format!("its monitor failed {failures} times: {why}")),
            false => Ok(()),
        }
    }

    /// When it wants to be driven.
    pub fn wake_at(&self) -> Tick {
        match &self.look {
            Look::At(when) => *when,
            Look::Under(pending) => pending.deadline,
        }
    }
}
