//! The interface between a provider and its group: join, propose, vote, outcome (RSCT Group Services, section A3).
//!
//! Who sends what when: a provider is told of a [`Notice::Membership`] when a view is installed. It may
//! [`Group::broadcast`] and [`Group::propose`] at any time; each reaches every provider, itself included, in one
//! order. A proposal runs in phases: each [`Notice::Phase`] asks every provider for one [`Group::vote`]; after the
//! last vote comes another phase (somebody voted [`Vote::Continue`]) or the [`Notice::Outcome`].

use minicbor::{Decode, Encode};
use phalanx_membership::{Expiry, Standing};
use phalanx_types::{Charter, Digest, Incarnation, NodeId, NodeSet, Span, Timings, View, ViewId};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A proposal: the provider that made it, and which of its proposals it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
pub struct ProposalId {
    /// The proposer.
    #[n(0)]
    pub life: Incarnation,
    /// Counted from 1 within its life.
    #[n(1)]
    pub number: u64,
}

/// One provider's answer in one phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
pub enum Vote {
    /// Agrees and asks for no further phase.
    #[n(0)]
    Approve,
    /// Agrees and asks for another phase.
    #[n(1)]
    Continue,
    /// Objects: the proposal is dropped.
    #[n(2)]
    Reject,
}

/// How a proposal ended; the same at all providers that go on together.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub enum Outcome {
    /// Every provider approved in the last phase.
    #[n(0)]
    Approved,
    /// At least one did not.
    #[n(1)]
    Rejected(#[n(0)] Cause),
}

/// Why a proposal was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub enum Cause {
    /// These voted [`Vote::Reject`], with what they said.
    #[n(0)]
    Voted(#[n(0)] BTreeMap<NodeId, String>),
    /// These did not vote within the time limit, and the default vote is to reject.
    #[n(1)]
    Silent(#[n(0)] BTreeSet<NodeId>),
    /// The view changed while it ran.
    #[n(2)]
    ViewChanged,
    /// Another proposal was running: propose again after its outcome (RSCT: HA_GS_COLLIDE).
    #[n(3)]
    Collided,
}

/// Why a group takes nothing now. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Refusal {
    /// The view is changing; there will be a [`Notice::Membership`].
    Changing,
    /// Too much of this node's is still waiting for its place in the order.
    Full,
    /// Longer than [`phalanx_types::limits::MESSAGE_BYTES_MAX`].
    TooLong,
}

/// How recent a provider's replicated state is; the most recent one in a new view is everybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
pub struct StateStamp {
    /// The last primary view in which the state was known to be in step; [`ViewId::NONE`] for a fresh node.
    #[n(0)]
    pub primary: ViewId,
    /// Ordered messages applied in that view.
    #[n(1)]
    pub applied: u64,
    /// Votes applied in it, and whose: parts of a view that left it with other votes may have heard of other outcomes.
    #[n(2)]
    pub votes: (u64, Digest),
}

impl StateStamp {
    /// In step with a view that has just begun.
    pub fn in_step(primary: ViewId) -> StateStamp {
        StateStamp { primary, applied: 0, votes: (0, Digest([0; 32])) }
    }
}

impl Default for StateStamp {
    fn default() -> StateStamp {
        StateStamp::in_step(ViewId::NONE)
    }
}

/// What each member brings into a new view; written when it stops delivering in its old one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Passport {
    /// How recent its replicated state is.
    #[n(0)]
    pub stamp: StateStamp,
    /// The provider's own words (the manager's: what it holds, its ledger's head).
    #[cbor(n(1), with = "minicbor::bytes")]
    pub body: Vec<u8>,
}

/// A new view as a provider sees it. Identical at all providers but for `expiries`, which are on the local clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Membership {
    /// The view installed; `view.primary` says whether it may run resources.
    pub view: View,
    /// The view each member comes from; members with equal predecessors delivered the same messages in it.
    pub previous: BTreeMap<NodeId, ViewId>,
    /// What each member brought. A stamp here counts everything that its member applied before this view.
    pub passports: BTreeMap<NodeId, Passport>,
    /// Whose replicated state is everybody's from now on: highest stamp, then lowest node.
    pub donor: NodeId,
    /// The members whose state is the donor's already; in a primary view the others hear a [`Notice::State`] next.
    pub in_step: BTreeSet<NodeId>,
    /// The timings in force.
    pub timings: Timings,
    /// For each configured node that is not a member: when its last lease is over here.
    pub expiries: BTreeMap<NodeId, Expiry>,
    /// The charter that the view was formed under: who decides.
    pub charter: Charter,
}

/// What a provider hears, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Notice {
    /// A view was installed. A proposal that was running has had its [`Notice::Outcome`] just before.
    Membership(Box<Membership>),
    /// The donor's state, as it was right after the donor took in its [`Notice::Membership`]. Only a provider that is not
    /// in step hears it: first thing after its own [`Notice::Membership`], whatever else waits meanwhile; it adopts it.
    /// `digest` is of `body`.
    State {
        /// The donor.
        from: NodeId,
        /// The state.
        body: Vec<u8>,
        /// Digest of the state.
        digest: Digest,
    },
    /// A broadcast.
    Message {
        /// Who sent it.
        from: NodeId,
        /// What was sent.
        body: Vec<u8>,
    },
    /// A vote is asked for.
    Phase {
        /// The proposal.
        proposal: ProposalId,
        /// Which phase, from 1.
        phase: u32,
        /// What is proposed.
        body: Vec<u8>,
    },
    /// The proposal is decided.
    Outcome {
        /// The proposal.
        proposal: ProposalId,
        /// What was proposed.
        body: Vec<u8>,
        /// How it ended.
        outcome: Outcome,
    },
}

/// A group as one of its providers uses it.
pub trait Group {
    /// This node in its present life.
    fn me(&self) -> Incarnation;

    /// What this node may do right now.
    fn standing(&self) -> Standing;

    /// The nodes that were heard lately by whatever path, this one not among them; members or not.
    fn heard_lately(&self) -> NodeSet;

    /// Sends `body` to every provider in the agreed order.
    fn broadcast(&mut self, body: Vec<u8>) -> Result<(), Refusal>;

    /// Proposes `body`; every provider has `limit` per phase to vote, the silent ones reject.
    fn propose(&mut self, body: Vec<u8>, limit: Span) -> Result<ProposalId, Refusal>;

    /// Votes in the present phase of `proposal`, with a word for people if it rejects. A vote nobody asked for has
    /// no effect.
    fn vote(&mut self, proposal: ProposalId, vote: Vote, word: &str);
}
