//! A group that is being started or runs here: starts in dependency order, monitors, restarts in place.
//!
//! Never starts a resource before everything it comes after says that it is up, nor without a permit of this very
//! moment. Never believes a start: each is probed, while what comes after it starts, and counts when the probe found it.

use crate::address::{Address, Said};
use crate::desk::{Desk, Pending};
use crate::slot::Slot;
use crate::sweep::Look;
use crate::watch::{Watch, application};
use phalanx_events::{ManagerNote, Point};
use phalanx_membership::Clearance;
use phalanx_model::{Exhausted, Group, Resource, RestartPolicy};
use phalanx_plan::RestartTimes;
use phalanx_types::limits::{PERMIT_WAIT, START_PROBES_MAX};
use phalanx_types::{
    NetworkId, OperationId, OperationResult, OwnershipEpoch, Permit, ResourceName, Tick, Verb, ViewId,
};

/// The resources of a group that is held or being acquired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Active {
    slots: Vec<Slot>,
    watches: Vec<Option<Watch>>,
    addresses: Vec<Option<Address>>,
    restarts: Vec<Vec<Tick>>,
    /// Resources that an earlier life started, and that were not looked at again under a lease of this one.
    inherited: Vec<bool>,
    clearance: Option<Cleared>,
    asked: Tick,
    stale: Option<Permit>,
    /// Since when a start waits for a permit.
    waiting: Option<Tick>,
}

/// A clearance and the view it was given in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cleared {
    clearance: Clearance,
    view: ViewId,
}

/// Whether an acquisition was completed before: a failure means something else then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Being acquired.
    Starting,
    /// Acquired.
    Running,
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

/// What everything here is done for.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// The group.
    pub group: &'a Group,
    /// The acquisition.
    pub epoch: OwnershipEpoch,
    /// Whether it is complete.
    pub stage: Stage,
}

impl Active {
    /// Nothing is begun yet.
    pub fn fresh(group: &Group, now: Tick) -> Active {
        let count = group.resources.len();
        Active {
            slots: vec![Slot::Down; count],
            watches: vec![None; count],
            addresses: group.resources.iter().map(Address::of).collect(),
            restarts: vec![Vec::new(); count],
            inherited: vec![false; count],
            clearance: None,
            asked: now,
            stale: None,
            waiting: None,
        }
    }

    /// Restarts in place so far, of each application that had any.
    pub fn restarts(&self, group: &Group) -> RestartTimes {
        let all = group.resources.iter().zip(&self.restarts);
        all.filter(|(_, times)| !times.is_empty())
            .map(|(resource, times)| (resource.name.clone(), times.clone()))
            .collect()
    }

    /// Counts restarts of an earlier life, too.
    pub fn recall(&mut self, group: &Group, restarts: &RestartTimes) {
        for (resource, times) in group.resources.iter().zip(&mut self.restarts) {
            times.extend(restarts.get(&resource.name).into_iter().flatten());
            times.sort_unstable();
            times.dedup();
        }
    }

    /// The monitors changed: what is up is watched by the new ones.
    pub fn watch_anew(&mut self, group: &Group, now: Tick) {
        for (index, resource) in group.resources.iter().enumerate() {
            if self.slots[index] == Slot::Up {
                self.watches[index] = Watch::over(resource, now);
            }
        }
    }

    /// Resources that an earlier life of the daemon started: those marked are up.
    pub fn adopted(group: &Group, up: &[bool], now: Tick) -> Active {
        let mut active = Active { inherited: up.to_vec(), ..Active::fresh(group, now) };
        for (index, resource) in group.resources.iter().enumerate().filter(|(index, _)| up[*index]) {
            active.rise(index, resource, now);
        }
        active.addresses.iter_mut().flatten().for_each(Address::stir);
        active
    }

    /// The resources, for their end.
    pub fn into_slots(self) -> Vec<Slot> {
        self.slots
    }

    /// Whether any resource was ever begun here and may be active.
    pub fn touched(&self) -> bool {
        !self.slots.iter().all(Slot::is_down)
    }

    /// Whether something is to be started and nothing proves yet that it may be.
    pub fn wants_clearance(&self) -> bool {
        self.clearance.is_none() && self.slots.iter().any(Slot::waits)
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
        for index in 0..self.slots.len() {
            if self.inherited[index] && self.slots[index] == Slot::Up {
                desk.reached(Point::InheritedLookedAt);
                self.check(desk, task, index, 0);
            }
        }
    }

    /// Adapters changed on a network: addresses there want a look.
    pub fn stir(&mut self, network: NetworkId) {
        let there = |address: &&mut Address| address.network() == network;
        self.addresses.iter_mut().flatten().filter(there).for_each(Address::stir);
    }

    /// Does what can be done now.
    pub fn drive(&mut self, desk: &mut Desk<'_>, task: Task<'_>) -> Progress {
        self.expire(desk, task)
            .and_then(|()| self.look(desk, task))
            .map(|()| self.mind_addresses(desk, task))
            .and_then(|()| self.start(desk, task))
            .map_or_else(Progress::Broken, |()| self.progress())
    }

    /// Takes the answer of one of its operations; `None` if it is not one of them.
    pub fn operated(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        id: OperationId,
        result: &OperationResult,
    ) -> Option<Result<(), String>> {
        let index = (0..self.slots.len()).find(|index| self.owns(*index, id))?;
        let resource = &task.group.resources[index];
        if let Some(address) = self.addresses[index].as_mut().filter(|address| address.owns(id)) {
            let said = address.answered(id, result);
            return Some(self.heed(desk, task, index, said));
        }
        let watched = self.watches[index].as_mut().filter(|watch| watch.owns(id));
        let well = watched.map(|watch| watch.judge(desk, task.group, resource, result.clone()));
        Some(match well {
            Some(Ok(())) => Ok(()),
            Some(Err(why)) => self.fail(desk, task, index, why),
            None => self.ended_operation(desk, task, index, result.clone()),
        })
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
        match task.group.resources.iter().position(watched) {
            Some(index) if matches!(self.slots[index], Slot::Up | Slot::Checking { .. }) => {
                self.fail(desk, task, index, format!("its process ended: {how}"))
            }
            // Not watched, not up yet (its start will fail) or already being ended.
            Some(_) | None => Ok(()),
        }
    }

    /// When it wants to be driven.
    pub fn wake_at(&self) -> Tick {
        let deadlines = self.slots.iter().map(Slot::deadline);
        let looks = self.watches.iter().flatten().map(Watch::wake_at);
        let looks = looks.chain(self.addresses.iter().flatten().map(Address::wake_at));
        let patience = self.waiting.map_or(Tick::NEVER, |since| since + PERMIT_WAIT);
        deadlines.chain(looks).min().unwrap_or(Tick::NEVER).min(patience)
    }

    fn progress(&self) -> Progress {
        let done = |slot: &Slot| matches!(slot, Slot::Up | Slot::Astray | Slot::Lame);
        match self.slots.iter().all(done) {
            true => Progress::Complete,
            false => Progress::Going,
        }
    }

    fn owns(&self, index: usize, id: OperationId) -> bool {
        self.slots[index].pending().is_some_and(|pending| pending.id == id)
            || self.watches[index].as_ref().is_some_and(|watch| watch.owns(id))
            || self.addresses[index].as_ref().is_some_and(|address| address.owns(id))
    }

    fn rise(&mut self, index: usize, resource: &Resource, now: Tick) {
        self.slots[index] = Slot::Up;
        self.watches[index] = Watch::over(resource, now);
    }

    /// Gives up operations without an answer.
    fn expire(&mut self, desk: &mut Desk<'_>, task: Task<'_>) -> Result<(), String> {
        for index in 0..self.slots.len() {
            if self.slots[index].pending().is_some_and(|pending| pending.overdue(desk.now)) {
                self.ended_operation(desk, task, index, OperationResult::TimedOut)?;
            }
        }
        Ok(())
    }

    fn look(&mut self, desk: &mut Desk<'_>, task: Task<'_>) -> Result<(), String> {
        for (index, resource) in task.group.resources.iter().enumerate() {
            let Some(watch) = self.watches[index].as_mut() else { continue };
            if let Err(why) = watch.drive(desk, task.group, resource, task.epoch) {
                self.fail(desk, task, index, why)?;
            }
        }
        Ok(())
    }

    /// Asks who else has an address that is to be started, while proofs are waited for; looks where those are that are up.
    fn mind_addresses(&mut self, desk: &mut Desk<'_>, task: Task<'_>) {
        for (index, resource) in task.group.resources.iter().enumerate() {
            let Some(address) = self.addresses[index].as_mut() else { continue };
            match (&self.slots[index], task.stage) {
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
    }

    /// What was said of an address. One that is lost while everything runs is put elsewhere, or waits for the others.
    fn heed(&mut self, desk: &mut Desk<'_>, task: Task<'_>, index: usize, said: Said) -> Result<(), String> {
        let name = &task.group.resources[index].name;
        match (said, task.stage, &self.slots[index]) {
            (Said::Taken(why), Stage::Starting, Slot::Down) => Err(format!("{name} cannot start: {why}")),
            (Said::Astray(why), Stage::Starting, Slot::Up) => Err(format!("{name} did not stay: {why}")),
            (Said::Astray(cause), Stage::Running, Slot::Up) => {
                self.stray(desk, task, index, cause);
                Ok(())
            }
            // It is old news, or none.
            (Said::Well | Said::Taken(_) | Said::Astray(_), Stage::Starting | Stage::Running, _) => Ok(()),
        }
    }

    fn stray(&mut self, desk: &mut Desk<'_>, task: Task<'_>, index: usize, cause: String) {
        let (group, resource) = (task.group.name.clone(), task.group.resources[index].name.clone());
        self.slots[index] = Slot::Astray;
        let Some(address) = self.addresses[index].as_mut() else { return };
        address.stray(cause.clone());
        if desk.unplugged.contains(&address.network()) {
            desk.note(ManagerNote::AddressAstray { group, resource, cause });
        }
    }

    /// Whether a resource is to be started now: it is down, or astray and there is an adapter for it.
    fn wants_start(&self, desk: &Desk<'_>, stage: Stage, index: usize) -> bool {
        let address = self.addresses[index].as_ref();
        match &self.slots[index] {
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

    /// Says that an address which is astray is put back.
    fn swap(&mut self, desk: &mut Desk<'_>, group: &Group, index: usize) -> Result<(), String> {
        let (Slot::Astray, Some(address)) = (&self.slots[index], self.addresses[index].as_mut()) else {
            return Ok(());
        };
        let resource = group.resources[index].name.clone();
        let cause = address.swap(desk.now).map_err(|why| format!("{resource} failed: {why}"))?;
        desk.note(ManagerNote::SwapAdapter { group: group.name.clone(), resource, cause });
        Ok(())
    }

    /// Starts what is down and has everything it comes after.
    fn start(&mut self, desk: &mut Desk<'_>, task: Task<'_>) -> Result<(), String> {
        let Some(permit) = self.permit(desk, task.stage) else { return self.wait(desk, task.stage) };
        self.waiting = None;
        for (index, resource) in task.group.resources.iter().enumerate() {
            if self.wants_start(desk, task.stage, index) && self.ready(task.group, resource) {
                self.swap(desk, task.group, index)?;
                let pending = desk.operate(task.group, resource, Verb::Start(permit), task.epoch);
                self.slots[index] = Slot::Starting(pending);
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
        (holds && self.stale != Some(permit)).then_some(permit)
    }

    /// Waits for a permit, not for ever. An acquisition waits for its proofs as long as they take.
    fn wait(&mut self, desk: &Desk<'_>, stage: Stage) -> Result<(), String> {
        let patient = stage == Stage::Starting && self.clearance.is_none();
        if patient || !(0..self.slots.len()).any(|index| self.wants_start(desk, stage, index)) {
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
            index.is_none_or(|index| self.slots[index].carries())
        };
        resource.after.iter().all(up)
    }

    fn ended_operation(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        index: usize,
        result: OperationResult,
    ) -> Result<(), String> {
        let resource = &task.group.resources[index];
        let slot = std::mem::replace(&mut self.slots[index], Slot::Broken);
        match slot {
            Slot::Starting(pending) => self.started(desk, task, index, &pending, result),
            Slot::Checking { tries, .. } => self.checked(desk, task, index, tries + 1, result),
            Slot::Clearing(pending) => {
                let cleared = desk.account(task.group, resource, task.epoch, &pending, result);
                self.slots[index] = cleared.as_ref().map_or(Slot::Broken, |()| Slot::Down);
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
                self.slots[index] = other;
                Ok(())
            }
        }
    }

    fn started(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        index: usize,
        pending: &Pending,
        result: OperationResult,
    ) -> Result<(), String> {
        let resource = &task.group.resources[index];
        if result == OperationResult::Stale {
            self.slots[index] = match (task.stage, &self.addresses[index]) {
                (Stage::Running, Some(_)) => Slot::Astray,
                (Stage::Running | Stage::Starting, _) => Slot::Down,
            };
            self.stale = pending.permit();
            desk.reached(Point::PermitStale);
            return Ok(());
        }
        match desk.account(task.group, resource, task.epoch, pending, result) {
            Ok(()) => {
                self.check(desk, task, index, 0);
                Ok(())
            }
            Err(why) => self.fail_start(desk, task, index, why),
        }
    }

    fn check(&mut self, desk: &mut Desk<'_>, task: Task<'_>, index: usize, tries: u32) {
        let probe = desk.operate(task.group, &task.group.resources[index], Verb::Probe, task.epoch);
        self.slots[index] = Slot::Checking { probe, tries };
    }

    /// What the probe after a start says.
    fn checked(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        index: usize,
        tries: u32,
        result: OperationResult,
    ) -> Result<(), String> {
        match Look::from(result) {
            Look::Active(_) => {
                self.inherited[index] = false;
                self.rise(index, &task.group.resources[index], desk.now);
            }
            Look::Inactive if self.inherited[index] => {
                let name = &task.group.resources[index].name;
                return Err(format!("{name} is gone: the deadman of the daemon's earlier life ended it"));
            }
            Look::Inactive => {
                let why = "it said that it is done, and a probe found nothing".into();
                return self.fail_start(desk, task, index, why);
            }
            Look::Blind(why) if tries >= START_PROBES_MAX => {
                return self.fail_start(desk, task, index, format!("it cannot be probed: {why}"));
            }
            Look::Blind(_) | Look::Waiting(_) => self.check(desk, task, index, tries),
        }
        Ok(())
    }

    /// A start failed: while the group is acquired that ends the acquisition.
    fn fail_start(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        index: usize,
        why: String,
    ) -> Result<(), String> {
        match task.stage {
            Stage::Starting => Err(format!("{} did not start: {why}", task.group.resources[index].name)),
            Stage::Running => self.fail(desk, task, index, format!("it did not start: {why}")),
        }
    }

    /// An application failed: start it again here while its policy lets us.
    fn fail(&mut self, desk: &mut Desk<'_>, task: Task<'_>, index: usize, why: String) -> Result<(), String> {
        let resource = &task.group.resources[index];
        self.watches[index] = None;
        let Some(policy) = application(resource).map(|one| one.restart) else {
            return Err(format!("{} failed: {why}", resource.name));
        };
        let past = &mut self.restarts[index];
        past.retain(|when| desk.now.since(*when) < policy.within);
        match u32::try_from(past.len()).is_ok_and(|count| count < policy.count) {
            true => self.restart(desk, task, index, policy, why),
            false => self.exhaust(desk, task, index, policy, why),
        }
    }

    fn restart(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        index: usize,
        policy: RestartPolicy,
        why: String,
    ) -> Result<(), String> {
        let resource = &task.group.resources[index];
        self.restarts[index].push(desk.now);
        desk.note(ManagerNote::RestartedInPlace {
            group: task.group.name.clone(),
            resource: resource.name.clone(),
            restart: u32::try_from(self.restarts[index].len()).unwrap_or(u32::MAX),
            limit: policy.count,
            why,
        });
        self.slots[index] = Slot::Clearing(desk.operate(task.group, resource, Verb::Kill, task.epoch));
        Ok(())
    }

    fn exhaust(
        &mut self,
        desk: &mut Desk<'_>,
        task: Task<'_>,
        index: usize,
        policy: RestartPolicy,
        why: String,
    ) -> Result<(), String> {
        let (group, resource) = (task.group.name.clone(), task.group.resources[index].name.clone());
        let leaves = policy.then == Exhausted::Fallover;
        desk.note(ManagerNote::RestartsExhausted {
            group,
            resource: resource.clone(),
            leaves,
            why: why.clone(),
        });
        match policy.then {
            Exhausted::Fallover => {
                self.slots[index] = Slot::Broken;
                Err(format!("{resource} failed and its restarts are used up: {why}"))
            }
            Exhausted::Notify => {
                self.slots[index] = Slot::Lame;
                Ok(())
            }
        }
    }
}
