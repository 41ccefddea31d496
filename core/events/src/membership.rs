//! What topology and membership have to say.

use crate::point::Point;
use minicbor::{Decode, Encode};
use phalanx_types::{Digest, Incarnation, NetworkId, NodeId, PathId, Span, Tick, Timings, View, ViewId};
use serde::Serialize;
use std::collections::BTreeSet;

/// An ordered message: its sender's life and its number there, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct MessageId {
    /// Who sent it.
    pub life: Incarnation,
    /// Which of its messages.
    pub number: u64,
}

/// What is promised when a message is delivered (extended virtual synchrony).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// Its place in the order is fixed.
    #[n(0)]
    Agreed,
    /// And every member of the view has it.
    #[n(1)]
    Safe,
}

/// A note from topology or membership.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
pub enum MembershipNote {
    /// A path to a peer began to work in both directions.
    PathUp {
        /// The peer.
        peer: NodeId,
        /// The path.
        path: PathId,
    },
    /// A path to a peer fell silent, or the peer stopped hearing us on it.
    PathDown {
        /// The peer.
        peer: NodeId,
        /// The path.
        path: PathId,
        /// How long it has been silent.
        silent: Span,
    },
    /// Nobody is heard on a network: this node's own adapter is suspected.
    AdapterSuspected {
        /// The network.
        network: NetworkId,
    },
    /// A peer can be reached both ways.
    PeerUp {
        /// Its life.
        life: Incarnation,
    },
    /// All paths to a peer are silent.
    PeerDown {
        /// Its life.
        life: Incarnation,
        /// For how long nothing was heard.
        silent: Span,
    },
    /// A peer is silent, but its host's kernel answers an echo: it is waited for longer.
    GraceGiven {
        /// Its life.
        life: Incarnation,
        /// For how long nothing was heard.
        silent: Span,
        /// After how much of that it is down all the same.
        limit: Span,
    },
    /// This node itself stood still; what it suspected because of that is discarded.
    SelfPaused {
        /// For how long.
        gap: Span,
    },
    /// From here on this node goes by these timings: they are on its disk.
    TimingsInForce {
        /// Which.
        timings: Timings,
    },
    /// A member answers beats but not ordered messages: it is left out of the next view.
    MemberStalled {
        /// The member.
        life: Incarnation,
    },
    /// Two lives of one node beat at the same time: a cloned identity.
    IdentityCloned {
        /// The node that exists twice.
        node: NodeId,
    },
    /// This node agreed to a proposed view and stopped delivering in its old one.
    ViewAccepted {
        /// The proposed view.
        id: ViewId,
        /// Its members to be.
        members: BTreeSet<NodeId>,
    },
    /// This node installed a view.
    ViewInstalled {
        /// The view.
        view: View,
        /// The view it comes from.
        previous: ViewId,
        /// The members that come from there too, itself included.
        transitional: BTreeSet<NodeId>,
    },
    /// A quorum of the view is known to have installed it.
    ViewConfirmed {
        /// The view.
        id: ViewId,
    },
    /// An ordered message was handed in.
    Sent {
        /// The message.
        message: MessageId,
        /// The view it was handed in.
        view: ViewId,
        /// Digest of its body.
        digest: Digest,
        /// What is promised.
        service: Service,
    },
    /// An ordered message was delivered.
    Delivered {
        /// The message.
        message: MessageId,
        /// The view whose order it stands in.
        view: ViewId,
        /// Its place there, from 1.
        sequence: u64,
        /// Digest of its body.
        digest: Digest,
        /// What is promised.
        service: Service,
        /// Whether it came with the end of the view rather than within it.
        transitional: bool,
    },
    /// A message in no order but its sender's was handed in.
    FifoSent {
        /// The message; such messages are counted apart.
        message: MessageId,
        /// The view it was handed in.
        view: ViewId,
        /// Digest of its body.
        digest: Digest,
    },
    /// Such a message was delivered.
    FifoDelivered {
        /// The message.
        message: MessageId,
        /// The view it was handed in.
        view: ViewId,
        /// Digest of its body.
        digest: Digest,
        /// Whether it came with the end of the view rather than within it.
        transitional: bool,
    },
    /// An own message found no place in its view before that ended. Others may have delivered it there.
    Returned {
        /// The message.
        message: MessageId,
    },
    /// The lease in force now ends at `until`, and the deadman knows.
    Leased {
        /// The end.
        until: Tick,
    },
    /// The lease was not renewed in time: everything held here is let go.
    LettingGo {
        /// The end of the lease.
        until: Tick,
    },
    /// The promises of an earlier life have run out: this node counts from the next view on.
    QuarantineOver,
    /// A frame was dropped without touching any state.
    FrameDropped {
        /// Who it came from, as authenticated.
        from: NodeId,
        /// Why.
        reason: &'static str,
    },
    /// A rare branch was taken.
    Reached {
        /// Which.
        point: Point,
    },
}
