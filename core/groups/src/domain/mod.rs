//! The domain of Group Services: every group of every client, as a pure function of ordered messages and views.
//!
//! All nodes that go on together hold the same [`Domain`], byte for byte, and tell their own clients what it says.

mod attributes;
mod group;
mod name;
mod notice;
mod protocol;
mod word;

pub use attributes::{Attributes, Batch, DefaultVote, Merge, Phases};
pub use name::{LocalName, Message, Name, ProviderId, StateValue, Unfit};
pub use notice::{Audience, Notice, Refused, Standing, Tell};
pub use protocol::{Change, Deactivation, Gone, Proposal, Said, Summary};
pub use word::{Act, Word};

use group::Group;
use minicbor::{Decode, Encode};
use phalanx_types::limits::GS_GROUPS_MAX;
use phalanx_types::{Incarnation, Span};
use std::collections::{BTreeMap, BTreeSet};

/// Every group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Domain {
    #[n(0)]
    groups: BTreeMap<Name, Group>,
    /// The highest number of a protocol of any group that is no more: none is used twice.
    #[n(1)]
    buried: u64,
}

/// A phase under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PhaseId {
    /// The group.
    pub group: Name,
    /// Its protocol.
    pub protocol: u64,
    /// The phase of that.
    pub phase: u32,
}

impl Domain {
    /// Takes in what `sender` said; gives what is to be told, in order.
    pub fn hear(&mut self, sender: Incarnation, word: Word) -> Vec<Tell> {
        let Word { group, act } = word;
        let speaker = |instance: i16| ProviderId { life: sender, instance };
        let (who, told) = match act {
            Act::Join { instance, local, attributes } => {
                let who = speaker(instance);
                (Some(who), self.join(&group, who, local, attributes))
            }
            Act::Propose { instance, proposal, phases } => {
                let who = speaker(instance);
                (Some(who), self.propose(&group, who, proposal, phases))
            }
            Act::Vote { instance, protocol, phase, vote, said } => {
                let who = speaker(instance);
                (Some(who), self.with(&group, |it| it.vote(who, (protocol, phase), vote, said)))
            }
            Act::Lost { instance, how } => {
                (None, self.with(&group, |it| Ok(it.lose(speaker(instance), how))))
            }
            Act::Expired { protocol, phase } => {
                (None, self.with(&group, |it| Ok(it.expire(protocol, phase))))
            }
        };
        let mut told = match (told, who) {
            (Ok(told), _) => told,
            (Err(why), Some(who)) => vec![refusal(&group, who, why)],
            (Err(_), None) => Vec::new(),
        };
        told.extend(self.settle());
        told
    }

    /// A view came in which only these lives are left: the providers of all others are gone.
    pub fn keep(&mut self, lives: &BTreeSet<Incarnation>) -> Vec<Tell> {
        let mut told = Vec::new();
        for group in self.groups.values_mut() {
            let lost: Vec<ProviderId> =
                group.everybody().into_iter().filter(|provider| !lives.contains(&provider.life)).collect();
            told.extend(lost.into_iter().flat_map(|provider| group.lose(provider, Gone::NodeLost)));
        }
        told.extend(self.settle());
        told
    }

    /// The phases under way, and how long each may last from its beginning.
    pub fn phases(&self) -> impl Iterator<Item = (PhaseId, Span)> {
        self.groups.iter().filter_map(|(name, group)| {
            let (protocol, phase, limit) = group.phase()?;
            Some((PhaseId { group: name.clone(), protocol, phase }, limit))
        })
    }

    /// The groups there are.
    pub fn groups(&self) -> impl Iterator<Item = (&Name, Standing)> {
        self.groups.iter().map(|(name, group)| (name, group.standing()))
    }

    /// One group, if there is one of that name.
    pub fn group(&self, name: &Name) -> Option<Standing> {
        self.groups.get(name).map(Group::standing)
    }

    /// Whether somebody is a provider of a group, or waits to be.
    pub fn knows(&self, group: &Name, who: ProviderId) -> bool {
        self.groups.get(group).is_some_and(|group| group.knows(who))
    }

    fn join(
        &mut self,
        group: &Name,
        who: ProviderId,
        local: LocalName,
        attributes: Attributes,
    ) -> Result<Vec<Tell>, Refused> {
        if let Some(source) = &attributes.source
            && !self.has_on_node(source, who)
        {
            return Err(Refused::NoSourceProvider);
        }
        if !self.groups.contains_key(group) && self.groups.len() >= GS_GROUPS_MAX {
            return Err(Refused::Full);
        }
        let buried = self.buried;
        let new = || Group::new(group.clone(), attributes.clone(), buried);
        let joined = self.groups.entry(group.clone()).or_insert_with(new);
        joined.join(who, local, &attributes).map(|()| Vec::new())
    }

    fn propose(
        &mut self,
        group: &Name,
        who: ProviderId,
        proposal: Proposal,
        phases: Phases,
    ) -> Result<Vec<Tell>, Refused> {
        self.with(group, |group| group.propose(who, proposal, phases))
    }

    fn with(
        &mut self,
        group: &Name,
        act: impl FnOnce(&mut Group) -> Result<Vec<Tell>, Refused>,
    ) -> Result<Vec<Tell>, Refused> {
        self.groups.get_mut(group).map_or(Err(Refused::UnknownGroup), act)
    }

    fn has_on_node(&self, group: &Name, beside: ProviderId) -> bool {
        self.groups.get(group).is_some_and(|group| group.members().any(|member| member.life == beside.life))
    }

    /// Lets every group go on until all wait for votes or have nothing to do. A group comes after its source.
    fn settle(&mut self) -> Vec<Tell> {
        let mut told = Vec::new();
        loop {
            let before = told.len();
            let names: Vec<Name> = self.groups.keys().cloned().collect();
            for name in &names {
                let settled = self.follow_source(name);
                told.extend(
                    self.groups.get_mut(name).map(|group| group.advance(settled)).unwrap_or_default(),
                );
            }
            told.extend(names.iter().filter_map(|name| self.bury(name)));
            if told.len() == before {
                return told;
            }
        }
    }

    /// What a group's source makes of it: who has lost the provider beside it, and what the source's state is. Gives
    /// whether the source is losing nobody, so that this group's own losses are next.
    fn follow_source(&mut self, name: &Name) -> bool {
        let Some(source) = self.groups.get(name).and_then(|group| group.attributes.source.clone()) else {
            return true;
        };
        let beside: BTreeSet<Incarnation> =
            self.groups.get(&source).into_iter().flat_map(Group::members).map(|member| member.life).collect();
        let state = self.groups.get(&source).map(|source| source.state().clone());
        let settled = !self.groups.get(&source).is_some_and(Group::is_losing);
        let Some(group) = self.groups.get_mut(name) else { return true };
        let alone: Vec<ProviderId> =
            group.members().filter(|member| !beside.contains(&member.life)).collect();
        alone.into_iter().for_each(|provider| group.cast_out(provider));
        if let Some(state) = state {
            group.reflect(source, state);
        }
        settled
    }

    /// A group that nobody is in any more is none.
    fn bury(&mut self, name: &Name) -> Option<Tell> {
        let over = self.groups.get(name).filter(|group| group.is_over())?;
        self.buried = self.buried.max(over.protocols());
        self.groups.remove(name);
        Some(Tell { group: name.clone(), to: Audience::Subscribers, notice: Notice::Dissolved })
    }
}

fn refusal(group: &Name, who: ProviderId, why: Refused) -> Tell {
    let to = Audience::Providers(BTreeSet::from([who]));
    Tell { group: group.clone(), to, notice: Notice::Refused(why) }
}
