//! One group: its providers, its state value, and one protocol after the other.
//!
//! A protocol begins where its word stands in the order, and ends here when all votes are here. What follows it waits
//! until its end has a place in the order, too: until then it is open. Membership changes wait for their turn, and go before
//! everything else; what a provider proposes never waits: it begins at once or collides.

use super::attributes::{Attributes, Phases};
use super::name::{Flag, LocalName, Message, Name, ProviderId, StateValue};
use super::notice::{Audience, Notice, Refused, Standing, Tell};
use super::protocol::{Change, Deactivation, Gone, PhaseEnd, Proposal, Running, Summary};
use super::word::Cast;
use crate::ballot::Verdict;
use crate::outlook::{GroupOutlook, ProtocolOutlook, ProviderOutlook};
use minicbor::{Decode, Encode};
use phalanx_types::limits::{GS_DEACTIVATE_LIMIT_DEFAULT, GS_PROVIDERS_MAX};
use phalanx_types::{Incarnation, Span};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One group's replicated state.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(context_bound = "phalanx_types::Source")]
pub(crate) struct Group {
    #[n(0)]
    name: Name,
    #[n(1)]
    pub attributes: Attributes,
    /// Who joined first comes first.
    #[n(2)]
    members: Vec<(ProviderId, LocalName)>,
    #[n(3)]
    state: StateValue,
    /// The number of the last protocol.
    #[n(4)]
    protocols: u64,
    /// The protocol that lacks votes here.
    #[n(5)]
    running: Option<Running>,
    #[n(6)]
    waiting: Waiting,
    /// What the source group's state value was when it was last told here.
    #[n(7)]
    reflected: Option<StateValue>,
    /// The last protocol, if it is voted on and its end has no place in the order yet.
    #[n(8)]
    open: Option<Open>,
    /// All its protocols have higher numbers.
    #[n(9)]
    #[cbor(default)]
    above: u64,
}

/// A protocol whose end has no place in the order yet. Where nothing is said of votes, all nodes have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Open {
    /// Whether it takes somebody out.
    #[n(0)]
    losing: bool,
}

/// Changes whose turn has not come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
struct Waiting {
    #[n(0)]
    gone: BTreeMap<ProviderId, Gone>,
    #[n(1)]
    cast_out: BTreeSet<ProviderId>,
    #[n(2)]
    joining: VecDeque<Joining>,
    #[n(3)]
    reflection: Option<(Name, StateValue)>,
    /// Whose client stopped to answer, or answers again: not a change, but told in one order with them.
    #[n(4)]
    answers: BTreeMap<ProviderId, bool>,
}

/// Somebody who wants to be a provider.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Joining {
    #[n(0)]
    pub provider: ProviderId,
    #[n(1)]
    pub local: LocalName,
    /// What it takes the group for.
    #[n(2)]
    pub attributes: Attributes,
}

/// What a group sees of its source.
#[derive(PartialEq, Eq)]
pub(crate) enum Source {
    /// It has none.
    None,
    /// It is no more.
    Gone,
    /// What becomes of the source is not decided everywhere yet.
    Open {
        /// Whether it is losing providers, or about to.
        losing: bool,
    },
    /// It stands still, like this.
    Still {
        /// Whether it is about to lose providers.
        losing: bool,
        /// The lives that it has providers of.
        lives: BTreeSet<Incarnation>,
        /// Its state value.
        state: StateValue,
    },
}

impl Group {
    /// A group with nobody in it yet, whose protocols have higher numbers than `protocols`.
    pub fn new(name: Name, attributes: Attributes, protocols: u64) -> Group {
        Group {
            name,
            attributes,
            members: Vec::new(),
            state: StateValue::default(),
            protocols,
            running: None,
            waiting: Waiting::default(),
            reflected: None,
            open: None,
            above: protocols,
        }
    }

    /// A group of these providers, whom nobody had to ask.
    pub fn made(name: Name, members: BTreeSet<ProviderId>) -> Group {
        let members = members.into_iter().map(|provider| (provider, LocalName::default())).collect();
        Group { members, ..Group::new(name, Attributes::default(), 0) }
    }

    /// The providers, and all who want to be.
    pub fn everybody(&self) -> BTreeSet<ProviderId> {
        self.members().chain(self.candidates()).collect()
    }

    /// The providers, who joined first first.
    pub fn members(&self) -> impl Iterator<Item = ProviderId> {
        self.members.iter().map(|(provider, _)| *provider)
    }

    /// Whether somebody is a provider, or wants to be.
    pub fn knows(&self, who: ProviderId) -> bool {
        self.members().chain(self.candidates()).any(|known| known == who)
    }

    /// The number of the last protocol.
    pub fn protocols(&self) -> u64 {
        self.protocols
    }

    /// The number of the last protocol that has ended here.
    pub fn ended(&self) -> u64 {
        self.protocols - u64::from(self.running.is_some())
    }

    /// The group as its clients see it.
    pub fn standing(&self) -> Standing {
        Standing { members: self.members().collect(), state: self.state.clone() }
    }

    /// What a group that follows this one sees of it.
    pub fn as_source(&self) -> Source {
        let waiting = !self.waiting.gone.is_empty() || !self.waiting.cast_out.is_empty();
        match self.open {
            Some(Open { losing }) => Source::Open { losing: losing || waiting },
            None => Source::Still {
                losing: waiting,
                lives: self.members().map(|member| member.life).collect(),
                state: self.state.clone(),
            },
        }
    }

    /// The group for people; how many of its providers are of this life.
    pub fn outlook(&self, here: Incarnation) -> GroupOutlook {
        let provider = |(provider, local): &(ProviderId, LocalName)| ProviderOutlook {
            instance: provider.instance,
            node: provider.life.node,
            name: local.as_str().to_owned(),
        };
        let waiting = &self.waiting;
        GroupOutlook {
            providers: self.members.iter().map(provider).collect(),
            local_providers: self.members().filter(|member| member.life == here).count(),
            local_subscribers: 0,
            state: self.state.bytes().iter().map(|byte| format!("{byte:02x}")).collect(),
            attributes: self.attributes.clone(),
            protocols: self.protocols,
            protocol: self.running.as_ref().map(|running| self.protocol_outlook(running)),
            waiting: waiting.gone.len() + waiting.cast_out.len() + waiting.joining.len(),
        }
    }

    fn protocol_outlook(&self, running: &Running) -> ProtocolOutlook {
        let (voted, missing) = running.tally();
        let Running { number, phase, limit, .. } = *running;
        ProtocolOutlook { number, kind: running.proposal.change.kind(), phase, limit, voted, missing }
    }

    /// The phase under way: which protocol, which phase, how long it may last.
    pub fn phase(&self) -> Option<(u64, u32, Span)> {
        self.running.as_ref().map(|running| (running.number, running.phase, running.limit))
    }

    /// Whether nobody is in it or wants to be.
    pub fn is_over(&self) -> bool {
        self.members.is_empty() && self.open.is_none() && self.waiting.joining.is_empty()
    }

    /// Whether somebody ever was in it.
    pub fn was_one(&self) -> bool {
        self.protocols > self.above
    }

    /// Whether its last protocol has no place for its end yet.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether its open protocol has ended here, and something of its own waits for the place of that end.
    pub fn wants_its_end_placed(&self) -> bool {
        self.has_ended_open() && (self.waiting != Waiting::default() || self.members.is_empty())
    }

    /// Whether its open protocol has ended here.
    pub fn has_ended_open(&self) -> bool {
        self.open.is_some() && self.running.is_none()
    }

    /// Whether somebody who has seen this protocol end is further than this node.
    pub fn lacks_votes_of(&self, seen: u64) -> bool {
        self.running.as_ref().is_some_and(|running| seen >= running.number)
    }

    /// Somebody who speaks now has seen this protocol end: if it is the open one, here is the place of its end.
    pub fn place(&mut self, seen: u64) {
        if self.running.is_none() && seen >= self.protocols {
            self.open = None;
        }
    }

    /// Somebody wants to be a provider; whether that can be is judged when its turn comes.
    pub fn join(&mut self, joining: Joining) -> Result<(), Refused> {
        match self.waiting.joining.len() < GS_PROVIDERS_MAX {
            true => self.waiting.joining.push_back(joining),
            false => return Err(Refused::Full),
        }
        Ok(())
    }

    /// A provider proposes something. It begins at once, or not at all.
    pub fn propose(
        &mut self,
        from: ProviderId,
        proposal: Proposal,
        phases: Phases,
    ) -> Result<Vec<Tell>, Refused> {
        let is_member = |provider: &ProviderId| self.members().any(|member| member == *provider);
        match () {
            () if self.open.is_some() => Err(Refused::Collide),
            () if !is_member(&from) => Err(Refused::NotAMember),
            () if !proposal.change.leaving().iter().all(is_member) => Err(Refused::NotAMember),
            () if self.changes_source(&proposal.change) => Err(Refused::BadAttributes),
            () if self.waiting != Waiting::default() => Err(Refused::Collide),
            () if proposal.is_only_told(phases) => Ok(vec![self.broadcast(from, proposal)]),
            () => Ok(self.begin(Some(from), proposal, phases)),
        }
    }

    /// What is only told is a protocol like any other, with a number and an end; but nothing has to be counted or changed.
    fn broadcast(&mut self, from: ProviderId, proposal: Proposal) -> Tell {
        self.protocols += 1;
        let (protocol, summary, standing) = (self.protocols, Summary::default(), self.standing());
        let notice = Notice::Approved { protocol, from: Some(from), summary, proposal, standing };
        self.tell_providers(self.members().collect(), notice)
    }

    /// Which group this one follows is fixed when it is made.
    fn changes_source(&self, change: &Change) -> bool {
        matches!(change, Change::Attributes(attributes) if attributes.source != self.attributes.source)
    }

    /// A vote is counted in the present phase; it may end it.
    pub fn vote(&mut self, voter: ProviderId, cast: Cast) -> Vec<Tell> {
        if let Some(running) = &mut self.running {
            running.cast(voter, cast);
        }
        self.go_on()
    }

    /// A provider, or somebody who wants to be one, is gone.
    pub fn lose(&mut self, provider: ProviderId, how: Gone) {
        self.waiting.joining.retain(|joining| joining.provider != provider);
        self.waiting.gone.entry(provider).or_insert(how);
    }

    /// A provider's client stopped to answer, or answers again: the providers hear of it once no protocol is open.
    pub fn answers(&mut self, provider: ProviderId, responsive: bool) {
        self.waiting.answers.insert(provider, responsive);
    }

    fn announce(&mut self) -> Vec<Tell> {
        if self.waiting.answers.is_empty() {
            return Vec::new();
        }
        let members: BTreeSet<ProviderId> = self.members().collect();
        let known = std::mem::take(&mut self.waiting.answers).into_iter();
        let known = known.filter(|(provider, _)| members.contains(provider));
        let notices = known.map(|(provider, responsive)| Notice::Responsiveness { provider, responsive });
        notices.map(|notice| self.tell_providers(members.clone(), notice)).collect()
    }

    /// The same because its node is lost, which can vote for it no more.
    pub fn lose_node(&mut self, provider: ProviderId) -> Vec<Tell> {
        self.lose(provider, Gone::NodeLost);
        if let Some(running) = &mut self.running {
            running.lose(provider);
        }
        self.go_on()
    }

    /// Begins what waits, if its turn has come.
    pub fn advance(&mut self, source: &Source) -> Vec<Tell> {
        let mut told = Vec::new();
        while self.open.is_none() {
            told.extend(self.announce());
            self.follow(source);
            let Some((change, phases)) = self.next_change(source, &mut told) else { break };
            told.extend(self.begin(None, Proposal { change, state: None, message: None }, phases));
        }
        told
    }

    /// Who has lost the provider beside it is cast out. A new state value of the source is told, of several changes the
    /// last; what it was when the group began is no news.
    fn follow(&mut self, source: &Source) {
        match source {
            Source::None | Source::Open { .. } => {}
            Source::Gone => self.cast_out_but(&BTreeSet::new()),
            Source::Still { lives, state, .. } => {
                self.cast_out_but(lives);
                self.reflect(state);
            }
        }
    }

    fn cast_out_but(&mut self, lives: &BTreeSet<Incarnation>) {
        let gone = &self.waiting.gone;
        let alone = self.members.iter().map(|(member, _)| *member);
        let alone = alone.filter(|member| !lives.contains(&member.life) && !gone.contains_key(member));
        self.waiting.cast_out = alone.collect();
    }

    fn reflect(&mut self, state: &StateValue) {
        let known = self.reflected.replace(state.clone());
        if known.is_some_and(|known| known != *state)
            && let Some(source) = self.attributes.source.clone()
        {
            self.waiting.reflection = Some((source, state.clone()));
        }
    }

    /// Those whose joining is voted on.
    fn candidates(&self) -> impl Iterator<Item = ProviderId> {
        let joining = self.running.as_ref().map(|running| running.proposal.change.joining());
        let waiting = self.waiting.joining.iter().map(|joining| joining.provider);
        joining.into_iter().flatten().chain(waiting)
    }

    /// Failures go first, then those whose source is gone, then those who join, then what the source says.
    fn next_change(&mut self, source: &Source, told: &mut Vec<Tell>) -> Option<(Change, Phases)> {
        if self.waiting == Waiting::default() {
            return None;
        }
        let (losing, still) = match source {
            Source::None | Source::Gone => (false, true),
            Source::Open { losing } => (*losing, false),
            Source::Still { losing, .. } => (*losing, true),
        };
        let membership = self.attributes.membership;
        self.forget_strangers();
        if !losing && let Some(change) = self.next_leave() {
            return Some((change, membership));
        }
        if !self.waiting.gone.is_empty() || !self.waiting.cast_out.is_empty() {
            return None;
        }
        if still && let Some(change) = self.next_join(source, told) {
            return Some((change, membership));
        }
        if !self.waiting.joining.is_empty() {
            return None;
        }
        let (source, value) = self.waiting.reflection.take()?;
        Some((Change::Reflection { source, value }, self.attributes.reflection))
    }

    /// Who was to join, and failed, and was not let in, has nothing to leave; nor has who failed and was to be cast out, too,
    /// and has left for the one.
    fn forget_strangers(&mut self) {
        let members: BTreeSet<ProviderId> = self.members().collect();
        self.waiting.gone.retain(|provider, _| members.contains(provider));
        self.waiting.cast_out.retain(|provider| members.contains(provider));
    }

    fn next_leave(&mut self) -> Option<Change> {
        let all = self.attributes.batch.leaves();
        let Waiting { gone, cast_out, .. } = &mut self.waiting;
        if let Some((first, how)) = gone.pop_first() {
            let rest = if all { std::mem::take(gone) } else { BTreeMap::new() };
            return Some(Change::FailureLeave(rest.into_iter().chain([(first, how)]).collect()));
        }
        let first = cast_out.pop_first()?;
        let rest = if all { std::mem::take(cast_out) } else { BTreeSet::new() };
        Some(Change::CastOut(rest.into_iter().chain([first]).collect()))
    }

    fn next_join(&mut self, source: &Source, told: &mut Vec<Tell>) -> Option<Change> {
        let mut admitted = BTreeMap::new();
        while (admitted.is_empty() || self.attributes.batch.joins())
            && let Some(joining) = self.waiting.joining.pop_front()
        {
            match self.admit(&joining, &admitted, source) {
                Ok(()) => drop(admitted.insert(joining.provider, joining.local)),
                Err(why) => {
                    told.push(self.tell_providers([joining.provider].into(), Notice::Refused(why)));
                }
            }
        }
        (!admitted.is_empty()).then_some(Change::Join(admitted))
    }

    fn admit(
        &self,
        joining: &Joining,
        admitted: &BTreeMap<ProviderId, LocalName>,
        source: &Source,
    ) -> Result<(), Refused> {
        let Joining { provider, attributes, .. } = joining;
        let is_member = self.members().any(|member| member == *provider);
        let beside = match source {
            Source::None => attributes.source.is_none(),
            Source::Gone | Source::Open { .. } => false,
            Source::Still { lives, .. } => lives.contains(&provider.life),
        };
        match () {
            () if *attributes != self.attributes => Err(Refused::BadAttributes),
            () if !beside => Err(Refused::NoSourceProvider),
            () if is_member || admitted.contains_key(provider) => Err(Refused::DuplicateInstance),
            () if self.members.len() + admitted.len() >= GS_PROVIDERS_MAX => Err(Refused::Full),
            () => Ok(()),
        }
    }

    fn begin(&mut self, from: Option<ProviderId>, proposal: Proposal, phases: Phases) -> Vec<Tell> {
        self.protocols += 1;
        let voters = phases.limit().map(|_| self.voters(&proposal.change)).unwrap_or_default();
        let limit = phases.limit().filter(|_| !voters.is_empty());
        let default = self.attributes.default_vote;
        self.open = limit.map(|_| Open { losing: !proposal.change.leaving().is_empty() });
        let lasts = limit.unwrap_or(Span::ZERO);
        let running = Running::new(self.protocols, from, proposal, lasts, voters, default);
        self.running = Some(running);
        match limit {
            Some(_) => vec![self.ask()],
            None => self.end(true, BTreeMap::new()),
        }
    }

    /// Who is to vote: all providers that are there and stay, or ask to leave, and those who join.
    fn voters(&self, change: &Change) -> BTreeSet<ProviderId> {
        let asks = matches!(change, Change::Leave { .. });
        let stays = |provider: &ProviderId| asks || !change.leaving().contains(provider);
        let there = |provider: &ProviderId| !self.waiting.gone.contains_key(provider);
        self.members().chain(change.joining()).filter(stays).filter(there).collect()
    }

    /// Ends the phases whose votes are all here.
    fn go_on(&mut self) -> Vec<Tell> {
        let mut told = Vec::new();
        while let Some(running) = &mut self.running
            && let Some(PhaseEnd { verdict, silent, against }) = running.progress()
        {
            told.extend(self.name_silent(silent));
            match verdict {
                Verdict::GoesOn => told.push(self.ask()),
                Verdict::Approved => told.extend(self.end(true, BTreeMap::new())),
                Verdict::Rejected => told.extend(self.end(false, against)),
            }
        }
        told
    }

    fn name_silent(&self, silent: BTreeSet<ProviderId>) -> Option<Tell> {
        let notice = Notice::Silent { protocol: self.protocols, providers: silent.iter().copied().collect() };
        (!silent.is_empty()).then(|| self.tell_providers(self.concerned(), notice))
    }

    fn ask(&self) -> Tell {
        let running = self.running.as_ref().expect("a protocol runs");
        let Running { number: protocol, from, phase, limit, before: summary, .. } = *running;
        let notice =
            Notice::Phase { protocol, from, phase, limit, summary, proposal: running.proposal.clone() };
        self.tell_providers(running.voters().clone(), notice)
    }

    fn end(&mut self, approved: bool, against: BTreeMap<ProviderId, Option<Message>>) -> Vec<Tell> {
        let concerned = self.concerned();
        let Some(running) = self.running.take() else { return Vec::new() };
        let Running { number: protocol, from, proposal, summary, .. } = running;
        let before = proposal.may_change_standing().then(|| self.standing());
        let joining = if approved { proposal.change.joining() } else { BTreeSet::new() };
        let leaving = match approved || proposal.change.is_done_anyway() {
            true => proposal.change.leaving(),
            false => BTreeSet::new(),
        };
        self.apply(&proposal, approved, &leaving);
        let standing = self.standing();
        let news = before.filter(|before| *before != standing).map(|_| Notice::Changed {
            changing: joining.union(&leaving).copied().collect(),
            standing: standing.clone(),
        });
        let deactivation = self.deactivation(&proposal.change, &leaving);
        let notice = match approved {
            true => Notice::Approved { protocol, from, summary, proposal, standing },
            false => Notice::Rejected { protocol, from, summary, proposal, against, standing },
        };
        let mut told: Vec<Tell> = deactivation.into_iter().collect();
        told.push(self.tell_providers(concerned, notice));
        let to_subscribers = |notice| Tell { group: self.name.clone(), to: Audience::Subscribers, notice };
        told.extend(news.map(to_subscribers));
        told
    }

    fn apply(&mut self, proposal: &Proposal, approved: bool, leaving: &BTreeSet<ProviderId>) {
        self.members.retain(|(member, _)| !leaving.contains(member));
        if !approved {
            return;
        }
        if let Change::Join(joining) = &proposal.change {
            self.members.extend(joining.iter().map(|(provider, local)| (*provider, local.clone())));
        }
        if let Change::Attributes(attributes) = &proposal.change {
            self.attributes = attributes.clone();
        }
        if let Some(state) = &proposal.state {
            self.state = state.clone();
        }
    }

    /// Whose deactivate commands are to run: of those who are expelled if that was asked for, of those who fail if the group
    /// wants it. Who says goodbye, or is gone with its node, has nothing left to be ended there.
    fn deactivation(&self, change: &Change, leaving: &BTreeSet<ProviderId>) -> Option<Tell> {
        let (whose, how) = match change {
            Change::Expel { deactivate: Some(how), .. } => (leaving.clone(), how.clone()),
            Change::FailureLeave(gone) if self.attributes.deactivate_on_failure => {
                let failed =
                    gone.iter().filter(|(_, how)| **how == Gone::Failed).map(|(provider, _)| *provider);
                let limit = self.attributes.membership.limit().unwrap_or(GS_DEACTIVATE_LIMIT_DEFAULT);
                (failed.collect(), Deactivation { flag: Flag::default(), limit })
            }
            Change::Expel { deactivate: None, .. }
            | Change::FailureLeave(_)
            | Change::Join(_)
            | Change::Leave { .. }
            | Change::CastOut(_)
            | Change::State
            | Change::Attributes(_)
            | Change::Message(_)
            | Change::Own { .. }
            | Change::Reflection { .. } => return None,
        };
        (!whose.is_empty()).then(|| self.tell_providers(whose, Notice::Deactivate(how)))
    }

    /// Who hears of the protocol under way: the providers, and those who want to be.
    fn concerned(&self) -> BTreeSet<ProviderId> {
        let joining = self.running.as_ref().map(|running| running.proposal.change.joining());
        self.members().chain(joining.into_iter().flatten()).collect()
    }

    fn tell_providers(&self, to: BTreeSet<ProviderId>, notice: Notice) -> Tell {
        Tell { group: self.name.clone(), to: Audience::Providers(to), notice }
    }
}
