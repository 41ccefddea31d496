//! What a client asks of its node.

use crate::body::{self, Garbled};
use crate::list::Providers;
use minicbor::{Decode, Encode};
use phalanx_groups::Vote;
use phalanx_groups::domain::{
    Attributes, Change, Deactivation, LocalName, Message, Name, Phases, Proposal, ProviderId, Said, Service,
    StateValue,
};
use phalanx_groups::services::ClientAct;
use phalanx_types::Incarnation;
use std::net::IpAddr;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(context_bound = "phalanx_types::Source")]
pub enum Request {
    /// It wants to be a provider.
    #[n(0)]
    Join {
        /// Of this group.
        #[n(0)]
        group: Name,
        /// With this instance number.
        #[n(1)]
        instance: i16,
        /// Called so in logs.
        #[n(2)]
        local: LocalName,
        /// Taking the group for this.
        #[n(3)]
        attributes: Attributes,
    },
    /// A provider of its proposes something.
    #[n(1)]
    Propose {
        /// The group.
        #[n(0)]
        group: Name,
        /// Which provider.
        #[n(1)]
        instance: i16,
        /// What.
        #[n(2)]
        wish: Wish,
        /// A message that goes with it.
        #[n(3)]
        message: Option<Message>,
        /// Whether it is voted on.
        #[n(4)]
        phases: Phases,
    },
    /// A provider of its votes.
    #[n(2)]
    Vote {
        /// The group.
        #[n(0)]
        group: Name,
        /// Which provider.
        #[n(1)]
        instance: i16,
        /// On which protocol.
        #[n(2)]
        protocol: u64,
        /// In which phase.
        #[n(3)]
        phase: u32,
        /// Its vote.
        #[n(4)]
        vote: Vote,
        /// What it says with it.
        #[n(5)]
        said: Said,
    },
    /// A provider of its leaves at once.
    #[n(3)]
    Goodbye {
        /// The group.
        #[n(0)]
        group: Name,
        /// Which provider.
        #[n(1)]
        instance: i16,
    },
    /// It wants to hear of a group.
    #[n(4)]
    Subscribe {
        /// Which.
        #[n(0)]
        group: Name,
        /// What it wants to hear.
        #[n(1)]
        wants: Wants,
    },
    /// It wants to hear of a group no more.
    #[n(5)]
    Unsubscribe {
        /// Which.
        #[n(0)]
        group: Name,
    },
    /// It is going, and all its providers with it.
    #[n(6)]
    Quit,
    /// Whose address this is.
    #[n(7)]
    Adapter {
        /// Names the answer.
        #[n(0)]
        number: u64,
        /// The address.
        #[n(1)]
        address: IpAddr,
    },
    /// It answers to a ping.
    #[n(8)]
    Pong {
        /// To which.
        #[n(0)]
        number: u64,
        /// Whether it takes itself for well.
        #[n(1)]
        well: bool,
    },
}

/// What a client can propose; all else happens by itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Wish {
    /// To leave.
    #[n(0)]
    Leave {
        /// Why, in a number that its group has for that.
        #[n(0)]
        code: u32,
    },
    /// To put others out.
    #[n(1)]
    Expel {
        /// Whom.
        #[n(0)]
        providers: Providers,
        /// Whether and how their deactivate command runs.
        #[n(1)]
        deactivate: Option<Deactivation>,
    },
    /// Another state value.
    #[n(2)]
    State(#[n(0)] StateValue),
    /// Other attributes.
    #[n(3)]
    Attributes(#[n(0)] Attributes),
    /// Nothing but that its message is told: where it stands in the order (agreed), or only when every node of the view has it
    /// (safe).
    #[n(4)]
    Message(#[n(0)] Service),
}

/// What a subscriber wants to hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Wants {
    /// The state value, when it changes.
    #[n(0)]
    pub state: bool,
    /// All providers, when they change.
    #[n(1)]
    pub members: bool,
    /// Who came.
    #[n(2)]
    pub joins: bool,
    /// Who went.
    #[n(3)]
    pub leaves: bool,
}

impl Request {
    /// As it is sent.
    pub fn write(&self) -> Vec<u8> {
        body::write(self)
    }

    /// What was sent.
    pub fn read(body: &[u8]) -> Result<Request, Garbled> {
        body::read(body)
    }

    /// What it means for the core of a node whose life is `me`; what is between the client and its node alone is nothing there.
    pub fn act(self, me: Incarnation) -> Option<ClientAct> {
        Some(match self {
            Request::Join { group, instance, local, attributes } => {
                ClientAct::Join { group, instance, local, attributes }
            }
            Request::Propose { group, instance, wish, message, phases } => {
                let proposal = wish.proposal(ProviderId { life: me, instance }, message);
                ClientAct::Propose { group, instance, proposal, phases }
            }
            Request::Vote { group, instance, protocol, phase, vote, said } => {
                ClientAct::Vote { group, instance, protocol, phase, vote, said }
            }
            Request::Goodbye { group, instance } => ClientAct::Goodbye { group, instance },
            Request::Subscribe { group, wants: _ } => ClientAct::Subscribe { group },
            Request::Unsubscribe { group } => ClientAct::Unsubscribe { group },
            Request::Quit => ClientAct::Quit,
            Request::Adapter { .. } | Request::Pong { .. } => return None,
        })
    }
}

impl Wish {
    /// As a proposal of this provider.
    fn proposal(self, from: ProviderId, message: Option<Message>) -> Proposal {
        let (change, state) = match self {
            Wish::Leave { code } => (Change::Leave { provider: from, code }, None),
            Wish::Expel { providers: Providers(providers), deactivate } => {
                (Change::Expel { providers: providers.into_iter().collect(), deactivate }, None)
            }
            Wish::State(state) => (Change::State, Some(state)),
            Wish::Attributes(attributes) => (Change::Attributes(attributes), None),
            Wish::Message(service) => (Change::Message(service), None),
        };
        Proposal { change, state, message }
    }
}
