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

/// Something that came in order.
#[derive(Clone, Debug)]
enum Ordered {
    Word(Incarnation, Word),
    Message(NodeId, Vec<u8>),
}

/// The group in one view, as one member has it.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    me: Incarnation,
    name: Name,
    domain: Domain,
    /// What came in order behind a word that waits for votes: none of it is heard before that.
    behind: VecDeque<Ordered>,
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
            behind: VecDeque::new(),
            sent: VecDeque::new(),
            running: None,
            question: None,
            silent: BTreeSet::new(),
            later: Vec::new(),
            votes: VecDeque::new(),
        }
    }

    /// The view is over: so is what was voted on. The messages that waited are heard; what else waited is nothing.
    pub fn end(&mut self) -> Vec<Notice> {
        let cut = self.over(Outcome::Rejected(Cause::ViewChanged));
        let later = std::mem::take(&mut self.later);
        let behind = std::mem::take(&mut self.behind).into_iter().filter_map(|it| match it {
            Ordered::Message(from, body) => Some(Notice::Message { from, body }),
            Ordered::Word(..) => None,
        });
        cut.into_iter().chain(later).chain(behind).collect()
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
    pub fn message(&mut self, now: Tick, from: NodeId, body: Vec<u8>) -> Vec<Notice> {
        self.behind.push_back(Ordered::Message(from, body));
        self.go_on(now)
    }

    /// A word came in order.
    pub fn hear(&mut self, now: Tick, sender: Incarnation, word: Word) -> Vec<Notice> {
        self.behind.push_back(Ordered::Word(sender, word));
        self.go_on(now)
    }

    /// A vote came.
    pub fn hear_vote(&mut self, now: Tick, sender: Incarnation, vote: VoteWord) -> Vec<Notice> {
        let told = self.domain.vote(sender, vote);
        let mut notices = self.translate(now, told);
        notices.extend(self.go_on(now));
        notices
    }

    /// Takes in what came in order, up to a word that has to wait for votes.
    fn go_on(&mut self, now: Tick) -> Vec<Notice> {
        let mut notices = Vec::new();
        while !self.domain.is_waiting()
            && let Some(next) = self.behind.pop_front()
        {
            match next {
                Ordered::Word(sender, word) => {
                    let told = self.domain.hear(sender, word);
                    notices.extend(self.translate(now, told));
                }
                Ordered::Message(from, body) => {
                    let notice = Notice::Message { from, body };
                    if self.running.is_some() { self.later.push(notice) } else { notices.push(notice) }
                }
            }
        }
        notices
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Span = Span::from_secs(1);

    fn life(node: u16) -> Incarnation {
        Incarnation { node: NodeId(node), start: 1 }
    }

    fn proposal(node: u16, number: u64) -> ProposalId {
        ProposalId { life: life(node), number }
    }

    fn own(node: u16) -> Own {
        Own::of_view(life(node), [1, 2].map(life).into_iter())
    }

    fn propose(own: &mut Own, number: u64) -> Word {
        let id = ProposalId { life: own.me, number };
        own.proposed(id, vec![]);
        own.proposing(id, LIMIT, vec![])
    }

    fn vote(own: &mut Own, proposal: ProposalId) -> VoteWord {
        own.vote(proposal, Vote::Approve, "");
        let vote = own.next_vote().cloned().expect("it is asked");
        own.voted();
        vote
    }

    fn words(notices: &[Notice]) -> Vec<String> {
        let word = |notice: &Notice| match notice {
            Notice::Phase { proposal, .. } => format!("phase of {}", proposal.number),
            Notice::Outcome { proposal, outcome: Outcome::Approved, .. } => {
                format!("{} approved", proposal.number)
            }
            Notice::Outcome { proposal, outcome: Outcome::Rejected(why), .. } => {
                format!("{} rejected: {why:?}", proposal.number)
            }
            Notice::Message { body, .. } => format!("message {}", body[0]),
            Notice::Membership(_) | Notice::State { .. } => "something else".into(),
        };
        notices.iter().map(word).collect()
    }

    /// One has all votes before the next words come, the other lacks one until all words are there (seed 181).
    #[test]
    fn all_hear_the_same_whenever_the_votes_come() {
        let (mut one, mut other) = (own(1), own(2));
        let (now, first) = (Tick(1), propose(&mut one, 1));
        let mut heard = [one.hear(now, life(1), first.clone()), other.hear(now, life(1), first)];
        let votes = [vote(&mut one, proposal(1, 1)), vote(&mut other, proposal(1, 1))];
        for (sender, cast) in [(1, &votes[0]), (2, &votes[1])] {
            heard[0].extend(one.hear_vote(now, life(sender), cast.clone()));
        }
        let next = propose(&mut one, 2);
        heard[0].extend(one.hear(now, life(1), next.clone()));
        heard[0].extend(one.message(now, NodeId(2), vec![7]));
        heard[1].extend(other.hear(now, life(1), next));
        heard[1].extend(other.message(now, NodeId(2), vec![7]));
        for (sender, cast) in [(2, &votes[1]), (1, &votes[0])] {
            heard[1].extend(other.hear_vote(now, life(sender), cast.clone()));
        }
        for (own, heard) in [&mut one, &mut other].into_iter().zip(&mut heard) {
            heard.extend(own.end());
            assert_eq!(
                words(heard),
                ["phase of 1", "1 approved", "phase of 2", "2 rejected: ViewChanged", "message 7"]
            );
        }
    }

    #[test]
    fn who_is_silent_or_against_is_named() {
        let (now, mut own) = (Tick(1), own(1));
        let first = propose(&mut own, 1);
        own.hear(now, life(1), first);
        let mine = vote(&mut own, proposal(1, 1));
        own.hear_vote(now, life(1), mine.clone());
        let silent = VoteWord { cast: Cast::Silent, ..mine.clone() };
        let over = own.hear_vote(now, life(2), silent);
        assert_eq!(words(&over), ["1 rejected: Silent({NodeId(2)})"]);

        let second = propose(&mut own, 2);
        own.hear(now, life(1), second);
        let mine = vote(&mut own, proposal(1, 2));
        own.hear_vote(now, life(1), mine.clone());
        let said = Said { message: Message::new(b"no room".to_vec()).ok(), ..Said::default() };
        let against = VoteWord { cast: Cast::Vote { vote: Vote::Reject, said }, ..mine };
        let over = own.hear_vote(now, life(2), against);
        assert_eq!(words(&over), ["2 rejected: Voted({NodeId(2): \"no room\"})"]);
    }

    #[test]
    fn a_member_that_does_not_vote_in_time_says_so_itself() {
        let (now, mut own) = (Tick(1), own(1));
        let first = propose(&mut own, 1);
        own.hear(now, life(1), first);
        own.expire(now);
        assert_eq!(own.next_vote(), None);
        own.expire(own.wake_at());
        assert_eq!(own.next_vote().map(|vote| &vote.cast), Some(&Cast::Silent));
        assert_eq!(own.wake_at(), Tick::NEVER);
    }
}
