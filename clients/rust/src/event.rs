//! What a client hears.

use phalanx_groups::domain::{Name, ProviderId, Refused, Summary};
use phalanx_session::{Against, News, Proposal, Providers, Standing};
use phalanx_types::Span;
use std::fmt;

/// A provider of this client: its group, and its instance number there, unique on this node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat {
    /// The group.
    pub group: Name,
    /// The instance number.
    pub instance: i16,
}

/// What a client hears, in the order in which every provider of the group hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A vote is asked for.
    Phase(Phase),
    /// A protocol was approved, and what it changes is changed.
    Approved(Outcome),
    /// A protocol was rejected. What cannot be undone (a failed provider is gone) is changed all the same.
    Rejected(Outcome),
    /// These did not vote in time; the default vote was counted for them.
    Silent {
        /// Who hears it.
        seat: Seat,
        /// In which protocol.
        protocol: u64,
        /// Who was silent.
        providers: Providers,
    },
    /// What this client asked for was not begun.
    Refused {
        /// Who hears it.
        seat: Seat,
        /// Why.
        why: Refused,
    },
    /// The client of a provider stopped to answer, or answers again. It stays a provider.
    Responsiveness {
        /// Who hears it.
        seat: Seat,
        /// Of whom.
        provider: ProviderId,
        /// Whether it answers.
        responsive: bool,
    },
    /// Parts of the cluster met, and the group does not go on, for its merge control says so: this client is no provider there
    /// any more, and may join again at once. Its other groups are what they were.
    GroupDissolved {
        /// Who was its provider.
        seat: Seat,
    },
    /// Something in a group that this client subscribed to.
    News {
        /// The group.
        group: Name,
        /// What.
        news: News,
    },
    /// The part of the cluster in which this client was a client does not go on: it is none any more, and the connection ends.
    Dissolved,
}

/// A phase in which a vote is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Who is asked.
    pub seat: Seat,
    /// The protocol.
    pub protocol: u64,
    /// Who proposed it; nobody did what happens by itself.
    pub from: Option<ProviderId>,
    /// Which phase of it, from 1.
    pub phase: u32,
    /// How long there is to vote, from now.
    pub limit: Span,
    /// How the phase before ended.
    pub summary: Summary,
    /// What is voted on.
    pub proposal: Proposal,
}

/// How a protocol ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Who hears it.
    pub seat: Seat,
    /// The protocol.
    pub protocol: u64,
    /// Who proposed it; nobody did what happens by itself.
    pub from: Option<ProviderId>,
    /// How it came to that.
    pub summary: Summary,
    /// What was proposed.
    pub proposal: Proposal,
    /// The group since.
    pub standing: Standing,
    /// Who voted against it, with what it said to that; nobody, if it was approved or if default votes rejected it.
    pub against: Against,
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.group, self.instance)
    }
}
