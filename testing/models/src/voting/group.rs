//! One node's copy of a group, and what words, votes and a view's end do to it.
//!
//! Stands for `core/groups`: `domain/group.rs` (what waits, what begins), `domain/protocol.rs` (what votes come to) and the part
//! of `domain/mod.rs` that hears. Everything here is meant to be the same on all nodes that go on together.

use super::{Rule, Terms};
use std::collections::{BTreeMap, VecDeque};

/// A provider's number. Those of nodes 0, 1 and 2 are there from the beginning; [`JOINER`] is on node 0.
pub type Provider = u8;
/// Providers, one bit each.
pub type Providers = u8;
/// Who is no provider yet.
pub const JOINER: Provider = 3;
/// On which node a provider is.
pub fn node_of(provider: Provider) -> usize {
    usize::from(provider % JOINER)
}

/// The one provider as a set.
pub fn only(provider: Provider) -> Providers {
    1 << provider
}

/// The providers of a set.
pub fn each(set: Providers) -> impl Iterator<Item = Provider> {
    (0..=JOINER).filter(move |provider| set & only(*provider) != 0)
}

/// What an ordered message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Act {
    /// This one wants to be a provider.
    Join(Provider),
    /// This one's client is gone.
    Gone(Provider),
    /// This one proposes its own number as the state value, in a protocol with votes.
    Propose(Provider),
    /// This one sends a message, in a protocol without votes.
    Message(Provider),
    /// Nothing but how far its speaker has come.
    Ended,
}

/// An ordered message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Word {
    /// Whose.
    pub speaker: usize,
    /// The last protocol that its speaker had seen end.
    pub ended: u8,
    /// What.
    pub act: Act,
}

/// What a voter says, or its node for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Vote {
    /// Yes.
    Approve,
    /// Yes, and another phase.
    Continue,
    /// No.
    Reject,
    /// Silent or failed: the default vote.
    Default,
}

/// A vote, and what its voter was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ballot {
    /// The vote.
    pub vote: Vote,
    /// What it is about. Nothing that decides looks at this: numbers have to do.
    pub about: Change,
}

/// Which vote of whom.
pub type VoteId = (u8, u8, Provider);

/// What a protocol changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// This one becomes a provider.
    Join(Provider),
    /// This one is gone.
    Leave(Provider),
    /// The state value.
    State(u8),
    /// Nothing.
    Message,
}

/// A protocol whose votes are not complete.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Running {
    /// From 1.
    pub phase: u8,
    /// What it is about.
    pub change: Change,
    /// Who is asked.
    pub voters: Providers,
}

/// What providers hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// A protocol begins.
    Begin {
        /// Which.
        number: u8,
        /// What.
        change: Change,
        /// Whether a change of who is in it was waiting.
        queued: bool,
    },
    /// Votes are asked for.
    Phase {
        /// Of which protocol.
        number: u8,
        /// Which phase.
        phase: u8,
    },
    /// It has ended.
    End {
        /// Which.
        number: u8,
        /// How.
        approved: bool,
        /// The group since.
        members: Providers,
        /// Its state value.
        value: u8,
    },
}

/// The copy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// The providers.
    pub members: Providers,
    /// The state value.
    pub value: u8,
    /// The last protocol that began.
    pub number: u8,
    /// The protocol under way.
    pub running: Option<Running>,
    /// The end of the last protocol has no place in the order yet.
    pub open: bool,
    /// Who is gone, and has not left.
    pub gone: Providers,
    /// Who wants to join, in order.
    pub joining: Vec<Provider>,
    /// Votes of this protocol, and of later ones that were not heard to begin.
    pub votes: BTreeMap<VoteId, Ballot>,
    /// Those asked whose nodes did not go on: the default vote is theirs.
    pub lost: Providers,
    /// Words behind one whose speaker had seen more votes.
    pub behind: VecDeque<Word>,
    /// What was told.
    pub told: Vec<Notice>,
}

impl Default for Group {
    /// Three providers, and nothing under way.
    fn default() -> Group {
        Group {
            members: 0b111,
            value: 0,
            number: 0,
            running: None,
            open: false,
            gone: 0,
            joining: Vec::new(),
            votes: BTreeMap::new(),
            lost: 0,
            behind: VecDeque::new(),
            told: Vec::new(),
        }
    }
}

impl Group {
    /// The last protocol that was seen to end here.
    pub fn ended(&self) -> u8 {
        self.number - u8::from(self.running.is_some())
    }

    /// Whether a change of who is in it waits.
    pub fn has_waiting(&self) -> bool {
        self.gone != 0 || !self.joining.is_empty()
    }

    /// Whether this provider's vote is missing in the phase under way.
    pub fn asks(&self, provider: Provider) -> Option<VoteId> {
        let asked = |running: &&Running| running.voters & !self.lost & only(provider) != 0;
        let running = self.running.as_ref().filter(asked)?;
        let id = (self.number, running.phase, provider);
        (!self.votes.contains_key(&id)).then_some(id)
    }

    /// Whether another phase may be wanted: of what is proposed, and once.
    pub fn may_continue(&self) -> bool {
        let first = |running: &Running| running.phase == 1 && matches!(running.change, Change::State(_));
        self.running.as_ref().is_some_and(first)
    }

    /// An ordered message.
    pub fn hear(&mut self, terms: Terms, word: Word) {
        self.behind.push_back(word);
        self.go_on(terms);
    }

    /// A vote. One of a phase that is over is nothing; one that comes early waits.
    pub fn vote(&mut self, terms: Terms, id: VoteId, ballot: Ballot) {
        let (number, phase, _) = id;
        let present = (self.number, self.running.as_ref().map_or(u8::MAX, |running| running.phase));
        if (number, phase) < present || self.votes.contains_key(&id) {
            return;
        }
        self.votes.insert(id, ballot);
        self.count(terms);
        self.go_on(terms);
    }

    /// The view is over, all its words and votes are heard, and these providers' nodes do not go on.
    pub fn end_view(&mut self, terms: Terms, lost: Providers) {
        match terms.rule == Rule::LostBeforeWords {
            true => {
                self.mark_lost(terms, lost);
                self.go_on(terms);
                self.hear_behind(terms);
            }
            false => {
                self.hear_behind(terms);
                self.mark_lost(terms, lost);
            }
        }
        // Before anything begins: what these are about began only where its words were heard.
        let number = self.number;
        if terms.rule != Rule::EarlyVotesKept {
            self.votes.retain(|(of, _, _), _| *of <= number);
        }
        self.place(terms);
    }

    /// Whoever said these words had seen votes that nobody has who goes on, and does not go on either.
    fn hear_behind(&mut self, terms: Terms) {
        while let Some(word) = self.behind.pop_front() {
            self.apply(terms, Word { ended: word.ended.min(self.ended()), ..word });
        }
    }

    fn mark_lost(&mut self, terms: Terms, lost: Providers) {
        self.lost |= lost & self.running.as_ref().map_or(0, |running| running.voters);
        self.gone |= lost & (self.members | self.joiner_under_way());
        self.joining.retain(|provider| lost & only(*provider) == 0);
        self.count(terms);
    }

    fn joiner_under_way(&self) -> Providers {
        match self.running.as_ref().map(|running| running.change) {
            Some(Change::Join(provider)) => only(provider),
            Some(Change::Leave(_) | Change::State(_) | Change::Message) | None => 0,
        }
    }

    fn go_on(&mut self, terms: Terms) {
        while let Some(word) = self.behind.front().copied() {
            let lacks_votes = self.running.is_some() && word.ended >= self.number;
            if lacks_votes && terms.rule != Rule::NoWait {
                return;
            }
            self.behind.pop_front();
            self.apply(terms, word);
        }
    }

    fn apply(&mut self, terms: Terms, word: Word) {
        if word.ended >= self.number {
            self.place(terms);
        }
        match word.act {
            Act::Join(provider) => self.join(terms, provider),
            Act::Gone(provider) => self.lose(provider),
            Act::Propose(provider) => self.propose(terms, provider, Change::State(provider + 1), true),
            Act::Message(provider) => self.propose(terms, provider, Change::Message, false),
            Act::Ended => {}
        }
        self.advance(terms);
    }

    /// Judged when its turn comes, not now: what it is judged by may be about to change.
    fn join(&mut self, terms: Terms, provider: Provider) {
        if terms.rule == Rule::JudgedWhenHeard && !self.may_join(terms, provider) {
            return;
        }
        self.joining.push(provider);
    }

    fn may_join(&self, terms: Terms, provider: Provider) -> bool {
        self.members.count_ones() < terms.providers_max && self.members & only(provider) == 0
    }

    fn lose(&mut self, provider: Provider) {
        self.gone |= only(provider) & (self.members | self.joiner_under_way());
        self.joining.retain(|joining| *joining != provider);
    }

    fn propose(&mut self, terms: Terms, provider: Provider, change: Change, voted: bool) {
        let busy = if terms.rule == Rule::NoPlace { self.running.is_some() } else { self.open };
        if !busy && !self.has_waiting() && self.members & only(provider) != 0 {
            self.begin(terms, change, voted);
        }
    }

    /// The end of the last protocol has its place here.
    fn place(&mut self, terms: Terms) {
        if self.running.is_none() {
            self.open = false;
            self.advance(terms);
        }
    }

    /// Begins what waits, failures first.
    fn advance(&mut self, terms: Terms) {
        while !(self.open && terms.rule != Rule::NoPlace) && self.running.is_none() {
            self.gone &= self.members;
            let change = match each(self.gone).next() {
                Some(provider) => {
                    self.gone &= !only(provider);
                    Change::Leave(provider)
                }
                None if self.joining.is_empty() => return,
                None => {
                    let provider = self.joining.remove(0);
                    if !self.may_join(terms, provider) {
                        continue;
                    }
                    Change::Join(provider)
                }
            };
            self.begin(terms, change, true);
        }
    }

    fn begin(&mut self, terms: Terms, change: Change, voted: bool) {
        self.number += 1;
        let queued = self.has_waiting();
        self.told.push(Notice::Begin { number: self.number, change, queued });
        let (joining, leaving) = match change {
            Change::Join(provider) => (only(provider), 0),
            Change::Leave(provider) => (0, only(provider)),
            Change::State(_) | Change::Message => (0, 0),
        };
        let voters = (self.members | joining) & !leaving & !self.gone;
        if !voted || voters == 0 {
            return self.end(change, true);
        }
        self.running = Some(Running { phase: 1, change, voters });
        self.open = true;
        self.told.push(Notice::Phase { number: self.number, phase: 1 });
        self.count(terms);
    }

    /// What the votes come to.
    fn count(&mut self, terms: Terms) {
        while let Some(Running { phase, change, voters }) = self.running.clone() {
            let of = |provider: Provider| {
                let vote = self.votes.get(&(self.number, phase, provider)).map(|ballot| ballot.vote);
                vote.or((self.lost & only(provider) != 0).then_some(Vote::Default))
            };
            let Some(votes) = each(voters).map(of).collect::<Option<Vec<Vote>>>() else { return };
            let counted = |vote: &Vote| if *vote == Vote::Default { terms.default } else { *vote };
            let rejected = votes.iter().any(|vote| counted(vote) == Vote::Reject);
            match votes.contains(&Vote::Continue) && !rejected {
                true => {
                    self.running = Some(Running { phase: phase + 1, change, voters });
                    self.told.push(Notice::Phase { number: self.number, phase: phase + 1 });
                }
                false => {
                    self.end(change, !rejected);
                    self.advance(terms);
                }
            }
        }
    }

    fn end(&mut self, change: Change, approved: bool) {
        (self.running, self.lost) = (None, 0);
        let number = self.number;
        self.votes.retain(|(of, _, _), _| *of > number);
        match change {
            // Who is gone does not come back, however that was voted.
            Change::Leave(provider) => self.members &= !only(provider),
            Change::Join(provider) if approved => self.members |= only(provider),
            Change::State(value) if approved => self.value = value,
            Change::Join(_) | Change::State(_) | Change::Message => {}
        }
        self.told.push(Notice::End { number, approved, members: self.members, value: self.value });
    }
}
