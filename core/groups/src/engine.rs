//! The one in-process group: turns membership's upcalls into notices, and a provider's wishes into ordered messages.
//!
//! Everything that decides is an ordered message, so all providers that go on together decide the same. Replicated state
//! of a provider that is not in step comes from the donor before anything else of the new view.

use crate::domain::{VoteWord, host_membership};
use crate::group::{Group, Membership as Notified, Notice, Passport, ProposalId, Refusal, StateStamp, Vote};
use crate::outlook::DomainOutlook;
use crate::own::Own;
use crate::services::{DomainStamp, Services};
use crate::word::{Transfer, Word};
use minicbor::{Decode, Encode};
use phalanx_events::Service;
use phalanx_membership::{Delivered, Installed, Membership, SendError, Standing, Upcall};
use phalanx_types::{Bug, Digest, Incarnation, NodeId, NodeSet, Plot, Shared, Span, Tick, Timings, ViewId};
use std::collections::{BTreeMap, BTreeSet};

/// The group on this node.
#[derive(Clone, Debug)]
pub struct Engine {
    me: Incarnation,
    timings: Timings,
    view: ViewId,
    primary: bool,
    own: Own,
    proposals: u64,
    /// How recent the provider's state is.
    stamp: StateStamp,
    step: Step,
    services: Services,
    plot: Plot,
}

/// What each member brings into a new view.
#[derive(Clone, Debug, Encode, Decode)]
struct Brought {
    #[n(0)]
    manager: Passport,
    #[n(1)]
    domain: DomainStamp,
}

/// Whether this provider's state is that of the donor.
#[derive(Clone, Debug)]
enum Step {
    /// It is.
    In,
    /// It waits for the donor's; what came meanwhile waits too.
    Waiting { donor: StateStamp, later: Vec<Notice> },
}

/// A new view, as the node hands it to its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The notices, in order: the end of what was running, then the membership.
    pub notices: Vec<Notice>,
    /// If this node is the donor: who needs its state, as it is after the notices.
    pub needy: Vec<NodeId>,
    /// If this node's domain of Group Services goes on, and it is the donor of that: who needs it, and what to send.
    pub domain: (Vec<NodeId>, Vec<u8>),
}

impl Engine {
    /// A group with nobody in it yet.
    pub fn new(me: Incarnation, timings: Timings) -> Engine {
        let stamp = StateStamp::default();
        Engine {
            me,
            timings,
            view: ViewId::NONE,
            primary: false,
            own: Own::of_view(me, std::iter::empty()),
            proposals: 0,
            stamp,
            step: Step::In,
            services: Services::new(me),
            plot: Plot::NONE,
        }
    }

    /// The timings in force, for the next notice of a view.
    pub fn set_timings(&mut self, timings: Timings) {
        self.timings = timings;
    }

    /// Plants the bug that the simulator chose, if any.
    pub fn plant(&mut self, plot: Plot) {
        self.plot = plot;
        self.services.plant(plot);
    }

    /// This provider's passport with `body` as its own words.
    pub fn passport(&self, body: Vec<u8>) -> Vec<u8> {
        let manager = Passport { stamp: self.stamp, body };
        let brought = Brought { manager, domain: self.services.stamp() };
        minicbor::to_vec(brought).expect("writing to memory does not fail")
    }

    /// The clients' groups on this node.
    pub fn services(&mut self) -> &mut Services {
        &mut self.services
    }

    /// The clients' groups, for people.
    pub fn outlook(&self) -> DomainOutlook {
        self.services.outlook()
    }

    /// How many words of clients wait to be said.
    pub fn unsaid(&self) -> usize {
        self.services.unsaid()
    }

    /// The manager's state as it is sent to who needs it.
    pub fn transfer(state: Vec<u8>) -> Vec<u8> {
        Transfer::Manager(state).write()
    }

    /// Whether this provider waits for another's state.
    pub fn is_waiting(&self) -> bool {
        matches!(self.step, Step::Waiting { .. })
    }

    /// A message, state, or a returned message came; gives what the provider hears of it.
    pub fn hear(&mut self, now: Tick, upcall: Upcall) -> Vec<Notice> {
        match upcall {
            Upcall::Delivered { sender, body, .. } => {
                let notices =
                    Word::read(&body).map(|word| self.on_word(now, sender, word)).unwrap_or_default();
                self.hold_back(notices)
            }
            Upcall::Fifo { sender, body } => {
                let notices = VoteWord::read(&body).map(|vote| self.on_vote(now, sender, vote));
                self.hold_back(notices.unwrap_or_default())
            }
            Upcall::State { from, body } => match minicbor::decode(&body) {
                Ok(Transfer::Manager(state)) => self.adopt(from, state),
                Ok(Transfer::Domain(copy)) => {
                    self.services.adopt(now, &copy);
                    Vec::new()
                }
                Err(_) => Vec::new(),
            },
            Upcall::Returned { body } => {
                self.take_back(&body);
                Vec::new()
            }
            Upcall::Installed(_) => Vec::new(),
        }
    }

    /// A provider of the manager's group repeats what it does not see take effect, and its proposal was ended by the view's
    /// change. What clients said is said again.
    fn take_back(&mut self, body: &Shared) {
        if let Some(Word::Group(word)) = Word::read(body)
            && !self.own.is(&word.group)
        {
            self.services.returned(word);
        }
    }

    /// Gives the votes and says the words that wait, until `membership` takes no more; true if it took something. What is
    /// said has limits that make it fit into a message.
    pub fn speak(&mut self, membership: &mut Membership) -> bool {
        let mut spoke = false;
        while let Some(vote) = self.own.next_vote()
            && membership.send_fifo(vote.write()).is_ok()
        {
            self.own.voted();
            spoke = true;
        }
        while let Some(vote) = self.services.next_vote()
            && membership.send_fifo(vote.write()).is_ok()
        {
            self.services.voted();
            spoke = true;
        }
        while let Some(word) = self.services.next_word()
            && membership.send(word.service(), Word::Group(word.clone()).write()).is_ok()
        {
            self.services.said();
            spoke = true;
        }
        spoke
    }

    /// A view was installed.
    pub fn begin(&mut self, now: Tick, installed: Installed) -> Begun {
        let ended = self.own.end();
        let mut notices = self.hold_back(ended);
        self.view = installed.view.id;
        self.primary = installed.view.primary;
        let hosts: BTreeSet<Incarnation> =
            installed.view.members.values().map(|member| member.incarnation).collect();
        self.own = Own::of_view(self.me, hosts.iter().copied());
        let brought = brought(&installed.passports);
        let domains = brought.iter().map(|(node, brought)| (*node, brought.domain.clone())).collect();
        let (needing, copy) = self.services.begin(now, &installed.view, &installed.previous, &domains);
        self.services.keep_ready(host_membership(), &hosts);
        let domain = (needing, Transfer::Domain(copy).write());
        let (membership, stamps) = self.notified(installed, brought);
        let (donor, best) = (membership.donor, stamps[&membership.donor]);
        // State moves in a primary view only: elsewhere nobody applies anything to it.
        let needy = |node: &NodeId| self.primary && stamps[node] != best;
        let waits = needy(&self.me.node) && !self.plot.has(Bug::StateNotTransferred);
        let needy: Vec<NodeId> = match donor == self.me.node {
            true => stamps.keys().copied().filter(needy).collect(),
            false => Vec::new(),
        };
        self.stamp = stamps[&self.me.node];
        self.step = match waits {
            true => Step::Waiting { donor: best, later: Vec::new() },
            false => Step::In,
        };
        self.renew_stamp();
        notices.push(Notice::Membership(Box::new(membership)));
        Begun { notices, needy, domain }
    }

    /// Speaks for the providers of this node that have not voted in time.
    pub fn expire(&mut self, now: Tick) {
        self.services.expire(now);
        self.own.expire(now);
    }

    /// When [`Engine::expire`] has something.
    pub fn wake_at(&self) -> Tick {
        self.own.wake_at().min(self.services.wake_at())
    }

    /// In step in a primary view, the state is that of the view.
    fn renew_stamp(&mut self) {
        let in_step = matches!(self.step, Step::In) || self.plot.has(Bug::WaitingIsInStep);
        if self.primary && in_step {
            self.stamp = StateStamp::in_step(self.view);
        }
    }

    fn notified(
        &self,
        installed: Installed,
        brought: BTreeMap<NodeId, Brought>,
    ) -> (Notified, BTreeMap<NodeId, StateStamp>) {
        let Installed { view, previous, delivered, passports: _, expiries, charter } = installed;
        let passports: BTreeMap<NodeId, Passport> =
            brought.into_iter().map(|(node, brought)| (node, brought.manager)).collect();
        let stamp = |node: &NodeId, passport: &Passport| {
            let counted =
                effective(passport.stamp, previous.get(node).copied().unwrap_or(ViewId::NONE), &delivered);
            match self.plot.has(Bug::StampWithoutVotes) {
                true => StateStamp { votes: passport.stamp.votes, ..counted },
                false => counted,
            }
        };
        let stamps: BTreeMap<NodeId, StateStamp> =
            passports.iter().map(|(node, passport)| (*node, stamp(node, passport))).collect();
        let best = stamps.values().max().copied().unwrap_or_default();
        let donor = stamps.iter().find(|(_, stamp)| **stamp == best).map_or(self.me.node, |(node, _)| *node);
        let in_step = stamps.iter().filter(|(_, stamp)| **stamp == best).map(|(node, _)| *node).collect();
        let timings = self.timings;
        (Notified { view, previous, passports, donor, in_step, timings, expiries, charter }, stamps)
    }

    /// While this provider waits for state, what it would hear waits with it.
    fn hold_back(&mut self, notices: Vec<Notice>) -> Vec<Notice> {
        match &mut self.step {
            Step::In => notices,
            Step::Waiting { later, .. } => {
                let lost = self.plot.has(Bug::NoticesNotHeld);
                later.extend(notices.into_iter().filter(|_| !lost));
                Vec::new()
            }
        }
    }

    fn adopt(&mut self, from: NodeId, body: Vec<u8>) -> Vec<Notice> {
        let Step::Waiting { donor, later } = std::mem::replace(&mut self.step, Step::In) else {
            return Vec::new();
        };
        self.stamp = donor;
        self.renew_stamp();
        let digest = Digest::of(&body);
        std::iter::once(Notice::State { from, body, digest }).chain(later).collect()
    }

    fn on_word(&mut self, now: Tick, sender: Incarnation, word: Word) -> Vec<Notice> {
        match word {
            Word::Broadcast(body) => self.own.message(now, sender.node, body),
            Word::Group(word) if self.own.is(&word.group) => self.own.hear(now, sender, word),
            Word::Group(word) => {
                self.services.hear(now, sender, word);
                Vec::new()
            }
        }
    }

    fn on_vote(&mut self, now: Tick, sender: Incarnation, vote: VoteWord) -> Vec<Notice> {
        if self.own.is(&vote.phase.group) {
            return self.own.hear_vote(now, sender, vote);
        }
        self.services.hear_vote(now, sender, vote);
        Vec::new()
    }
}

/// What the members brought. Words that cannot be read are those of somebody who knows nothing.
fn brought(passports: &BTreeMap<NodeId, Vec<u8>>) -> BTreeMap<NodeId, Brought> {
    let nothing = || Brought {
        manager: Passport { stamp: StateStamp::default(), body: Vec::new() },
        domain: DomainStamp::default(),
    };
    let read = |bytes: &Vec<u8>| minicbor::decode(bytes).unwrap_or_else(|_| nothing());
    passports.iter().map(|(node, bytes)| (*node, read(bytes))).collect()
}

/// How recent a member's state is now that its old view has ended: if it was in step there, it has applied all of it.
fn effective(stamp: StateStamp, previous: ViewId, delivered: &BTreeMap<ViewId, Delivered>) -> StateStamp {
    match delivered.get(&previous).filter(|_| stamp.primary == previous && previous != ViewId::NONE) {
        Some(there) => StateStamp { applied: there.ordered, votes: (there.fifo, there.mark), ..stamp },
        None => stamp,
    }
}

/// The group as the provider on this node uses it during one step.
pub struct Provider<'a> {
    /// The group.
    pub engine: &'a mut Engine,
    /// What carries it.
    pub membership: &'a mut Membership,
}

impl Provider<'_> {
    fn say(&mut self, word: &Word) -> Result<(), Refusal> {
        match self.membership.send(Service::Agreed, word.write()) {
            Ok(_) => Ok(()),
            Err(SendError::Changing) => Err(Refusal::Changing),
            Err(SendError::Full) => Err(Refusal::Full),
            Err(SendError::TooLong) => Err(Refusal::TooLong),
        }
    }
}

impl Group for Provider<'_> {
    fn me(&self) -> Incarnation {
        self.engine.me
    }

    fn standing(&self) -> Standing {
        let standing = self.membership.standing();
        Standing { confirmed: standing.confirmed && !self.engine.is_waiting(), ..standing }
    }

    fn heard_lately(&self) -> NodeSet {
        self.membership.heard_lately()
    }

    fn broadcast(&mut self, body: Vec<u8>) -> Result<(), Refusal> {
        self.say(&Word::Broadcast(body))
    }

    fn propose(&mut self, body: Vec<u8>, limit: Span) -> Result<ProposalId, Refusal> {
        let number = self.engine.proposals + 1;
        let proposal = ProposalId { life: self.engine.me, number };
        let word = self.engine.own.proposing(proposal, limit, body.clone());
        self.say(&Word::Group(word))?;
        self.engine.own.proposed(proposal, body);
        self.engine.proposals = number;
        Ok(proposal)
    }

    fn vote(&mut self, proposal: ProposalId, vote: Vote, word: &str) {
        self.engine.own.vote(proposal, vote, word);
    }
}
