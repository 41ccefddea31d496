//! How far the timings are stretched: who stood still says so, and all go by longer ones; after a calm by shorter ones again.
//!
//! A member that stood still for longer than the timings forgive remembers it on disk and says it in order. What follows
//! from a word is the same for all that hear it: the next record. Each has that on disk before it goes by it, and says so.
//! No safety rests on who switches first, for each grant says for how long it is (`membership`); what must not be forgotten
//! is the longest lease that this node may have promised, which is on disk before it is used.

use crate::manager::{Manager, Phase, Turn};
use crate::message::{Envelope, TimingWord, Word, encode};
use crate::ordered::papers;
use crate::request::Reply;
use crate::status::{StallStatus, TimingStatus};
use phalanx_events::{ManagerNote, StretchCause};
use phalanx_groups::Membership;
use phalanx_membership::Pace;
use phalanx_types::limits::{PLAN_RETRY_PAUSE, REQUEST_LIMIT, STALL_TOLD_AGAIN, STRETCH_CALM};
use phalanx_types::{
    NodeId, NodeSet, RequestId, Span, Stall, Step, Stretch, StretchRecord, Tick, Timings, ViewId,
};

/// What this node has to do about the timings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretching {
    /// The timings in force here: those that are on disk.
    pace: Pace,
    /// The longest stall of this node that it has not said in order yet.
    untold: Option<Span>,
    /// Since when nobody said that he stood still, or since the timings were changed, or this life began.
    calm_since: Tick,
    /// Since when this node has gone by shorter timings than it may have promised by.
    shorter_since: Option<Tick>,
    /// How many changes there were when all members were last known to go by what was agreed.
    settled: u64,
    view: InView,
    asked: Option<Asked>,
}

/// What was said in this view.
#[derive(Clone, Copy, Debug, Default)]
struct InView {
    /// The members that have the present record on disk.
    stored: NodeSet,
    /// Whether this node said that it has.
    said_stored: bool,
    /// The stall that this node said.
    said_stall: Option<Span>,
    /// Whether this node called for shorter timings.
    said_shrink: bool,
    /// The longest lease that any member may have granted.
    lease_max: Span,
}

/// An operator asks for the configured timings.
#[derive(Clone, Copy, Debug)]
struct Asked {
    id: RequestId,
    until: Tick,
    said: bool,
}

impl Stretching {
    /// At the beginning of a life.
    pub fn new(born: Tick, configured: Timings, record: StretchRecord) -> Stretching {
        Stretching {
            pace: pace(configured, record),
            untold: record.untold,
            calm_since: born,
            shorter_since: None,
            settled: 0,
            view: InView::default(),
            asked: None,
        }
    }
}

/// What a node goes by that has this on disk.
fn pace(configured: Timings, record: StretchRecord) -> Pace {
    let timings = configured.stretched(record.stretch.step);
    Pace { timings, lease_max: record.lease_max.max(timings.lease()) }
}

impl Manager {
    /// The timings in force here.
    pub fn pace(&self) -> Pace {
        self.stretching.pace
    }

    /// How far the timings are stretched, as last agreed.
    pub fn stretch(&self) -> Stretch {
        self.config.ledger.stretch().stretch
    }

    /// What the cluster file says.
    pub(crate) fn configured(&self) -> Timings {
        self.config.cluster.timings()
    }

    /// From the last grant that any member of this view may have given to where nothing is held by it.
    pub(crate) fn held_for(&self) -> Span {
        let lease = self.stretching.view.lease_max.max(self.stretching.pace.lease_max);
        self.configured().free_after(lease)
    }

    /// Whether the others know what this node has promised at most.
    pub(crate) fn has_told_stretch(&self) -> bool {
        self.stretch().changes == 0 || self.stretching.view.said_stored
    }

    /// This node stood still. What the next shorter timings would have forgiven, and what none would, calls for nothing.
    pub(crate) fn stood_still(&mut self, turn: &mut Turn<'_>, length: Span) {
        let (configured, step) = (self.configured(), self.stretch().step);
        let near = length > configured.stretched(step.lower()).forgives();
        let Some(needed) = configured.step_for(length).filter(|_| near) else { return };
        let told_of_late = turn.now < self.stretching.calm_since + STALL_TOLD_AGAIN;
        if needed <= step && told_of_late {
            return;
        }
        self.stretching.untold = self.stretching.untold.max(Some(length));
        if needed > step {
            self.remember_untold(turn);
        }
    }

    /// The timings that members of a new view bring: the latest agreement of any of them holds.
    pub(crate) fn stretch_meets_view(&mut self, turn: &mut Turn<'_>, membership: &Membership) {
        let brought = membership.passports.values().filter_map(|passport| papers(&passport.body));
        let (mut latest, mut lease_max) = (self.stretch(), Span::ZERO);
        for papers in brought {
            (latest, lease_max) = (latest.merged(papers.stretch), lease_max.max(papers.lease_max));
        }
        self.stretching.view = InView { lease_max, ..InView::default() };
        if let Some(asked) = &mut self.stretching.asked {
            asked.said = false;
        }
        if latest != self.stretch() {
            self.change_stretch(turn, latest, StretchCause::Met);
        }
    }

    /// A member says something of the timings, in order.
    pub(crate) fn hear_timing(&mut self, turn: &mut Turn<'_>, from: NodeId, view: ViewId, word: TimingWord) {
        match word {
            TimingWord::StoodStill(length) => self.hear_stall(turn, view, Stall { node: from, length }),
            TimingWord::Shrink { changes, to, cause } => {
                if changes == self.stretch().changes && to < self.stretch().step {
                    let shorter = self.stretch().changed(view, to, None);
                    self.change_stretch(turn, shorter, cause);
                }
                if from == self.me.node && cause == StretchCause::Operator {
                    self.shrink_was_ordered(turn);
                }
            }
            TimingWord::Stored { stretch, lease_max } => {
                self.stretching.view.lease_max = self.stretching.view.lease_max.max(lease_max);
                if stretch.rank() > self.stretch().rank() {
                    self.change_stretch(turn, stretch, StretchCause::Met);
                }
                if stretch.rank() == self.stretch().rank() {
                    self.stretching.view.stored = self.stretching.view.stored.with(from);
                }
            }
        }
    }

    fn hear_stall(&mut self, turn: &mut Turn<'_>, view: ViewId, stall: Stall) {
        self.stretching.calm_since = turn.now;
        if stall.node == self.me.node {
            self.stretching.untold.take_if(|untold| *untold <= stall.length);
        }
        match self.configured().step_for(stall.length).filter(|step| *step > self.stretch().step) {
            Some(step) => {
                let longer = self.stretch().changed(view, step, Some(stall));
                self.change_stretch(turn, longer, StretchCause::Stall(stall));
            }
            None => self.remember_untold(turn),
        }
    }

    /// This is what was agreed. It is in force here as soon as it is on disk.
    fn change_stretch(&mut self, turn: &mut Turn<'_>, stretch: Stretch, cause: StretchCause) {
        let timings = self.configured().stretched(stretch.step);
        let Stretching { pace, untold, .. } = self.stretching;
        let known = self.config.ledger.stretch().lease_max.max(pace.lease_max);
        let lease_max = known.max(timings.lease());
        self.config.set_stretch(turn, StretchRecord { stretch, lease_max, untold });
        let view = InView { lease_max: self.stretching.view.lease_max.max(lease_max), ..InView::default() };
        self.stretching = Stretching { calm_since: turn.now, shorter_since: None, view, ..self.stretching };
        let (detect, lease) = (timings.detect(), timings.lease());
        turn.note(ManagerNote::TimingsChanged { cause, detect, lease });
    }

    fn remember_untold(&mut self, turn: &mut Turn<'_>) {
        let (record, untold) = (self.config.ledger.stretch(), self.stretching.untold);
        if record.untold != untold {
            self.config.set_stretch(turn, StretchRecord { untold, ..record });
        }
    }

    /// Does what is next about the timings.
    pub(crate) fn follow_stretch(&mut self, turn: &mut Turn<'_>) {
        self.forget_long_promises(turn);
        self.stretching.pace = pace(self.configured(), self.config.stretch());
        self.give_up_shrinking(turn);
        let Some(view) = self.view_id().filter(|_| !self.sealed.get()) else { return };
        self.tell_stall(turn, view);
        self.tell_stretch(turn, view);
        self.call_for_shorter(turn, view);
        self.tell_settled(turn);
    }

    /// Shorter timings have been in force here for so long that whatever was promised by longer ones is over.
    fn forget_long_promises(&mut self, turn: &mut Turn<'_>) {
        let (record, configured) = (self.config.ledger.stretch(), self.configured());
        let lease = configured.stretched(record.stretch.step).lease();
        if record.lease_max <= lease || !self.has_stored_stretch() {
            return self.stretching.shorter_since = None;
        }
        let since = *self.stretching.shorter_since.get_or_insert(turn.now);
        if turn.now >= since + configured.free_after(record.lease_max) {
            self.stretching.shorter_since = None;
            self.config.set_stretch(turn, StretchRecord { lease_max: lease, ..record });
        }
    }

    fn has_stored_stretch(&self) -> bool {
        self.config.stretch() == self.config.ledger.stretch()
    }

    fn tell_stall(&mut self, turn: &mut Turn<'_>, view: ViewId) {
        let Some(length) = self.stretching.untold else { return };
        if self.stretching.view.said_stall < Some(length)
            && self.say_timing(turn, view, TimingWord::StoodStill(length))
        {
            self.stretching.view.said_stall = Some(length);
        }
    }

    fn tell_stretch(&mut self, turn: &mut Turn<'_>, view: ViewId) {
        let StretchRecord { stretch, lease_max, .. } = self.config.ledger.stretch();
        if stretch.changes > 0 && !self.stretching.view.said_stored && self.has_stored_stretch() {
            let word = TimingWord::Stored { stretch, lease_max };
            self.stretching.view.said_stored = self.say_timing(turn, view, word);
        }
    }

    /// After a calm the lowest member does; and whoever an operator asked to.
    fn call_for_shorter(&mut self, turn: &mut Turn<'_>, view: ViewId) {
        let Stretch { step, changes, .. } = self.stretch();
        if self.stretching.asked.is_some_and(|asked| !asked.said) {
            let (to, cause) = (Step::CONFIGURED, StretchCause::Operator);
            let said = self.say_timing(turn, view, TimingWord::Shrink { changes, to, cause });
            if let Some(asked) = &mut self.stretching.asked {
                asked.said = said;
            }
        }
        if turn.now >= self.calm_at() {
            let (to, cause) = (step.lower(), StretchCause::Calm);
            let word = TimingWord::Shrink { changes, to, cause };
            self.stretching.view.said_shrink = self.say_timing(turn, view, word);
        }
    }

    /// When this node is to call for shorter timings, if it stays calm.
    fn calm_at(&self) -> Tick {
        let is_lowest = || {
            let members = self.in_step().map(|membership| membership.view.members.keys());
            members.is_some_and(|mut members| members.next() == Some(&self.me.node))
        };
        match self.stretch().step > Step::CONFIGURED && !self.stretching.view.said_shrink && is_lowest() {
            true => self.stretching.calm_since + STRETCH_CALM,
            false => Tick::NEVER,
        }
    }

    fn tell_settled(&mut self, turn: &mut Turn<'_>) {
        let members = self.in_step().map(|membership| membership.view.members.keys().copied().collect());
        let all = members.is_some_and(|members: NodeSet| members.is_within(self.stretching.view.stored));
        let changes = self.stretch().changes;
        if all && self.stretching.settled < changes {
            self.stretching.settled = changes;
            let timings = self.configured().stretched(self.stretch().step);
            turn.note(ManagerNote::TimingsSettled { detect: timings.detect(), lease: timings.lease() });
        }
    }

    fn say_timing(&mut self, turn: &mut Turn<'_>, view: ViewId, word: TimingWord) -> bool {
        let said = turn.group.broadcast(encode(&Envelope { view, word: Word::Timing(word) })).is_ok();
        if !said {
            self.retry_at = turn.now + PLAN_RETRY_PAUSE;
        }
        said
    }

    /// An operator asks for the configured timings.
    pub(crate) fn asked_to_shrink(&mut self, turn: &mut Turn<'_>, id: RequestId) {
        let refused = |why| Reply::Refused { why };
        let reply = match &self.phase {
            Phase::Alone | Phase::Apart(_) => refused(self.no_quorum()),
            Phase::CatchingUp(_) | Phase::InStep(_) if self.stretching.asked.is_some() => {
                refused("that was asked a moment ago and is under way".to_owned())
            }
            Phase::CatchingUp(_) | Phase::InStep(_) if self.stretch().step == Step::CONFIGURED => {
                Reply::Done { what: "the timings are as configured".to_owned() }
            }
            Phase::CatchingUp(_) | Phase::InStep(_) => {
                let until = turn.now + REQUEST_LIMIT;
                return self.stretching.asked = Some(Asked { id, until, said: false });
            }
        };
        self.answer(turn, id, reply);
    }

    /// What this node called for in an operator's name has its place in the order. A stall that came first makes it void.
    fn shrink_was_ordered(&mut self, turn: &mut Turn<'_>) {
        let Some(asked) = &mut self.stretching.asked else { return };
        let id = asked.id;
        asked.said = false;
        if self.stretch().step == Step::CONFIGURED {
            self.stretching.asked = None;
            self.answer(turn, id, Reply::Done { what: "the timings are as configured again".to_owned() });
        }
    }

    fn give_up_shrinking(&mut self, turn: &mut Turn<'_>) {
        let Some(Asked { id, until, .. }) = self.stretching.asked else { return };
        let lost = matches!(self.phase, Phase::Alone | Phase::Apart(_));
        if lost || turn.now >= until {
            self.stretching.asked = None;
            let why = format!("it had not found its place in the order ({})", self.quorum());
            self.answer(turn, id, Reply::Unknown { why });
        }
    }

    /// The timings for those who look.
    pub(crate) fn timing_status(&self, now: Tick) -> TimingStatus {
        let Stretch { step, changes, stall, .. } = self.stretch();
        TimingStatus {
            configured: self.configured(),
            in_force: self.pace().timings,
            step,
            settled: self.stretching.settled == changes,
            stall: stall.map(|Stall { node, length }| StallStatus { node: self.name(node), length }),
            calm_for: now.since(self.stretching.calm_since),
        }
    }

    /// When the next step about the timings is due, if nothing happens.
    pub(crate) fn stretch_at(&self) -> Tick {
        let record = self.config.ledger.stretch();
        let forgets = |since| since + self.configured().free_after(record.lease_max);
        let forgets = self.stretching.shorter_since.map_or(Tick::NEVER, forgets);
        let asked = self.stretching.asked.map_or(Tick::NEVER, |asked| asked.until);
        self.calm_at().min(forgets).min(asked)
    }
}
