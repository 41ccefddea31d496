//! Group Services on one node: its clients, its copy of the domain, and what the two say to each other.
//!
//! A client's act becomes an ordered [`Word`] or a vote; what the domain makes of them becomes events of the clients
//! concerned. This node votes for those of its providers that are silent or whose clients are gone.
//! Parts of a divided cluster go on separately. When they meet, one part's domain is everybody's, and the clients of the
//! others are told that theirs is dissolved (RSCT Group Services, A6); so are those whose group ends by its merge control.

use crate::domain::{
    Act, Attributes, Audience, Cast, Census, Domain, Gone, LocalName, Name, Notice, Part, PhaseId, Phases,
    Proposal, ProviderId, Refused, Said, Standing, StateValue, Tell, VoteWord, Word, as_members,
    host_membership,
};
use crate::group::Vote;
use crate::outlook::DomainOutlook;
use crate::questions::{Questions, Seat};
use minicbor::{Decode, Encode};
use phalanx_types::limits::GS_WORDS_WAITING_MAX;
use phalanx_types::{Bug, Incarnation, NodeId, Plot, Tick, View, ViewId};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A client on this node, as the shell numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ClientId(pub u64);

/// What a client does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum ClientAct {
    /// It wants to be a provider.
    Join {
        /// Of this group.
        group: Name,
        /// With this instance number.
        instance: i16,
        /// Called so in logs.
        local: LocalName,
        /// Taking the group for this.
        attributes: Attributes,
    },
    /// A provider of its proposes something.
    Propose {
        /// The group.
        group: Name,
        /// Which provider.
        instance: i16,
        /// What.
        proposal: Proposal,
        /// Whether it is voted on.
        phases: Phases,
    },
    /// A provider of its votes.
    Vote {
        /// The group.
        group: Name,
        /// Which provider.
        instance: i16,
        /// On which protocol.
        protocol: u64,
        /// In which phase.
        phase: u32,
        /// Its vote.
        vote: Vote,
        /// What it says with it.
        said: Said,
    },
    /// A provider of its leaves at once.
    Goodbye {
        /// The group.
        group: Name,
        /// Which provider.
        instance: i16,
    },
    /// It wants to hear of a group.
    Subscribe {
        /// The group.
        group: Name,
    },
    /// It wants to hear of it no more.
    Unsubscribe {
        /// The group.
        group: Name,
    },
    /// It stopped to answer, or answers again, as its node sees it.
    Responsive {
        /// Whether it answers.
        responsive: bool,
    },
    /// It is gone, and all its providers with it.
    Quit,
}

/// What a client hears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum ClientEvent {
    /// As a provider, or as one that wanted to be.
    Provider {
        /// The group.
        group: Name,
        /// Which provider.
        provider: ProviderId,
        /// What.
        notice: Notice,
    },
    /// As a subscriber.
    Subscriber {
        /// The group.
        group: Name,
        /// What.
        notice: Notice,
    },
    /// The instance is its own already, or somebody else's on this node; or the provider is none of its own.
    NotYours {
        /// The group.
        group: Name,
        /// Which provider.
        instance: i16,
    },
    /// The domain that it was in is no more: it is no client any longer.
    Dissolved,
}

/// What a node brings of its domain into a new view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct DomainStamp {
    /// Whether its copy is that of its last view.
    #[n(0)]
    in_step: bool,
    /// Whether that view was primary.
    #[n(1)]
    primary: bool,
    /// How many providers it has itself where merge control asks for that. None of who knows nothing of merge control: where
    /// such a node goes on, no group ends by it.
    #[n(2)]
    census: Option<Census>,
}

/// A part of a cluster that was divided: who comes from one view with one kind of copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    in_step: bool,
    primary: bool,
    view: ViewId,
}

/// The nodes of each part.
type Parts = BTreeMap<Origin, BTreeSet<NodeId>>;

/// Group Services on one node.
#[derive(Clone, Debug)]
pub struct Services {
    me: Incarnation,
    domain: Domain,
    step: Step,
    primary: bool,
    /// The lowest member whose domain went on, which says what anybody could say.
    established_by: Option<NodeId>,
    /// Who has which provider of this node.
    seats: BTreeMap<Seat, ClientId>,
    /// Seats that were given up: how many words that say so are under way.
    vacant: BTreeMap<Seat, u32>,
    /// Who gave up which of them by failing, until its provider is gone everywhere: its deactivate command may have to run.
    failed: BTreeMap<Seat, ClientId>,
    subscriptions: BTreeSet<(Name, ClientId)>,
    /// The groups that are always there, with their members as known here.
    ready: BTreeMap<Name, BTreeSet<ProviderId>>,
    questions: Questions,
    /// The ends that this node has said it saw: a protocol of each group.
    placed: BTreeMap<Name, u64>,
    /// What waits to be said.
    outbox: VecDeque<Word>,
    /// What found no place in the view that ends.
    returned: Vec<Word>,
    votes: VecDeque<VoteWord>,
    events: VecDeque<(ClientId, ClientEvent)>,
    plot: Plot,
}

/// What a node says about groups.
#[derive(Clone, Debug)]
enum Heard {
    Word(Word),
    Vote(VoteWord),
}

/// Whether this node's copy of the domain is everybody's.
#[derive(Clone, Debug)]
enum Step {
    In,
    /// It waits for it; what was said meanwhile waits too.
    Waiting {
        later: Vec<(Incarnation, Heard)>,
    },
}

impl Services {
    /// Nobody is a client, and there is no group.
    pub fn new(me: Incarnation) -> Services {
        Services {
            me,
            domain: Domain::default(),
            step: Step::In,
            primary: false,
            established_by: None,
            seats: BTreeMap::new(),
            vacant: BTreeMap::new(),
            failed: BTreeMap::new(),
            subscriptions: BTreeSet::new(),
            ready: BTreeMap::from([(host_membership(), as_members(&BTreeSet::from([me])))]),
            questions: Questions::default(),
            placed: BTreeMap::new(),
            outbox: VecDeque::new(),
            returned: Vec::new(),
            votes: VecDeque::new(),
            events: VecDeque::new(),
            plot: Plot::NONE,
        }
    }

    /// Plants the bug that the simulator chose, if any.
    pub(crate) fn plant(&mut self, plot: Plot) {
        self.plot = plot;
    }

    /// A client does something.
    pub fn act(&mut self, client: ClientId, act: ClientAct) {
        match act {
            ClientAct::Join { group, instance, local, attributes } => {
                self.join(client, (group, instance), Act::Join { instance, local, attributes });
            }
            ClientAct::Propose { group, instance, proposal, phases } => {
                self.say_as(client, (group, instance), Act::Propose { instance, proposal, phases });
            }
            ClientAct::Vote { group, instance, protocol, phase, vote, said } => {
                let phase = PhaseId { group: group.clone(), protocol, phase };
                self.vote_as(client, (group, instance), phase, Cast::Vote { vote, said });
            }
            ClientAct::Goodbye { group, instance } => {
                let seat = (group, instance);
                match self.seats.get(&seat) == Some(&client) {
                    true => self.vacate(seat, Gone::Goodbye),
                    false => self.not_yours(client, seat),
                }
            }
            ClientAct::Subscribe { group } => self.subscribe(client, group),
            ClientAct::Unsubscribe { group } => {
                self.subscriptions.remove(&(group, client));
            }
            ClientAct::Responsive { responsive } => {
                for (group, instance) in self.seats_of(client) {
                    self.say(group, Act::Responsive { instance, responsive });
                }
            }
            ClientAct::Quit => self.quit(client),
        }
    }

    /// Takes in an ordered word.
    pub(crate) fn hear(&mut self, now: Tick, sender: Incarnation, word: Word) {
        self.take_in(now, sender, Heard::Word(word));
    }

    /// Takes in a vote.
    pub(crate) fn hear_vote(&mut self, now: Tick, sender: Incarnation, vote: VoteWord) {
        self.take_in(now, sender, Heard::Vote(vote));
    }

    fn take_in(&mut self, now: Tick, sender: Incarnation, heard: Heard) {
        let told = match (&mut self.step, heard) {
            (Step::Waiting { .. }, _) if self.plot.has(Bug::HeardWhileWaitingLost) => return,
            (Step::Waiting { later }, heard) => return later.push((sender, heard)),
            (Step::In, Heard::Word(word)) => {
                self.note_lost(sender, &word);
                self.domain.hear(sender, word)
            }
            (Step::In, Heard::Vote(vote)) => self.domain.vote(sender, vote),
        };
        self.tell(now, told);
        self.place_ends();
    }

    fn note_lost(&mut self, sender: Incarnation, word: &Word) {
        if let Act::Lost { instance, .. } = word.act
            && sender == self.me
            && let Entry::Occupied(mut words) = self.vacant.entry((word.group.clone(), instance))
        {
            *words.get_mut() -= 1;
            if *words.get() == 0 {
                words.remove();
            }
        }
    }

    /// Whether the provider of an earlier client is not gone everywhere yet.
    fn is_occupied(&self, seat: &Seat) -> bool {
        let provider = ProviderId { life: self.me, instance: seat.1 };
        self.vacant.contains_key(seat) || self.domain.knows(&seat.0, provider)
    }

    /// A word of this node's found no place in its view: it is said again in the next.
    pub(crate) fn returned(&mut self, word: Word) {
        self.returned.push(word);
    }

    pub(crate) fn stamp(&self) -> DomainStamp {
        DomainStamp {
            in_step: matches!(self.step, Step::In),
            primary: self.primary,
            census: Some(self.domain.census(self.me)),
        }
    }

    /// A view was installed. If this node is the donor: who needs its copy, and the copy.
    pub(crate) fn begin(
        &mut self,
        now: Tick,
        view: &View,
        previous: &BTreeMap<NodeId, ViewId>,
        stamps: &BTreeMap<NodeId, DomainStamp>,
    ) -> (Vec<NodeId>, Vec<u8>) {
        self.primary = view.primary;
        self.placed.clear();
        // They were said before what waits.
        for word in std::mem::take(&mut self.returned).into_iter().rev() {
            self.outbox.push_front(word);
        }
        let parts = parts(previous, stamps);
        let origin = surviving(&parts);
        let going_on = parts.get(&origin).cloned().unwrap_or_default();
        self.established_by = going_on.first().copied();
        if !going_on.contains(&self.me.node) {
            self.dissolve();
            self.step = Step::Waiting { later: Vec::new() };
            return (Vec::new(), Vec::new());
        }
        let lives = view.members.iter().filter(|(node, _)| going_on.contains(node));
        let lives = lives.map(|(_, member)| member.incarnation).collect();
        let mut told = match self.plot.has(Bug::DeparturesIgnored) {
            true => Vec::new(),
            false => self.domain.keep(&lives),
        };
        told.extend(self.merge(&parts, origin, stamps));
        self.step = Step::In;
        self.tell(now, told);
        self.place_ends();
        let needy: Vec<NodeId> =
            view.members.keys().copied().filter(|node| !going_on.contains(node)).collect();
        match self.is_lowest() && !needy.is_empty() {
            true => (needy, minicbor::to_vec(&self.domain).expect("writing to memory does not fail")),
            false => (Vec::new(), Vec::new()),
        }
    }

    /// What becomes of groups that other parts have, too. All who go on know the same of all parts.
    fn merge(&mut self, parts: &Parts, origin: Origin, stamps: &BTreeMap<NodeId, DomainStamp>) -> Vec<Tell> {
        let census = |node: &NodeId| stamps.get(node).and_then(|stamp| stamp.census.as_ref());
        if !parts.get(&origin).is_some_and(|nodes| nodes.iter().all(|node| census(node).is_some())) {
            return Vec::new();
        }
        let part = |nodes: &BTreeSet<NodeId>| Part::of(nodes.iter().filter_map(census));
        let others = parts.iter().filter(|(other, _)| **other != origin).map(|(_, nodes)| part(nodes));
        let others: Vec<Part> = others.collect();
        self.domain.merge(&part(&parts[&origin]), &others)
    }

    /// The donor's copy came. One that cannot be read leaves this node without a domain until the next view.
    pub(crate) fn adopt(&mut self, now: Tick, copy: &[u8]) {
        let Ok(domain) = minicbor::decode(copy) else { return };
        if let Step::Waiting { later } = std::mem::replace(&mut self.step, Step::In) {
            self.domain = domain;
            later.into_iter().for_each(|(sender, heard)| self.take_in(now, sender, heard));
        }
    }

    /// Votes for the providers that have not voted in time.
    pub(crate) fn expire(&mut self, now: Tick) {
        let waited_for = self.plot.has(Bug::SilenceWaitedFor);
        for ((_, instance), phase) in self.questions.overdue(now).into_iter().filter(|_| !waited_for) {
            self.votes.push_back(VoteWord { phase, instance, cast: Cast::Silent });
        }
    }

    /// When [`Services::expire`] has something to do.
    pub(crate) fn wake_at(&self) -> Tick {
        self.questions.first_end()
    }

    /// The next vote to be given, left in its place until [`Services::voted`]. Votes go before words.
    pub(crate) fn next_vote(&self) -> Option<&VoteWord> {
        self.votes.front()
    }

    /// The next vote has been given.
    pub(crate) fn voted(&mut self) {
        self.votes.pop_front();
    }

    /// The next word to be said, left in its place until [`Services::said`].
    pub(crate) fn next_word(&self) -> Option<&Word> {
        self.outbox.front()
    }

    /// The next word has been said.
    pub(crate) fn said(&mut self) {
        self.outbox.pop_front();
    }

    /// What a client is to hear next.
    pub fn poll(&mut self) -> Option<(ClientId, ClientEvent)> {
        self.events.pop_front()
    }

    /// A group that is always there has these lives as its members; who subscribed to it hears what changed.
    pub fn keep_ready(&mut self, group: Name, lives: &BTreeSet<Incarnation>) {
        let members = as_members(lives);
        let before = self.ready.insert(group.clone(), members.clone());
        let changing: BTreeSet<ProviderId> =
            before.unwrap_or_default().symmetric_difference(&members).copied().collect();
        if !changing.is_empty() {
            let notice = Notice::Changed { changing, standing: ready_standing(&members) };
            self.tell_subscribers(&group, &notice);
        }
    }

    /// How many words wait to be said. Who hands in acts of clients leaves off while there are many.
    pub fn unsaid(&self) -> usize {
        self.outbox.len()
    }

    /// All of it, for people.
    pub fn outlook(&self) -> DomainOutlook {
        let mut groups = self.domain.outlook(self.me);
        for (group, _) in &self.subscriptions {
            if let Some(group) = groups.get_mut(group.as_str()) {
                group.local_subscribers += 1;
            }
        }
        let subscribers = self.subscriptions.iter().map(|(_, client)| client);
        DomainOutlook {
            node: self.me.node,
            in_step: matches!(self.step, Step::In),
            established_by: self.established_by,
            clients: self.seats.values().chain(subscribers).collect::<BTreeSet<&ClientId>>().len(),
            groups,
        }
    }

    /// The groups there are, as far as known here.
    pub fn groups(&self) -> impl Iterator<Item = (&Name, Standing)> {
        self.domain.groups()
    }

    fn say(&mut self, group: Name, act: Act) {
        let seen = self.domain.seen(&group);
        self.outbox.push_back(Word { group, act, seen });
    }

    fn join(&mut self, client: ClientId, seat: Seat, act: Act) {
        let refused = match () {
            () if self.seats.contains_key(&seat) => return self.not_yours(client, seat),
            () if self.is_occupied(&seat) => Refused::DuplicateInstance,
            () if self.outbox.len() >= GS_WORDS_WAITING_MAX => Refused::Full,
            () => {
                self.seats.insert(seat.clone(), client);
                return self.say(seat.0, act);
            }
        };
        self.refuse(client, seat, refused);
    }

    fn say_as(&mut self, client: ClientId, seat: Seat, act: Act) {
        match () {
            () if self.seats.get(&seat) != Some(&client) => self.not_yours(client, seat),
            () if self.outbox.len() >= GS_WORDS_WAITING_MAX => self.refuse(client, seat, Refused::Full),
            () => self.say(seat.0, act),
        }
    }

    fn vote_as(&mut self, client: ClientId, seat: Seat, phase: PhaseId, cast: Cast) {
        match () {
            () if self.seats.get(&seat) != Some(&client) => self.not_yours(client, seat),
            () if self.questions.answer(&seat, &phase) => {
                self.votes.push_back(VoteWord { phase, instance: seat.1, cast });
            }
            () => self.refuse(client, seat, Refused::VoteNotExpected),
        }
    }

    fn not_yours(&mut self, client: ClientId, (group, instance): Seat) {
        self.events.push_back((client, ClientEvent::NotYours { group, instance }));
    }

    fn refuse(&mut self, client: ClientId, (group, instance): Seat, why: Refused) {
        let provider = ProviderId { life: self.me, instance };
        let event = ClientEvent::Provider { group, provider, notice: Notice::Refused(why) };
        self.events.push_back((client, event));
    }

    fn subscribe(&mut self, client: ClientId, group: Name) {
        let ready = self.ready.get(&group).map(ready_standing);
        let notice = match ready.or_else(|| self.domain.group(&group)) {
            Some(standing) => Notice::Changed { changing: BTreeSet::new(), standing },
            None => Notice::Refused(Refused::UnknownGroup),
        };
        if !matches!(notice, Notice::Refused(_)) {
            self.subscriptions.insert((group.clone(), client));
        }
        self.events.push_back((client, ClientEvent::Subscriber { group, notice }));
    }

    fn quit(&mut self, client: ClientId) {
        self.forget_the_gone();
        for seat in self.seats_of(client) {
            self.failed.insert(seat.clone(), client);
            self.vacate(seat, Gone::Failed);
        }
        self.subscriptions.retain(|(_, subscriber)| *subscriber != client);
    }

    fn forget_the_gone(&mut self) {
        let mut failed = std::mem::take(&mut self.failed);
        failed.retain(|seat, _| self.is_occupied(seat));
        self.failed = failed;
    }

    fn seats_of(&self, client: ClientId) -> Vec<Seat> {
        self.seats.iter().filter(|(_, owner)| **owner == client).map(|(seat, _)| seat.clone()).collect()
    }

    /// Nobody is behind this provider any more: it leaves when its turn comes, and until then this node votes for it.
    fn vacate(&mut self, seat: Seat, how: Gone) {
        self.seats.remove(&seat);
        *self.vacant.entry(seat.clone()).or_insert(0) += 1;
        if let Some(phase) = self.questions.take(&seat) {
            self.votes.push_back(VoteWord { phase, instance: seat.1, cast: Cast::Failed });
        }
        self.say(seat.0, Act::Lost { instance: seat.1, how });
    }

    /// This node's part does not go on: whatever its clients were in is over, and what they wanted to say is nothing.
    fn dissolve(&mut self) {
        let providers = std::mem::take(&mut self.seats).into_values();
        let subscribers = std::mem::take(&mut self.subscriptions).into_iter().map(|(_, client)| client);
        let clients: BTreeSet<ClientId> = providers.chain(subscribers).collect();
        self.events.extend(clients.into_iter().map(|client| (client, ClientEvent::Dissolved)));
        self.outbox.clear();
        self.votes.clear();
        self.questions.clear();
        self.vacant.clear();
        self.failed.clear();
        self.domain = Domain::default();
    }

    /// The domain is further than what it says one by one. So who is a provider no more, or did not become one, leaves its
    /// seat when all is said.
    fn tell(&mut self, now: Tick, told: Vec<Tell>) {
        let mut gone = BTreeSet::new();
        for Tell { group, to, notice } in told {
            match to {
                Audience::Providers(providers) => {
                    let me = self.me;
                    let mut own = providers.into_iter().filter(|provider| provider.life == me).peekable();
                    let mut notice = Some(notice);
                    while let Some(provider) = own.next() {
                        // Who is the last to hear it has it for itself.
                        let heard = if own.peek().is_some() { notice.clone() } else { notice.take() };
                        let Some(heard) = heard else { break };
                        let seat = (group.clone(), provider.instance);
                        self.tell_provider(now, &seat, provider, heard);
                        if !self.domain.knows(&group, provider) {
                            gone.insert(seat);
                        }
                    }
                }
                Audience::Subscribers => self.tell_subscribers(&group, &notice),
            }
        }
        for seat in gone {
            self.seats.remove(&seat);
        }
    }

    fn tell_provider(&mut self, now: Tick, seat: &Seat, provider: ProviderId, notice: Notice) {
        self.note_question(now, seat, &notice);
        if matches!(notice, Notice::Dissolved) {
            self.forget(seat);
        }
        let failed = self.failed.get(seat).filter(|_| matches!(notice, Notice::Deactivate(_)));
        if let Some(client) = self.seats.get(seat).or(failed) {
            let group = seat.0.clone();
            self.events.push_back((*client, ClientEvent::Provider { group, provider, notice }));
        }
    }

    /// The group of this provider ended in the middle of it: what it wanted to say there is nothing, for a group that is made
    /// anew is another one.
    fn forget(&mut self, seat: &Seat) {
        self.outbox.retain(|word| word.group != seat.0 || word.act.instance() != Some(seat.1));
        self.vacant.remove(seat);
        self.failed.remove(seat);
    }

    /// A phase has its whole time before it where it is asked. For whom nobody is there this node votes at once.
    fn note_question(&mut self, now: Tick, seat: &Seat, notice: &Notice) {
        match notice {
            Notice::Phase { protocol, phase, limit, .. } => {
                let phase = PhaseId { group: seat.0.clone(), protocol: *protocol, phase: *phase };
                match self.seats.contains_key(seat) {
                    true => self.questions.ask(seat.clone(), phase, now + *limit),
                    false if self.plot.has(Bug::VacatedNotVotedFor) => {}
                    false => {
                        self.votes.push_back(VoteWord { phase, instance: seat.1, cast: Cast::Failed });
                    }
                }
            }
            Notice::Approved { .. } | Notice::Rejected { .. } | Notice::Dissolved => {
                self.questions.close(&seat.0);
            }
            Notice::Silent { .. }
            | Notice::Refused(_)
            | Notice::Changed { .. }
            | Notice::Deactivate(_)
            | Notice::Responsiveness { .. } => {}
        }
    }

    fn tell_subscribers(&mut self, group: &Name, notice: &Notice) {
        let all = self.subscriptions.iter().filter(|(name, _)| name == group);
        let heard = |client: &ClientId| {
            (*client, ClientEvent::Subscriber { group: group.clone(), notice: notice.clone() })
        };
        self.events.extend(all.map(|(_, client)| heard(client)));
        if matches!(notice, Notice::Dissolved) {
            self.subscriptions.retain(|(name, _)| name != group);
        }
    }

    fn is_lowest(&self) -> bool {
        self.established_by == Some(self.me.node)
    }

    /// Where something waits for a protocol's end to have its place, the lowest member gives it one.
    fn place_ends(&mut self) {
        if !self.is_lowest() {
            return;
        }
        let unplaced: Vec<Name> = self.domain.unplaced().cloned().collect();
        for group in unplaced {
            let seen = self.domain.seen(&group);
            if self.placed.insert(group.clone(), seen) != Some(seen) {
                self.say(group, Act::Ended);
            }
        }
    }
}

fn ready_standing(members: &BTreeSet<ProviderId>) -> Standing {
    Standing { members: members.iter().copied().collect(), state: StateValue::default() }
}

/// Who comes from where.
fn parts(previous: &BTreeMap<NodeId, ViewId>, stamps: &BTreeMap<NodeId, DomainStamp>) -> Parts {
    let mut parts = Parts::new();
    for (node, DomainStamp { in_step, primary, .. }) in stamps {
        let view = previous.get(node).copied().unwrap_or(ViewId::NONE);
        let origin = Origin { in_step: *in_step, primary: *primary, view };
        parts.entry(origin).or_default().insert(*node);
    }
    parts
}

/// Whose domain goes on: the part that was primary, else the larger, else the one with the lowest node.
fn surviving(parts: &Parts) -> Origin {
    let rank = |(origin, nodes): &(&Origin, &BTreeSet<NodeId>)| {
        (origin.in_step, origin.primary, nodes.len(), Reverse(nodes.first().copied()))
    };
    let nobody = Origin { in_step: false, primary: false, view: ViewId::NONE };
    parts.iter().max_by_key(rank).map_or(nobody, |(origin, _)| *origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Merge;
    use phalanx_types::{BootId, Member};

    fn life(node: u16) -> Incarnation {
        Incarnation { node: NodeId(node), start: 1 }
    }

    fn heard(services: &mut Services) -> Vec<(ClientId, Vec<u16>, Vec<u16>)> {
        let nodes = |providers: Vec<ProviderId>| providers.iter().map(|one| one.life.node.0).collect();
        let mut heard = Vec::new();
        while let Some((client, event)) = services.poll() {
            let ClientEvent::Subscriber { notice: Notice::Changed { changing, standing }, .. } = event else {
                panic!("not of a change: {event:?}");
            };
            heard.push((client, nodes(changing.into_iter().collect()), nodes(standing.members)));
        }
        heard
    }

    #[test]
    fn who_subscribes_to_the_hosts_hears_of_them_now_and_whenever_they_are_others() {
        let (ann, ben) = (ClientId(1), ClientId(2));
        let mut services = Services::new(life(1));
        services.act(ann, ClientAct::Subscribe { group: host_membership() });
        assert_eq!(heard(&mut services), [(ann, vec![], vec![1])]);
        for (lives, expected) in [
            ([1, 2].as_slice(), vec![(ann, vec![2], vec![1, 2])]),
            (&[1, 2], vec![]),
            (&[1, 3], vec![(ann, vec![2, 3], vec![1, 3])]),
        ] {
            services.keep_ready(host_membership(), &lives.iter().copied().map(life).collect());
            assert_eq!(heard(&mut services), expected);
        }
        services.act(ben, ClientAct::Subscribe { group: host_membership() });
        services.act(ann, ClientAct::Unsubscribe { group: host_membership() });
        assert_eq!(heard(&mut services), [(ben, vec![], vec![1, 3])]);
        services.keep_ready(host_membership(), &BTreeSet::from([life(1)]));
        assert_eq!(heard(&mut services), [(ben, vec![3], vec![1])]);
    }

    fn view(counter: u64, nodes: &[u16]) -> View {
        let member = |node: &u16| {
            let boot = BootId([node.to_le_bytes()[0]; 16]);
            (NodeId(*node), Member { incarnation: life(*node), boot, counts: true })
        };
        let id = ViewId { counter, coordinator: NodeId(1) };
        View { id, members: nodes.iter().map(member).collect(), primary: true }
    }

    /// The words that wait are said, and everybody hears them.
    fn say_all(services: &mut Services) {
        while let Some(word) = services.next_word().cloned() {
            services.said();
            services.hear(Tick(1), life(1), word);
        }
    }

    fn events(services: &mut Services) -> Vec<ClientEvent> {
        std::iter::from_fn(|| services.poll()).map(|(_, event)| event).collect()
    }

    /// What a client of a group had to say when its group ended is not said in the one that is made anew, and its seat is free.
    #[test]
    fn whose_group_ends_where_parts_meet_begins_anew() {
        let (ann, web) = (ClientId(1), Name::new("web").expect("a name"));
        let attributes = Attributes { merge: Merge::Dissolve, ..Attributes::default() };
        let join = |instance| ClientAct::Join {
            group: web.clone(),
            instance,
            local: LocalName::default(),
            attributes: attributes.clone(),
        };
        let part = |node: u16| {
            let mut services = Services::new(life(node));
            let stamps = BTreeMap::from([(NodeId(node), services.stamp())]);
            services.begin(Tick(1), &view(u64::from(node), &[node]), &BTreeMap::new(), &stamps);
            services.act(ann, join(1));
            while let Some(word) = services.next_word().cloned() {
                services.said();
                services.hear(Tick(1), life(node), word);
            }
            services
        };
        let (mut one, two) = (part(1), part(2));
        one.act(ann, ClientAct::Goodbye { group: web.clone(), instance: 1 });
        one.act(ann, join(2));
        assert_eq!(one.unsaid(), 2);
        events(&mut one);
        let stamps = BTreeMap::from([(NodeId(1), one.stamp()), (NodeId(2), two.stamp())]);
        let previous = [1, 2].map(|node| (NodeId(node), view(u64::from(node), &[]).id));
        let before_merge_control = BTreeMap::from(
            [1, 2].map(|node| (NodeId(node), DomainStamp { census: None, ..stamps[&NodeId(node)].clone() })),
        );
        let mut older = one.clone();
        older.begin(Tick(2), &view(3, &[1, 2]), &BTreeMap::from(previous), &before_merge_control);
        assert_eq!(older.groups().count(), 1, "not all who go on know of merge control");

        one.begin(Tick(2), &view(3, &[1, 2]), &BTreeMap::from(previous), &stamps);
        assert_eq!(one.groups().count(), 0);
        assert_eq!(one.unsaid(), 1, "the goodbye is nothing any more, the join is one");
        one.act(ann, join(1));
        say_all(&mut one);
        let heard = events(&mut one);
        let approved = |event: &&ClientEvent| {
            matches!(event, ClientEvent::Provider { notice: Notice::Approved { .. }, .. })
        };
        assert_eq!(heard.iter().filter(approved).count(), 3, "two joins, and the first hears of the second");
        assert_eq!(one.groups().next().map(|(_, standing)| standing.members.len()), Some(2));
    }
}
