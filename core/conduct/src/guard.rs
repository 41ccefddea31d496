//! Whether this node's deadman is armed, and that the others know: nothing is placed on a node that can have no lease.

use crate::manager::{Manager, Turn};
use crate::message::{Envelope, Word, encode};
use phalanx_events::Point;
use phalanx_types::ViewId;
use phalanx_types::limits::PLAN_RETRY_PAUSE;

/// This node's deadman.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guard {
    /// Whether it accepts lease ends; presumed until it says otherwise.
    pub armed: bool,
    /// What was said of it last, and in which view.
    told: Option<(bool, ViewId)>,
}

impl Default for Guard {
    fn default() -> Guard {
        Guard { armed: true, told: None }
    }
}

impl Manager {
    /// Without its deadman, what an earlier life left running is watched by nobody until there is a lease.
    pub(crate) fn guarded(&mut self, turn: &mut Turn<'_>, armed: bool) {
        self.guard.armed = armed;
        if !armed {
            turn.reached(Point::DeadmanLost);
            self.each_agent(turn, |agent, desk| agent.unwatched(desk));
        }
    }

    /// Says so in order where the replicated state has it otherwise.
    pub(crate) fn tell_guard(&mut self, turn: &mut Turn<'_>) {
        let Some(view) = self.in_step().map(|membership| membership.view.id) else { return };
        let Guard { armed, told } = self.guard;
        let known = !self.state.unguarded.contains(&self.me);
        if known == armed || told == Some((armed, view)) {
            return;
        }
        match turn.group.broadcast(encode(&Envelope { view, word: Word::Guarded(armed) })) {
            Ok(()) => self.guard.told = Some((armed, view)),
            Err(_) => self.retry_at = turn.now + PLAN_RETRY_PAUSE,
        }
    }
}
