//! What a group is like: fixed by the first who joins it, the same for all who join later (RSCT Group Services, A2).

use super::name::Name;
use crate::group::Vote;
use minicbor::{Decode, Encode};
use phalanx_types::Span;
use serde::Serialize;

/// The attributes of a group.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Attributes {
    /// Of the clients' own protocol; all providers of a group have the same.
    #[n(0)]
    pub client_version: u16,
    /// Which membership changes may share one protocol.
    #[n(1)]
    pub batch: Batch,
    /// Whether a provider's deactivate command runs when it fails, too.
    #[n(2)]
    pub deactivate_on_failure: bool,
    /// How joins, failure leaves and cast-outs are agreed on.
    #[n(3)]
    pub membership: Phases,
    /// How a change of the source group's state value is told to this group.
    #[n(4)]
    pub reflection: Phases,
    /// What is counted for a provider that fails or does not vote in time.
    #[n(5)]
    pub default_vote: DefaultVote,
    /// Whether it goes on when parts meet that both have it.
    #[n(6)]
    pub merge: Merge,
    /// The group whose providers this one's depend on, node by node.
    #[n(7)]
    pub source: Option<Name>,
}

/// Which membership changes may share one protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize)]
pub enum Batch {
    /// Each change has its own.
    #[default]
    #[n(0)]
    None,
    /// Joins that wait are made together.
    #[n(1)]
    Joins,
    /// Leaves that wait are made together.
    #[n(2)]
    Leaves,
    /// Both, each with its like.
    #[n(3)]
    Both,
}

/// Whether a protocol is voted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub enum Phases {
    /// It is not: it is approved when it comes.
    #[n(0)]
    One,
    /// It is, in as many phases as somebody wants.
    #[n(1)]
    Many {
        /// For each phase; who has not voted then is counted with the default vote.
        #[n(0)]
        limit: Span,
    },
}

/// What is counted for a provider that fails or does not vote in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize)]
pub enum DefaultVote {
    /// It rejects.
    #[default]
    #[n(0)]
    Reject,
    /// It approves.
    #[n(1)]
    Approve,
}

/// Whether a group goes on where parts of a divided cluster meet and another part had it, too. Which part's domain goes on is
/// decided before that, for all groups alike: the primary's, else the larger's, else that of the lowest id. All clients of
/// the other parts are told that theirs is dissolved; this is about who goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize)]
pub enum Merge {
    /// It goes on.
    #[default]
    #[n(0)]
    DontCare,
    /// It goes on if no other part had more providers in it.
    #[n(1)]
    Larger,
    /// It goes on if no other part had fewer.
    #[n(2)]
    Smaller,
    /// It does not.
    #[n(3)]
    Dissolve,
}

impl Batch {
    /// Whether joins share a protocol.
    pub fn joins(self) -> bool {
        matches!(self, Batch::Joins | Batch::Both)
    }

    /// Whether leaves share a protocol.
    pub fn leaves(self) -> bool {
        matches!(self, Batch::Leaves | Batch::Both)
    }
}

impl DefaultVote {
    /// As a vote.
    pub fn vote(self) -> Vote {
        match self {
            DefaultVote::Reject => Vote::Reject,
            DefaultVote::Approve => Vote::Approve,
        }
    }
}

impl Default for Attributes {
    fn default() -> Attributes {
        Attributes {
            client_version: 1,
            batch: Batch::None,
            deactivate_on_failure: false,
            membership: Phases::One,
            reflection: Phases::One,
            default_vote: DefaultVote::Reject,
            merge: Merge::DontCare,
            source: None,
        }
    }
}
