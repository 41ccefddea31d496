//! What becomes of the charter: taken over from a view, and given back to a majority of all once that is there.
//!
//! A cluster formed by few is closed in three steps, each only while nothing changes. A majority of all is in the view for
//! as long as promises last: each member closes, on disk. All have said so for as long as leases last: nobody can act any
//! more by a lease that the few alone granted. From there on a majority of all decides.

use crate::manager::{Manager, Turn};
use crate::message::{Envelope, Word, encode};
use phalanx_events::ManagerNote;
use phalanx_types::limits::PLAN_RETRY_PAUSE;
use phalanx_types::{Charter, CharterStage, Electorate, NodeId, NodeSet, Tick, ViewId};

/// How far the closing of the charter is in this view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Closing {
    /// Since when nothing stood in the way of the next step; that is waited for.
    since: Option<Tick>,
    /// The members that have it on disk that it is closing.
    closed: NodeSet,
    /// The view in which this node said so.
    said: Option<ViewId>,
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
        self.closing = Closing::default();
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
        if charter != self.config.ledger.charter() {
            self.config.set_charter(turn, charter);
            turn.note(ManagerNote::CharterChanged { charter });
        }
    }

    /// A member has it on disk that the charter is closing.
    pub(crate) fn take_closing(&mut self, from: NodeId, generation: u64) {
        if generation == self.config.ledger.charter().generation {
            self.closing.closed = self.closing.closed.with(from);
        }
    }

    /// Does what is next with a charter of few.
    pub(crate) fn follow_charter(&mut self, turn: &mut Turn<'_>) {
        let charter = self.config.charter();
        let stored = charter == self.config.ledger.charter();
        let settled = stored && self.in_step().is_some() && self.config_agreed() && !self.sealed.get();
        match charter.stage {
            CharterStage::Few(few) if settled && self.majority_is_there() => {
                self.when_steady(turn, charter.at(CharterStage::Closing(few)));
            }
            CharterStage::Closing(_) if settled => {
                self.say_closing(turn, charter.generation);
                match self.all_have_closed() {
                    true => self.when_steady(turn, charter.at(CharterStage::All)),
                    false => self.closing.since = None,
                }
            }
            CharterStage::Few(_) | CharterStage::Closing(_) | CharterStage::All => self.closing.since = None,
        }
    }

    /// When the next step is due, if nothing changes.
    pub(crate) fn charter_at(&self) -> Tick {
        self.closing.since.map_or(Tick::NEVER, |since| since + self.steady())
    }

    /// Longer than any lease granted before it can run, and any promise made before it can last.
    fn steady(&self) -> phalanx_types::Span {
        self.config.cluster.timings().takeover_wait() * 2
    }

    fn when_steady(&mut self, turn: &mut Turn<'_>, next: Charter) {
        let since = *self.closing.since.get_or_insert(turn.now);
        if turn.now >= since + self.steady() {
            self.closing.since = None;
            self.change_charter(turn, next);
        }
    }

    fn majority_is_there(&self) -> bool {
        let Some(membership) = self.in_step() else { return false };
        let counting = membership.view.members.iter().filter(|(_, member)| member.counts);
        self.electorate().has_quorum(counting.map(|(node, _)| *node).collect())
    }

    fn all_have_closed(&self) -> bool {
        let members = self.in_step().map(|membership| membership.view.members.keys().copied().collect());
        members.is_some_and(|members: NodeSet| members.is_within(self.closing.closed))
    }

    fn say_closing(&mut self, turn: &mut Turn<'_>, generation: u64) {
        let Some(view) = self.in_step().map(|membership| membership.view.id) else { return };
        if self.closing.said == Some(view) {
            return;
        }
        match turn.group.broadcast(encode(&Envelope { view, word: Word::Closing(generation) })) {
            Ok(()) => self.closing.said = Some(view),
            Err(_) => self.retry_at = turn.now + PLAN_RETRY_PAUSE,
        }
    }
}
