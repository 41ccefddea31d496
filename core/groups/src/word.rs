//! What providers say to each other through ordered messages, and how it is written.

use crate::domain;
use crate::group::{ProposalId, Vote};
use minicbor::{Decode, Encode};
use phalanx_types::Span;

/// One ordered message of a group.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Word {
    /// A broadcast; whoever sent it.
    #[n(0)]
    Broadcast(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// A proposal, by its proposer.
    #[n(1)]
    Propose {
        #[n(0)]
        number: u64,
        #[n(1)]
        limit: Span,
        #[cbor(n(2), with = "minicbor::bytes")]
        body: Vec<u8>,
    },
    /// A vote, by each provider once a phase.
    #[n(2)]
    Vote {
        #[n(0)]
        proposal: ProposalId,
        #[n(1)]
        phase: u32,
        #[n(2)]
        vote: Vote,
        #[n(3)]
        word: String,
    },
    /// A phase has lasted its time, by whoever notices.
    #[n(3)]
    Expired {
        #[n(0)]
        proposal: ProposalId,
        #[n(1)]
        phase: u32,
    },
    /// Of the clients' groups.
    #[n(4)]
    Services(#[n(0)] domain::Word),
}

/// What a donor hands to a member that needs it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Transfer {
    /// The manager's state.
    #[n(0)]
    Manager(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// The domain of Group Services.
    #[n(1)]
    Domain(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
}

impl Transfer {
    pub fn write(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("writing to memory does not fail")
    }
}

impl Word {
    pub fn write(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("writing to memory does not fail")
    }

    pub fn read(bytes: &[u8]) -> Option<Word> {
        minicbor::decode(bytes).ok()
    }
}
