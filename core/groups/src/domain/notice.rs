//! What the clients of a group hear of it.

use super::name::{Message, Name, ProviderId, StateValue};
use super::protocol::{Deactivation, Proposal, Summary};
use minicbor::{Decode, Encode};
use phalanx_types::Span;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Something to be told, to the same clients with the same words on every node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tell {
    /// The group it concerns.
    pub group: Name,
    /// Who hears it.
    pub to: Audience,
    /// What.
    pub notice: Notice,
}

/// Who hears a notice. Each node tells those of its own clients that are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Audience {
    /// These providers, or those that wanted to be.
    Providers(BTreeSet<ProviderId>),
    /// Everybody who subscribed to the group.
    Subscribers,
}

/// A notification (RSCT Group Services, A4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Notice {
    /// A vote is asked for.
    Phase {
        /// The protocol.
        protocol: u64,
        /// Who proposed it; nobody did what happens by itself.
        from: Option<ProviderId>,
        /// Which phase of it, from 1.
        phase: u32,
        /// How long there is to vote, from now.
        limit: Span,
        /// How the phase before ended.
        summary: Summary,
        /// What is voted on.
        proposal: Proposal,
    },
    /// A protocol was approved, and what it changes is changed.
    Approved {
        /// The protocol.
        protocol: u64,
        /// Who proposed it; nobody did what happens by itself.
        from: Option<ProviderId>,
        /// How it came to that.
        summary: Summary,
        /// What was approved.
        proposal: Proposal,
        /// The group since.
        standing: Standing,
    },
    /// A protocol was rejected. What cannot be undone (a failed provider is gone) is changed all the same.
    Rejected {
        /// The protocol.
        protocol: u64,
        /// Who proposed it; nobody did what happens by itself.
        from: Option<ProviderId>,
        /// How it came to that.
        summary: Summary,
        /// What was rejected.
        proposal: Proposal,
        /// Who voted against it, with what it said to that; nobody, if default votes did it.
        against: BTreeMap<ProviderId, Option<Message>>,
        /// The group since.
        standing: Standing,
    },
    /// These did not vote in time; the default vote was counted for them.
    Silent {
        /// The protocol.
        protocol: u64,
        /// Who.
        providers: Vec<ProviderId>,
    },
    /// What this client asked for was not begun.
    Refused(Refused),
    /// To subscribers: the group is another one since.
    Changed {
        /// Who came or went.
        changing: BTreeSet<ProviderId>,
        /// The group since.
        standing: Standing,
    },
    /// To the expelled, and to those who failed where the group wants it: their deactivate command is to run, on their own node.
    Deactivate(Deactivation),
    /// The client of this provider stopped to answer, or answers again. It stays a provider: what is to be done the group
    /// decides.
    Responsiveness {
        /// Which.
        provider: ProviderId,
        /// Whether it answers.
        responsive: bool,
    },
    /// To subscribers: the group has no providers any more. To providers, and to those that wanted to be: parts met, and its
    /// merge control ends the group. They are none any more, and may join again.
    Dissolved,
}

/// A group as its clients see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its providers, who joined first first.
    pub members: Vec<ProviderId>,
    /// Its state value.
    pub state: StateValue,
}

/// Why something was not begun. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub enum Refused {
    /// Another protocol runs or waits: propose again after it (`HA_GS_COLLIDE`).
    #[n(0)]
    Collide,
    /// The attributes are not those of the group (`HA_GS_BAD_GROUP_ATTRIBUTES`).
    #[n(1)]
    BadAttributes,
    /// The instance number is in use on that node (`HA_GS_DUPLICATE_INSTANCE_NUMBER`).
    #[n(2)]
    DuplicateInstance,
    /// The source group has no provider on that node (`HA_GS_NO_SOURCE_GROUP_PROVIDER`).
    #[n(3)]
    NoSourceProvider,
    /// There is no such group (`HA_GS_UNKNOWN_GROUP`).
    #[n(4)]
    UnknownGroup,
    /// Who asks, or who is asked to be put out, is no provider of the group (`HA_GS_NOT_A_MEMBER`).
    #[n(5)]
    NotAMember,
    /// No vote is asked of that provider in that phase (`HA_GS_VOTE_NOT_EXPECTED`).
    #[n(6)]
    VoteNotExpected,
    /// There are as many groups, or as many providers in the group, as there may be.
    #[n(7)]
    Full,
    /// The group is kept by Group Services itself, and can only be subscribed to.
    #[n(8)]
    Reserved,
}
