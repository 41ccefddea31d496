//! The proposal that is running, if any: a pure function of the ordered messages and the members of the view.

use crate::ballot::{Ballot, Verdict};
use crate::group::{Cause, Notice, Outcome, ProposalId, Vote};
use phalanx_types::{NodeId, NodeSet, Span, Tick};

/// A proposal under way.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub proposal: ProposalId,
    body: Vec<u8>,
    pub phase: u32,
    limit: Span,
    /// When this phase has lasted its time here; only the ordered message that says so counts.
    pub expires: Tick,
    ballot: Ballot<NodeId, String>,
}

impl Running {
    /// A proposal whose first phase begins.
    pub fn new(now: Tick, proposal: ProposalId, limit: Span, body: Vec<u8>) -> Running {
        Running { proposal, body, phase: 1, limit, expires: now + limit, ballot: Ballot::default() }
    }

    /// Asks for a vote in the present phase.
    pub fn ask(&self) -> Notice {
        Notice::Phase { proposal: self.proposal, phase: self.phase, body: self.body.clone() }
    }

    /// Takes a vote; the first of each member in each phase counts. What it decides, if it was the last.
    pub fn vote(&mut self, now: Tick, from: NodeId, vote: Vote, word: String, members: NodeSet) -> Decided {
        self.ballot.cast(from, vote, word);
        match self.ballot.has_all(members.iter()) {
            true => self.count(now),
            false => Decided::NotYet,
        }
    }

    /// The phase has lasted its time: those that did not vote reject by default.
    pub fn expire(&self, members: NodeSet) -> Outcome {
        Outcome::Rejected(Cause::Silent(self.ballot.missing(members.iter()).collect()))
    }

    /// The notice that ends it.
    pub fn end(self, outcome: Outcome) -> Notice {
        Notice::Outcome { proposal: self.proposal, body: self.body, outcome }
    }

    fn count(&mut self, now: Tick) -> Decided {
        let ballot = std::mem::take(&mut self.ballot);
        match ballot.verdict() {
            Verdict::Rejected => {
                let words = ballot.rejecting().map(|(node, word)| (node, word.clone()));
                Decided::Over(Outcome::Rejected(Cause::Voted(words.collect())))
            }
            Verdict::Approved => Decided::Over(Outcome::Approved),
            Verdict::GoesOn => {
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
