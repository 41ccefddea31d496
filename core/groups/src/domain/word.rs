//! What nodes say to each other about groups: words in the agreed order, and votes in none; and how both are written.
//!
//! Who speaks is who sent the message: a provider is named by its instance, and is one of the sender's life.

use super::attributes::{Attributes, Phases};
use super::name::{LocalName, Message, Name};
use super::protocol::{Change, Gone, Proposal, Said};
use crate::group::Vote;
use minicbor::{Decode, Encode};
use phalanx_events::Service;
use serde::Serialize;

/// One ordered message.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(context_bound = "phalanx_types::Source")]
pub struct Word {
    /// The group it concerns.
    #[n(0)]
    pub group: Name,
    /// What is said.
    #[n(1)]
    pub act: Act,
    /// The number of the last protocol of the group that its speaker had seen end. All who hear this have its end behind
    /// them from here on.
    #[n(2)]
    pub seen: u64,
}

/// A vote, by the node of its voter, which gives exactly one for each of its voters in each phase.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(context_bound = "phalanx_types::Source")]
pub struct VoteWord {
    /// In which phase of what.
    #[n(0)]
    pub phase: PhaseId,
    /// Which provider of the sender votes.
    #[n(1)]
    pub instance: i16,
    /// What is counted for it.
    #[n(2)]
    pub cast: Cast,
}

impl Word {
    /// What is promised when it is delivered. Whatever stands behind a safe word waits with it.
    pub(crate) fn service(&self) -> Service {
        match &self.act {
            Act::Propose { proposal: Proposal { change: Change::Message(service), .. }, .. } => *service,
            Act::Propose { .. }
            | Act::Join { .. }
            | Act::Lost { .. }
            | Act::Ended
            | Act::Responsive { .. } => Service::Agreed,
        }
    }
}

impl VoteWord {
    /// As it is sent.
    pub fn write(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("writing to memory does not fail")
    }

    /// What was sent, if it is a vote.
    pub fn read(bytes: &[u8]) -> Option<VoteWord> {
        minicbor::decode(bytes).ok()
    }
}

/// What is counted for a voter.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(context_bound = "phalanx_types::Source")]
pub enum Cast {
    /// What it said.
    #[n(0)]
    Vote {
        /// Its vote.
        #[n(0)]
        vote: Vote,
        /// What it says with it.
        #[n(1)]
        said: Said,
    },
    /// The default vote: it did not vote in time.
    #[n(1)]
    Silent,
    /// The default vote: its client is gone.
    #[n(2)]
    Failed,
}

impl Cast {
    /// What the voter itself said.
    pub(crate) fn said(&self) -> Option<&Said> {
        match self {
            Cast::Vote { said, .. } => Some(said),
            Cast::Silent | Cast::Failed => None,
        }
    }
}

/// A phase of a protocol.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
pub struct PhaseId {
    /// The group.
    #[n(0)]
    pub group: Name,
    /// Its protocol.
    #[n(1)]
    pub protocol: u64,
    /// The phase of that, from 1.
    #[n(2)]
    pub phase: u32,
}

/// What is said about a group.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(context_bound = "phalanx_types::Source")]
pub enum Act {
    /// By the node of somebody who wants to be a provider.
    #[n(0)]
    Join {
        /// Which.
        #[n(0)]
        instance: i16,
        /// What it is called in logs.
        #[n(1)]
        local: LocalName,
        /// What it takes the group for; makes it so if there is none.
        #[n(2)]
        attributes: Attributes,
    },
    /// By the node of a provider that proposes something.
    #[n(1)]
    Propose {
        /// Which.
        #[n(0)]
        instance: i16,
        /// What.
        #[n(1)]
        proposal: Proposal,
        /// Whether it is voted on.
        #[n(2)]
        phases: Phases,
    },
    /// By the node of a provider that said goodbye, or whose process is gone.
    #[n(2)]
    Lost {
        /// Which.
        #[n(0)]
        instance: i16,
        /// How.
        #[n(1)]
        how: Gone,
    },
    /// By the lowest member, where something waits for a protocol's end: nothing but that it was seen.
    #[n(3)]
    Ended,
    /// By the node of a provider whose client stopped to answer, or answers again.
    #[n(4)]
    Responsive {
        /// Which.
        #[n(0)]
        instance: i16,
        /// Whether it answers.
        #[n(1)]
        responsive: bool,
    },
}

impl Act {
    /// Whether it is a message that is told where it comes, and changes nothing.
    pub(crate) fn is_only_told(&self) -> bool {
        matches!(self, Act::Propose { proposal, phases, .. } if proposal.is_only_told(*phases))
    }

    /// Which provider of the speaker it is about.
    pub(crate) fn instance(&self) -> Option<i16> {
        match self {
            Act::Join { instance, .. }
            | Act::Propose { instance, .. }
            | Act::Lost { instance, .. }
            | Act::Responsive { instance, .. } => Some(*instance),
            Act::Ended => None,
        }
    }

    /// The message that is told with it.
    pub(crate) fn message(&self) -> Option<&Message> {
        match self {
            Act::Propose { proposal, .. } => proposal.message.as_ref(),
            Act::Join { .. } | Act::Lost { .. } | Act::Ended | Act::Responsive { .. } => None,
        }
    }
}
