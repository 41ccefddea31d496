//! The one order of messages within a view.
//!
//! The sequencer (the lowest member) numbers the messages; links deliver them to each member in that order. A member
//! delivers an agreed message when it has it, and a safe one when every member is known to have it. What a member has is
//! said in acknowledgements and repeated in beats. Credit is a window: the sequencer numbers no more than every member
//! can be behind by.

use crate::message::Ordered;
use phalanx_events::Service;
use phalanx_types::limits::{PENDING_MESSAGES_MAX, WINDOW_BYTES_MAX, WINDOW_MESSAGES_MAX};
use phalanx_types::{Bug, Incarnation, NodeId, Plot, Shared, View};
use std::collections::{BTreeMap, VecDeque};

/// A message of this node that has no place yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub number: u64,
    pub service: Service,
    pub body: Shared,
}

/// One view's order as one member sees it.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub view: View,
    me: NodeId,
    /// Messages that not every member is known to have, or that are not delivered yet, one behind the other.
    held: VecDeque<Ordered>,
    held_bytes: usize,
    received: u64,
    /// Bytes of all that was received.
    received_bytes: u64,
    delivered: u64,
    /// The last safe message that was received.
    last_safe: u64,
    acked: BTreeMap<NodeId, u64>,
    /// Own messages that have no place yet, in order.
    pending: VecDeque<Pending>,
    /// At the sequencer: what waits for credit.
    backlog: VecDeque<(Incarnation, Pending)>,
    plot: Plot,
}

impl Order {
    pub fn new(me: NodeId, view: View, plot: Plot) -> Order {
        let acked = view.members.keys().map(|node| (*node, 0)).collect();
        Order {
            view,
            me,
            held: VecDeque::new(),
            held_bytes: 0,
            received: 0,
            received_bytes: 0,
            delivered: 0,
            last_safe: 0,
            acked,
            pending: VecDeque::new(),
            backlog: VecDeque::new(),
            plot,
        }
    }

    /// All up to this number were received here.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// How many bytes those were.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// All up to this number were received by `node`, as far as known here.
    pub fn acked(&self, node: NodeId) -> u64 {
        self.acked.get(&node).copied().unwrap_or(0)
    }

    /// Whether others may wait to hear that a safe message is here, if they were told that all up to `told` are. It may be
    /// delivered here already: who hears last that all have it has nobody to wait for, but is waited for.
    pub fn awaits_safety(&self, told: u64) -> bool {
        self.last_safe > told
    }

    /// Whether another own message can be taken.
    pub fn has_room(&self) -> bool {
        self.pending.len() < PENDING_MESSAGES_MAX
    }

    /// Keeps an own message until it has its place.
    pub fn keep(&mut self, pending: Pending) {
        self.pending.push_back(pending);
    }

    /// At the sequencer: takes a message to be numbered.
    pub fn queue(&mut self, sender: Incarnation, pending: Pending) {
        // The numbers of one sender only rise.
        let last = self.backlog.iter().rev().find(|(life, _)| *life == sender);
        let known = last.is_some_and(|(_, queued)| queued.number >= pending.number);
        if !known && self.backlog.len() < PENDING_MESSAGES_MAX * self.view.members.len() {
            self.backlog.push_back((sender, pending));
        }
    }

    /// At the sequencer: numbers what credit allows.
    pub fn number(&mut self) -> Vec<Ordered> {
        let mut numbered = Vec::new();
        while self.has_credit() {
            let Some((sender, pending)) = self.backlog.pop_front() else { break };
            let Pending { number, service, body } = pending;
            let message = Ordered { sequence: self.received + 1, sender, number, service, body };
            self.receive(message.clone());
            numbered.push(message);
        }
        numbered
    }

    fn has_credit(&self) -> bool {
        let under_way = self.received - self.stable();
        under_way < WINDOW_MESSAGES_MAX as u64 && (self.held.is_empty() || self.held_bytes < WINDOW_BYTES_MAX)
    }

    /// Takes the next message; one that is not the next is ignored, since links deliver in order.
    pub fn receive(&mut self, message: Ordered) {
        if message.sequence != self.received + 1 {
            return;
        }
        self.received += 1;
        self.acked.insert(self.me, self.received);
        if message.sender.node == self.me {
            self.forget_pending(message.number);
        }
        self.held_bytes += message.body.len();
        self.received_bytes += message.body.len() as u64;
        if message.service == Service::Safe {
            self.last_safe = message.sequence;
        }
        self.held.push_back(message);
    }

    /// An own message has its place. They get theirs in order, so it is nearly always the first.
    fn forget_pending(&mut self, number: u64) {
        if self.pending.pop_front_if(|pending| pending.number == number).is_none() {
            self.pending.retain(|pending| pending.number != number);
        }
    }

    /// Notes how far `node` has received.
    pub fn acknowledge(&mut self, node: NodeId, received: u64) {
        if let Some(acked) = self.acked.get_mut(&node) {
            // Nobody can have received what was not yet numbered; a claim beyond what is known here keeps for later.
            *acked = received.max(*acked);
        }
        self.forget();
    }

    /// The next message that may be delivered now.
    pub fn deliver(&mut self) -> Option<Ordered> {
        let next = self.held(self.delivered + 1)?;
        let may = match next.service {
            Service::Agreed => true,
            Service::Safe => self.stable() >= next.sequence || self.plot.has(Bug::SafeLikeAgreed),
        };
        if !may {
            return None;
        }
        let message = next.clone();
        self.delivered += 1;
        self.forget();
        Some(message)
    }

    /// What a flush carries: every message that some member may lack.
    pub fn unstable(&self) -> Vec<Ordered> {
        self.held.iter().cloned().collect()
    }

    /// Ends the view: takes the missing messages up to `last`, and gives what is left to deliver and what never got its
    /// place. `None` if messages are missing all the same: then this is not the ending of this view.
    pub fn end(mut self, last: u64, missing: Vec<Ordered>) -> Option<(Vec<Ordered>, Vec<Pending>)> {
        let hole = self.plot.has(Bug::HoleInEnding);
        for message in missing.into_iter().filter(|_| !hole) {
            self.receive(message);
        }
        let rest = self.held.into_iter().filter(|message| message.sequence > self.delivered);
        (self.received == last || hole).then(|| (rest.collect(), self.pending.into()))
    }

    /// All up to this number are known to be received by every member.
    fn stable(&self) -> u64 {
        self.acked.values().copied().min().unwrap_or(0)
    }

    fn forget(&mut self) {
        let done = self.stable().min(self.delivered);
        while let Some(message) = self.held.pop_front_if(|message| message.sequence <= done) {
            self.held_bytes -= message.body.len();
        }
    }

    fn held(&self, sequence: u64) -> Option<&Ordered> {
        let place = sequence.checked_sub(self.held.front()?.sequence)?;
        self.held.get(usize::try_from(place).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::{BootId, Member, ViewId};

    fn life(node: u16) -> Incarnation {
        Incarnation { node: NodeId(node), start: 1 }
    }

    fn order(me: u16) -> Order {
        let member = |node| Member { incarnation: life(node), boot: BootId([0; 16]), counts: true };
        let members = [1, 2, 3].map(|node| (NodeId(node), member(node))).into_iter().collect();
        let id = ViewId { counter: 1, coordinator: NodeId(1) };
        Order::new(NodeId(me), View { id, members, primary: true }, Plot::NONE)
    }

    fn pending(number: u64, service: Service) -> Pending {
        Pending { number, service, body: vec![number as u8].into() }
    }

    #[test]
    fn an_agreed_message_is_delivered_at_once_and_a_safe_one_when_all_have_it() {
        let mut order = order(1);
        order.queue(life(1), pending(1, Service::Agreed));
        order.queue(life(1), pending(2, Service::Safe));
        assert_eq!(order.number().len(), 2);
        assert_eq!(order.deliver().map(|message| message.number), Some(1));
        assert_eq!(order.deliver(), None);
        order.acknowledge(NodeId(2), 2);
        assert_eq!(order.deliver(), None, "node 3 may lack it");
        order.acknowledge(NodeId(3), 2);
        assert_eq!(order.deliver().map(|message| message.number), Some(2));
        assert!(order.unstable().is_empty());
    }

    #[test]
    fn who_hears_last_that_all_have_a_safe_message_says_all_the_same_that_it_is_here() {
        let (mut sequencer, mut last) = (order(1), order(2));
        sequencer.queue(life(1), pending(1, Service::Agreed));
        sequencer.queue(life(1), pending(2, Service::Safe));
        let numbered = sequencer.number();
        last.receive(numbered[0].clone());
        assert!(!last.awaits_safety(0));
        last.acknowledge(NodeId(1), 2);
        last.acknowledge(NodeId(3), 2);
        last.receive(numbered[1].clone());
        assert_eq!([last.deliver(), last.deliver()].map(|message| message.is_some()), [true, true]);
        assert!(last.awaits_safety(1));
        assert!(!last.awaits_safety(2));
    }

    #[test]
    fn the_slowest_member_limits_what_is_under_way() {
        let mut order = order(1);
        for number in 1..=300 {
            order.queue(life(1), pending(number, Service::Agreed));
        }
        assert_eq!(order.number().len(), WINDOW_MESSAGES_MAX);
        order.acknowledge(NodeId(2), 256);
        assert!(order.number().is_empty());
        order.acknowledge(NodeId(3), 10);
        while order.deliver().is_some() {}
        assert_eq!(order.number().len(), 10);
    }

    #[test]
    fn an_ending_brings_the_missing_and_returns_what_had_no_place() {
        let mut sequencer = order(1);
        sequencer.queue(life(2), pending(1, Service::Safe));
        let numbered = sequencer.number();
        let mut member = order(2);
        member.keep(pending(1, Service::Safe));
        member.keep(pending(2, Service::Safe));
        let (rest, returned) = member.end(1, numbered.clone()).unwrap();
        assert_eq!(rest, numbered);
        assert_eq!(returned, [pending(2, Service::Safe)]);
        assert_eq!(order(3).end(1, vec![]), None, "an ending with a hole is none");
    }
}
