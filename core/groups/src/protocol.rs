//! The proposal that is running, if any: a pure function of the ordered messages and the members of the view.

use crate::group::{Cause, Notice, Outcome, ProposalId, Vote};
use phalanx_types::{NodeId, NodeSet, Span, Tick};
use std::collections::{BTreeMap, BTreeSet};

/// A proposal under way.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub proposal: ProposalId,
    body: Vec<u8>,
    pub phase: u32,
    limit: Span,
    /// When this phase has lasted its time here; only the ordered message that says so counts.
    pub expires: Tick,
    votes: BTreeMap<NodeId, (Vote, String)>,
}

impl Running {
    /// A proposal whose first phase begins.
    pub fn new(now: Tick, proposal: ProposalId, limit: Span, body: Vec<u8>) -> Running {
        Running { proposal, body, phase: 1, limit, expires: now + limit, votes: BTreeMap::new() }
    }

    /// Asks for a vote in the present phase.
    pub fn ask(&self) -> Notice {
        Notice::Phase { proposal: self.proposal, phase: self.phase, body: self.body.clone() }
    }

    /// Takes a vote; the first of each member in each phase counts. What it decides, if it was the last.
    pub fn vote(&mut self, now: Tick, from: NodeId, vote: Vote, word: String, members: NodeSet) -> Decided {
        self.votes.entry(from).or_insert((vote, word));
        let silent = members.iter().any(|node| !self.votes.contains_key(&node));
        match silent {
            true => Decided::NotYet,
            false => self.count(now),
        }
    }

    /// The phase has lasted its time: those that did not vote reject by default.
    pub fn expire(&self, members: NodeSet) -> Outcome {
        let silent: BTreeSet<NodeId> = members.iter().filter(|node| !self.votes.contains_key(node)).collect();
        Outcome::Rejected(Cause::Silent(silent))
    }

    /// The notice that ends it.
    pub fn end(self, outcome: Outcome) -> Notice {
        Notice::Outcome { proposal: self.proposal, body: self.body, outcome }
    }

    fn count(&mut self, now: Tick) -> Decided {
        let votes = std::mem::take(&mut self.votes);
        let rejecting: BTreeMap<NodeId, String> = (votes.iter())
            .filter(|(_, (vote, _))| *vote == Vote::Reject)
            .map(|(node, (_, word))| (*node, word.clone()))
            .collect();
        let goes_on = votes.values().any(|(vote, _)| *vote == Vote::Continue);
        match (rejecting.is_empty(), goes_on) {
            (false, _) => Decided::Over(Outcome::Rejected(Cause::Voted(rejecting))),
            (true, false) => Decided::Over(Outcome::Approved),
            (true, true) => {
                self.phase += 1;
                self.expires = now + self.limit;
                Decided::NextPhase
            }
        }
    }
}

/// What a vote decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decided {
    NotYet,
    NextPhase,
    Over(Outcome),
}
