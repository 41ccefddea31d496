//! What managers say to each other: ordered messages, proposals, passports and the state for a joiner.
//!
//! Every message names the view it was written in. One that turns up in another view is old news and is dropped by
//! all alike; who sent it says it again if it still holds.

use minicbor::{Decode, Encode};
use phalanx_events::StretchCause;
use phalanx_ledger::{Stamp, Version};
use phalanx_plan::transition::Claims;
use phalanx_plan::{GroupsState, Holding, Order, PlannerLevel, Reaches, Restarts};
use phalanx_types::{Charter, Digest, GroupName, Span, Step, Stretch, ViewId};
use std::collections::BTreeSet;

/// An ordered message.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Envelope {
    /// The view it was written in.
    #[n(0)]
    pub view: ViewId,
    /// What is said.
    #[n(1)]
    pub word: Word,
}

/// What a manager says in order.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Word {
    /// What the sender has to do with a group now.
    #[n(0)]
    Report {
        #[n(0)]
        group: GroupName,
        #[n(1)]
        holding: Holding,
    },
    /// What an operator asked of the sender.
    #[n(1)]
    Order {
        #[n(0)]
        request: u64,
        #[n(1)]
        order: Order,
    },
    /// The sender shuts down.
    #[n(2)]
    Leaving,
    /// The sender lost its deadman, or has one again.
    #[n(5)]
    Guarded(#[n(0)] bool),
    /// What the sender's adapters reach.
    #[n(6)]
    Reach(#[n(0)] Reaches),
    /// Members came with different versions of the configuration: the newest of them.
    #[n(3)]
    Config(#[n(0)] Version),
    /// The sender has this charter on disk, which passes.
    #[n(7)]
    Charter(#[n(0)] Charter),
    /// About the timings.
    #[n(8)]
    Timing(#[n(0)] TimingWord),
    /// Applications of a group that the sender restarted in place.
    #[n(4)]
    Restarts {
        #[n(0)]
        group: GroupName,
        #[n(1)]
        restarts: Restarts,
    },
}

/// What a manager says in order about the timings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum TimingWord {
    /// The sender stood still for so long.
    #[n(0)]
    StoodStill(#[n(0)] Span),
    /// Shorter timings are called for. Void once there were more changes than these.
    #[n(1)]
    Shrink {
        #[n(0)]
        changes: u64,
        #[n(1)]
        to: Step,
        #[n(2)]
        cause: StretchCause,
    },
    /// The sender has this on disk.
    #[n(2)]
    Stored {
        #[n(0)]
        stretch: Stretch,
        /// No promise of the sender's that may still run is longer.
        #[n(1)]
        lease_max: Span,
    },
}

/// A proposal.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Proposal {
    /// To begin a plan.
    #[n(0)]
    Plan(#[n(0)] PlanBallot),
    /// To make this version the active configuration.
    #[n(1)]
    Config(#[n(0)] Version),
}

/// A plan as it is voted on: everybody computes it again.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct PlanBallot {
    /// The planner that made it: the one that the members of the view go by.
    #[n(0)]
    pub level: PlannerLevel,
    /// The groups concerned.
    #[n(1)]
    pub groups: BTreeSet<GroupName>,
    /// Digest of what the plan depends on.
    #[n(2)]
    pub inputs: Digest,
    /// Digest of the plan.
    #[n(3)]
    pub plan: Digest,
}

/// What a node brings into a new view.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Papers {
    /// Its active version.
    #[n(0)]
    pub active: Stamp,
    /// The newest version that it has staged, or the active one.
    #[n(1)]
    pub head: Stamp,
    /// What it holds.
    #[n(2)]
    pub claims: Claims,
    /// What its adapters reach.
    #[n(3)]
    pub reach: Reaches,
    /// How far it knows the timings to be stretched.
    #[n(4)]
    pub stretch: Stretch,
    /// No promise of its that may still run is longer.
    #[n(5)]
    pub lease_max: Span,
    /// The latest planner that it has; the first one, if it does not say.
    #[n(6)]
    pub planner: Option<PlannerLevel>,
}

/// The state for members that are not in step.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Transfer {
    /// The active version of the configuration.
    #[n(0)]
    pub version: Version,
    /// The state.
    #[n(1)]
    pub state: GroupsState,
}

/// Bytes of a message.
pub(crate) fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("encoding into memory cannot fail")
}

/// A message from bytes; `None` if it is none of ours.
pub(crate) fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Option<T> {
    minicbor::decode(bytes).ok()
}
