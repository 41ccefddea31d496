//! What nodes say to each other about groups, in the agreed order, and how it is written.
//!
//! Who speaks is who sent the message: a provider is named by its instance, and is one of the sender's life.

use super::attributes::{Attributes, Phases};
use super::name::{LocalName, Name};
use super::protocol::{Gone, Proposal, Said};
use crate::group::Vote;
use minicbor::{Decode, Encode};

/// One ordered message.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Word {
    /// The group it concerns.
    #[n(0)]
    pub group: Name,
    /// What is said.
    #[n(1)]
    pub act: Act,
}

/// What is said about a group.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
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
    /// By the node of a provider that votes.
    #[n(2)]
    Vote {
        /// Which.
        #[n(0)]
        instance: i16,
        /// On which protocol.
        #[n(1)]
        protocol: u64,
        /// In which phase.
        #[n(2)]
        phase: u32,
        /// Its vote.
        #[n(3)]
        vote: Vote,
        /// What it says with it.
        #[n(4)]
        said: Said,
    },
    /// By the node of a provider that said goodbye, or whose process is gone.
    #[n(3)]
    Lost {
        /// Which.
        #[n(0)]
        instance: i16,
        /// How.
        #[n(1)]
        how: Gone,
    },
    /// By any node for which a phase has lasted its time.
    #[n(4)]
    Expired {
        /// Of which protocol.
        #[n(0)]
        protocol: u64,
        /// Which phase.
        #[n(1)]
        phase: u32,
    },
}

impl Word {
    /// As it is sent.
    pub fn write(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("writing to memory does not fail")
    }

    /// What was sent, if it is a word.
    pub fn read(bytes: &[u8]) -> Option<Word> {
        minicbor::decode(bytes).ok()
    }
}
