//! One resource of a group that is being started or runs here: its start and the probe after it, its monitor, its
//! address, its restarts in place.
//!
//! Never decides when it may be started: the group does. Never believes a start: a probe has to find it.

use crate::address::{Address, Said};
use crate::desk::{Desk, Pending};
use crate::slot::Slot;
use crate::sweep::Look;
use crate::task::{Stage, Task};
use crate::watch::{Watch, application};
use phalanx_events::{ManagerNote, Point};
use phalanx_model::{Exhausted, Group, Resource, RestartPolicy};
use phalanx_types::limits::START_PROBES_MAX;
use phalanx_types::{NetworkId, OperationId, OperationResult, Permit, Tick, Verb};

/// A resource in the charge of an active group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    slot: Slot,
    watch: Option<Watch>,
    address: Option<Address>,
    restarts: Vec<Tick>,
    /// An earlier life started it, and it was not looked at again under a lease of this one.
    inherited: bool,
    /// The permit of its last start, if that came too late.
    stale: Option<Permit>,
}

impl Charge {
    /// Nothing of it is begun yet.
    pub fn fresh(resource: &Resource) -> Charge {
        let address = Address::of(resource);
        Charge { slot: Slot::Down, watch: None, address, restarts: vec![], inherited: false, stale: None }
    }

    /// An earlier life of the daemon started it, and it is up.
    pub fn adopt(&mut self, resource: &Resource, now: Tick) {
        self.inherited = true;
        self.rise(resource, now);
    }

    /// How far it is.
    pub fn slot(&self) -> &Slot {
        &self.slot
    }

    /// The same, for its end.
    pub fn into_slot(self) -> Slot {
        self.slot
    }

    /// Restarts in place so far.
    pub fn restarts(&self) -> &[Tick] {
        &self.restarts
    }

    /// Counts restarts of an earlier life, too.
    pub fn recall(&mut self, times: &[Tick]) {
        self.restarts.extend(times);
        self.restarts.sort_unstable();
        self.restarts.dedup();
    }

    /// Its monitor changed: if it is up, the new one watches it.
    pub fn watch_anew(&mut self, resource: &Resource, now: Tick) {
        if self.slot == Slot::Up {
            self.watch = Watch::over(resource, now);
        }
    }

    /// Looks once more at what an earlier life left, whose deadman might have ended it.
    pub fn look_again(&mut self, desk: &mut Desk<'_>, task: Task<'_>, resource: &Resource) {
        if self.inherited && self.slot == Slot::Up {
            desk.reached(Point::InheritedLookedAt);
            self.check(desk, task, resource, 0);
        }
    }

    /// If it is an address, and on that network where one is named, it wants a look.
    pub fn stir(&mut self, network: Option<NetworkId>) {
        let there = |address: &&mut Address| network.is_none_or(|network| address.network() == network);
        self.address.as_mut().filter(there).into_iter().for_each(Address::stir);
    }

    /// Whether it was refused with that very permit.
    pub fn refused(&self, permit: Permit) -> bool {
        self.stale == Some(permit)
    }

    /// When it wants to be driven.
    pub fn wake_at(&self) -> Tick {
        let watch = self.watch.as_ref().map_or(Tick::NEVER, Watch::wake_at);
        let address = self.address.as_ref().map_or(Tick::NEVER, Address::wake_at);
        self.slot.deadline().min(watch).min(address)
    }

    /// Whether an operation is one of its own.
    pub fn owns(&self, id: OperationId) -> bool {
        self.slot.pending().is_some_and(|pending| pending.id == id)
            || self.watch.as_ref().is_some_and(|watch| watch.owns(id))
            || self.address.as_ref().is_some_and(|address| address.owns(id))
    }

    /// Takes the answer of one of its operations.
    pub fn operated(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        resource: &Resource,
        id: OperationId,
        result: &OperationResult,
    ) -> Result<(), String> {
        if let Some(address) = self.address.as_mut().filter(|address| address.owns(id)) {
            let said = address.answered(id, result);
            return self.heed(desk, task, resource, said);
        }
        match self.watch.as_mut().filter(|watch| watch.owns(id)) {
            Some(watch) => watch
                .judge(desk, task.group, resource, result.clone())
                .or_else(|why| self.fail(desk, task, resource, why)),
            None => self.ended_operation(desk, task, resource, result.clone()),
        }
    }

    /// Its main process ended. If it is not up yet its start will fail, and else it is already being ended.
    pub fn ended(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        resource: &Resource,
        how: &str,
    ) -> Result<(), String> {
        match matches!(self.slot, Slot::Up | Slot::Checking { .. }) {
            true => self.fail(desk, task, resource, format!("its process ended: {how}")),
            false => Ok(()),
        }
    }

    /// Gives up an operation without an answer.
    pub fn expire(&mut self, desk: &mut Desk<'_>, task: Task<'_>, resource: &Resource) -> Result<(), String> {
        match self.slot.pending().is_some_and(|pending| pending.overdue(desk.now)) {
            true => self.ended_operation(desk, task, resource, OperationResult::TimedOut),
            false => Ok(()),
        }
    }

    /// Has its monitor look, if that is due.
    pub fn look(&mut self, desk: &mut Desk<'_>, task: Task<'_>, resource: &Resource) -> Result<(), String> {
        let Some(watch) = self.watch.as_mut() else { return Ok(()) };
        let well = watch.drive(desk, task.group, resource, task.epoch);
        well.or_else(|why| self.fail(desk, task, resource, why))
    }

    /// Asks who else has an address that is to be started, while proofs are waited for; looks where one is that is up.
    pub fn mind_address(&mut self, desk: &mut Desk<'_>, task: Task<'_>, resource: &Resource) {
        let Some(address) = self.address.as_mut() else { return };
        match (&self.slot, task.stage) {
            (Slot::Down, Stage::Starting) => address.scout(desk, task.group, resource, task.epoch),
            (Slot::Up, Stage::Starting | Stage::Running) => {
                address.look(desk, task.group, resource, task.epoch);
            }
            (
                Slot::Down
                | Slot::Starting(_)
                | Slot::Checking { .. }
                | Slot::Astray
                | Slot::Broken
                | Slot::Clearing(_)
                | Slot::Lame
                | Slot::Stopping(_)
                | Slot::Aborting(_)
                | Slot::Killing(_),
                Stage::Starting | Stage::Running,
            ) => {}
        }
    }

    /// Whether it is to be started now: it is down, or astray and there is an adapter for it.
    pub fn wants_start(&self, desk: &Desk<'_>, stage: Stage) -> bool {
        let address = self.address.as_ref();
        match &self.slot {
            Slot::Down => stage == Stage::Running || address.is_none_or(Address::is_scouted),
            Slot::Astray => address.is_some_and(|address| !desk.unplugged.contains(&address.network())),
            Slot::Starting(_)
            | Slot::Checking { .. }
            | Slot::Up
            | Slot::Broken
            | Slot::Clearing(_)
            | Slot::Lame
            | Slot::Stopping(_)
            | Slot::Aborting(_)
            | Slot::Killing(_) => false,
        }
    }

    /// Starts it. One that is astray is put back, which is told.
    pub fn start(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        resource: &Resource,
        permit: Permit,
    ) -> Result<(), String> {
        self.swap(desk, task.group, resource)?;
        let pending = desk.operate(task.group, resource, Verb::Start(permit), task.epoch);
        self.slot = Slot::Starting(pending);
        Ok(())
    }

    fn rise(&mut self, resource: &Resource, now: Tick) {
        self.slot = Slot::Up;
        self.watch = Watch::over(resource, now);
    }

    fn swap(&mut self, desk: &mut Desk<'_>, group: &Group, resource: &Resource) -> Result<(), String> {
        let (Slot::Astray, Some(address)) = (&self.slot, self.address.as_mut()) else {
            return Ok(());
        };
        let resource = resource.name.clone();
        let cause = address.swap(desk.now).map_err(|why| format!("{resource} failed: {why}"))?;
        desk.note(ManagerNote::SwapAdapter { group: group.name.clone(), resource, cause });
        Ok(())
    }

    /// What was said of an address. One that is lost while everything runs is put elsewhere, or waits for the others.
    fn heed(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        resource: &Resource,
        said: Said,
    ) -> Result<(), String> {
        let name = &resource.name;
        match (said, task.stage, &self.slot) {
            (Said::Taken(why), Stage::Starting, Slot::Down) => Err(format!("{name} cannot start: {why}")),
            (Said::Astray(why), Stage::Starting, Slot::Up) => Err(format!("{name} did not stay: {why}")),
            (Said::Astray(cause), Stage::Running, Slot::Up) => {
                self.stray(desk, task, resource, cause);
                Ok(())
            }
            // It is old news, or none.
            (Said::Well | Said::Taken(_) | Said::Astray(_), Stage::Starting | Stage::Running, _) => Ok(()),
        }
    }

    fn stray(&mut self, desk: &mut Desk<'_>, task: Task<'_>, resource: &Resource, cause: String) {
        let (group, resource) = (task.group.name.clone(), resource.name.clone());
        self.slot = Slot::Astray;
        let Some(address) = self.address.as_mut() else { return };
        address.stray(cause.clone());
        if desk.unplugged.contains(&address.network()) {
            desk.note(ManagerNote::AddressAstray { group, resource, cause });
        }
    }

    fn ended_operation(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        resource: &Resource,
        result: OperationResult,
    ) -> Result<(), String> {
        let slot = std::mem::replace(&mut self.slot, Slot::Broken);
        match slot {
            Slot::Starting(pending) => self.started(desk, task, resource, &pending, result),
            Slot::Checking { tries, .. } => self.checked(desk, task, resource, tries + 1, result),
            Slot::Clearing(pending) => {
                let cleared = desk.account(task.group, resource, task.epoch, &pending, result);
                self.slot = cleared.as_ref().map_or(Slot::Broken, |()| Slot::Down);
                cleared.map_err(|why| format!("what is left of {} cannot be ended: {why}", resource.name))
            }
            // These have no operation of their own, or belong to a teardown.
            other @ (Slot::Down
            | Slot::Up
            | Slot::Broken
            | Slot::Lame
            | Slot::Astray
            | Slot::Stopping(_)
            | Slot::Aborting(_)
            | Slot::Killing(_)) => {
                self.slot = other;
                Ok(())
            }
        }
    }

    fn started(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        resource: &Resource,
        pending: &Pending,
        result: OperationResult,
    ) -> Result<(), String> {
        if result == OperationResult::Stale {
            self.slot = match (task.stage, &self.address) {
                (Stage::Running, Some(_)) => Slot::Astray,
                (Stage::Running | Stage::Starting, _) => Slot::Down,
            };
            self.stale = pending.permit();
            desk.reached(Point::PermitStale);
            return Ok(());
        }
        let swapped = self.address.as_mut().is_some_and(Address::started);
        if let (true, OperationResult::Placed { interface }) = (swapped, &result) {
            let (group, resource) = (task.group.name.clone(), resource.name.clone());
            desk.note(ManagerNote::AdapterSwapped { group, resource, interface: interface.clone() });
        }
        match desk.account(task.group, resource, task.epoch, pending, result) {
            Ok(()) => {
                self.check(desk, task, resource, 0);
                Ok(())
            }
            Err(why) => self.fail_start(desk, task, resource, why),
        }
    }

    fn check(&mut self, desk: &mut Desk<'_>, task: Task<'_>, resource: &Resource, tries: u32) {
        let probe = desk.operate(task.group, resource, Verb::Probe, task.epoch);
        self.slot = Slot::Checking { probe, tries };
    }

    /// What the probe after a start says.
    fn checked(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        resource: &Resource,
        tries: u32,
        result: OperationResult,
    ) -> Result<(), String> {
        match Look::from(result) {
            Look::Active(_) => {
                self.inherited = false;
                self.rise(resource, desk.now);
            }
            Look::Inactive if self.inherited => {
                let name = &resource.name;
                return Err(format!("{name} is gone: the deadman of the daemon's earlier life ended it"));
            }
            Look::Inactive => {
                let why = "it said that it is done, and a probe found nothing".into();
                return self.fail_start(desk, task, resource, why);
            }
            Look::Blind(why) if tries >= START_PROBES_MAX => {
                return self.fail_start(desk, task, resource, format!("it cannot be probed: {why}"));
            }
            Look::Blind(_) | Look::Waiting(_) => self.check(desk, task, resource, tries),
        }
        Ok(())
    }

    /// A start failed: while the group is acquired that ends the acquisition.
    fn fail_start(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        resource: &Resource,
        why: String,
    ) -> Result<(), String> {
        match task.stage {
            Stage::Starting => Err(format!("{} did not start: {why}", resource.name)),
            Stage::Running => self.fail(desk, task, resource, format!("it did not start: {why}")),
        }
    }

    /// An application failed: start it again here while its policy lets us.
    fn fail(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        resource: &Resource,
        why: String,
    ) -> Result<(), String> {
        self.watch = None;
        let Some(policy) = application(resource).map(|one| one.restart) else {
            return Err(format!("{} failed: {why}", resource.name));
        };
        let past = &mut self.restarts;
        past.retain(|when| desk.now.since(*when) < policy.within);
        match u32::try_from(past.len()).is_ok_and(|count| count < policy.count) {
            true => self.restart(desk, task, resource, policy, why),
            false => self.exhaust(desk, task, resource, policy, why),
        }
    }

    fn restart(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        resource: &Resource,
        policy: RestartPolicy,
        why: String,
    ) -> Result<(), String> {
        self.restarts.push(desk.now);
        desk.note(ManagerNote::RestartedInPlace {
            group: task.group.name.clone(),
            resource: resource.name.clone(),
            restart: u32::try_from(self.restarts.len()).unwrap_or(u32::MAX),
            limit: policy.count,
            why,
        });
        self.slot = Slot::Clearing(desk.operate(task.group, resource, Verb::Kill, task.epoch));
        Ok(())
    }

    fn exhaust(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        resource: &Resource,
        policy: RestartPolicy,
        why: String,
    ) -> Result<(), String> {
        let (group, resource) = (task.group.name.clone(), resource.name.clone());
        let leaves = policy.then == Exhausted::Fallover;
        desk.note(ManagerNote::RestartsExhausted {
            group,
            resource: resource.clone(),
            leaves,
            why: why.clone(),
        });
        match policy.then {
            Exhausted::Fallover => {
                self.slot = Slot::Broken;
                Err(format!("{resource} failed and its restarts are used up: {why}"))
            }
            Exhausted::Notify => {
                self.slot = Slot::Lame;
                Ok(())
            }
        }
    }
}
