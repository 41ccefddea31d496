//! One protocol of a group: what is proposed, who votes on it, and how it goes on from phase to phase.
//!
//! A protocol is a function of the votes of each phase. Nothing in it depends on the order in which votes come.

use super::attributes::{Attributes, DefaultVote, Phases};
use super::name::{Flag, LocalName, Message, Name, ProviderId, StateValue};
use super::word::Cast;
use crate::ballot::{Ballot, Verdict};
use crate::group::ProposalId;
use minicbor::{Decode, Encode};
use phalanx_events::Service;
use phalanx_types::Span;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a protocol changes if it is approved.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub enum Change {
    /// These become providers. They vote on it themselves.
    #[n(0)]
    Join(#[n(0)] BTreeMap<ProviderId, LocalName>),
    /// These are gone already; whatever is voted, they do not come back.
    #[n(1)]
    FailureLeave(#[n(0)] BTreeMap<ProviderId, Gone>),
    /// This one asks to leave.
    #[n(2)]
    Leave {
        /// Who.
        #[n(0)]
        provider: ProviderId,
        /// What it tells the others as its reason, in a number of their own.
        #[n(1)]
        code: u32,
    },
    /// These are put out by the others.
    #[n(3)]
    Expel {
        /// Who.
        #[n(0)]
        providers: BTreeSet<ProviderId>,
        /// Whether and how their deactivate command runs, on their own nodes.
        #[n(1)]
        deactivate: Option<Deactivation>,
    },
    /// These have no provider of the source group on their node any more.
    #[n(4)]
    CastOut(#[n(0)] BTreeSet<ProviderId>),
    /// The group's state value becomes the proposed one.
    #[n(5)]
    State,
    /// The attributes become these.
    #[n(6)]
    Attributes(#[n(0)] Attributes),
    /// Nothing but that the proposed message is told: where it stands in the order, or only when every node of the view has it.
    #[n(7)]
    Message(#[n(0)] Service),
    /// The cluster manager proposes this to itself, in a group of its own.
    #[n(9)]
    Own {
        /// Which of its proposals.
        #[n(0)]
        proposal: ProposalId,
        /// What it proposes.
        #[cbor(n(1), with = "minicbor::bytes")]
        body: Vec<u8>,
    },
    /// The source group's state value became this.
    #[n(8)]
    Reflection {
        /// The source group.
        #[n(0)]
        source: Name,
        /// Its state value.
        #[n(1)]
        value: StateValue,
    },
}

/// How a provider came to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub enum Gone {
    /// It said goodbye.
    #[n(0)]
    Goodbye,
    /// Its process ended, or left its connection.
    #[n(1)]
    Failed,
    /// Its node did.
    #[n(2)]
    NodeLost,
}

/// How a deactivate command runs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Deactivation {
    /// Handed to the command.
    #[n(0)]
    pub flag: Flag,
    /// How long it may run.
    #[n(1)]
    pub limit: Span,
}

/// What is voted on: a change, and what goes with it. A vote can replace what goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(context_bound = "phalanx_types::Source")]
pub struct Proposal {
    /// What changes.
    #[n(0)]
    pub change: Change,
    /// The state value that the group gets with it.
    #[n(1)]
    pub state: Option<StateValue>,
    /// What is told with it.
    #[n(2)]
    pub message: Option<Message>,
}

/// What a provider says with its vote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(context_bound = "phalanx_types::Source")]
pub struct Said {
    /// Another state value to propose.
    #[n(0)]
    pub state: Option<StateValue>,
    /// A message for the next notification.
    #[n(1)]
    pub message: Option<Message>,
    /// Another default vote for the rest of the protocol.
    #[n(2)]
    pub default: Option<DefaultVote>,
}

/// Why a protocol is where it is, as its notifications tell (`gs_summary_code`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Summary {
    /// Somebody was counted with the default vote.
    #[n(0)]
    pub default_vote: bool,
    /// Because the time was over.
    #[n(1)]
    pub time_limit_exceeded: bool,
    /// Because it failed.
    #[n(2)]
    pub provider_failed: bool,
}

/// A protocol under way.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(context_bound = "phalanx_types::Source")]
pub(crate) struct Running {
    /// Higher than that of any earlier one of the group, or of a group before it with its name.
    #[n(0)]
    pub number: u64,
    #[n(1)]
    pub proposal: Proposal,
    /// From 1.
    #[n(2)]
    pub phase: u32,
    #[n(3)]
    pub limit: Span,
    #[n(4)]
    voters: BTreeSet<ProviderId>,
    /// Voters whose nodes are lost since it began: the default vote is theirs.
    #[n(5)]
    lost: BTreeSet<ProviderId>,
    #[n(6)]
    default: DefaultVote,
    #[n(7)]
    ballot: Ballot<ProviderId, Cast>,
    #[n(8)]
    pub summary: Summary,
    /// How the phase before ended.
    #[n(9)]
    pub before: Summary,
    /// Who proposed it, unless it happens by itself.
    #[n(10)]
    pub from: Option<ProviderId>,
}

/// How a phase ended.
pub(crate) struct PhaseEnd {
    pub verdict: Verdict,
    /// Who did not vote in time.
    pub silent: BTreeSet<ProviderId>,
    /// Who voted to reject, with what it said to that.
    pub against: BTreeMap<ProviderId, Option<Message>>,
}

impl Change {
    /// What it is, in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Change::Join(_) => "join",
            Change::FailureLeave(_) => "failure-leave",
            Change::Leave { .. } => "leave",
            Change::Expel { .. } => "expel",
            Change::CastOut(_) => "cast-out",
            Change::State => "state",
            Change::Attributes(_) => "attributes",
            Change::Message(_) => "message",
            Change::Own { .. } => "own",
            Change::Reflection { .. } => "reflection",
        }
    }

    /// Whether it changes who is a provider.
    pub fn is_membership(&self) -> bool {
        match self {
            Change::Join(_)
            | Change::FailureLeave(_)
            | Change::Leave { .. }
            | Change::Expel { .. }
            | Change::CastOut(_) => true,
            Change::State
            | Change::Attributes(_)
            | Change::Message(_)
            | Change::Own { .. }
            | Change::Reflection { .. } => false,
        }
    }

    /// Whether those that it takes out are out even if it is rejected.
    pub fn is_done_anyway(&self) -> bool {
        matches!(self, Change::FailureLeave(_) | Change::CastOut(_) | Change::Expel { .. })
    }

    /// Who is no provider any more after it.
    pub fn leaving(&self) -> BTreeSet<ProviderId> {
        match self {
            Change::FailureLeave(gone) => gone.keys().copied().collect(),
            Change::Leave { provider, .. } => BTreeSet::from([*provider]),
            Change::Expel { providers, .. } | Change::CastOut(providers) => providers.clone(),
            Change::Join(_)
            | Change::State
            | Change::Attributes(_)
            | Change::Message(_)
            | Change::Own { .. }
            | Change::Reflection { .. } => BTreeSet::new(),
        }
    }

    /// Who becomes a provider by it.
    pub fn joining(&self) -> BTreeSet<ProviderId> {
        match self {
            Change::Join(joining) => joining.keys().copied().collect(),
            Change::FailureLeave(_)
            | Change::Leave { .. }
            | Change::Expel { .. }
            | Change::CastOut(_)
            | Change::State
            | Change::Attributes(_)
            | Change::Message(_)
            | Change::Own { .. }
            | Change::Reflection { .. } => BTreeSet::new(),
        }
    }
}

impl Proposal {
    /// Whether a group can look another after it.
    pub fn may_change_standing(&self) -> bool {
        self.state.is_some() || self.change.is_membership()
    }

    /// Whether it is a message that is told where it comes: nobody votes, and the group stays what it is.
    pub(crate) fn is_only_told(&self, phases: Phases) -> bool {
        phases == Phases::One && self.state.is_none() && matches!(self.change, Change::Message(_))
    }
}

impl Running {
    /// The first phase of a protocol among `voters`.
    pub fn new(
        number: u64,
        from: Option<ProviderId>,
        proposal: Proposal,
        limit: Span,
        voters: BTreeSet<ProviderId>,
        default: DefaultVote,
    ) -> Running {
        let (lost, ballot) = (BTreeSet::new(), Ballot::default());
        let (summary, before) = (Summary::default(), Summary::default());
        Running { number, from, proposal, phase: 1, limit, voters, lost, default, ballot, summary, before }
    }

    /// Who is asked for a vote.
    pub fn voters(&self) -> &BTreeSet<ProviderId> {
        &self.voters
    }

    /// Whose votes are here, and whose are not.
    pub fn tally(&self) -> (Vec<ProviderId>, Vec<ProviderId>) {
        let missing: BTreeSet<ProviderId> = self.ballot.missing(self.voters.iter().copied()).collect();
        (self.voters.difference(&missing).copied().collect(), missing.into_iter().collect())
    }

    /// What is counted for a voter in the present phase. What nobody asked for changes nothing.
    pub fn cast(&mut self, voter: ProviderId, cast: Cast) {
        if !self.voters.contains(&voter) {
            return;
        }
        let vote = match &cast {
            Cast::Vote { vote, .. } => *vote,
            Cast::Silent | Cast::Failed => self.default.vote(),
        };
        let (silent, failed) = (cast == Cast::Silent, cast == Cast::Failed);
        if self.ballot.cast(voter, vote, cast) {
            self.summary.default_vote |= silent || failed;
            self.summary.time_limit_exceeded |= silent;
            self.summary.provider_failed |= failed;
        }
    }

    /// A voter's node is lost: what is missing of its votes is the default vote, in this phase and in each that follows.
    pub fn lose(&mut self, voter: ProviderId) {
        self.lost.insert(voter);
        self.cast(voter, Cast::Failed);
    }

    /// Ends the present phase if all votes are there. If the verdict is to go on, the next one has begun.
    pub fn progress(&mut self) -> Option<PhaseEnd> {
        if !self.ballot.has_all(self.voters.iter().copied()) {
            return None;
        }
        let verdict = self.ballot.verdict();
        let silent = self.ballot.all().filter(|(_, cast)| **cast == Cast::Silent).map(|(voter, _)| voter);
        let said = |(voter, cast): (ProviderId, &Cast)| Some((voter, cast.said()?.message.clone()));
        let end = PhaseEnd {
            verdict,
            silent: silent.collect(),
            against: self.ballot.rejecting().filter_map(said).collect(),
        };
        match verdict {
            Verdict::Rejected => {}
            Verdict::Approved => self.take_words(),
            Verdict::GoesOn => {
                self.take_words();
                self.next_phase();
            }
        }
        Some(end)
    }

    /// What several propose at once is what the lowest provider proposes; of two default votes the safer one counts.
    fn take_words(&mut self) {
        let said: Vec<&Said> = self.ballot.all().filter_map(|(_, cast)| cast.said()).collect();
        let state = said.iter().find_map(|said| said.state.clone());
        let message = said.iter().find_map(|said| said.message.clone());
        let defaults: Vec<DefaultVote> = said.iter().filter_map(|said| said.default).collect();
        self.proposal.state = state.or(self.proposal.state.take());
        self.proposal.message = message;
        self.default = match () {
            () if defaults.contains(&DefaultVote::Reject) => DefaultVote::Reject,
            () if defaults.contains(&DefaultVote::Approve) => DefaultVote::Approve,
            () => self.default,
        };
    }

    fn next_phase(&mut self) {
        self.phase += 1;
        self.ballot = Ballot::default();
        self.before = std::mem::take(&mut self.summary);
        for voter in self.lost.clone() {
            self.cast(voter, Cast::Failed);
        }
    }
}

impl Phases {
    /// How long each phase may last, if there are votes at all.
    pub(crate) fn limit(self) -> Option<Span> {
        match self {
            Phases::One => None,
            Phases::Many { limit } => Some(limit),
        }
    }
}
