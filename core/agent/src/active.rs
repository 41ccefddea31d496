//! A group that is being started or runs here: its clearance, and which resource may be started when.
//!
//! Never starts a resource before everything it comes after says that it is up, nor without a permit of this very
//! moment. What becomes of each resource is its [`Charge`]'s; while one is probed, what comes after it starts.

use crate::charge::Charge;
use crate::desk::Desk;
use crate::slot::Slot;
use crate::task::{Stage, Task};
use crate::watch::application;
use phalanx_events::ManagerNote;
use phalanx_membership::Clearance;
use phalanx_model::{Group, Resource};
use phalanx_plan::RestartTimes;
use phalanx_types::limits::PERMIT_WAIT;
use phalanx_types::{
    NetworkId, OperationId, OperationResult, OwnershipEpoch, Permit, ResourceName, Tick, ViewId,
};

/// The resources of a group that is held or being acquired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Active {
    charges: Vec<Charge>,
    clearance: Option<Cleared>,
    asked: Tick,
    /// Since when a start waits for a permit.
    waiting: Option<Tick>,
}

/// A clearance and the view it was given in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cleared {
    clearance: Clearance,
    view: ViewId,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Something is still to be done, or to be waited for.
    Going,
    /// Everything is up.
    Complete,
    /// It cannot stay on this node.
    Broken(String),
}

impl Active {
    /// Nothing is begun yet.
    pub fn fresh(group: &Group, now: Tick) -> Active {
        let charges = group.resources.iter().map(Charge::fresh).collect();
        Active { charges, clearance: None, asked: now, waiting: None }
    }

    /// Resources that an earlier life of the daemon started: those marked are up.
    pub fn adopted(group: &Group, up: &[bool], now: Tick) -> Active {
        let mut active = Active::fresh(group, now);
        let marked = active.with(group).zip(up).filter(|(_, up)| **up);
        marked.for_each(|((charge, resource), _)| charge.adopt(resource, now));
        active.charges.iter_mut().for_each(|charge| charge.stir(None));
        active
    }

    /// Restarts in place so far, of each application that had any.
    pub fn restarts(&self, group: &Group) -> RestartTimes {
        let all = group.resources.iter().zip(&self.charges);
        all.filter(|(_, charge)| !charge.restarts().is_empty())
            .map(|(resource, charge)| (resource.name.clone(), charge.restarts().to_vec()))
            .collect()
    }

    /// Counts restarts of an earlier life, too.
    pub fn recall(&mut self, group: &Group, restarts: &RestartTimes) {
        for (charge, resource) in self.with(group) {
            charge.recall(restarts.get(&resource.name).map_or(&[], Vec::as_slice));
        }
    }

    /// The monitors changed: what is up is watched by the new ones.
    pub fn watch_anew(&mut self, group: &Group, now: Tick) {
        self.with(group).for_each(|(charge, resource)| charge.watch_anew(resource, now));
    }

    /// The resources, for their end.
    pub fn into_slots(self) -> Vec<Slot> {
        self.charges.into_iter().map(Charge::into_slot).collect()
    }

    /// Whether any resource was ever begun here and may be active.
    pub fn touched(&self) -> bool {
        !self.slots().all(Slot::is_down)
    }

    /// Whether something is to be started and nothing proves yet that it may be.
    pub fn wants_clearance(&self) -> bool {
        self.clearance.is_none() && self.slots().any(Slot::waits)
    }

    /// Takes a clearance; says how long it was waited for.
    pub fn clear(&mut self, desk: &mut Desk<'_>, clearance: Clearance, epoch: OwnershipEpoch) {
        let proofs =
            clearance.proofs().iter().map(|proof| (proof.node(), proof.kind().to_string())).collect();
        let waited = desk.now.since(self.asked);
        desk.note(ManagerNote::Cleared { group: clearance.group().clone(), epoch, proofs, waited });
        self.clearance = Some(Cleared { clearance, view: desk.standing.view });
    }

    /// The view changed: an acquisition needs a clearance of the new one.
    pub fn revoke(&mut self, now: Tick) {
        (self.clearance, self.asked) = (None, now);
    }

    /// This life has a lease: until now the deadman of the last one might have ended what it left, so all of that is looked
    /// at once more.
    pub fn look_again(&mut self, desk: &mut Desk<'_>, task: Task<'_>) {
        self.with(task.group).for_each(|(charge, resource)| charge.look_again(desk, task, resource));
    }

    /// Adapters changed on a network: addresses there want a look.
    pub fn stir(&mut self, network: NetworkId) {
        self.charges.iter_mut().for_each(|charge| charge.stir(Some(network)));
    }

    /// Does what can be done now.
    pub fn drive(&mut self, desk: &mut Desk<'_>, task: Task<'_>) -> Progress {
        self.mind(desk, task)
            .and_then(|()| self.start(desk, task))
            .map_or_else(Progress::Broken, |()| self.progress())
    }

    /// First what had no answer in time, then what the monitors say, then where the addresses are.
    fn mind(&mut self, desk: &mut Desk<'_>, task: Task<'_>) -> Result<(), String> {
        let group = task.group;
        self.with(group).try_for_each(|(charge, resource)| charge.expire(desk, task, resource))?;
        self.with(group).try_for_each(|(charge, resource)| charge.look(desk, task, resource))?;
        self.with(group).for_each(|(charge, resource)| charge.mind_address(desk, task, resource));
        Ok(())
    }

    /// Takes the answer of one of its operations; `None` if it is not one of them.
    pub fn operated(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        id: OperationId,
        result: &OperationResult,
    ) -> Option<Result<(), String>> {
        let (charge, resource) = self.with(task.group).find(|(charge, _)| charge.owns(id))?;
        Some(charge.operated(desk, task, resource, id, result))
    }

    /// An application's main process ended.
    pub fn ended(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        name: &ResourceName,
        how: &str,
    ) -> Result<(), String> {
        let watched = |resource: &Resource| {
            &resource.name == name && application(resource).is_some_and(|one| one.monitors.process)
        };
        match self.with(task.group).find(|(_, resource)| watched(resource)) {
            Some((charge, resource)) => charge.ended(desk, task, resource, how),
            None => Ok(()),
        }
    }

    /// When it wants to be driven.
    pub fn wake_at(&self) -> Tick {
        let patience = self.waiting.map_or(Tick::NEVER, |since| since + PERMIT_WAIT);
        self.charges.iter().map(Charge::wake_at).min().unwrap_or(Tick::NEVER).min(patience)
    }

    /// What is in its charge, each with its definition.
    fn with<'a>(&'a mut self, group: &'a Group) -> impl Iterator<Item = (&'a mut Charge, &'a Resource)> {
        self.charges.iter_mut().zip(&group.resources)
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.charges.iter().map(Charge::slot)
    }

    fn progress(&self) -> Progress {
        let done = |slot: &Slot| matches!(slot, Slot::Up | Slot::Astray | Slot::Lame);
        match self.slots().all(done) {
            true => Progress::Complete,
            false => Progress::Going,
        }
    }

    /// Starts what is down and has everything it comes after.
    fn start(&mut self, desk: &mut Desk<'_>, task: Task<'_>) -> Result<(), String> {
        let Some(permit) = self.permit(desk, task.stage) else { return self.wait(desk, task.stage) };
        self.waiting = None;
        for (index, resource) in task.group.resources.iter().enumerate() {
            if self.charges[index].wants_start(desk, task.stage) && self.ready(task.group, resource) {
                self.charges[index].start(desk, task, resource, permit)?;
            }
        }
        Ok(())
    }

    /// A permit of this moment; not the one that was just found stale.
    ///
    /// An acquisition under way goes by the view that cleared it. What runs was never let go in between, so nobody
    /// else can have taken it whatever the view.
    fn permit(&self, desk: &Desk<'_>, stage: Stage) -> Option<Permit> {
        let cleared = self.clearance.as_ref()?;
        let holds = stage == Stage::Running || cleared.view == desk.standing.view;
        let permit = cleared.clearance.permit(&desk.standing, desk.now)?;
        (holds && !self.charges.iter().any(|charge| charge.refused(permit))).then_some(permit)
    }

    /// Waits for a permit, not for ever. An acquisition waits for its proofs as long as they take.
    fn wait(&mut self, desk: &Desk<'_>, stage: Stage) -> Result<(), String> {
        let patient = stage == Stage::Starting && self.clearance.is_none();
        if patient || !self.charges.iter().any(|charge| charge.wants_start(desk, stage)) {
            self.waiting = None;
            return Ok(());
        }
        let since = *self.waiting.get_or_insert(desk.now);
        match desk.now >= since + PERMIT_WAIT {
            true => Err(format!("this node was not allowed to start anything for {PERMIT_WAIT}")),
            false => Ok(()),
        }
    }

    fn ready(&self, group: &Group, resource: &Resource) -> bool {
        let up = |name: &ResourceName| {
            let index = group.resources.iter().position(|other| &other.name == name);
            index.is_none_or(|index| self.charges[index].slot().carries())
        };
        resource.after.iter().all(up)
    }
}
