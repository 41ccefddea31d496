//! Leaving cleanly: the others take this node's groups by ordinary plans; without them the groups are stopped here.

use crate::manager::{Manager, ManagerEffect, Phase, Turn};
use crate::message::{Envelope, Word, encode};
use phalanx_agent::{Agent, Phase as AgentPhase};
use phalanx_events::{ManagerNote, Point, ShutdownCause};
use phalanx_plan::GroupRecord;
use phalanx_types::limits::{NOT_DURABLE_LIMIT, PLAN_RETRY_PAUSE, SHUTDOWN_LIMIT};
use phalanx_types::{GroupName, Span, Tick, ViewId};

/// How far a shutdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shutdown {
    /// Nobody asked for one.
    No,
    /// Groups are on their way.
    Begun { cause: ShutdownCause, since: Tick, told_in: Option<ViewId> },
    /// The node may leave.
    Over,
}

impl Shutdown {
    /// When patience with the other nodes ends; afterwards only this node's own agents are waited for.
    pub(crate) fn wake_at(self, now: Tick) -> Tick {
        match self {
            Shutdown::Begun { cause, since, .. } if now < since + patience(cause) => since + patience(cause),
            Shutdown::Begun { .. } | Shutdown::No | Shutdown::Over => Tick::NEVER,
        }
    }
}

impl Manager {
    pub(crate) fn begin_shutdown(&mut self, turn: &mut Turn<'_>, cause: ShutdownCause) {
        if self.shutdown == Shutdown::No {
            self.shutdown = Shutdown::Begun { cause, since: turn.now, told_in: None };
            turn.note(ManagerNote::ShutdownBegun { cause });
        }
    }

    /// Does what is next on the way out.
    pub(crate) fn follow_shutdown(&mut self, turn: &mut Turn<'_>) {
        let Shutdown::Begun { cause, since, told_in } = self.shutdown else { return };
        let late = turn.now >= since + patience(cause);
        match &self.phase {
            Phase::InStep(membership) if !late => {
                let view = membership.view.id;
                if told_in != Some(view) && self.asks_to_leave(turn, view) {
                    self.shutdown = Shutdown::Begun { cause, since, told_in: Some(view) };
                }
            }
            Phase::InStep(_) | Phase::Alone | Phase::Apart(_) => self.stop_all(turn),
            Phase::CatchingUp(_) if late => self.stop_all(turn),
            Phase::CatchingUp(_) => {}
        }
        if self.is_clear(late) {
            if late {
                turn.reached(Point::LeavesUnaided);
            }
            self.shutdown = Shutdown::Over;
            turn.out.push(ManagerEffect::Leave { why: self.parting(cause) });
        }
    }

    /// Tells the others in order, unless they know; true if it is told.
    fn asks_to_leave(&mut self, turn: &mut Turn<'_>, view: ViewId) -> bool {
        if self.state.leaving.contains(&self.me) {
            return false;
        }
        let told = turn.group.broadcast(encode(&Envelope { view, word: Word::Leaving })).is_ok();
        if !told {
            self.retry_at = turn.now + PLAN_RETRY_PAUSE;
        }
        told
    }

    fn stop_all(&mut self, turn: &mut Turn<'_>) {
        let names: Vec<GroupName> = self.agents.keys().cloned().collect();
        for name in names {
            if self.agents.get(&name).is_some_and(|agent| !is_stuck(agent)) {
                self.with_agent(turn, &name, |agent, desk| agent.release(desk, "this node shuts down"));
            }
        }
    }

    /// Whether nothing is left to wait for. After the limit a group that cannot be stopped is left to the deadman.
    fn is_clear(&self, late: bool) -> bool {
        let down = self.agents.values().all(|agent| agent.is_idle() || (late && is_stuck(agent)));
        match &self.phase {
            Phase::InStep(_) if !late => {
                let away = self.state.groups.values().all(|record| !self.is_part_of(record));
                down && away && self.state.leaving.contains(&self.me) && self.is_dispensable()
            }
            Phase::InStep(_) | Phase::CatchingUp(_) | Phase::Alone | Phase::Apart(_) => down,
        }
    }

    fn is_part_of(&self, record: &GroupRecord) -> bool {
        let me = self.me.node;
        let motion = record.motion.as_ref();
        let moving = motion.is_some_and(|motion| {
            motion.release.contains(&me) || motion.acquire.is_some_and(|acquire| acquire.node == me)
        });
        moving || record.claimants().contains(&me)
    }

    fn parting(&self, cause: ShutdownCause) -> String {
        let stuck: Vec<_> =
            self.agents.iter().filter(|(_, agent)| is_stuck(agent)).map(|(name, _)| name.as_str()).collect();
        match stuck.is_empty() {
            true => format!("{cause}: nothing is held here"),
            false => format!("{cause}: could not stop {}", stuck.join(", ")),
        }
    }
}

/// How long the other nodes are waited for.
fn patience(cause: ShutdownCause) -> Span {
    match cause {
        ShutdownCause::Asked => SHUTDOWN_LIMIT,
        ShutdownCause::NotDurable => NOT_DURABLE_LIMIT,
    }
}

fn is_stuck(agent: &Agent) -> bool {
    matches!(agent.phase(), AgentPhase::Stuck { .. })
}
