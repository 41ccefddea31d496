//! Operators' requests made on this node: ordered, followed until the group has settled, answered exactly once.
//!
//! A request is refused only before it is ordered. Afterwards it ends with what became of the group.

use crate::manager::{Manager, ManagerEffect, Phase, Turn};
use crate::message::{Envelope, Word, encode};
use crate::request::{Reply, Request};
use phalanx_events::{ManagerNote, Point};
use phalanx_plan::{Holding, Objection, Order, Standstill, Verdict, render, verdict};
use phalanx_types::limits::{PLAN_RETRY_PAUSE, REQUEST_LIMIT, REQUESTS_MAX};
use phalanx_types::{GroupName, NodeId, RequestId, Tick};
use std::collections::BTreeMap;

/// Requests that are not answered yet.
#[derive(Default)]
pub(crate) struct Requests {
    open: BTreeMap<RequestId, Open>,
}

struct Open {
    order: Order,
    until: Tick,
    stage: Stage,
}

/// How far a request is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not handed to the group yet.
    Waiting,
    /// Handed in; its place in the order is not known yet.
    Sent,
    /// In force; the group is on its way.
    Followed,
}

impl Requests {
    pub(crate) fn wake_at(&self) -> Tick {
        self.open.values().map(|open| open.until).min().unwrap_or(Tick::NEVER)
    }

    fn stages(&self, wanted: Stage) -> Vec<RequestId> {
        self.open.iter().filter(|(_, open)| open.stage == wanted).map(|(id, _)| *id).collect()
    }
}

impl Manager {
    /// An operator asks for something.
    pub(crate) fn asked(&mut self, turn: &mut Turn<'_>, id: RequestId, request: Request) {
        turn.note(ManagerNote::RequestBegun { id, asked: describe(&request) });
        let order = match request {
            Request::Apply { text } => return self.asked_to_apply(turn, id, &text),
            Request::Form { by, why } => return self.asked_to_form(turn, id, by, why),
            Request::ShrinkTimings => return self.asked_to_shrink(turn, id),
            Request::Move { group, to } => Order::Move { group, to },
            Request::Restore { group } => Order::Restore { group },
            Request::Online { group } => Order::Online { group },
            Request::Offline { group } => Order::Offline { group },
        };
        match self.admit(order) {
            Ok(order) => {
                let open = Open { order, until: turn.now + REQUEST_LIMIT, stage: Stage::Waiting };
                self.requests.open.insert(id, open);
            }
            Err(reply) => self.answer(turn, id, reply),
        }
    }

    /// The order if it can be taken here and now, or why not.
    fn admit(&self, order: Order) -> Result<Order, Reply> {
        if self.requests.open.len() >= REQUESTS_MAX {
            let why = format!("{REQUESTS_MAX} requests are under way on this node; wait for one to end");
            return Err(Reply::Refused { why });
        }
        match &self.phase {
            Phase::Alone | Phase::Apart(_) => Err(Reply::Refused { why: self.no_quorum() }),
            Phase::CatchingUp(_) => Ok(order),
            Phase::InStep(membership) => match order.check(self.cluster(), &membership.view, &self.state) {
                Ok(_) => Ok(order),
                Err(objection) => Err(self.refusal(&objection)),
            },
        }
    }

    fn refusal(&self, objection: &Objection) -> Reply {
        let why = render::objection(self.cluster(), objection);
        match objection {
            Objection::UnknownGroup(_) | Objection::UnknownNode(_) | Objection::NotItsNode(..) => {
                Reply::Bad { why }
            }
            Objection::NotThere(_)
            | Objection::IsLeaving(_)
            | Objection::IsUnguarded(_)
            | Objection::NoNetwork(..)
            | Objection::IsOffline(_) => Reply::Refused { why },
        }
    }

    /// A request of this node found its place in the order.
    pub(crate) fn ordered(&mut self, turn: &mut Turn<'_>, id: RequestId, result: Result<(), Objection>) {
        match (self.requests.open.get_mut(&id), result) {
            (Some(open), Ok(())) => open.stage = Stage::Followed,
            (Some(_), Err(objection)) => {
                let reply = self.refusal(&objection);
                self.end_request(turn, id, reply);
            }
            // Answered already, because it took too long.
            (None, _) => {}
        }
    }

    /// A new view: what has no place in the order is handed in again, or given up without quorum.
    pub(crate) fn requests_meet_view(&mut self, turn: &mut Turn<'_>) {
        let lost = matches!(self.phase, Phase::Alone | Phase::Apart(_));
        for id in self.requests.stages(Stage::Sent) {
            match (lost, self.requests.open.get_mut(&id)) {
                (false, Some(open)) => {
                    open.stage = Stage::Waiting;
                    turn.reached(Point::RequestHandedInAgain);
                }
                (true, _) => self.end_unknown(turn, id),
                (false, None) => {}
            }
        }
        if lost {
            self.requests.stages(Stage::Followed).into_iter().for_each(|id| self.end_unknown(turn, id));
            for id in self.requests.stages(Stage::Waiting) {
                let why = self.no_quorum();
                self.end_request(turn, id, Reply::Refused { why });
            }
        }
    }

    fn end_unknown(&mut self, turn: &mut Turn<'_>, id: RequestId) {
        turn.reached(Point::RequestUnknown);
        let why = format!("the quorum was lost while it was under way ({})", self.no_quorum());
        self.end_request(turn, id, Reply::Unknown { why });
    }

    /// Hands in, answers and gives up what is due.
    pub(crate) fn follow_requests(&mut self, turn: &mut Turn<'_>) {
        self.hand_in(turn);
        for id in self.requests.stages(Stage::Followed) {
            if let Some(reply) = self.requests.open.get(&id).and_then(|open| self.verdict_on(&open.order)) {
                self.end_request(turn, id, reply);
            }
        }
        let late = |open: &Open| turn.now >= open.until;
        let late: Vec<_> =
            self.requests.open.iter().filter(|(_, open)| late(open)).map(|(id, _)| *id).collect();
        for id in late {
            let why = "it is still under way; see the status for what it waits for".into();
            self.end_request(turn, id, Reply::Unknown { why });
        }
    }

    fn hand_in(&mut self, turn: &mut Turn<'_>) {
        let Some(view) = self.in_step().map(|membership| membership.view.id) else { return };
        for id in self.requests.stages(Stage::Waiting) {
            let Some(open) = self.requests.open.get_mut(&id) else { continue };
            let word = Word::Order { request: id.0, order: open.order.clone() };
            match turn.group.broadcast(encode(&Envelope { view, word })) {
                Ok(()) => open.stage = Stage::Sent,
                Err(_) => {
                    self.retry_at = turn.now + PLAN_RETRY_PAUSE;
                    return;
                }
            }
        }
    }

    /// What became of an order, once its group has settled.
    fn verdict_on(&self, order: &Order) -> Option<Reply> {
        let (membership, cluster) = (self.in_step()?, self.cluster());
        let name = order.group();
        let Some(group) = cluster.groups.get(name) else {
            return Some(Reply::Failed { why: format!("{name} is no longer in the configuration") });
        };
        let why = match verdict(group, &membership.view, &self.state) {
            Verdict::Move(_)
            | Verdict::Stay(
                Standstill::InMotion | Standstill::Releasing { .. } | Standstill::Unprobed { .. },
            ) => return None,
            Verdict::Stay(why) => why,
        };
        Some(self.judge_end(order, name, &why))
    }

    fn judge_end(&self, order: &Order, name: &GroupName, why: &Standstill) -> Reply {
        let said = render::standstill(self.cluster(), name, why);
        match (order, why) {
            (Order::Move { to, .. }, Standstill::Online { node }) if node != to => {
                Reply::Failed { why: self.missed(name, *to, *node) }
            }
            (
                Order::Move { .. } | Order::Restore { .. } | Order::Online { .. },
                Standstill::Online { node },
            ) => Reply::Done { what: format!("{name} is online on {}", self.name(*node)) },
            (Order::Offline { .. }, Standstill::ByOperator) => {
                Reply::Done { what: format!("{name} is offline") }
            }
            (
                Order::Move { .. } | Order::Restore { .. } | Order::Online { .. } | Order::Offline { .. },
                Standstill::Online { .. }
                | Standstill::Unreachable { .. }
                | Standstill::NoNetwork { .. }
                | Standstill::InMotion
                | Standstill::ByOperator
                | Standstill::LackOfNode
                | Standstill::AwaitsHome { .. }
                | Standstill::FailedEverywhere
                | Standstill::Stuck { .. }
                | Standstill::Releasing { .. }
                | Standstill::Unprobed { .. }
                | Standstill::Halted { .. },
            ) => Reply::Failed { why: said },
        }
    }

    fn missed(&self, name: &GroupName, to: NodeId, node: NodeId) -> String {
        let failed = match self.state.groups.get(name).map(|record| record.holding(to)) {
            Some(Holding::Free { failed: Some(why), .. }) => format!(": {why}"),
            Some(_) | None => String::new(),
        };
        format!("{name} could not be moved to {}{failed}; it is online on {}", self.name(to), self.name(node))
    }

    fn end_request(&mut self, turn: &mut Turn<'_>, id: RequestId, reply: Reply) {
        if self.requests.open.remove(&id).is_some() {
            self.answer(turn, id, reply);
        }
    }

    /// Answers a request, once and for all.
    pub(crate) fn answer(&self, turn: &mut Turn<'_>, id: RequestId, reply: Reply) {
        turn.note(ManagerNote::RequestEnded { id, reply: outcome(&reply) });
        turn.out.push(ManagerEffect::Reply { id, reply });
    }
}

fn outcome(reply: &Reply) -> String {
    match reply {
        Reply::Done { what } => format!("done: {what}"),
        Reply::Failed { why } => format!("failed: {why}"),
        Reply::Bad { why } => format!("bad: {why}"),
        Reply::Refused { why } => format!("refused: {why}"),
        Reply::Unknown { why } => format!("unknown: {why}"),
    }
}

fn describe(request: &Request) -> String {
    match request {
        Request::Apply { .. } => "apply a cluster file".into(),
        Request::Form { by, .. } => format!("form the cluster without those that are away, by {by}"),
        Request::ShrinkTimings => "go by the configured timings again".into(),
        Request::Move { group, to } => format!("move {group} to {to}"),
        Request::Restore { group } => format!("restore {group}"),
        Request::Online { group } => format!("bring {group} online"),
        Request::Offline { group } => format!("bring {group} offline"),
    }
}
