//! The cluster manager's own group: an ordinary group of Group Services that is made anew with each view, and whose providers
//! are the members of the view.
//!
//! What is decided here goes the same ways as in every other group: proposals in order, votes directly. Messages that come
//! while something is voted on wait for its outcome, so that all hear them behind it.

use crate::domain::{
    Act, Audience, Cast, Change, Domain, Message, Name, Notice as Told, PhaseId, Phases, Proposal,
    ProviderId, Said, Tell, VoteWord, Word, own_group,
};
use crate::group::{Cause, Notice, Outcome, ProposalId, Vote};
use phalanx_types::{Incarnation, NodeId, Span, Tick};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The instance number that every member has in it.
const INSTANCE: i16 = 0;

/// The group in one view, as one member has it.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    me: Incarnation,
    name: Name,
    domain: Domain,
    /// Own proposals whose place in the order is still to come.
    sent: VecDeque<(ProposalId, Vec<u8>)>,
    /// What is voted on.
    running: Option<(ProposalId, Vec<u8>)>,
    /// What this member is asked, and when that has lasted its time.
    question: Option<(PhaseId, Tick)>,
    /// Who was silent in the phase that ends.
    silent: BTreeSet<NodeId>,
    /// Messages that wait for an outcome.
    later: Vec<Notice>,
    /// Votes of this member that wait to be given.
    votes: VecDeque<VoteWord>,
}

impl Own {
    /// The group of a view with these members.
    pub fn of_view(me: Incarnation, lives: impl Iterator<Item = Incarnation>) -> Own {
        let name = own_group();
        let members = lives.map(|life| ProviderId { life, instance: INSTANCE }).collect();
        Own {
            me,
            domain: Domain::made(name.clone(), members),
            name,
            sent: VecDeque::new(),
            running: None,
            question: None,
            silent: BTreeSet::new(),
            later: Vec::new(),
            votes: VecDeque::new(),
        }
    }

    /// The view is over: so is what was voted on, and what waited for it is heard.
    pub fn end(&mut self) -> Vec<Notice> {
        let cut = self.over(Outcome::Rejected(Cause::ViewChanged));
        cut.into_iter().chain(std::mem::take(&mut self.later)).collect()
    }

    /// Whether a word or a vote is of this group.
    pub fn is(&self, group: &Name) -> bool {
        *group == self.name
    }

    /// The word that proposes `body`.
    pub fn proposing(&self, proposal: ProposalId, limit: Span, body: Vec<u8>) -> Word {
        let change = Change::Own { proposal, body };
        let proposal = Proposal { change, state: None, message: None };
        let act = Act::Propose { instance: INSTANCE, proposal, phases: Phases::Many { limit } };
        Word { group: self.name.clone(), act, seen: self.domain.seen(&self.name) }
    }

    /// The word was handed in.
    pub fn proposed(&mut self, proposal: ProposalId, body: Vec<u8>) {
        self.sent.push_back((proposal, body));
    }

    /// This member votes in the present phase of `proposal`. A vote that nobody asked for is nothing.
    pub fn vote(&mut self, proposal: ProposalId, vote: Vote, word: &str) {
        if self.running.as_ref().is_some_and(|(running, _)| *running == proposal)
            && let Some((phase, _)) = self.question.take()
        {
            let message = Message::new(word.as_bytes().to_vec()).ok().filter(|_| !word.is_empty());
            let said = Said { message, ..Said::default() };
            self.votes.push_back(VoteWord { phase, instance: INSTANCE, cast: Cast::Vote { vote, said } });
        }
    }

    /// Votes for this member if it has not done so in time.
    pub fn expire(&mut self, now: Tick) {
        if let Some((phase, _)) = self.question.take_if(|(_, end)| *end <= now) {
            self.votes.push_back(VoteWord { phase, instance: INSTANCE, cast: Cast::Silent });
        }
    }

    /// The next vote to be given, left in its place until [`Own::voted`].
    pub fn next_vote(&self) -> Option<&VoteWord> {
        self.votes.front()
    }

    /// The next vote has been given.
    pub fn voted(&mut self) {
        self.votes.pop_front();
    }

    /// When [`Own::expire`] has something to do.
    pub fn wake_at(&self) -> Tick {
        self.question.as_ref().map_or(Tick::NEVER, |(_, end)| *end)
    }

    /// A message came in order.
    pub fn message(&mut self, from: NodeId, body: Vec<u8>) -> Vec<Notice> {
        let notice = Notice::Message { from, body };
        match self.running {
            Some(_) => {
                self.later.push(notice);
                Vec::new()
            }
            None => vec![notice],
        }
    }

    /// A word came in order.
    pub fn hear(&mut self, now: Tick, sender: Incarnation, word: Word) -> Vec<Notice> {
        let told = self.domain.hear(sender, word);
        self.translate(now, told)
    }

    /// A vote came.
    pub fn hear_vote(&mut self, now: Tick, sender: Incarnation, vote: VoteWord) -> Vec<Notice> {
        let told = self.domain.vote(sender, vote);
        self.translate(now, told)
    }

    fn translate(&mut self, now: Tick, told: Vec<Tell>) -> Vec<Notice> {
        let me = ProviderId { life: self.me, instance: INSTANCE };
        let mine = |tell: &Tell| match &tell.to {
            Audience::Providers(providers) => providers.contains(&me),
            Audience::Subscribers => false,
        };
        told.into_iter().filter(mine).flat_map(|tell| self.hear_notice(now, tell.notice)).collect()
    }

    fn hear_notice(&mut self, now: Tick, told: Told) -> Vec<Notice> {
        match told {
            Told::Phase { protocol, phase, limit, proposal, .. } => {
                self.ask(PhaseId { group: self.name.clone(), protocol, phase }, now + limit, proposal.change)
            }
            Told::Approved { .. } => self.over_and_later(Outcome::Approved),
            Told::Rejected { against, .. } => {
                let cause = self.cause(against);
                self.over_and_later(Outcome::Rejected(cause))
            }
            Told::Silent { providers, .. } => {
                self.silent = providers.into_iter().map(|provider| provider.life.node).collect();
                Vec::new()
            }
            Told::Refused(_) => self.refused().into_iter().collect(),
            Told::Changed { .. } | Told::Deactivate(_) | Told::Responsiveness { .. } | Told::Dissolved => {
                Vec::new()
            }
        }
    }

    fn ask(&mut self, phase: PhaseId, end: Tick, change: Change) -> Vec<Notice> {
        // The group proposes nothing else to itself.
        let Change::Own { proposal, body } = change else { return Vec::new() };
        if proposal.life == self.me {
            self.sent.retain(|(sent, _)| *sent != proposal);
        }
        self.silent.clear();
        let number = phase.phase;
        self.question = Some((phase, end));
        self.running = Some((proposal, body.clone()));
        vec![Notice::Phase { proposal, phase: number, body }]
    }

    /// Each own proposal begins or is refused, in the order in which they were sent.
    fn refused(&mut self) -> Option<Notice> {
        let (proposal, body) = self.sent.pop_front()?;
        Some(Notice::Outcome { proposal, body, outcome: Outcome::Rejected(Cause::Collided) })
    }

    fn cause(&mut self, against: BTreeMap<ProviderId, Option<Message>>) -> Cause {
        if against.is_empty() {
            return Cause::Silent(std::mem::take(&mut self.silent));
        }
        let word = |message: Option<Message>| {
            message.map(|it| String::from_utf8_lossy(it.bytes()).into_owned()).unwrap_or_default()
        };
        Cause::Voted(against.into_iter().map(|(voter, message)| (voter.life.node, word(message))).collect())
    }

    fn over(&mut self, outcome: Outcome) -> Option<Notice> {
        self.question = None;
        let (proposal, body) = self.running.take()?;
        Some(Notice::Outcome { proposal, body, outcome })
    }

    fn over_and_later(&mut self, outcome: Outcome) -> Vec<Notice> {
        let over = self.over(outcome);
        over.into_iter().chain(std::mem::take(&mut self.later)).collect()
    }
}
