//! Forming the cluster without nodes that are away: the operator's word in place of a quorum, or the tie-breaker's
//! ([`crate::tie`]).
//!
//! The operator's is refused while anybody else is heard, and while this node itself may still be bound by promises. On disk before it is in
//! force. Those that are away are proven down by the operator's word until they are members again.

use crate::manager::{Manager, Phase, Turn};
use crate::request::Reply;
use phalanx_events::ManagerNote;
use phalanx_types::limits::FORM_LIMIT;
use phalanx_types::{NodeSet, Origin, RequestId, Tick};
use std::sync::Arc;

/// An operator's order to form the cluster, under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forming {
    id: RequestId,
    generation: u64,
    until: Tick,
}

impl Forming {
    pub(crate) fn wake_at(self) -> Tick {
        self.until
    }
}

impl Manager {
    /// An operator is certain that the nodes that are away are down.
    pub(crate) fn asked_to_form(&mut self, turn: &mut Turn<'_>, id: RequestId, by: String, why: String) {
        let (few, without) = match self.who_forms(turn) {
            Ok(sides) => sides,
            Err(why) => return self.answer(turn, id, Reply::Refused { why }),
        };
        let told = |generation| ManagerNote::Formed { generation, few, without, by, why };
        match self.begin_generation(turn, Origin::Operator { few, others: without }, told) {
            Ok(generation) => {
                self.forming = Some(Forming { id, generation, until: turn.now + FORM_LIMIT });
            }
            Err(why) => self.answer(turn, id, Reply::Failed { why }),
        }
    }

    /// The newest version known here is the first of a new generation, which this gives; on disk before it is in force.
    pub(crate) fn begin_generation(
        &mut self,
        turn: &mut Turn<'_>,
        origin: Origin,
        told: impl FnOnce(u64) -> ManagerNote,
    ) -> Result<u64, String> {
        let view = self.standing.view;
        let head = self.config.ledger.head().clone();
        let cluster = Arc::new(crate::apply::read(&head)?);
        self.tell_staged(turn);
        self.config.begin_generation(turn, origin, view);
        let charter = self.config.ledger.charter();
        turn.note(told(charter.generation));
        turn.note(ManagerNote::CharterChanged { charter });
        self.use_version(turn, cluster);
        self.align_state();
        Ok(charter.generation)
    }

    /// What was staged may be active elsewhere: it is from now on, and the new generation follows it.
    fn tell_staged(&self, turn: &mut Turn<'_>) {
        if let Some(staged) = self.config.ledger.staged() {
            let (config, parent, version) = (staged.digest(), staged.parent(), staged.index());
            turn.note(ManagerNote::Activated { config, parent, version });
        }
    }

    /// Who is to form it and who counts as down, or why it cannot be formed now.
    fn who_forms(&self, turn: &Turn<'_>) -> Result<(NodeSet, NodeSet), String> {
        let Phase::Apart(membership) = &self.phase else { return Err(self.why_not_formed()) };
        let members = &membership.view.members;
        let all = self.electorate().nodes;
        let few = membership.view.counting();
        let without = all.minus(few);
        let heard = turn.group.heard_lately().or(members.keys().copied().collect()).and(without);
        match () {
            () if self.forming.is_some() => Err("it is being formed already".into()),
            () if !few.has(self.me.node) => {
                Err("this daemon was started a moment ago and is still bound by what it promised before; ask again"
                    .into())
            }
            () if !heard.is_empty() => {
                let names = self.names(heard).join(", ");
                Err(format!("{names} is heard, so it is not down; make sure that it is off, then ask again"))
            }
            () => Ok((few, without)),
        }
    }

    fn why_not_formed(&self) -> String {
        match &self.phase {
            Phase::Alone => "this daemon is still starting; ask again in a moment".into(),
            Phase::Apart(_) | Phase::CatchingUp(_) | Phase::InStep(_) => {
                format!("there is a quorum, so nothing is to be forced ({})", self.quorum())
            }
        }
    }

    /// Answers the order once the cluster is formed.
    pub(crate) fn follow_forming(&mut self, turn: &mut Turn<'_>) {
        let Some(Forming { id, generation, until }) = self.forming else { return };
        let formed = self.in_step().is_some_and(|membership| membership.charter.generation >= generation);
        if formed {
            self.forming = None;
            let what = format!("formed, generation {generation}; {}", self.quorum());
            self.answer(turn, id, Reply::Done { what });
        } else if turn.now >= until {
            self.forming = None;
            let why = format!("generation {generation} is on disk but no view of it came; {}", self.quorum());
            self.answer(turn, id, Reply::Unknown { why });
        }
    }
}
