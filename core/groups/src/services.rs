//! Group Services on one node: its clients, its copy of the domain, and what the two say to each other.
//!
//! A client's act becomes an ordered [`Word`]; what the domain makes of the words becomes events of the clients concerned.
//! Parts of a divided cluster go on separately. When they meet, one part's domain is everybody's, and the clients of the
//! others are told that theirs is dissolved (RSCT Group Services, A6).

use crate::domain::{
    Act, Attributes, Audience, Domain, Gone, LocalName, Name, Notice, PhaseId, Phases, Proposal, ProviderId,
    Said, Standing, Tell, Word,
};
use crate::group::Vote;
use minicbor::{Decode, Encode};
use phalanx_types::{Incarnation, NodeId, Span, Tick, View, ViewId};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How long after a phase's end was asked for in order it is asked for again.
const EXPIRY_REPEAT: Span = Span::from_secs(1);

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(crate) struct DomainStamp {
    /// Whether its copy is that of its last view.
    #[n(0)]
    in_step: bool,
    /// Whether that view was primary.
    #[n(1)]
    primary: bool,
}

/// Group Services on one node.
#[derive(Clone, Debug)]
pub struct Services {
    me: Incarnation,
    domain: Domain,
    step: Step,
    primary: bool,
    /// Who has which provider of this node.
    seats: BTreeMap<(Name, i16), ClientId>,
    subscriptions: BTreeSet<(Name, ClientId)>,
    /// When the phases under way have lasted their time here. Only the ordered word that says so counts.
    ends: BTreeMap<PhaseId, Tick>,
    /// What waits to be said.
    outbox: VecDeque<Word>,
    events: VecDeque<(ClientId, ClientEvent)>,
}

/// Whether this node's copy of the domain is everybody's.
#[derive(Clone, Debug)]
enum Step {
    In,
    /// It waits for it; what was said meanwhile waits too.
    Waiting {
        later: Vec<(Incarnation, Word)>,
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
            seats: BTreeMap::new(),
            subscriptions: BTreeSet::new(),
            ends: BTreeMap::new(),
            outbox: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// A client does something.
    pub fn act(&mut self, client: ClientId, act: ClientAct) {
        match act {
            ClientAct::Join { group, instance, local, attributes } => {
                let seat = (group, instance);
                if self.seats.contains_key(&seat) {
                    return self.not_yours(client, seat);
                }
                self.seats.insert(seat.clone(), client);
                self.say(seat.0, Act::Join { instance, local, attributes });
            }
            ClientAct::Propose { group, instance, proposal, phases } => {
                self.say_as(client, (group, instance), Act::Propose { instance, proposal, phases });
            }
            ClientAct::Vote { group, instance, protocol, phase, vote, said } => {
                self.say_as(client, (group, instance), Act::Vote { instance, protocol, phase, vote, said });
            }
            ClientAct::Goodbye { group, instance } => {
                let seat = (group, instance);
                self.say_as(client, seat.clone(), Act::Lost { instance, how: Gone::Goodbye });
                self.seats.retain(|known, owner| (known, *owner) != (&seat, client));
            }
            ClientAct::Subscribe { group } => self.subscribe(client, group),
            ClientAct::Unsubscribe { group } => {
                self.subscriptions.remove(&(group, client));
            }
            ClientAct::Quit => self.quit(client),
        }
    }

    /// Takes in an ordered word.
    pub(crate) fn hear(&mut self, now: Tick, sender: Incarnation, word: Word) {
        match &mut self.step {
            Step::Waiting { later } => later.push((sender, word)),
            Step::In => {
                let told = self.domain.hear(sender, word);
                self.tell(told);
                self.watch(now);
            }
        }
    }

    /// A word of this node's found no place in its view: it is said again in the next.
    pub(crate) fn returned(&mut self, word: Word) {
        self.outbox.push_back(word);
    }

    pub(crate) fn stamp(&self) -> DomainStamp {
        DomainStamp { in_step: matches!(self.step, Step::In), primary: self.primary }
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
        let going_on = survivors(previous, stamps);
        if !going_on.contains(&self.me.node) {
            self.dissolve();
            self.step = Step::Waiting { later: Vec::new() };
            return (Vec::new(), Vec::new());
        }
        let lives = view.members.iter().filter(|(node, _)| going_on.contains(node));
        let told = self.domain.keep(&lives.map(|(_, member)| member.incarnation).collect());
        self.step = Step::In;
        self.tell(told);
        self.watch(now);
        let needy = view.members.keys().copied().filter(|node| !going_on.contains(node)).collect();
        match going_on.first() == Some(&self.me.node) {
            true => (needy, minicbor::to_vec(&self.domain).expect("writing to memory does not fail")),
            false => (Vec::new(), Vec::new()),
        }
    }

    /// The donor's copy came. One that cannot be read leaves this node without a domain until the next view.
    pub(crate) fn adopt(&mut self, now: Tick, copy: &[u8]) {
        let Ok(domain) = minicbor::decode(copy) else { return };
        if let Step::Waiting { later } = std::mem::replace(&mut self.step, Step::In) {
            self.domain = domain;
            later.into_iter().for_each(|(sender, word)| self.hear(now, sender, word));
            self.watch(now);
        }
    }

    /// Asks in order for the end of phases that have lasted their time.
    pub(crate) fn expire(&mut self, now: Tick) {
        let over: Vec<PhaseId> =
            self.ends.iter().filter(|(_, end)| **end <= now).map(|(phase, _)| phase.clone()).collect();
        for phase in over {
            self.ends.insert(phase.clone(), now + EXPIRY_REPEAT);
            self.say(phase.group, Act::Expired { protocol: phase.protocol, phase: phase.phase });
        }
    }

    /// When [`Services::expire`] has something to do.
    pub(crate) fn wake_at(&self) -> Tick {
        self.ends.values().copied().min().unwrap_or(Tick::NEVER)
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

    /// The groups there are, as far as known here.
    pub fn groups(&self) -> impl Iterator<Item = (&Name, Standing)> {
        self.domain.groups()
    }

    fn say(&mut self, group: Name, act: Act) {
        self.outbox.push_back(Word { group, act });
    }

    fn say_as(&mut self, client: ClientId, seat: (Name, i16), act: Act) {
        match self.seats.get(&seat) == Some(&client) {
            true => self.say(seat.0, act),
            false => self.not_yours(client, seat),
        }
    }

    fn not_yours(&mut self, client: ClientId, (group, instance): (Name, i16)) {
        self.events.push_back((client, ClientEvent::NotYours { group, instance }));
    }

    fn subscribe(&mut self, client: ClientId, group: Name) {
        let notice = match self.domain.group(&group) {
            Some(standing) => Notice::Changed { changing: BTreeSet::new(), standing },
            None => Notice::Refused(crate::domain::Refused::UnknownGroup),
        };
        if !matches!(notice, Notice::Refused(_)) {
            self.subscriptions.insert((group.clone(), client));
        }
        self.events.push_back((client, ClientEvent::Subscriber { group, notice }));
    }

    fn quit(&mut self, client: ClientId) {
        let seats: Vec<(Name, i16)> =
            self.seats.iter().filter(|(_, owner)| **owner == client).map(|(seat, _)| seat.clone()).collect();
        for (group, instance) in seats {
            self.seats.remove(&(group.clone(), instance));
            self.say(group, Act::Lost { instance, how: Gone::Failed });
        }
        self.subscriptions.retain(|(_, subscriber)| *subscriber != client);
    }

    /// This node's part does not go on: whatever its clients were in is over, and what they wanted to say is nothing.
    fn dissolve(&mut self) {
        let providers = std::mem::take(&mut self.seats).into_values();
        let subscribers = std::mem::take(&mut self.subscriptions).into_iter().map(|(_, client)| client);
        let clients: BTreeSet<ClientId> = providers.chain(subscribers).collect();
        self.events.extend(clients.into_iter().map(|client| (client, ClientEvent::Dissolved)));
        self.outbox.clear();
        self.ends.clear();
        self.domain = Domain::default();
    }

    /// The domain is further than what it says one by one. So who is a provider no more, or did not become one, leaves its
    /// seat when all is said.
    fn tell(&mut self, told: Vec<Tell>) {
        let mut concerned = BTreeSet::new();
        for Tell { group, to, notice } in told {
            match to {
                Audience::Providers(providers) => {
                    self.tell_providers(&group, &providers, &notice);
                    let here = providers.into_iter().filter(|provider| provider.life == self.me);
                    concerned.extend(here.map(|provider| (group.clone(), provider)));
                }
                Audience::Subscribers => self.tell_subscribers(&group, &notice),
            }
        }
        concerned.retain(|(group, provider)| !self.domain.knows(group, *provider));
        for (group, provider) in concerned {
            self.seats.remove(&(group, provider.instance));
        }
    }

    fn tell_providers(&mut self, group: &Name, providers: &BTreeSet<ProviderId>, notice: &Notice) {
        for provider in providers.iter().copied().filter(|provider| provider.life == self.me) {
            if let Some(client) = self.seats.get(&(group.clone(), provider.instance)) {
                let (group, notice) = (group.clone(), notice.clone());
                self.events.push_back((*client, ClientEvent::Provider { group, provider, notice }));
            }
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

    /// A phase that is seen for the first time has its whole time before it.
    fn watch(&mut self, now: Tick) {
        let before = std::mem::take(&mut self.ends);
        let ends = self.domain.phases().map(|(phase, limit)| {
            let end = before.get(&phase).copied().unwrap_or(now + limit);
            (phase, end)
        });
        self.ends = ends.collect();
    }
}

/// Whose domain goes on: the part that was primary, else the larger, else the one with the lowest node.
fn survivors(
    previous: &BTreeMap<NodeId, ViewId>,
    stamps: &BTreeMap<NodeId, DomainStamp>,
) -> BTreeSet<NodeId> {
    let mut parts: BTreeMap<(ViewId, DomainStamp), BTreeSet<NodeId>> = BTreeMap::new();
    for (node, stamp) in stamps {
        let from = previous.get(node).copied().unwrap_or(ViewId::NONE);
        parts.entry((from, *stamp)).or_default().insert(*node);
    }
    let rank = |((_, stamp), nodes): &(&(ViewId, DomainStamp), &BTreeSet<NodeId>)| {
        (*stamp, nodes.len(), Reverse(nodes.first().copied()))
    };
    parts.iter().max_by_key(rank).map(|(_, nodes)| nodes.clone()).unwrap_or_default()
}
