//! Bringing a group down here: stop in reverse order, kill what does not stop, probe that nothing is left.
//!
//! Never believes a stop's exit code: only a probe of everything that finds nothing makes the group free.

use crate::desk::{Desk, Pending};
use crate::slot::Slot;
use crate::sweep::{Finding, Look, Sweep};
use phalanx_events::Point;
use phalanx_model::Group;
use phalanx_types::limits::TEARDOWN_ROUNDS_MAX;
use phalanx_types::{OperationId, OperationResult, OwnershipEpoch, Tick, Verb};

/// A group on its way down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Teardown {
    slots: Vec<Slot>,
    stage: Stage,
    /// From when on nothing is stopped in order any more.
    kill_at: Tick,
    rounds: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Stopping,
    Probing(Sweep),
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Descent {
    /// Something is still to be done, or to be waited for.
    Going,
    /// A probe found nothing.
    Clean,
    /// Something is left that cannot be ended, or nobody can tell.
    Dirty(String),
}

impl Teardown {
    /// Begins to bring down what `slots` say. Starts under way are killed, and awaited: what they still do comes
    /// before the last kill.
    pub fn begin(
        desk: &mut Desk<'_>,
        group: &Group,
        epoch: OwnershipEpoch,
        slots: Vec<Slot>,
        kill_at: Tick,
    ) -> Teardown {
        let slots = slots.into_iter().enumerate().map(|(index, slot)| match slot {
            Slot::Starting(pending) => {
                desk.operate(group, &group.resources[index], Verb::Kill, epoch);
                Slot::Aborting(pending)
            }
            Slot::Clearing(pending) => Slot::Killing(pending),
            Slot::Lame | Slot::Astray | Slot::Checking { .. } => Slot::Up,
            Slot::Down
            | Slot::Up
            | Slot::Broken
            | Slot::Stopping(_)
            | Slot::Aborting(_)
            | Slot::Killing(_) => slot,
        });
        Teardown { slots: slots.collect(), stage: Stage::Stopping, kill_at, rounds: 0 }
    }

    /// The lease ends: from `kill_at` on everything left is killed at once.
    pub fn hurry(&mut self, kill_at: Tick) {
        self.kill_at = self.kill_at.min(kill_at);
    }

    /// Whether it was hurried already.
    pub fn hurried(&self) -> bool {
        self.kill_at < Tick::NEVER
    }

    /// Does what can be done now.
    pub fn drive(&mut self, desk: &mut Desk<'_>, group: &Group, epoch: OwnershipEpoch) -> Descent {
        match &mut self.stage {
            Stage::Stopping => self.stop(desk, group, epoch),
            Stage::Probing(sweep) => sweep.expire(desk.now),
        }
        match &self.stage {
            Stage::Stopping if self.slots.iter().all(Slot::is_down) => {
                self.stage = Stage::Probing(Sweep::begin(desk, group, epoch));
                Descent::Going
            }
            Stage::Stopping => Descent::Going,
            Stage::Probing(sweep) => match sweep.finding() {
                None => Descent::Going,
                Some(Finding::Nothing) => Descent::Clean,
                Some(found) => self.again(desk, group, epoch, found),
            },
        }
    }

    /// Takes the answer of one of its operations; whether it was.
    pub fn operated(
        &mut self,
        desk: &mut Desk<'_>,
        group: &Group,
        epoch: OwnershipEpoch,
        id: OperationId,
        result: &OperationResult,
    ) -> bool {
        if let Stage::Probing(sweep) = &mut self.stage {
            return sweep.operated(id, result);
        }
        let mine = |slot: &Slot| slot.pending().is_some_and(|pending| pending.id == id);
        let index = self.slots.iter().position(mine);
        if let Some(index) = index {
            self.ended(desk, group, epoch, index, result.clone());
        }
        index.is_some()
    }

    /// When it wants to be driven.
    pub fn wake_at(&self) -> Tick {
        match &self.stage {
            Stage::Probing(sweep) => sweep.wake_at(),
            Stage::Stopping => {
                let deadline = self.slots.iter().map(Slot::deadline).min().unwrap_or(Tick::NEVER);
                let killable = |slot: &Slot| matches!(slot, Slot::Up | Slot::Stopping(_) | Slot::Broken);
                match self.slots.iter().any(killable) {
                    true => deadline.min(self.kill_at),
                    false => deadline,
                }
            }
        }
    }

    /// Another round over what the probes found, or the end of trying.
    fn again(
        &mut self,
        desk: &mut Desk<'_>,
        group: &Group,
        epoch: OwnershipEpoch,
        found: Finding,
    ) -> Descent {
        self.rounds += 1;
        let Stage::Probing(sweep) = &self.stage else { return Descent::Going };
        let left: Vec<_> = sweep.looks().iter().map(|look| *look != Look::Inactive).collect();
        if self.rounds >= TEARDOWN_ROUNDS_MAX {
            return Descent::Dirty(remains(group, &left, &found));
        }
        desk.reached(Point::SecondRound);
        self.slots = left.into_iter().map(|left| if left { Slot::Broken } else { Slot::Down }).collect();
        self.stage = Stage::Stopping;
        self.stop(desk, group, epoch);
        Descent::Going
    }

    /// Stops or kills each resource whose dependents are down.
    fn stop(&mut self, desk: &mut Desk<'_>, group: &Group, epoch: OwnershipEpoch) {
        for index in (0..self.slots.len()).rev() {
            if self.slots[index].pending().is_some_and(|pending| pending.overdue(desk.now)) {
                self.ended(desk, group, epoch, index, OperationResult::TimedOut);
            }
            let (urgent, free) = (desk.now >= self.kill_at, self.is_free(group, index));
            let verb = match &self.slots[index] {
                Slot::Up if free && !urgent => Verb::Stop,
                Slot::Up | Slot::Broken if free || urgent => Verb::Kill,
                Slot::Stopping(_) if urgent => Verb::Kill,
                Slot::Up
                | Slot::Broken
                | Slot::Stopping(_)
                | Slot::Down
                | Slot::Starting(_)
                | Slot::Checking { .. }
                | Slot::Clearing(_)
                | Slot::Lame
                | Slot::Astray
                | Slot::Aborting(_)
                | Slot::Killing(_) => continue,
            };
            self.bring_down(desk, group, epoch, index, verb);
        }
    }

    /// Whether everything that comes after this resource is down.
    fn is_free(&self, group: &Group, index: usize) -> bool {
        let name = &group.resources[index].name;
        let depends = |other: &usize| group.resources[*other].after.contains(name);
        (0..self.slots.len()).filter(depends).all(|other| self.slots[other].is_down())
    }

    fn bring_down(
        &mut self,
        desk: &mut Desk<'_>,
        group: &Group,
        epoch: OwnershipEpoch,
        index: usize,
        verb: Verb,
    ) {
        let pending = desk.operate(group, &group.resources[index], verb, epoch);
        self.slots[index] = match verb {
            Verb::Stop => Slot::Stopping(pending),
            Verb::Kill | Verb::Probe | Verb::Scout | Verb::Start(_) | Verb::Monitor => Slot::Killing(pending),
        };
    }

    fn ended(
        &mut self,
        desk: &mut Desk<'_>,
        group: &Group,
        epoch: OwnershipEpoch,
        index: usize,
        result: OperationResult,
    ) {
        let account = |desk: &mut Desk<'_>, pending: &Pending| {
            desk.account(group, &group.resources[index], epoch, pending, result.clone()).is_ok()
        };
        let slot = std::mem::replace(&mut self.slots[index], Slot::Down);
        match slot {
            Slot::Stopping(pending) if account(desk, &pending) => {}
            Slot::Killing(pending) => {
                // The probe that follows decides, whatever the kill says.
                account(desk, &pending);
            }
            Slot::Stopping(_) | Slot::Aborting(_) => self.bring_down(desk, group, epoch, index, Verb::Kill),
            // These have no operation under way here.
            other @ (Slot::Down
            | Slot::Up
            | Slot::Broken
            | Slot::Lame
            | Slot::Astray
            | Slot::Starting(_)
            | Slot::Checking { .. }
            | Slot::Clearing(_)) => self.slots[index] = other,
        }
    }
}

fn remains(group: &Group, left: &[bool], found: &Finding) -> String {
    let names: Vec<_> = group
        .resources
        .iter()
        .zip(left)
        .filter(|(_, left)| **left)
        .map(|(resource, _)| resource.name.as_str())
        .collect();
    match found {
        Finding::Blind(why) => format!("nobody can tell whether {} is active: {why}", names.join(", ")),
        Finding::Nothing | Finding::Whole(_) | Finding::Part(_) => {
            format!("{} is still active after stop and kill", names.join(", "))
        }
    }
}
