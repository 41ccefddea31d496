//! Messages of a view that have no order but their sender's: each reaches every member in one hop.
//!
//! A member keeps what it has of others until every member is known to have it, so that whoever goes on from the view
//! together has the same of a sender that is lost. What a member has is said every so often; nobody waits for that.

use minicbor::{Decode, Encode};
use phalanx_types::limits::{FIFO_MESSAGES_MAX, WINDOW_BYTES_MAX};
use phalanx_types::{Incarnation, NodeId, View};
use std::collections::BTreeMap;

/// Say what was heard after so many messages, and two more for each member.
const TELL_EVERY: usize = 16;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct FifoMessage {
    #[n(0)]
    pub sender: Incarnation,
    /// Counted within the life of its sender.
    #[n(1)]
    pub number: u64,
    /// The number of the sender's message before it in this view; 0 if there is none.
    #[n(2)]
    pub after: u64,
    #[cbor(n(3), with = "minicbor::bytes")]
    pub body: Vec<u8>,
}

/// What became of a message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// It is the next of its sender.
    New,
    /// It came before.
    Known,
    /// One before it is missing, and will not come any more.
    Gap,
}

/// How far each sender was heard: the number of its last message.
pub(crate) type Heard = BTreeMap<NodeId, u64>;

/// One view's messages as one member sees them.
#[derive(Clone, Debug)]
pub(crate) struct Fifo {
    me: NodeId,
    /// How far each member has heard each sender, as far as known here.
    heard: BTreeMap<NodeId, Heard>,
    /// What not every member is known to have.
    kept: BTreeMap<(NodeId, u64), FifoMessage>,
    own_kept: usize,
    own_bytes: usize,
    /// Heard since it was said last.
    untold: usize,
}

impl Fifo {
    pub fn new(me: NodeId, view: &View) -> Fifo {
        let heard = view.members.keys().map(|node| (*node, Heard::new())).collect();
        Fifo { me, heard, kept: BTreeMap::new(), own_kept: 0, own_bytes: 0, untold: 0 }
    }

    /// Whether another own message can be taken.
    pub fn has_room(&self) -> bool {
        self.own_kept < FIFO_MESSAGES_MAX && self.own_bytes < WINDOW_BYTES_MAX
    }

    /// How far each sender was heard here.
    pub fn heard(&self) -> Heard {
        self.heard.get(&self.me).cloned().unwrap_or_default()
    }

    /// The number of the last message of `sender` that was heard here.
    pub fn heard_here(&self, sender: NodeId) -> u64 {
        self.heard.get(&self.me).and_then(|heard| heard.get(&sender)).copied().unwrap_or(0)
    }

    /// Takes the next message of a sender.
    pub fn receive(&mut self, message: &FifoMessage) -> Receipt {
        let sender = message.sender.node;
        let heard = self.heard_here(sender);
        if message.number <= heard {
            return Receipt::Known;
        }
        if message.after != heard {
            return Receipt::Gap;
        }
        self.note(self.me, sender, message.number);
        self.kept.insert((sender, message.number), message.clone());
        match sender == self.me {
            true => {
                (self.own_kept, self.own_bytes) = (self.own_kept + 1, self.own_bytes + message.body.len())
            }
            false => self.untold += 1,
        }
        // What a member sends it has itself.
        self.note(sender, sender, message.number);
        self.forget(sender);
        Receipt::New
    }

    /// What `member` says that it has.
    pub fn learn(&mut self, member: NodeId, heard: Heard) {
        for (sender, number) in heard {
            self.note(member, sender, number);
            self.forget(sender);
        }
    }

    /// What this member has, if it is time to say so.
    pub fn tell(&mut self) -> Option<Heard> {
        if self.untold < TELL_EVERY + 2 * self.heard.len() {
            return None;
        }
        self.untold = 0;
        Some(self.heard())
    }

    /// What a flush carries: every message that some member may lack.
    pub fn unstable(&self) -> Vec<FifoMessage> {
        self.kept.values().cloned().collect()
    }

    fn note(&mut self, member: NodeId, sender: NodeId, number: u64) {
        if let Some(heard) = self.heard.get_mut(&member) {
            let known = heard.entry(sender).or_insert(0);
            *known = number.max(*known);
        }
    }

    fn forget(&mut self, sender: NodeId) {
        let by = |heard: &Heard| heard.get(&sender).copied().unwrap_or(0);
        let stable = self.heard.values().map(by).min().unwrap_or(0);
        while let Some(entry) = self.kept.range((sender, 0)..=(sender, stable)).next() {
            let key = *entry.0;
            let message = self.kept.remove(&key).expect("it was just seen");
            if sender == self.me {
                (self.own_kept, self.own_bytes) = (self.own_kept - 1, self.own_bytes - message.body.len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::{BootId, Member, ViewId};

    fn life(node: u16) -> Incarnation {
        Incarnation { node: NodeId(node), start: 1 }
    }

    fn fifo(me: u16) -> Fifo {
        let member = |node| Member { incarnation: life(node), boot: BootId([0; 16]), counts: true };
        let members = [1, 2, 3].map(|node| (NodeId(node), member(node))).into_iter().collect();
        let id = ViewId { counter: 1, coordinator: NodeId(1) };
        Fifo::new(NodeId(me), &View { id, members, primary: true })
    }

    /// The first of its sender is its fifth.
    fn message(sender: u16, number: u64) -> FifoMessage {
        let after = if number == 5 { 0 } else { number - 1 };
        FifoMessage { sender: life(sender), number, after, body: vec![number as u8] }
    }

    #[test]
    fn what_somebody_may_lack_is_kept() {
        let mut fifo = fifo(1);
        assert_eq!(fifo.receive(&message(2, 5)), Receipt::New);
        assert_eq!(fifo.receive(&message(2, 5)), Receipt::Known);
        assert_eq!(fifo.receive(&message(2, 6)), Receipt::New);
        fifo.learn(NodeId(3), Heard::from([(NodeId(2), 5)]));
        assert_eq!(fifo.unstable(), [message(2, 6)], "node 3 may lack it");
        fifo.learn(NodeId(3), Heard::from([(NodeId(2), 6)]));
        assert!(fifo.unstable().is_empty());
    }

    #[test]
    fn a_gap_is_no_message() {
        let mut fifo = fifo(1);
        assert_eq!(fifo.receive(&message(2, 6)), Receipt::Gap, "the first is missing");
        assert_eq!(fifo.receive(&message(2, 5)), Receipt::New);
        assert_eq!(fifo.receive(&message(2, 7)), Receipt::Gap);
        assert_eq!(fifo.unstable(), [message(2, 5)]);
    }

    #[test]
    fn who_is_not_heard_of_limits_what_may_be_said() {
        let mut fifo = fifo(1);
        let mut takes = |number: &u64| fifo.has_room() && fifo.receive(&message(1, *number)) == Receipt::New;
        assert_eq!((5..).take_while(&mut takes).count(), FIFO_MESSAGES_MAX);
        fifo.learn(NodeId(2), Heard::from([(NodeId(1), 9)]));
        assert!(!fifo.has_room());
        fifo.learn(NodeId(3), Heard::from([(NodeId(1), 5)]));
        assert!(fifo.has_room());
    }

    #[test]
    fn what_was_heard_is_said_before_a_sender_runs_out_of_room() {
        let mut fifo = fifo(1);
        let told = (5..5 + FIFO_MESSAGES_MAX as u64).find_map(|number| {
            fifo.receive(&message(2, number));
            fifo.tell()
        });
        assert_eq!(told, Some(Heard::from([(NodeId(2), 26)])));
        assert_eq!(fifo.tell(), None);
    }
}
