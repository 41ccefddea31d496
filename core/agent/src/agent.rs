//! One group on this node as a state machine. What it holds is its own truth: the manager only reports it.
//!
//! Two ways lead out of holding: being told, and the end of the lease, which needs nobody.

use crate::active::{Active, Progress};
use crate::desk::Desk;
use crate::phase::{Phase, Retry};
use crate::slot::Slot;
use crate::sweep::{Finding, Look, Sweep};
use crate::task::{Stage, Task};
use crate::teardown::{Descent, Teardown};
use phalanx_events::{ManagerNote, Point};
use phalanx_membership::Clearance;
use phalanx_model::{Group, differ_in_policies_only};
use phalanx_plan::{Holding, RestartTimes};
use phalanx_types::limits::{BOOT_PROBES_MAX, STUCK_RETRY_INTERVAL, UNLEASED_RETRY_INTERVAL};
use phalanx_types::{
    Bug, NetworkId, OperationId, OperationResult, OwnershipEpoch, Plot, ResourceName, Span, Tick,
};
use std::mem;
use std::sync::Arc;

/// Transitions that may follow from one another within one step; far more than there are.
const CASCADE_MAX: usize = 8;

/// A group's executor on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    group: Arc<Group>,
    phase: Phase,
    /// The last acquisition that was agreed for this node, or found here.
    epoch: OwnershipEpoch,
    /// The one before it: what an acquisition that began nothing is forgotten for.
    before: OwnershipEpoch,
    /// It was adopted from an earlier life, whose restarts are still to be heard of.
    forgetful: bool,
    /// When the lease known last ends.
    leased_until: Tick,
    /// The end of a lease that is known to have lapsed.
    lapse_noticed: Option<Tick>,
    /// Until when resources of an earlier life may be kept without an own lease; that life's deadman watches them.
    unleased_until: Tick,
    plot: Plot,
}

/// How and why a group is brought down.
struct Ending<'a> {
    failed: Option<String>,
    kill_at: Tick,
    cause: &'a str,
}

impl Agent {
    /// Begins by probing. Resources that an earlier life left may stay until `unleased_until` without a lease.
    pub fn new(desk: &mut Desk<'_>, group: Arc<Group>, unleased_until: Tick) -> Agent {
        let sweep = Sweep::begin(desk, &group, OwnershipEpoch::NONE);
        let phase = Phase::Probing { sweep, tries: 0 };
        let (epoch, before) = (OwnershipEpoch::NONE, OwnershipEpoch::NONE);
        let (leased_until, lapse_noticed) = (Tick::ZERO, None);
        let (forgetful, plot) = (false, Plot::NONE);
        Agent { group, phase, epoch, before, forgetful, leased_until, lapse_noticed, unleased_until, plot }
    }

    /// Plants the bug that the simulator chose, if any.
    pub fn plant(&mut self, plot: Plot) {
        self.plot = plot;
    }

    /// What this node has to do with the group, truly.
    pub fn holding(&self) -> Holding {
        let epoch = self.epoch;
        match &self.phase {
            Phase::Probing { .. } => Holding::Unknown,
            Phase::Idle { failed } => Holding::Free { epoch, failed: failed.clone() },
            Phase::Starting(_) => Holding::Acquiring { epoch },
            Phase::Running(_) => Holding::Online { epoch },
            Phase::Stopping { .. } => Holding::Releasing { epoch },
            Phase::Stuck { why, .. } => Holding::Stuck { epoch, why: why.clone() },
        }
    }

    /// The same as this node's passport has it: an acquisition that has begun nothing is not begun in that view.
    pub fn claim(&self) -> Holding {
        let starting = matches!(self.phase, Phase::Starting(_));
        match self.is_unbegun() || (starting && self.plot.has(Bug::BegunCalledUnbegun)) {
            true => Holding::Free { epoch: self.before, failed: None },
            false => self.holding(),
        }
    }

    /// The group as this node runs it.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// What it is doing.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Whether nothing of the group is here and nothing is under way.
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle { .. })
    }

    /// Whether the probes at daemon start are over.
    pub fn probed(&self) -> bool {
        !matches!(self.phase, Phase::Probing { .. })
    }

    /// Uses a changed definition of the group. Other policies take effect at once; another content only while nothing
    /// of it is here.
    pub fn redefine(&mut self, desk: &mut Desk<'_>, group: Arc<Group>) {
        if !self.is_idle() && !differ_in_policies_only(&self.group, &group) {
            return;
        }
        self.group = group;
        if let Some(active) = self.phase.active_mut() {
            active.watch_anew(&self.group, desk.now);
        }
    }

    /// An agreed plan gives this node the group. An acquisition that already ended here is not begun again.
    pub fn acquire(&mut self, desk: &mut Desk<'_>, epoch: OwnershipEpoch, cause: &str) {
        let newer = epoch > self.epoch;
        if newer {
            (self.before, self.epoch, self.forgetful) = (self.epoch, epoch, false);
        }
        if newer && self.is_idle() {
            let active = Active::fresh(&self.group, desk.now);
            self.enter(desk, Phase::Starting(active), cause);
        }
        self.drive(desk);
    }

    /// An agreed plan takes the group from this node.
    pub fn release(&mut self, desk: &mut Desk<'_>, cause: &str) {
        let from = self.phase.label();
        match mem::replace(&mut self.phase, Phase::Idle { failed: None }) {
            Phase::Starting(active) | Phase::Running(active) => {
                self.tear_down(desk, from, active, Ending { failed: None, kill_at: Tick::NEVER, cause });
            }
            Phase::Stuck { why, retry: Retry::At(_) | Retry::Unleased(_) } => {
                self.phase = Phase::Stuck { why, retry: Retry::At(desk.now) };
            }
            other @ (Phase::Probing { .. }
            | Phase::Idle { .. }
            | Phase::Stopping { .. }
            | Phase::Stuck { .. }) => self.phase = other,
        }
        self.drive(desk);
    }

    /// Whether something is to be started here and nothing proves yet that it may be.
    pub fn wants_clearance(&self) -> bool {
        self.phase.active().is_some_and(Active::wants_clearance)
    }

    /// Nobody else can hold the group.
    pub fn clear(&mut self, desk: &mut Desk<'_>, clearance: Clearance) {
        if let Some(active) = self.phase.active_mut() {
            active.clear(desk, clearance, self.epoch);
        }
        self.drive(desk);
    }

    /// The view is about to change, and the others go by [`Agent::claim`]: an acquisition that has begun nothing is
    /// given up. If it went on in a later view, another node might have owned the group in between.
    pub fn seal(&mut self, desk: &mut Desk<'_>) {
        if self.is_unbegun() {
            desk.reached(Point::UnbegunSealed);
            self.epoch = self.before;
            self.enter(desk, Phase::Idle { failed: None }, "the view changed before anything was begun");
        }
    }

    /// The view changed: an acquisition under way pauses until the new view clears it. What runs keeps its
    /// clearance, because nobody could take it without this node's word or the end of its lease.
    pub fn revoke(&mut self, desk: &mut Desk<'_>) {
        self.seal(desk);
        match &mut self.phase {
            Phase::Starting(active) => active.revoke(desk.now),
            Phase::Running(_)
            | Phase::Probing { .. }
            | Phase::Idle { .. }
            | Phase::Stopping { .. }
            | Phase::Stuck { .. } => {}
        }
    }

    /// An operation ended; whether it was this agent's.
    pub fn operated(&mut self, desk: &mut Desk<'_>, id: OperationId, result: &OperationResult) -> bool {
        let (group, epoch, task) = (self.group.clone(), self.epoch, self.stage());
        let mine = match &mut self.phase {
            Phase::Probing { sweep, .. } => sweep.operated(id, result),
            Phase::Stopping { teardown, .. } | Phase::Stuck { retry: Retry::Under(teardown), .. } => {
                teardown.operated(desk, &group, epoch, id, result)
            }
            Phase::Starting(active) | Phase::Running(active) => {
                let task = Task { group: &group, epoch, stage: task };
                match active.operated(desk, task, id, result) {
                    None => false,
                    Some(Ok(())) => true,
                    Some(Err(why)) => {
                        self.fail(desk, why);
                        true
                    }
                }
            }
            Phase::Idle { .. } | Phase::Stuck { retry: Retry::At(_) | Retry::Unleased(_), .. } => false,
        };
        self.drive(desk);
        mine
    }

    /// A started application's main process ended.
    pub fn ended(&mut self, desk: &mut Desk<'_>, resource: &ResourceName, how: &str) {
        let task = Task { group: &self.group, epoch: self.epoch, stage: self.stage() };
        let leased = self.unleased_until == Tick::ZERO;
        let active = self.phase.active_mut().filter(|_| leased);
        let well = active.map_or(Ok(()), |active| active.ended(desk, task, resource, how));
        match well {
            // Without a lease of this life it was the deadman of the last one, and that ends more than a process.
            Ok(()) if !leased => self.release(desk, how),
            Ok(()) => {}
            Err(why) => drop(self.fail(desk, why)),
        }
        self.drive(desk);
    }

    /// The deadman is gone. What an earlier life left running was watched by it and by no lease of this life: it goes now.
    pub fn unwatched(&mut self, desk: &mut Desk<'_>) {
        self.unleased_until = self.unleased_until.min(desk.now);
        self.drive(desk);
    }

    /// Adapters changed on a network: an address there may be lost, or have a place again.
    pub fn adapters_changed(&mut self, desk: &mut Desk<'_>, network: NetworkId) {
        if let Some(active) = self.phase.active_mut() {
            active.stir(network);
        }
        self.drive(desk);
    }

    /// Restarts in place that count, of each application that had any.
    pub fn restarts(&self) -> RestartTimes {
        let known = self.phase.active().filter(|_| !self.forgetful);
        known.map_or_else(RestartTimes::new, |active| active.restarts(&self.group))
    }

    /// Whether this life took over what runs and does not know yet how often it was restarted.
    pub fn is_forgetful(&self) -> bool {
        self.forgetful
    }

    /// Restarts of an earlier life that the cluster remembers.
    pub fn recall(&mut self, restarts: &RestartTimes) {
        self.forgetful = false;
        if let Some(active) = self.phase.active_mut() {
            active.recall(&self.group, restarts);
        }
    }

    /// Time passed or the standing changed.
    pub fn drive(&mut self, desk: &mut Desk<'_>) {
        if desk.standing.lease_until > Tick::ZERO
            && mem::replace(&mut self.unleased_until, Tick::ZERO) > Tick::ZERO
        {
            self.look_again(desk);
        }
        self.mind_lapse(desk);
        self.mind_lease(desk);
        for _ in 0..CASCADE_MAX {
            if !self.advance(desk) {
                return;
            }
        }
    }

    /// When it wants to be driven, given when the lease makes everything go.
    pub fn wake_at(&self, let_go_at: Tick) -> Tick {
        let lease = self.due(let_go_at);
        match &self.phase {
            Phase::Probing { sweep, .. } => sweep.wake_at(),
            Phase::Idle { .. } => Tick::NEVER,
            Phase::Starting(active) | Phase::Running(active) if self.holds() => active.wake_at().min(lease),
            Phase::Starting(active) | Phase::Running(active) => active.wake_at(),
            Phase::Stopping { teardown, .. } if teardown.hurried() => teardown.wake_at(),
            Phase::Stopping { teardown, .. } => teardown.wake_at().min(lease),
            Phase::Stuck { retry: Retry::At(when), .. } => (*when).min(lease),
            Phase::Stuck { retry: Retry::Unleased(when), .. } => *when,
            Phase::Stuck { retry: Retry::Under(teardown), .. } => teardown.wake_at(),
        }
    }

    /// Whether something may be active here that the end of the lease must end. What runs counts even while it is
    /// down for a restart, so that it never goes on after a lapse.
    fn holds(&self) -> bool {
        match &self.phase {
            Phase::Running(_) | Phase::Stopping { .. } | Phase::Stuck { .. } => true,
            Phase::Starting(active) => active.touched(),
            Phase::Probing { .. } | Phase::Idle { .. } => false,
        }
    }

    /// Whether it is being acquired and nothing of it was begun.
    fn is_unbegun(&self) -> bool {
        matches!(&self.phase, Phase::Starting(active) if !active.touched())
    }

    /// While this node had no lease, others may have owned the group: an acquisition agreed before that is over. It
    /// takes a new decision to begin one, and that shows that the view is still everybody's. One that was agreed meanwhile
    /// waits for the lease, and only then is over: or it would be agreed again and again until there is one.
    fn mind_lapse(&mut self, desk: &mut Desk<'_>) {
        let (known, until) = (self.leased_until, desk.standing.lease_until);
        let lapsed = known > Tick::ZERO && desk.now >= known;
        let noticed = mem::replace(&mut self.lapse_noticed, lapsed.then_some(known)) == Some(known);
        self.leased_until = until;
        if lapsed && (!noticed || until > desk.now) && self.is_unbegun() {
            desk.reached(Point::UnbegunLapsed);
            self.enter(desk, Phase::Idle { failed: None }, "the lease lapsed before anything was begun");
        }
    }

    /// What an earlier life left is this life's from now on.
    fn look_again(&mut self, desk: &mut Desk<'_>) {
        let (epoch, stage) = (self.epoch, self.stage());
        if let Some(active) = self.phase.active_mut() {
            active.look_again(desk, Task { group: &self.group, epoch, stage });
        }
    }

    fn stage(&self) -> Stage {
        match &self.phase {
            Phase::Running(_) => Stage::Running,
            Phase::Starting(_)
            | Phase::Probing { .. }
            | Phase::Idle { .. }
            | Phase::Stopping { .. }
            | Phase::Stuck { .. } => Stage::Starting,
        }
    }

    /// When what is held here must go, given when the lease makes everything go.
    fn due(&self, let_go_at: Tick) -> Tick {
        let_go_at.max(self.unleased_until)
    }

    /// Lets go when the lease runs out, in order for half the budget that is left, then at any price; and tries again and again
    /// to free what could not be freed before.
    fn mind_lease(&mut self, desk: &mut Desk<'_>) {
        if desk.now < self.due(desk.standing.let_go_at()) {
            return;
        }
        let until = desk.standing.lease_until.max(self.unleased_until + desk.standing.stop_budget);
        let kill_at = desk.now + Span(desk.now.until(until).0 / 2);
        let (from, held) = (self.phase.label(), self.holds());
        match mem::replace(&mut self.phase, Phase::Idle { failed: None }) {
            Phase::Starting(active) | Phase::Running(active) if held => {
                let (group, epoch) = (self.group.name.clone(), self.epoch);
                desk.note(ManagerNote::LettingGo { group, epoch, until });
                self.tear_down(
                    desk,
                    from,
                    active,
                    Ending { failed: None, kill_at, cause: "the lease runs out" },
                );
            }
            Phase::Stopping { mut teardown, failed } => {
                teardown.hurry(kill_at);
                self.phase = Phase::Stopping { teardown, failed };
            }
            Phase::Stuck { why, retry: Retry::At(_) } => {
                self.phase = Phase::Stuck { why, retry: Retry::Unleased(desk.now) };
            }
            other @ (Phase::Probing { .. }
            | Phase::Idle { .. }
            | Phase::Starting(_)
            | Phase::Running(_)
            | Phase::Stuck { .. }) => self.phase = other,
        }
    }

    /// One transition, if one is due.
    fn advance(&mut self, desk: &mut Desk<'_>) -> bool {
        let (group, epoch) = (self.group.clone(), self.epoch);
        match &mut self.phase {
            Phase::Idle { .. } => false,
            Phase::Probing { sweep, .. } => {
                sweep.expire(desk.now);
                let finding = sweep.finding();
                finding.is_some_and(|finding| self.found(desk, finding))
            }
            Phase::Starting(active) => {
                let progress = active.drive(desk, Task { group: &group, epoch, stage: Stage::Starting });
                self.progressed(desk, progress)
            }
            Phase::Running(active) => {
                match active.drive(desk, Task { group: &group, epoch, stage: Stage::Running }) {
                    Progress::Broken(why) => self.fail(desk, why),
                    Progress::Going | Progress::Complete => false,
                }
            }
            Phase::Stopping { teardown, .. } => {
                let descent = teardown.drive(desk, &group, epoch);
                self.descended(desk, descent)
            }
            Phase::Stuck { retry: Retry::At(when) | Retry::Unleased(when), .. } => {
                desk.now >= *when && self.retry(desk)
            }
            Phase::Stuck { retry: Retry::Under(teardown), .. } => {
                let descent = teardown.drive(desk, &group, epoch);
                self.descended(desk, descent)
            }
        }
    }

    fn progressed(&mut self, desk: &mut Desk<'_>, progress: Progress) -> bool {
        match (progress, mem::replace(&mut self.phase, Phase::Idle { failed: None })) {
            (Progress::Complete, Phase::Starting(active)) => {
                self.enter_from(desk, "acquiring", Phase::Running(active), "everything is started")
            }
            (Progress::Broken(why), phase) => {
                self.phase = phase;
                self.fail(desk, why)
            }
            (Progress::Going | Progress::Complete, phase) => {
                self.phase = phase;
                false
            }
        }
    }

    fn descended(&mut self, desk: &mut Desk<'_>, descent: Descent) -> bool {
        let failed = match &self.phase {
            Phase::Stopping { failed, .. } => failed.clone(),
            Phase::Probing { .. }
            | Phase::Idle { .. }
            | Phase::Starting(_)
            | Phase::Running(_)
            | Phase::Stuck { .. } => None,
        };
        match descent {
            Descent::Going => false,
            Descent::Clean => self.enter(desk, Phase::Idle { failed }, "a probe found nothing left"),
            Descent::Dirty(why) => {
                let why = failed.map_or(why.clone(), |failed| format!("{why} ({failed})"));
                self.stick(desk, why)
            }
        }
    }

    fn stick(&mut self, desk: &mut Desk<'_>, why: String) -> bool {
        let cause = why.clone();
        let retry = match desk.now < self.due(desk.standing.let_go_at()) {
            true => Retry::At(desk.now + STUCK_RETRY_INTERVAL),
            false => Retry::Unleased(desk.now + UNLEASED_RETRY_INTERVAL),
        };
        self.enter(desk, Phase::Stuck { why, retry }, &cause)
    }

    /// Everything is killed and probed once more.
    fn retry(&mut self, desk: &mut Desk<'_>) -> bool {
        let slots = vec![Slot::Broken; self.group.resources.len()];
        let teardown = Teardown::begin(desk, &self.group, self.epoch, slots, Tick::NEVER);
        if let Phase::Stuck { retry, .. } = &mut self.phase {
            *retry = Retry::Under(teardown);
        }
        true
    }

    fn fail(&mut self, desk: &mut Desk<'_>, why: String) -> bool {
        let from = self.phase.label();
        match mem::replace(&mut self.phase, Phase::Idle { failed: None }) {
            Phase::Starting(active) | Phase::Running(active) => {
                let cause = why.clone();
                self.tear_down(
                    desk,
                    from,
                    active,
                    Ending { failed: Some(why), kill_at: Tick::NEVER, cause: &cause },
                );
                true
            }
            other @ (Phase::Probing { .. }
            | Phase::Idle { .. }
            | Phase::Stopping { .. }
            | Phase::Stuck { .. }) => {
                self.phase = other;
                false
            }
        }
    }

    fn tear_down(&mut self, desk: &mut Desk<'_>, from: &'static str, active: Active, ending: Ending<'_>) {
        let Ending { failed, kill_at, cause } = ending;
        let teardown = Teardown::begin(desk, &self.group, self.epoch, active.into_slots(), kill_at);
        self.enter_from(desk, from, Phase::Stopping { teardown, failed }, cause);
    }

    /// What the probes at daemon start say.
    fn found(&mut self, desk: &mut Desk<'_>, finding: Finding) -> bool {
        let Phase::Probing { sweep, tries } = &self.phase else { return false };
        let up: Vec<_> = sweep.looks().iter().map(|look| matches!(look, Look::Active(_))).collect();
        let tries = tries + 1;
        self.tell(desk, &finding);
        match finding {
            Finding::Nothing => self.enter(desk, Phase::Idle { failed: None }, "a probe found nothing"),
            Finding::Blind(why) if tries < BOOT_PROBES_MAX => {
                desk.reached(Point::BootProbeRepeated);
                let sweep = Sweep::begin(desk, &self.group, self.epoch);
                self.phase = Phase::Probing { sweep, tries };
                drop(why);
                false
            }
            Finding::Blind(why) => self.stick(desk, format!("it cannot be probed: {why}")),
            Finding::Whole(epoch) => self.adopt(desk, epoch, &up, Stage::Running),
            Finding::Part(Some(epoch)) => self.adopt(desk, epoch, &up, Stage::Starting),
            Finding::Part(None) => {
                let active = Active::adopted(&self.group, &up, desk.now);
                let cause = "nobody knows who started what a probe found";
                self.tear_down(desk, "probing", active, Ending { failed: None, kill_at: Tick::NEVER, cause });
                true
            }
        }
    }

    fn adopt(&mut self, desk: &mut Desk<'_>, epoch: OwnershipEpoch, up: &[bool], stage: Stage) -> bool {
        (self.epoch, self.forgetful) = (epoch, true);
        desk.note(ManagerNote::Readopted { group: self.group.name.clone(), epoch });
        let active = Active::adopted(&self.group, up, desk.now);
        let phase = match stage {
            Stage::Running => Phase::Running(active),
            Stage::Starting => Phase::Starting(active),
        };
        self.enter(desk, phase, "an earlier life of the daemon started it")
    }

    fn tell(&self, desk: &mut Desk<'_>, finding: &Finding) {
        let found = match finding {
            Finding::Nothing => "nothing".to_owned(),
            Finding::Whole(epoch) => format!("all of it, epoch {epoch}"),
            Finding::Part(Some(epoch)) => format!("a part of it, epoch {epoch}"),
            Finding::Part(None) => "resources of an unknown epoch".to_owned(),
            Finding::Blind(why) => why.clone(),
        };
        desk.note(ManagerNote::Probed { group: self.group.name.clone(), found });
    }

    fn enter(&mut self, desk: &mut Desk<'_>, phase: Phase, cause: &str) -> bool {
        let from = self.phase.label();
        self.enter_from(desk, from, phase, cause)
    }

    fn enter_from(&mut self, desk: &mut Desk<'_>, from: &'static str, phase: Phase, cause: &str) -> bool {
        self.phase = phase;
        let (group, epoch, to) = (self.group.name.clone(), self.epoch, self.phase.label());
        desk.note(ManagerNote::GroupChanged { group, epoch, from, to, cause: cause.to_owned() });
        true
    }
}
