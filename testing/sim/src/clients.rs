//! Clients of Group Services: three on every node, that join, propose, vote, leave and die as it comes to their minds.
//!
//! They do not keep account of what they are: much of what they do is refused, and that is meant.

use crate::node::Factory;
use crate::random::{Random, Stream};
use crate::story::Asked;
use crate::world::{Happening, World};
use phalanx_groups::Vote;
use phalanx_groups::domain::{
    Attributes, Batch, Change, DefaultVote, LocalName, Merge, Message, Name, Notice, Phases, Proposal,
    ProviderId, Said, Service, StateValue,
};
use phalanx_groups::services::{ClientAct, ClientEvent, ClientId};
use phalanx_node::Input;
use phalanx_oracle::What;
use phalanx_types::{Incarnation, NodeId, Span};
use std::collections::BTreeSet;

/// Clients of each daemon.
const CLIENTS: u64 = 3;
/// From one act of a node's clients to the next.
const ACTS: (Span, Span) = (Span::from_millis(20), Span::from_secs(2));
/// From the question to the vote; some take longer than any limit.
const VOTES: (Span, Span) = (Span::from_micros(50), Span::from_secs(3));
/// The same of a client that is in no doubt.
const AT_ONCE: Span = Span::from_millis(1);
/// How long a phase may last.
const LIMITS: (Span, Span) = (Span::from_millis(100), Span::from_secs(2));
/// The groups there can be. The last one depends on the first.
const GROUPS: [&str; 3] = ["disk", "web", "mail"];

/// What a group can want when parts meet.
const MERGES: [Merge; 4] = [Merge::DontCare, Merge::Larger, Merge::Smaller, Merge::Dissolve];

/// All clients of a run: what comes to their minds, and what they take the groups for.
pub(crate) struct Clients {
    random: Random,
    merges: [Merge; GROUPS.len()],
}

impl Clients {
    /// The clients of this seed.
    pub(crate) fn new(seed: u64) -> Clients {
        let mut drawn = Random::new(seed, Stream::Merges);
        let merges = GROUPS.map(|_| *drawn.pick(&MERGES).expect("there are some"));
        Clients { random: Random::new(seed, Stream::Clients), merges }
    }
}

impl<F: Factory> World<F> {
    /// A daemon was started, and its clients are there soon.
    pub(crate) fn client_comes(&mut self, host: usize) {
        let Some(daemon) = &self.hosts[host].daemon else { return };
        let start = daemon.life.start;
        if let Some(Clients { random, .. }) = &mut self.clients {
            let after = random.span(ACTS.0, ACTS.1);
            self.later(after, Happening::ClientActs { host: host as u8, start });
        }
    }

    /// Some client of this daemon does something.
    pub(crate) fn client_acts(&mut self, host: usize, start: u64) {
        if self.hosts[host].living(start).is_none() {
            return;
        }
        let nodes = self.setting.nodes as u64;
        let Some(Clients { random, merges }) = &mut self.clients else { return };
        let client = ClientId(random.between(1, CLIENTS + 1));
        let after = random.span_by_magnitude(ACTS.0, ACTS.1);
        let act = act(random, merges, client, nodes);
        self.client_does(host, start, client, act);
        self.later(after, Happening::ClientActs { host: host as u8, start });
    }

    /// A client is told something; if it is asked for a vote, it may give one.
    pub(crate) fn client_hears(&mut self, host: usize, start: u64, client: ClientId, event: ClientEvent) {
        if let ClientEvent::Provider { group, provider, notice: Notice::Phase { protocol, phase, .. } } =
            &event
            && let Some(Clients { random, .. }) = &mut self.clients
            && !random.chance(50_000)
        {
            let (vote, said) = vote(random);
            let after = random.span_by_magnitude(VOTES.0, VOTES.1);
            let (group, instance) = (group.clone(), provider.instance);
            let vote =
                Box::new(ClientAct::Vote { group, instance, protocol: *protocol, phase: *phase, vote, said });
            self.later(after, Happening::ClientVotes { host: host as u8, start, client, vote });
        }
        self.client_votes(host, start, client, &event);
        self.drill_hears(host, start, client, &event);
        self.tell(host, What::ClientHeard { client, event });
    }

    /// In a story a provider votes by its habit, if that is to vote by itself.
    fn client_votes(&mut self, host: usize, start: u64, client: ClientId, event: &ClientEvent) {
        let ClientEvent::Provider { group, provider, notice: Notice::Phase { protocol, phase, .. } } = event
        else {
            return;
        };
        let Some(manners) = &mut self.manners else { return };
        let asked = Asked { group: group.clone(), protocol: *protocol, phase: *phase };
        if let Some(vote) = manners.asked((host, provider.instance), asked) {
            let (group, instance, said) = (group.clone(), provider.instance, Said::default());
            let act = ClientAct::Vote { group, instance, protocol: *protocol, phase: *phase, vote, said };
            let vote = Box::new(act);
            self.later(AT_ONCE, Happening::ClientVotes { host: host as u8, start, client, vote });
        }
    }

    /// A client of a daemon that is stopped waits for it.
    pub(crate) fn client_does(&mut self, host: usize, start: u64, client: ClientId, act: ClientAct) {
        if self.hosts[host].living(start).is_none_or(|daemon| daemon.stopped.is_some()) {
            return;
        }
        self.tell(host, What::ClientActed { client, act: act.clone() });
        self.hears(host, start, Input::Clients(vec![(client, act)]));
    }
}

/// What comes to a client's mind.
fn act(random: &mut Random, merges: &[Merge; GROUPS.len()], client: ClientId, nodes: u64) -> ClientAct {
    let which = random.below(GROUPS.len() as u64) as usize;
    let group = GROUPS[which];
    let (name, instance) = (name(group), client.0 as i16);
    match random.below(100) {
        0..30 => {
            let local = LocalName::new("client").expect("a name");
            ClientAct::Join { group: name, instance, local, attributes: attributes(group, merges[which]) }
        }
        30..80 => {
            let phases = phases(random);
            let proposal = proposal(random, instance, nodes);
            ClientAct::Propose { group: name, instance, proposal, phases }
        }
        80..85 => ClientAct::Goodbye { group: name, instance },
        85..92 => ClientAct::Subscribe { group: name },
        92..95 => ClientAct::Unsubscribe { group: name },
        95..98 => {
            let (vote, said) = vote(random);
            let (protocol, phase) = (random.below(50), random.below(3) as u32);
            ClientAct::Vote { group: name, instance, protocol, phase, vote, said }
        }
        _ => ClientAct::Quit,
    }
}

fn name(group: &str) -> Name {
    Name::new(group).expect("a name")
}

/// What all clients take a group for.
fn attributes(group: &str, merge: Merge) -> Attributes {
    let voted = Phases::Many { limit: Span::from_secs(1) };
    let plain = Attributes { merge, ..Attributes::default() };
    match group {
        "disk" => plain,
        "web" => {
            Attributes { membership: voted, batch: Batch::Both, default_vote: DefaultVote::Approve, ..plain }
        }
        _ => Attributes { membership: voted, reflection: voted, source: Some(name("disk")), ..plain },
    }
}

fn phases(random: &mut Random) -> Phases {
    match random.below(4) {
        0 => Phases::One,
        _ => Phases::Many { limit: random.span_by_magnitude(LIMITS.0, LIMITS.1) },
    }
}

fn proposal(random: &mut Random, instance: i16, nodes: u64) -> Proposal {
    let (state, message) = (Some(state(random)), Some(message(random)));
    match random.below(10) {
        0 => {
            let node = NodeId(random.between(1, nodes + 1) as u16);
            let life = Incarnation { node, start: random.between(1, 3) };
            let providers = BTreeSet::from([ProviderId { life, instance }]);
            Proposal { change: Change::Expel { providers, deactivate: None }, state: None, message: None }
        }
        1..3 => Proposal { change: Change::Message(Service::Agreed), state: None, message },
        3..6 => Proposal { change: Change::Message(Service::Safe), state: None, message },
        _ => Proposal { change: Change::State, state, message: None },
    }
}

fn state(random: &mut Random) -> StateValue {
    StateValue::new(random.below(1_000).to_string().into_bytes()).expect("a value")
}

fn message(random: &mut Random) -> Message {
    Message::new(random.below(1_000).to_string().into_bytes()).expect("a message")
}

fn vote(random: &mut Random) -> (Vote, Said) {
    let vote = match random.below(10) {
        0 => Vote::Reject,
        1..3 => Vote::Continue,
        _ => Vote::Approve,
    };
    let said = Said {
        state: random.chance(100_000).then(|| state(random)),
        message: random.chance(100_000).then(|| message(random)),
        default: random.chance(50_000).then_some(DefaultVote::Approve),
    };
    (vote, said)
}
