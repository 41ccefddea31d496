//! The domain of Group Services: every group of every client, as a pure function of ordered words, votes and views.
//!
//! All nodes that go on together have the same [`Domain`] when a view ends, byte for byte, and tell their own clients the
//! same of each group on the way there. In between one has a vote that another still lacks.

mod attributes;
mod group;
mod merge;
mod name;
mod notice;
mod protocol;
mod ready;
mod word;

pub use attributes::{Attributes, Batch, DefaultVote, Merge, Phases};
pub use merge::{Census, Part};
pub use name::{Flag, LocalName, Message, Name, ProviderId, StateValue, Unfit};
pub use notice::{Audience, Notice, Refused, Standing, Tell};
pub use phalanx_events::Service;
pub use protocol::{Change, Deactivation, Gone, Proposal, Said, Summary};
pub use ready::{adapter_membership, host_membership};
pub use word::{Act, Cast, PhaseId, VoteWord, Word};

pub(crate) use ready::{as_members, own_group};

use crate::outlook::GroupOutlook;
use group::{Group, Joining, Source};
use minicbor::{Decode, Encode};
use phalanx_types::Incarnation;
use phalanx_types::limits::GS_GROUPS_MAX;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Every group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(context_bound = "phalanx_types::Source")]
pub struct Domain {
    #[n(0)]
    groups: BTreeMap<Name, Group>,
    /// The highest number of a protocol of any group that is no more: none is used twice.
    #[n(1)]
    buried: u64,
    /// Words that wait for votes: the first by somebody who has seen a protocol end that has not ended here.
    #[n(2)]
    held: VecDeque<(Incarnation, Word)>,
    /// Votes in phases that have not begun here.
    #[n(3)]
    early: BTreeMap<PhaseId, BTreeMap<ProviderId, Cast>>,
}

impl Domain {
    /// A domain with one group, of these providers.
    pub(crate) fn made(name: Name, members: BTreeSet<ProviderId>) -> Domain {
        let group = Group::made(name.clone(), members);
        Domain { groups: BTreeMap::from([(name, group)]), ..Domain::default() }
    }

    /// Takes in what `sender` said in the agreed order; gives what is to be told, in order.
    pub fn hear(&mut self, sender: Incarnation, word: Word) -> Vec<Tell> {
        self.held.push_back((sender, word));
        self.go_on()
    }

    /// Takes in a vote of `sender`; gives what is to be told, in order.
    pub fn vote(&mut self, sender: Incarnation, word: VoteWord) -> Vec<Tell> {
        let voter = ProviderId { life: sender, instance: word.instance };
        let mut told = self.count(word.phase, voter, word.cast);
        told.extend(self.go_on());
        told
    }

    /// A view came in which only these lives are left, and all who go on have the same words and the same votes: what has
    /// ended has its place here. The providers of all other lives are gone.
    pub fn keep(&mut self, lives: &BTreeSet<Incarnation>) -> Vec<Tell> {
        let mut told = Vec::new();
        self.held.retain(|(sender, _)| lives.contains(sender));
        for group in self.groups.values_mut() {
            let lost = group.everybody().into_iter().filter(|provider| !lives.contains(&provider.life));
            told.extend(lost.flat_map(|provider| group.lose_node(provider)).collect::<Vec<Tell>>());
            group.place(group.ended());
        }
        // Whoever voted ahead of all that go on is gone.
        self.early.clear();
        let leads = |group: &Group| {
            group.attributes.source.as_ref().is_none_or(|source| !self.groups.contains_key(source))
        };
        let leading = self.groups.iter().filter(|(_, group)| leads(group)).map(|(name, _)| name.clone());
        told.extend(self.settle(leading.collect()));
        told.extend(self.go_on());
        told
    }

    /// How many providers of this life are in each group that has merge control: what a node brings when parts meet.
    pub fn census(&self, life: Incarnation) -> Census {
        let cares = |(_, group): &(&Name, &Group)| group.attributes.merge != Merge::DontCare;
        let own = |group: &Group| group.members().filter(|member| member.life == life).count();
        Census::of(self.groups.iter().filter(cares).map(|(name, group)| (name, own(group))))
    }

    /// Parts met, and this one's domain goes on: but none of its groups that merge control ends. Whoever is in such a group is
    /// told so, and who follows it is cast out.
    pub fn merge(&mut self, ours: &Part, others: &[Part]) -> Vec<Tell> {
        let ends = |(name, group): &(&Name, &Group)| !group.attributes.merge.goes_on(name, ours, others);
        let ending: Vec<Name> = self.groups.iter().filter(ends).map(|(name, _)| name.clone()).collect();
        let mut told: Vec<Tell> = ending.iter().flat_map(|name| self.dissolve(name)).collect();
        let following = ending.iter().flat_map(|name| self.targets(name).cloned()).collect();
        told.extend(self.settle(following));
        told
    }

    /// Whether a word waits for votes here, and whatever comes has to wait behind it.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.held.is_empty()
    }

    /// The phase of a group that is under way.
    pub fn phase(&self, group: &Name) -> Option<PhaseId> {
        let (protocol, phase, _) = self.groups.get(group)?.phase()?;
        Some(PhaseId { group: group.clone(), protocol, phase })
    }

    /// The number of the last protocol of a group that has ended here.
    pub fn seen(&self, group: &Name) -> u64 {
        self.groups.get(group).map_or(self.buried, Group::ended)
    }

    /// The groups in which something waits until an end that was seen here has its place in the order.
    pub fn unplaced(&self) -> impl Iterator<Item = &Name> {
        let wants = |name: &Name, group: &Group| {
            group.wants_its_end_placed() || (group.has_ended_open() && self.targets(name).next().is_some())
        };
        self.groups.iter().filter(move |(name, group)| wants(name, group)).map(|(name, _)| name)
    }

    /// The groups there are.
    pub fn groups(&self) -> impl Iterator<Item = (&Name, Standing)> {
        self.groups.iter().map(|(name, group)| (name, group.standing()))
    }

    /// One group, if there is one of that name.
    pub fn group(&self, name: &Name) -> Option<Standing> {
        self.groups.get(name).map(Group::standing)
    }

    /// Every group for people; `here` is the life of the node that answers.
    pub fn outlook(&self, here: Incarnation) -> BTreeMap<String, GroupOutlook> {
        self.groups.iter().map(|(name, group)| (name.as_str().to_owned(), group.outlook(here))).collect()
    }

    /// Whether somebody is a provider of a group, or waits to be.
    pub fn knows(&self, group: &Name, who: ProviderId) -> bool {
        self.groups.get(group).is_some_and(|group| group.knows(who))
    }

    /// Counts the vote if its phase is under way, keeps it if that has not begun here, and forgets it if it is over.
    fn count(&mut self, phase: PhaseId, voter: ProviderId, cast: Cast) -> Vec<Tell> {
        match self.is_ahead(&phase) {
            true => {
                self.early.entry(phase).or_default().entry(voter).or_insert(cast);
                Vec::new()
            }
            false if self.phase(&phase.group).as_ref() == Some(&phase) => {
                let group = self.groups.get_mut(&phase.group).expect("it has a phase");
                group.vote(voter, cast)
            }
            false => Vec::new(),
        }
    }

    fn is_ahead(&self, phase: &PhaseId) -> bool {
        match self.phase(&phase.group) {
            Some(present) => (phase.protocol, phase.phase) > (present.protocol, present.phase),
            None => phase.protocol > self.seen(&phase.group),
        }
    }

    /// Counts the votes of phases that have begun since they came.
    fn count_early(&mut self) -> Vec<Tell> {
        let mut told = Vec::new();
        while let Some(phase) = self.early.keys().find(|phase| !self.is_ahead(phase)).cloned() {
            for (voter, cast) in self.early.remove(&phase).unwrap_or_default() {
                told.extend(self.count(phase.clone(), voter, cast));
            }
        }
        told
    }

    /// Obeys the words that wait, up to one that is ahead of the votes here.
    fn go_on(&mut self) -> Vec<Tell> {
        let mut told = self.count_early();
        while let Some((sender, word)) = self.held.pop_front_if(|(_, word)| {
            !self.groups.get(&word.group).is_some_and(|group| group.lacks_votes_of(word.seen))
        }) {
            told.extend(self.obey(sender, word));
            told.extend(self.count_early());
        }
        told
    }

    fn obey(&mut self, sender: Incarnation, word: Word) -> Vec<Tell> {
        let Word { group, act, seen } = word;
        let mut told = self.place(&group, seen);
        let (is_only_told, speaker) = (act.is_only_told(), |instance| ProviderId { life: sender, instance });
        let (who, heard) = match act {
            Act::Join { instance, local, attributes } => {
                let provider = speaker(instance);
                (provider, self.join(&group, Joining { provider, local, attributes }))
            }
            Act::Propose { instance, proposal, phases } => {
                let who = speaker(instance);
                (who, self.propose(&group, who, proposal, phases))
            }
            Act::Lost { instance, how } => {
                if let Some(group) = self.groups.get_mut(&group) {
                    group.lose(speaker(instance), how);
                }
                (speaker(instance), Ok(Vec::new()))
            }
            Act::Responsive { instance, responsive } => {
                if let Some(group) = self.groups.get_mut(&group) {
                    group.answers(speaker(instance), responsive);
                }
                (speaker(instance), Ok(Vec::new()))
            }
            Act::Ended => return told,
        };
        told.extend(heard.unwrap_or_else(|why| vec![refusal(&group, who, why)]));
        // What is only told leaves nothing to go on with.
        if !is_only_told {
            told.extend(self.settle(vec![group]));
        }
        told
    }

    /// Whoever spoke has seen this protocol of the group end.
    fn place(&mut self, name: &Name, seen: u64) -> Vec<Tell> {
        let Some(group) = self.groups.get_mut(name).filter(|group| group.is_open()) else {
            return Vec::new();
        };
        group.place(seen);
        match group.is_open() {
            true => Vec::new(),
            false => self.settle(vec![name.clone()]),
        }
    }

    fn join(&mut self, group: &Name, joining: Joining) -> Result<Vec<Tell>, Refused> {
        if ready::is_reserved(group) {
            return Err(Refused::Reserved);
        }
        let is_new = !self.groups.contains_key(group);
        match () {
            () if is_new && self.groups.len() >= GS_GROUPS_MAX => return Err(Refused::Full),
            () if is_new && self.leads_to(&joining.attributes, group) => {
                return Err(Refused::NoSourceProvider);
            }
            () => {}
        }
        let (attributes, buried) = (joining.attributes.clone(), self.buried);
        let new = || Group::new(group.clone(), attributes, buried);
        self.groups.entry(group.clone()).or_insert_with(new).join(joining).map(|()| Vec::new())
    }

    /// Whether who has these attributes follows that group, at whatever distance. A group can be gone while one that follows it
    /// still votes: were it made anew as a follower of that one, the two would let each other go on for ever.
    fn leads_to(&self, attributes: &Attributes, group: &Name) -> bool {
        let source_of = |name: &&Name| self.groups.get(*name)?.attributes.source.as_ref();
        std::iter::successors(attributes.source.as_ref(), source_of).any(|source| source == group)
    }

    fn propose(
        &mut self,
        group: &Name,
        who: ProviderId,
        proposal: Proposal,
        phases: Phases,
    ) -> Result<Vec<Tell>, Refused> {
        let group = self.groups.get_mut(group).ok_or(Refused::UnknownGroup)?;
        group.propose(who, proposal, phases)
    }

    /// Lets these groups go on until all wait for votes or have nothing to do, and after each group those that follow it.
    /// None follows itself, also not by way of others ([`Domain::join`]), and which group one follows does not change.
    fn settle(&mut self, names: Vec<Name>) -> Vec<Tell> {
        let mut told = Vec::new();
        let mut due = VecDeque::from(names);
        while let Some(name) = due.pop_front() {
            let source = self.source_of(&name);
            let Some(group) = self.groups.get_mut(&name) else { continue };
            told.extend(group.advance(&source));
            told.extend(self.bury(&name));
            due.extend(self.targets(&name).filter(|target| **target != name).cloned());
        }
        told
    }

    fn source_of(&self, name: &Name) -> Source {
        let source = self.groups.get(name).and_then(|group| group.attributes.source.as_ref());
        match source {
            None => Source::None,
            Some(source) => self.groups.get(source).map_or(Source::Gone, Group::as_source),
        }
    }

    /// The groups that follow this one.
    fn targets<'a>(&'a self, source: &'a Name) -> impl Iterator<Item = &'a Name> {
        let follows = move |group: &Group| group.attributes.source.as_ref() == Some(source);
        self.groups.iter().filter(move |(_, group)| follows(group)).map(|(name, _)| name)
    }

    /// A group ends with everybody in it, whatever is under way there.
    fn dissolve(&mut self, name: &Name) -> Vec<Tell> {
        let Some(group) = self.groups.remove(name) else { return Vec::new() };
        self.buried = self.buried.max(group.protocols());
        let tell = |to| Tell { group: name.clone(), to, notice: Notice::Dissolved };
        vec![tell(Audience::Providers(group.everybody())), tell(Audience::Subscribers)]
    }

    /// A group that nobody is in any more is none.
    fn bury(&mut self, name: &Name) -> Option<Tell> {
        self.groups.get(name).filter(|group| group.is_over())?;
        let group = self.groups.remove(name)?;
        self.buried = self.buried.max(group.protocols());
        group.was_one().then(|| Tell {
            group: name.clone(),
            to: Audience::Subscribers,
            notice: Notice::Dissolved,
        })
    }
}

fn refusal(group: &Name, who: ProviderId, why: Refused) -> Tell {
    let to = Audience::Providers(BTreeSet::from([who]));
    Tell { group: group.clone(), to, notice: Notice::Refused(why) }
}
