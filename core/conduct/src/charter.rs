//! What becomes of the charter: taken over from a view, and passed on to those who should decide.
//!
//! A cluster formed by few is given back once a majority of all is there; with quorum `dynamic` the members of a steady
//! view are who decides next. Either goes in three parts, each only while nothing changes. The view is steady for as long as
//! promises last: each member has it on disk that the charter passes. All have said so for as long as leases last: nobody
//! can act any more by a lease that those of before alone granted. From there on the others decide.

use crate::manager::{Manager, Turn};
use crate::message::{Envelope, Word, encode};
use phalanx_events::ManagerNote;
use phalanx_model::Quorum;
use phalanx_types::limits::PLAN_RETRY_PAUSE;
use phalanx_types::{Charter, CharterStage, Electorate, Majority, NodeId, NodeSet, Tick, ViewId};

/// How far the charter is on its way in this view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passage {
    /// Since when nothing stood in the way of the next step; that is waited for.
    since: Option<Tick>,
    /// The members that have it on disk as it is here.
    stored: NodeSet,
    /// Whether this node said so.
    said: bool,
}

impl Manager {
    /// Whose agreement makes a primary view, as this node has it on disk.
    pub fn charter(&self) -> Charter {
        self.config.charter()
    }

    /// All configured nodes, and how many decide.
    pub(crate) fn electorate(&self) -> Electorate {
        let cluster = self.cluster();
        Electorate { nodes: cluster.nodes.keys().copied().collect(), quorum: cluster.quorum_size() }
    }

    /// A view was formed under a charter: takes it over, and lets go of everything if it began without this node.
    pub(crate) fn charter_meets_view(&mut self, turn: &mut Turn<'_>, charter: Charter) {
        self.passage = Passage::default();
        let ours = self.config.ledger.charter();
        let charter = ours.merged(charter);
        let formed_it = charter.few().is_some_and(|few| few.has(self.me.node));
        if charter.generation > ours.generation && !formed_it {
            turn.note(ManagerNote::FormedWithoutUs { generation: charter.generation });
            self.each_agent(turn, |agent, desk| {
                agent.release(desk, "an operator formed the cluster without this node");
            });
        }
        self.change_charter(turn, charter);
    }

    fn change_charter(&mut self, turn: &mut Turn<'_>, charter: Charter) {
        let ours = self.config.ledger.charter();
        if charter.rank() != ours.rank() {
            self.passage = Passage::default();
        }
        if charter != ours {
            self.config.set_charter(turn, charter);
            turn.note(ManagerNote::CharterChanged { charter });
        }
    }

    /// A member has this on disk. A later step than our own holds here, too.
    pub(crate) fn take_charter(&mut self, turn: &mut Turn<'_>, from: NodeId, charter: Charter) {
        self.change_charter(turn, self.config.ledger.charter().merged(charter));
        if charter.rank() == self.config.ledger.charter().rank() {
            self.passage.stored = self.passage.stored.with(from);
        }
    }

    /// Does what is next with a charter that should change.
    pub(crate) fn follow_charter(&mut self, turn: &mut Turn<'_>) {
        let charter = self.config.charter();
        let stored = charter == self.config.ledger.charter();
        let told = stored && self.has_told_stretch();
        let settled = told && self.in_step().is_some() && self.config_agreed() && !self.sealed.get();
        let Some(view) = self.view_id().filter(|_| settled) else { return self.passage.since = None };
        match charter.stage {
            CharterStage::Settled(now) => match self.next_majority(now) {
                Some(next) => self.when_steady(turn, charter.passing(view, next)),
                None => self.passage.since = None,
            },
            CharterStage::Passing { .. } => {
                self.say_charter(turn, charter);
                match self.all_have_stored() && charter.is_met(self.counting(), self.electorate()) {
                    true => self.when_steady(turn, charter.settled(view)),
                    false => self.passage.since = None,
                }
            }
        }
    }

    /// Who should decide next, if not those who do. With quorum `dynamic`: the members that stay, where more of them can then be
    /// lost than now, or where they can decide then and not now; and all once all are there. Five become three, and three
    /// stay three when one of them is lost: two would both be needed, and now either can make do with the third. When one
    /// of the last two leaves in good order the other decides.
    fn next_majority(&self, now: Majority) -> Option<Majority> {
        let (all, counting, staying) = (self.electorate(), self.counting(), self.staying());
        let next = match self.cluster().quorum {
            Quorum::Majority => Majority::OfAll,
            Quorum::Dynamic => Majority::of(staying, all.nodes),
        };
        let gains = next == Majority::OfAll
            || next.spare(staying, all) > now.spare(staying, all)
            || (next.is_in(staying, all) && !now.is_in(staying, all));
        let both = [now, next].iter().all(|majority| majority.is_in(counting, all));
        (next != now && gains && both).then_some(next)
    }

    /// When the next step is due, if nothing changes.
    pub(crate) fn charter_at(&self) -> Tick {
        self.passage.since.map_or(Tick::NEVER, |since| since + self.steady())
    }

    /// Longer than any lease granted before it can run, and any promise made before it can last.
    fn steady(&self) -> phalanx_types::Span {
        self.held_for() * 2
    }

    fn when_steady(&mut self, turn: &mut Turn<'_>, next: Charter) {
        let since = *self.passage.since.get_or_insert(turn.now);
        if turn.now >= since + self.steady() {
            self.passage.since = None;
            self.change_charter(turn, next);
        }
    }

    pub(crate) fn view_id(&self) -> Option<ViewId> {
        self.in_step().map(|membership| membership.view.id)
    }

    /// The members that count.
    fn counting(&self) -> NodeSet {
        self.in_step().map_or(NodeSet::EMPTY, |membership| membership.view.counting())
    }

    /// Of these, who does not leave.
    fn staying(&self) -> NodeSet {
        let leaving = self.state.leaving.iter().map(|life| life.node).collect();
        self.counting().minus(leaving)
    }

    /// Whether those who stay can decide without those who leave. If not, and they will be able to once the charter has
    /// passed to them, who leaves waits for that.
    pub(crate) fn is_dispensable(&self) -> bool {
        let staying = self.staying();
        match self.cluster().quorum {
            Quorum::Majority => true,
            Quorum::Dynamic => staying.is_empty() || self.config.charter().is_met(staying, self.electorate()),
        }
    }

    fn all_have_stored(&self) -> bool {
        let members = self.in_step().map(|membership| membership.view.members.keys().copied().collect());
        members.is_some_and(|members: NodeSet| members.is_within(self.passage.stored))
    }

    fn say_charter(&mut self, turn: &mut Turn<'_>, charter: Charter) {
        let Some(view) = self.view_id().filter(|_| !self.passage.said) else { return };
        match turn.group.broadcast(encode(&Envelope { view, word: Word::Charter(charter) })) {
            Ok(()) => self.passage.said = true,
            Err(_) => self.retry_at = turn.now + PLAN_RETRY_PAUSE,
        }
    }
}
