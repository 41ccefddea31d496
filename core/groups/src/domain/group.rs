//! One group: its providers, its state value, and one protocol after the other.
//!
//! Membership changes wait for their turn, and go before everything else; what a provider proposes never waits: it begins
//! at once or collides. A provider that fails while a protocol runs has its default vote counted there, and leaves in a
//! protocol of its own afterwards.

use super::attributes::{Attributes, Phases};
use super::name::{LocalName, Name, ProviderId, StateValue};
use super::notice::{Audience, Notice, Refused, Standing, Tell};
use super::protocol::{Change, Gone, Progress, Proposal, Running, Said};
use crate::group::Vote;
use minicbor::{Decode, Encode};
use phalanx_types::Span;
use phalanx_types::limits::GS_PROVIDERS_MAX;
use std::collections::{BTreeMap, BTreeSet};

/// One group's replicated state.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
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
    #[n(5)]
    running: Option<Running>,
    #[n(6)]
    waiting: Waiting,
    /// What the source group's state value was when it was last told here.
    #[n(7)]
    reflected: Option<StateValue>,
}

/// Changes whose turn has not come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
struct Waiting {
    #[n(0)]
    gone: BTreeMap<ProviderId, Gone>,
    #[n(1)]
    cast_out: BTreeSet<ProviderId>,
    #[n(2)]
    joining: Vec<(ProviderId, LocalName)>,
    #[n(3)]
    reflection: Option<(Name, StateValue)>,
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
        }
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

    /// The state value.
    pub fn state(&self) -> &StateValue {
        &self.state
    }

    /// The group as its clients see it.
    pub fn standing(&self) -> Standing {
        Standing { members: self.members().collect(), state: self.state.clone() }
    }

    /// The phase under way: which protocol, which phase, how long it may last.
    pub fn phase(&self) -> Option<(u64, u32, Span)> {
        self.running.as_ref().map(|running| (running.number, running.phase, running.limit))
    }

    /// Whether nobody is in it or wants to be.
    pub fn is_over(&self) -> bool {
        self.members.is_empty() && self.running.is_none() && self.waiting.joining.is_empty()
    }

    /// Whether providers are leaving or about to: groups that depend on this one wait for that.
    pub fn is_losing(&self) -> bool {
        let leaving = self.running.as_ref().is_some_and(|it| !it.proposal.change.leaving().is_empty());
        leaving || !self.waiting.gone.is_empty() || !self.waiting.cast_out.is_empty()
    }

    /// Somebody wants to be a provider; it is voted on when its turn comes.
    pub fn join(
        &mut self,
        provider: ProviderId,
        local: LocalName,
        attributes: &Attributes,
    ) -> Result<(), Refused> {
        match () {
            () if *attributes != self.attributes => Err(Refused::BadAttributes),
            () if self.knows(provider) => Err(Refused::DuplicateInstance),
            () if self.members.len() + self.waiting.joining.len() >= GS_PROVIDERS_MAX => Err(Refused::Full),
            () => {
                self.waiting.joining.push((provider, local));
                Ok(())
            }
        }
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
            () if !is_member(&from) => Err(Refused::NotAMember),
            () if !proposal.change.leaving().iter().all(is_member) => Err(Refused::NotAMember),
            () if self.is_busy() => Err(Refused::Collide),
            () => Ok(self.begin(proposal, phases)),
        }
    }

    /// A provider votes.
    pub fn vote(
        &mut self,
        from: ProviderId,
        (protocol, phase): (u64, u32),
        vote: Vote,
        said: Said,
    ) -> Result<Vec<Tell>, Refused> {
        let present = |running: &&mut Running| {
            running.number == protocol && running.phase == phase && running.wants(from)
        };
        match self.running.as_mut().filter(present) {
            Some(running) => {
                let progress = running.vote(from, vote, said);
                Ok(self.go_on(progress))
            }
            None => Err(Refused::VoteNotExpected),
        }
    }

    /// A phase has lasted its time.
    pub fn expire(&mut self, protocol: u64, phase: u32) -> Vec<Tell> {
        let present = |running: &&mut Running| running.number == protocol && running.phase == phase;
        let Some(running) = self.running.as_mut().filter(present) else { return Vec::new() };
        let (silent, progress) = running.expire();
        let notice = Notice::Silent { protocol, providers: silent };
        let told = self.tell_providers(self.concerned(), notice);
        std::iter::once(told).chain(self.go_on(progress)).collect()
    }

    /// A provider, or somebody who wants to be one, is gone.
    pub fn lose(&mut self, provider: ProviderId, how: Gone) -> Vec<Tell> {
        self.waiting.joining.retain(|(joining, _)| *joining != provider);
        let known = self.knows(provider);
        if !known || self.waiting.gone.contains_key(&provider) || self.is_leaving_as_gone(provider) {
            return Vec::new();
        }
        self.waiting.gone.insert(provider, how);
        let Some(running) = &mut self.running else { return Vec::new() };
        let progress = running.lose(provider);
        self.go_on(progress)
    }

    /// A provider has no provider of the source group beside it any more.
    pub fn cast_out(&mut self, provider: ProviderId) {
        let gone = self.waiting.gone.contains_key(&provider) || self.is_leaving_as_gone(provider);
        if !gone && self.members().any(|member| member == provider) {
            self.waiting.cast_out.insert(provider);
        }
    }

    /// The source group's state value is `value`. That is told if it became so, of several changes the last; what it was
    /// when the group began is no news.
    pub fn reflect(&mut self, source: Name, value: StateValue) {
        let known = self.reflected.replace(value.clone());
        if known.is_some_and(|known| known != value) {
            self.waiting.reflection = Some((source, value));
        }
    }

    /// Begins what waits, if its turn has come. `settled` says that the source group, if any, is losing nobody.
    pub fn advance(&mut self, settled: bool) -> Vec<Tell> {
        let mut told = Vec::new();
        while self.running.is_none()
            && let Some((change, phases)) = self.next_change(settled)
        {
            let proposal = Proposal { change, state: None, message: None };
            told.extend(self.begin(proposal, phases));
        }
        told
    }

    /// Whether something runs or waits that a provider's proposal would collide with.
    fn is_busy(&self) -> bool {
        self.running.is_some() || self.waiting != Waiting::default()
    }

    fn is_leaving_as_gone(&self, provider: ProviderId) -> bool {
        let change = self.running.as_ref().map(|running| &running.proposal.change);
        matches!(change, Some(Change::FailureLeave(gone)) if gone.contains_key(&provider))
    }

    /// Those whose joining is voted on.
    fn candidates(&self) -> impl Iterator<Item = ProviderId> {
        let joining = self.running.as_ref().map(|running| running.proposal.change.joining());
        joining.into_iter().flatten().chain(self.waiting.joining.iter().map(|(provider, _)| *provider))
    }

    /// Failures go first, then those whose source is gone, then those who join, then what the source says.
    fn next_change(&mut self, settled: bool) -> Option<(Change, Phases)> {
        let membership = self.attributes.membership;
        if settled && let Some(change) = self.next_leave() {
            return Some((change, membership));
        }
        if !self.waiting.gone.is_empty() || !self.waiting.cast_out.is_empty() {
            return None;
        }
        if !self.waiting.joining.is_empty() {
            let count = if self.attributes.batch.joins() { self.waiting.joining.len() } else { 1 };
            return Some((Change::Join(self.waiting.joining.drain(..count).collect()), membership));
        }
        let (source, value) = self.waiting.reflection.take()?;
        Some((Change::Reflection { source, value }, self.attributes.reflection))
    }

    fn next_leave(&mut self) -> Option<Change> {
        let members: BTreeSet<ProviderId> = self.members().collect();
        let Waiting { gone, cast_out, .. } = &mut self.waiting;
        // Who was to join, and failed, and was not let in, has nothing to leave.
        gone.retain(|provider, _| members.contains(provider));
        cast_out.retain(|provider| members.contains(provider) && !gone.contains_key(provider));
        let all = self.attributes.batch.leaves();
        if let Some((first, how)) = gone.pop_first() {
            let rest = if all { std::mem::take(gone) } else { BTreeMap::new() };
            return Some(Change::FailureLeave(rest.into_iter().chain([(first, how)]).collect()));
        }
        let first = cast_out.pop_first()?;
        let rest = if all { std::mem::take(cast_out) } else { BTreeSet::new() };
        Some(Change::CastOut(rest.into_iter().chain([first]).collect()))
    }

    fn begin(&mut self, proposal: Proposal, phases: Phases) -> Vec<Tell> {
        self.protocols += 1;
        let voters = self.voters(&proposal.change);
        let limit = phases.limit().filter(|_| !voters.is_empty());
        let default = self.attributes.default_vote;
        let running = Running::new(self.protocols, proposal, limit.unwrap_or(Span::ZERO), voters, default);
        self.running = Some(running);
        match limit {
            Some(_) => vec![self.ask()],
            None => self.go_on(Progress::Approved),
        }
    }

    /// Who is to vote: all providers that are there and stay, or ask to leave, and those who join.
    fn voters(&self, change: &Change) -> BTreeSet<ProviderId> {
        let asks = matches!(change, Change::Leave(_));
        let stays = |provider: &ProviderId| asks || !change.leaving().contains(provider);
        let there = |provider: &ProviderId| !self.waiting.gone.contains_key(provider);
        self.members().chain(change.joining()).filter(stays).filter(there).collect()
    }

    fn go_on(&mut self, progress: Progress) -> Vec<Tell> {
        match progress {
            Progress::Waiting => Vec::new(),
            Progress::NextPhase => vec![self.ask()],
            Progress::Approved => self.end(true),
            Progress::Rejected => self.end(false),
        }
    }

    fn ask(&self) -> Tell {
        let running = self.running.as_ref().expect("a protocol runs");
        let Running { number: protocol, phase, limit, before: summary, .. } = *running;
        let notice = Notice::Phase { protocol, phase, limit, summary, proposal: running.proposal.clone() };
        self.tell_providers(running.voters().clone(), notice)
    }

    fn end(&mut self, approved: bool) -> Vec<Tell> {
        let concerned = self.concerned();
        let Some(running) = self.running.take() else { return Vec::new() };
        let Running { number: protocol, proposal, summary, .. } = running;
        let before = self.standing();
        let joining = if approved { proposal.change.joining() } else { BTreeSet::new() };
        let leaving = match approved || proposal.change.is_done_anyway() {
            true => proposal.change.leaving(),
            false => BTreeSet::new(),
        };
        self.apply(&proposal, approved, &leaving);
        let standing = self.standing();
        let to_subscribers = Notice::Changed {
            changing: joining.union(&leaving).copied().collect(),
            standing: standing.clone(),
        };
        let deactivation = self.deactivation(&proposal.change, &leaving);
        let notice = match approved {
            true => Notice::Approved { protocol, summary, proposal, standing: standing.clone() },
            false => Notice::Rejected { protocol, summary, proposal, standing: standing.clone() },
        };
        let mut told: Vec<Tell> = deactivation.into_iter().collect();
        told.push(self.tell_providers(concerned, notice));
        if before != standing {
            told.push(Tell { group: self.name.clone(), to: Audience::Subscribers, notice: to_subscribers });
        }
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

    fn deactivation(&self, change: &Change, leaving: &BTreeSet<ProviderId>) -> Option<Tell> {
        let Change::Expel { deactivate: Some(how), .. } = change else { return None };
        (!leaving.is_empty()).then(|| self.tell_providers(leaving.clone(), Notice::Deactivate(how.clone())))
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
