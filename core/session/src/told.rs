//! What a node tells a client: what happens in its groups, and the answers to what it asked.

use crate::against::Against;
use crate::body::{self, Garbled};
use crate::frame::{self, TooLong};
use crate::list::{Departed, Providers};
use minicbor::decode::Error;
use minicbor::{Decode, Decoder, Encode};
use phalanx_groups::domain::{
    self, Attributes, Deactivation, Message, Name, ProviderId, Refused, StateValue, Summary,
};
use phalanx_types::limits::INTERFACE_BYTES_MAX;
use phalanx_types::{NetworkName, NodeId, Span};

/// Something that a client is told.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(context_bound = "phalanx_types::Source")]
pub enum Told {
    /// As a provider, or as one that wanted to be.
    #[n(0)]
    Provider {
        /// Of this group.
        #[n(0)]
        group: Name,
        /// Which provider.
        #[n(1)]
        provider: ProviderId,
        /// What.
        #[n(2)]
        notice: Notice,
    },
    /// As a subscriber.
    #[n(1)]
    Subscriber {
        /// To this group.
        #[n(0)]
        group: Name,
        /// What.
        #[n(1)]
        news: News,
    },
    /// The instance is its own already, or somebody else's on this node; or the provider is none of its own.
    #[n(2)]
    NotYours {
        /// The group.
        #[n(0)]
        group: Name,
        /// Which provider.
        #[n(1)]
        instance: i16,
    },
    /// The domain that it was in is no more. The connection ends; a new one begins anew.
    #[n(3)]
    Dissolved,
    /// It is to answer.
    #[n(4)]
    Ping {
        /// Names the answer.
        #[n(0)]
        number: u64,
    },
    /// Whose address it is, if it is a node's.
    #[n(5)]
    Adapter {
        /// Names what was asked.
        #[n(0)]
        number: u64,
        /// The answer.
        #[n(1)]
        adapter: Option<Adapter>,
    },
}

/// What a provider is told.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(context_bound = "phalanx_types::Source")]
pub enum Notice {
    /// A vote is asked for.
    #[n(0)]
    Phase {
        /// The protocol.
        #[n(0)]
        protocol: u64,
        /// Which phase of it, from 1.
        #[n(1)]
        phase: u32,
        /// How long there is to vote.
        #[n(2)]
        limit: Span,
        /// How the phase before ended.
        #[n(3)]
        summary: Summary,
        /// What is voted on.
        #[n(4)]
        proposal: Proposal,
        /// Who proposed it; nobody did what happens by itself.
        #[n(5)]
        from: Option<ProviderId>,
    },
    /// A protocol was approved, and what it changes is changed.
    #[n(1)]
    Approved {
        /// The protocol.
        #[n(0)]
        protocol: u64,
        /// How it came to that.
        #[n(1)]
        summary: Summary,
        /// What was approved.
        #[n(2)]
        proposal: Proposal,
        /// The group since.
        #[n(3)]
        standing: Standing,
        /// Who proposed it; nobody did what happens by itself.
        #[n(4)]
        from: Option<ProviderId>,
    },
    /// A protocol was rejected. What cannot be undone is changed all the same.
    #[n(2)]
    Rejected {
        /// The protocol.
        #[n(0)]
        protocol: u64,
        /// How it came to that.
        #[n(1)]
        summary: Summary,
        /// What was rejected.
        #[n(2)]
        proposal: Proposal,
        /// The group since.
        #[n(3)]
        standing: Standing,
        /// Who proposed it; nobody did what happens by itself.
        #[n(4)]
        from: Option<ProviderId>,
        /// Who voted against it, and what they said; nobody, if default votes did it.
        #[n(5)]
        against: Against,
    },
    /// These did not vote in time.
    #[n(3)]
    Silent {
        /// The protocol.
        #[n(0)]
        protocol: u64,
        /// Who.
        #[n(1)]
        providers: Providers,
    },
    /// What it asked for was not begun.
    #[n(4)]
    Refused(#[n(0)] Refused),
    /// The client of a provider stopped to answer, or answers again.
    #[n(5)]
    Responsiveness {
        /// Which.
        #[n(0)]
        provider: ProviderId,
        /// Whether it answers.
        #[n(1)]
        responsive: bool,
    },
    /// Parts of the cluster met, and the group's merge control ends it: it is no provider any more, and may join again.
    #[n(6)]
    Dissolved,
}

/// What is voted on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
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

/// What a protocol changes if it is approved.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Change {
    /// These become providers.
    #[n(0)]
    Join(#[n(0)] Providers),
    /// These are gone already.
    #[n(1)]
    FailureLeave(#[n(0)] Departed),
    /// This one asks to leave.
    #[n(2)]
    Leave {
        /// Who.
        #[n(0)]
        provider: ProviderId,
        /// Why, in a number that the group has for that.
        #[n(1)]
        code: u32,
    },
    /// These are put out by the others.
    #[n(3)]
    Expel {
        /// Who.
        #[n(0)]
        providers: Providers,
        /// Whether and how their deactivate command runs.
        #[n(1)]
        deactivate: Option<Deactivation>,
    },
    /// These have no provider of the source group on their node any more.
    #[n(4)]
    CastOut(#[n(0)] Providers),
    /// The state value becomes the proposed one.
    #[n(5)]
    State,
    /// The attributes become these.
    #[n(6)]
    Attributes(#[n(0)] Attributes),
    /// Nothing but that the message is told.
    #[n(7)]
    Message,
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

/// A group as its clients see it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Standing {
    /// Its providers, who joined first first.
    #[n(0)]
    pub members: Providers,
    /// Its state value.
    #[n(1)]
    pub state: StateValue,
}

/// What a subscriber is told.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum News {
    /// The group is another one, or is seen for the first time. Only what is wanted and has changed is there.
    #[n(0)]
    Changed {
        /// Its state value.
        #[n(0)]
        state: Option<StateValue>,
        /// Its providers, who joined first first.
        #[n(1)]
        members: Option<Providers>,
        /// Who came.
        #[n(2)]
        came: Providers,
        /// Who went.
        #[n(3)]
        left: Providers,
    },
    /// It is not subscribed to.
    #[n(1)]
    Refused(#[n(0)] Refused),
    /// The group has no providers any more, and the subscription is over.
    #[n(2)]
    Dissolved,
}

/// Where an address is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Adapter {
    /// On which node.
    #[n(0)]
    pub node: NodeId,
    /// On which network.
    #[n(1)]
    pub network: NetworkName,
    /// On which interface, if that is known here: a node knows its own.
    #[n(2)]
    pub interface: Option<Interface>,
}

/// The name of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(transparent)]
pub struct Interface(#[n(0)] String);

impl Told {
    /// As it is sent.
    pub fn write(&self) -> Vec<u8> {
        body::write(self)
    }

    /// Appends it to `out` as a frame. What a node says has limits that make it fit into one.
    pub fn frame_onto(&self, out: &mut Vec<u8>) -> Result<(), TooLong> {
        frame::append(out, |out| body::write_onto(self, out))
    }

    /// What was sent.
    pub fn read(body: &[u8]) -> Result<Told, Garbled> {
        body::read(body)
    }
}

impl Interface {
    /// A name, if an interface can have it.
    pub fn new(name: &str) -> Option<Interface> {
        let fits = (1..=INTERFACE_BYTES_MAX).contains(&name.len());
        fits.then(|| Interface(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'b, C> Decode<'b, C> for Interface {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Interface, Error> {
        Interface::new(d.str()?).ok_or_else(|| Error::message("not the name of an interface"))
    }
}

impl Notice {
    /// What a provider is told of what the domain says to it. Nothing of what is for its node or for subscribers.
    pub fn of(notice: domain::Notice) -> Option<Notice> {
        Some(match notice {
            domain::Notice::Phase { protocol, from, phase, limit, summary, proposal } => {
                Notice::Phase { protocol, from, phase, limit, summary, proposal: proposal.into() }
            }
            domain::Notice::Approved { protocol, from, summary, proposal, standing } => {
                let (proposal, standing) = (proposal.into(), standing.into());
                Notice::Approved { protocol, from, summary, proposal, standing }
            }
            domain::Notice::Rejected { protocol, from, summary, proposal, standing, against } => {
                let (proposal, standing) = (proposal.into(), standing.into());
                let against = Against::of(against);
                Notice::Rejected { protocol, from, summary, proposal, standing, against }
            }
            domain::Notice::Silent { protocol, providers } => {
                Notice::Silent { protocol, providers: Providers(providers) }
            }
            domain::Notice::Refused(why) => Notice::Refused(why),
            domain::Notice::Responsiveness { provider, responsive } => {
                Notice::Responsiveness { provider, responsive }
            }
            domain::Notice::Dissolved => Notice::Dissolved,
            domain::Notice::Deactivate(_) | domain::Notice::Changed { .. } => return None,
        })
    }
}

impl From<domain::Proposal> for Proposal {
    fn from(proposal: domain::Proposal) -> Proposal {
        let domain::Proposal { change, state, message } = proposal;
        Proposal { change: change.into(), state, message }
    }
}

impl From<domain::Standing> for Standing {
    fn from(standing: domain::Standing) -> Standing {
        Standing { members: Providers(standing.members), state: standing.state }
    }
}

impl From<domain::Change> for Change {
    fn from(change: domain::Change) -> Change {
        match change {
            domain::Change::Join(joining) => Change::Join(joining.into_keys().collect()),
            domain::Change::FailureLeave(gone) => Change::FailureLeave(Departed(gone.into_iter().collect())),
            domain::Change::Leave { provider, code } => Change::Leave { provider, code },
            domain::Change::Expel { providers, deactivate } => {
                Change::Expel { providers: providers.into_iter().collect(), deactivate }
            }
            domain::Change::CastOut(providers) => Change::CastOut(providers.into_iter().collect()),
            domain::Change::State => Change::State,
            domain::Change::Attributes(attributes) => Change::Attributes(attributes),
            // No client is in the manager's own group.
            domain::Change::Message(_) | domain::Change::Own { .. } => Change::Message,
            domain::Change::Reflection { source, value } => Change::Reflection { source, value },
        }
    }
}
