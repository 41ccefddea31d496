//! Votes of many phases that go directly, and ends that have a place in the order: V1–V8.
//!
//! The design is docs/design/group-services.md. Three nodes with a provider each vote on a proposal; meanwhile one may want to
//! join, propose, or send a message, a client may die, and a node may. What carries words and votes is `core/membership` as
//! its own model has it: words in one order, votes in the order of their sender, and at a view's end all that go on
//! have the same of both. What stands for what:
//!
//! - [`Deed::Word`] and [`Deed::Votes`]: `Upcall::Delivered` and `Upcall::Fifo` to `groups::engine`;
//! - [`Deed::Vote`], [`Deed::Silent`], [`Deed::Say`]: a client's `ClientAct` to `groups::services`, or what that does when a
//!   phase has lasted its time, when a client is gone, or when something waits for a place;
//! - [`Deed::Lose`] and [`Deed::Install`]: a node is gone, and those that are left are given the rest of the view and its end.
//!
//! Each [`Rule`] that is left out is a variant that must break: it is why the rule is there.

pub mod group;
mod properties;

use group::{Act, Ballot, Group, JOINER, Provider, Providers, Vote, VoteId, Word, each, node_of, only};
use stateright::{Model, Property};
use std::collections::BTreeSet;

/// How many nodes there are.
const NODES: usize = 3;

/// Which of the design's rules is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// None.
    Whole,
    /// What waits begins where the protocol ends, at each node for itself.
    NoPlace,
    /// A node that lacks votes that a word's speaker had does not wait for them.
    NoWait,
    /// At a view's end votes are not made the same.
    NoFlush,
    /// A node forgets votes when the end has its place, though others may lack them.
    Forgotten,
    /// A vote given while the view changes counts at its own node at once.
    OwnAtOnce,
    /// Whether somebody may join is judged when that is heard.
    JudgedWhenHeard,
    /// Votes of protocols that never began are kept over a view's end.
    EarlyVotesKept,
    /// At a view's end those that are lost are counted as gone before the words that wait for votes are heard.
    LostBeforeWords,
}

/// What all copies are told beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Which rule is left out.
    pub rule: Rule,
    /// There may be so many providers.
    pub providers_max: u32,
    /// What counts for who says nothing.
    pub default: Vote,
}

/// What may happen.
#[derive(Clone, Debug)]
pub struct Voting {
    /// The terms.
    pub terms: Terms,
    /// Whether a message goes before what is proposed first.
    pub message_first: bool,
    /// Whether somebody wants to join.
    pub joins: bool,
    /// Who proposes besides.
    pub proposes: Option<Provider>,
    /// Who sends a message.
    pub sends: Option<Provider>,
    /// Whose client may die.
    pub client_dies: Option<Provider>,
    /// Which node may be lost.
    pub node_dies: Option<usize>,
    /// Whether it may come back.
    pub returns: bool,
    /// Whether it is asked that also those that are lost have heard the same.
    pub uniform: bool,
    /// Who may want another phase of what is proposed.
    pub continues: Option<Provider>,
    /// Who may reject.
    pub rejects: Option<Provider>,
    /// Who may say nothing in time.
    pub silent: Option<Provider>,
}

/// A vote on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cast {
    id: VoteId,
    ballot: Ballot,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    alive: bool,
    /// The old view is over, and how it ends is not known here yet.
    frozen: bool,
    words: usize,
    votes: [usize; NODES],
    group: Group,
    /// Votes given while it was frozen, where they count at once.
    unsent: Vec<Cast>,
}

/// How a view ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ending {
    order: Vec<Word>,
    votes: [Vec<Cast>; NODES],
    /// Words that found no place.
    returned: Vec<Word>,
    lost: Providers,
    /// Who comes in, and the copy for it, once somebody has installed the view.
    newcomer: Option<usize>,
    copy: Option<Group>,
}

/// All nodes, and what is between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    nodes: [Node; NODES],
    order: Vec<Word>,
    votes: [Vec<Cast>; NODES],
    ending: Option<Ending>,
    said: BTreeSet<Act>,
    dead: Providers,
    /// Protocols that a living node's provider rejected.
    rejected: BTreeSet<(u8, Provider)>,
    has_returned: bool,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A client, or a node on its own, says something in the order.
    Say(usize, Act),
    /// The next ordered message reaches a node.
    Word(usize),
    /// The next vote of one node reaches another.
    Votes(usize, usize),
    /// A provider votes.
    Vote(Provider, Vote),
    /// A provider is counted with the default vote by its node.
    Silent(Provider),
    /// A client dies.
    ClientDies(Provider),
    /// A node is lost.
    Lose(usize),
    /// It comes back, and knows nothing.
    Return(usize),
    /// A node begins the next view.
    Install(usize),
}

impl Voting {
    /// No rule left out; somebody may join, and nothing else happens.
    pub const PLAIN: Voting = Voting {
        terms: Terms { rule: Rule::Whole, providers_max: 4, default: Vote::Reject },
        message_first: false,
        joins: true,
        proposes: None,
        sends: None,
        client_dies: None,
        node_dies: None,
        returns: false,
        uniform: false,
        continues: None,
        rejects: None,
        silent: None,
    };

    /// What must happen sooner or later, whatever clients do: messages arrive, time runs out, words are said.
    fn due(&self, world: &World, deeds: &mut Vec<Deed>) {
        for (at, node) in world.nodes.iter().enumerate().filter(|(_, node)| node.alive) {
            if node.frozen {
                deeds.extend(world.may_install(at).then_some(Deed::Install(at)));
                continue;
            }
            if node.words < world.order.len() {
                deeds.push(Deed::Word(at));
            }
            let more = |from: &usize| node.votes[*from] < world.votes[*from].len();
            deeds.extend((0..NODES).filter(more).map(|from| Deed::Votes(at, from)));
            if world.needs_place(at) {
                deeds.push(Deed::Say(at, Act::Ended));
            }
        }
        for provider in each(world.asked(self.terms)) {
            let dead = world.dead & only(provider) != 0;
            if self.silent == Some(provider) || dead {
                deeds.push(Deed::Silent(provider));
            }
            if !dead {
                deeds.push(Deed::Vote(provider, Vote::Approve));
            }
        }
    }

    /// What clients and chance may do.
    fn may(&self, world: &World, deeds: &mut Vec<Deed>) {
        let joins = self.joins.then_some(Act::Join(JOINER));
        let joins_again = self.node_dies.filter(|_| world.has_returned).map(|at| Act::Join(at as Provider));
        let acts = [joins, joins_again, self.proposes.map(Act::Propose), self.sends.map(Act::Message)];
        for act in acts.into_iter().flatten() {
            let (Act::Join(provider) | Act::Gone(provider) | Act::Propose(provider) | Act::Message(provider)) =
                act
            else {
                continue;
            };
            let at = node_of(provider);
            if world.can_speak(at) && world.dead & only(provider) == 0 && !world.said.contains(&act) {
                deeds.push(Deed::Say(at, act));
            }
        }
        for provider in each(world.asked(self.terms) & !world.dead) {
            let continues =
                self.continues == Some(provider) && world.nodes[node_of(provider)].group.may_continue();
            deeds.extend(continues.then_some(Deed::Vote(provider, Vote::Continue)));
            deeds.extend((self.rejects == Some(provider)).then_some(Deed::Vote(provider, Vote::Reject)));
        }
        let dies =
            |provider: &Provider| world.can_speak(node_of(*provider)) && world.dead & only(*provider) == 0;
        deeds.extend(self.client_dies.filter(dies).map(Deed::ClientDies));
        let dies = |at: &usize| world.nodes.iter().all(|node| node.alive) && world.nodes[*at].alive;
        deeds.extend(self.node_dies.filter(|at| !world.has_returned && dies(at)).map(Deed::Lose));
        let returns = |at: &usize| {
            self.returns
                && world
                    .nodes
                    .iter()
                    .enumerate()
                    .all(|(other, node)| node.alive != (other == *at) && !node.frozen)
        };
        deeds.extend(self.node_dies.filter(returns).map(Deed::Return));
    }

    fn do_deed(&self, world: &mut World, deed: Deed) {
        match deed {
            Deed::Say(at, act) => world.say(at, act),
            Deed::Word(at) => {
                let word = world.order[world.nodes[at].words];
                let node = &mut world.nodes[at];
                node.words += 1;
                node.group.hear(self.terms, word);
            }
            Deed::Votes(at, from) => {
                let Cast { id, ballot } = world.votes[from][world.nodes[at].votes[from]];
                let node = &mut world.nodes[at];
                node.votes[from] += 1;
                node.group.vote(self.terms, id, ballot);
            }
            Deed::Vote(provider, vote) => world.cast(self.terms, provider, vote),
            Deed::Silent(provider) => world.cast(self.terms, provider, Vote::Default),
            Deed::ClientDies(provider) => {
                world.dead |= only(provider);
                world.say(node_of(provider), Act::Gone(provider));
            }
            Deed::Lose(at) => world.lose(self.terms, at),
            Deed::Return(at) => world.bring_back(self.terms, at),
            Deed::Install(at) => world.install(self.terms, at),
        }
    }
}

impl World {
    fn new(message_first: bool) -> World {
        let group = Group::default();
        let node =
            Node { alive: true, frozen: false, words: 0, votes: [0; NODES], group, unsent: Vec::new() };
        let first = message_first.then_some(Act::Message(0)).into_iter().chain([Act::Propose(0)]);
        let order: Vec<Word> = first.map(|act| Word { speaker: 0, ended: 0, act }).collect();
        World {
            nodes: [node.clone(), node.clone(), node],
            said: order.iter().map(|word| word.act).collect(),
            order,
            votes: [Vec::new(), Vec::new(), Vec::new()],
            ending: None,
            dead: 0,
            rejected: BTreeSet::new(),
            has_returned: false,
        }
    }

    fn can_speak(&self, at: usize) -> bool {
        self.nodes[at].alive && !self.nodes[at].frozen
    }

    /// Nodes that are alive.
    fn living(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.alive)
    }

    /// The lowest node says that a protocol has ended if something waits for that and no word of its own has said so.
    fn needs_place(&self, at: usize) -> bool {
        let group = &self.nodes[at].group;
        let lowest = self.nodes.iter().position(|node| node.alive) == Some(at);
        let said = || self.order.iter().any(|word| word.speaker == at && word.ended >= group.number);
        lowest && group.open && group.running.is_none() && group.has_waiting() && !said()
    }

    /// Providers whose node is asked for their votes. While it is frozen it sends none.
    fn asked(&self, terms: Terms) -> Providers {
        let is_asked = |provider: &Provider| {
            let node = &self.nodes[node_of(*provider)];
            let may = node.alive && (!node.frozen || terms.rule == Rule::OwnAtOnce);
            may && node.group.asks(*provider).is_some()
        };
        (0..=JOINER).filter(is_asked).map(only).fold(0, |all, one| all | one)
    }

    fn say(&mut self, at: usize, act: Act) {
        if act != Act::Ended {
            self.said.insert(act);
        }
        self.order.push(Word { speaker: at, ended: self.nodes[at].group.ended(), act });
    }

    fn cast(&mut self, terms: Terms, provider: Provider, vote: Vote) {
        let at = node_of(provider);
        let group = &self.nodes[at].group;
        let (Some(id), Some(running)) = (group.asks(provider), &group.running) else { return };
        let cast = Cast { id, ballot: Ballot { vote, about: running.change } };
        if vote == Vote::Reject {
            self.rejected.insert((id.0, provider));
        }
        let node = &mut self.nodes[at];
        match node.frozen {
            true => node.unsent.push(cast),
            false => {
                self.votes[at].push(cast);
                node.votes[at] += 1;
            }
        }
        node.group.vote(terms, id, cast.ballot);
    }

    fn lose(&mut self, terms: Terms, lost: usize) {
        self.nodes[lost].alive = false;
        self.rejected.retain(|(_, provider)| node_of(*provider) != lost);
        let gone = (0..=JOINER).filter(|provider| node_of(*provider) == lost).map(only);
        let mut ending = self.end_view(terms);
        ending.lost = gone.fold(0, |all, one| all | one);
        self.ending = Some(ending);
    }

    fn bring_back(&mut self, terms: Terms, newcomer: usize) {
        let mut ending = self.end_view(terms);
        ending.newcomer = Some(newcomer);
        self.ending = Some(ending);
        let node = &mut self.nodes[newcomer];
        (node.alive, node.frozen, node.group) = (true, true, Group::default());
        self.has_returned = true;
    }

    /// What those that are left have of the view together is how it ends; nothing more of it reaches them.
    fn end_view(&mut self, terms: Terms) -> Ending {
        let last = self.living().map(|node| node.words).max().unwrap_or(0);
        let mut order = std::mem::take(&mut self.order);
        let alive = |word: &Word| self.nodes[word.speaker].alive;
        let returned = order.split_off(last).into_iter().filter(alive).collect();
        let mut votes = std::mem::take(&mut self.votes);
        for (from, log) in votes.iter_mut().enumerate() {
            let forgets = |node: &Node| terms.rule == Rule::Forgotten && !node.group.open;
            let kept = |node: &Node| if forgets(node) { 0 } else { node.votes[from] };
            log.truncate(self.living().map(kept).max().unwrap_or(0));
        }
        self.nodes.iter_mut().filter(|node| node.alive).for_each(|node| node.frozen = true);
        Ending { order, votes, returned, lost: 0, newcomer: None, copy: None }
    }

    fn may_install(&self, at: usize) -> bool {
        self.ending.as_ref().is_some_and(|ending| ending.newcomer != Some(at) || ending.copy.is_some())
    }

    fn install(&mut self, terms: Terms, at: usize) {
        let Some(ending) = self.ending.as_mut() else { return };
        let node = &mut self.nodes[at];
        match ending.newcomer == Some(at) {
            true => node.group = ending.copy.clone().unwrap_or_else(Group::default),
            false => node.finish(terms, ending),
        }
        ending.copy.get_or_insert_with(|| node.group.clone());
        self.order.extend(ending.returned.iter().filter(|word| word.speaker == at));
        let unsent = std::mem::take(&mut node.unsent);
        (node.frozen, node.words, node.votes) = (false, 0, [0; NODES]);
        node.votes[at] = unsent.len();
        self.votes[at].extend(unsent);
    }
}

impl Node {
    /// The rest of the view, and its end.
    fn finish(&mut self, terms: Terms, ending: &Ending) {
        for word in &ending.order[self.words.min(ending.order.len())..] {
            self.group.hear(terms, *word);
        }
        for (from, log) in ending.votes.iter().enumerate().filter(|_| terms.rule != Rule::NoFlush) {
            for Cast { id, ballot } in log.iter().skip(self.votes[from]) {
                self.group.vote(terms, *id, *ballot);
            }
        }
        self.group.end_view(terms, ending.lost);
    }
}

impl Model for Voting {
    type State = World;
    type Action = Deed;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.message_first)]
    }

    fn actions(&self, world: &World, deeds: &mut Vec<Deed>) {
        self.due(world, deeds);
        self.may(world, deeds);
    }

    fn next_state(&self, last: &World, deed: Deed) -> Option<World> {
        let mut world = last.clone();
        self.do_deed(&mut world, deed);
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }

    fn within_boundary(&self, world: &World) -> bool {
        world.living().all(|node| node.group.number <= 8)
    }
}
