//! What the oracle is shown: everything a cluster's nodes say, and the truth about them that no node knows.
//!
//! Ground truth comes from whoever runs the cluster (the simulator, or samplers outside the product). An event says
//! what happened, never whether that was right.

use phalanx_events::{MembershipNote, MessageId, Note, Service};
use phalanx_groups::services::{ClientAct, ClientEvent, ClientId};
use phalanx_types::{
    BootId, Claim, Digest, GroupName, Incarnation, NodeId, Operation, OperationResult, OwnershipEpoch,
    Permit, RequestId, ResourceName, Span, Tick, Verb, View, ViewId,
};
use std::collections::BTreeSet;
use std::ops::{Add, Sub};

/// A point on the one clock that all nodes are watched by, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GlobalTime(pub u64);

impl Add<Span> for GlobalTime {
    type Output = GlobalTime;
    fn add(self, span: Span) -> GlobalTime {
        GlobalTime(self.0.saturating_add(span.0))
    }
}

impl Sub for GlobalTime {
    type Output = Span;
    fn sub(self, earlier: GlobalTime) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: GlobalTime,
    /// In which life of which node; for what befalls a host, its latest life.
    pub life: Incarnation,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The life itself says so.
    Note(Note),
    /// The life began.
    Started {
        /// The boot of its host.
        boot: BootId,
    },
    /// The daemon died; its host and what the host holds live on.
    DaemonCrashed,
    /// The host died, and with it everything on it. The daemon may have died before.
    HostCrashed,
    /// The life ended itself.
    Halted {
        /// Why, in its own words.
        why: String,
    },
    /// The daemon was stopped; the host runs on.
    Paused,
    /// The daemon runs again.
    Resumed,
    /// The whole host stands still, its deadman too.
    Frozen,
    /// The host runs again.
    Thawed,
    /// The first resource of a group became active on this host, or began to.
    HoldBegan {
        /// The group.
        group: GroupName,
        /// The acquisition.
        epoch: OwnershipEpoch,
    },
    /// The last resource of a group is gone from this host.
    HoldEnded {
        /// The group.
        group: GroupName,
        /// How the hold ended.
        by: HoldEnd,
    },
    /// All resources of a group are active on this host.
    GroupUp {
        /// The group.
        group: GroupName,
    },
    /// Some resource of a group that was all active here is active no longer.
    GroupDown {
        /// The group.
        group: GroupName,
    },
    /// A service address became reachable on this host.
    AddressUp {
        /// The group it belongs to.
        group: GroupName,
        /// The address.
        resource: ResourceName,
    },
    /// A service address is no longer reachable on this host.
    AddressDown {
        /// The group it belongs to.
        group: GroupName,
        /// The address.
        resource: ResourceName,
    },
    /// A driver begins to act. Shown after the permit was compared with the node's standing.
    OperationBegan {
        /// What it does.
        operation: Operation,
        /// What time the node has.
        local: Tick,
    },
    /// A driver answered.
    OperationEnded {
        /// What it did.
        operation: Operation,
        /// How it ended.
        result: OperationResult,
    },
    /// The shared disk took a write.
    DiskWrite {
        /// The group that the writer belongs to.
        group: GroupName,
        /// The acquisition it was started with.
        epoch: OwnershipEpoch,
    },
    /// The deadman took a lease end.
    Fed {
        /// The lease end on the node's clock.
        until: Tick,
        /// The same moment on the global clock.
        until_global: GlobalTime,
    },
    /// The deadman is gone, or is back.
    DeadmanGone {
        /// Whether it is gone.
        gone: bool,
    },
    /// The deadman kills what is held.
    DeadmanKilled,
    /// The deadman resets the host; [`What::HostCrashed`] follows.
    DeadmanReset,
    /// An operator asked this node for something.
    Asked {
        /// Names the reply.
        id: RequestId,
        /// What was asked, for people.
        words: String,
    },
    /// The node answered an operator.
    Replied {
        /// Which request.
        id: RequestId,
        /// How it ended, for people.
        words: String,
    },
    /// A client of Group Services on this node does something.
    ClientActed {
        /// Which.
        client: ClientId,
        /// What.
        act: ClientAct,
    },
    /// A client of Group Services on this node is told something.
    ClientHeard {
        /// Which.
        client: ClientId,
        /// What.
        event: ClientEvent,
    },
    /// A fault was injected.
    Fault {
        /// Its class.
        kind: &'static str,
        /// What exactly, for people.
        words: String,
    },
    /// What the networks carry is another thing from now on: a fault of theirs began, struck again or is over.
    LinksChanged {
        /// Whether chance decides what passes, and when: a link that neither carries all promptly nor nothing at all.
        noisy: bool,
    },
    /// A group need not be online at the end, because an operator wants it so or it is in a reported error.
    Excused {
        /// The group.
        group: GroupName,
    },
    /// An excused group is expected online again.
    Expected {
        /// The group.
        group: GroupName,
    },
    /// The adapter that service addresses are on is dead here, and stays so.
    AdapterDead {
        /// Whether the kernel does not notice.
        silent: bool,
    },
    /// The tie-breaker gave a generation to the half that was the first to claim it.
    TieDecided {
        /// The claim.
        claim: Claim,
    },
    /// Every fault is over: from now on these nodes are up and reach each other.
    Healed {
        /// The nodes.
        core: BTreeSet<NodeId>,
    },
}

/// How a hold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldEnd {
    /// The daemon's own stop or kill, or an application's own end.
    LetGo,
    /// The deadman killed it, or the host died.
    Torn,
}

/// The installation of a view.
#[derive(Clone, Copy, Debug)]
pub struct Install<'a> {
    /// The view.
    pub view: &'a View,
    /// The view the life says it comes from.
    pub previous: ViewId,
    /// Who else came from there.
    pub transitional: &'a BTreeSet<NodeId>,
}

/// The sending of an ordered message.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// The message.
    pub message: MessageId,
    /// The view it was handed in.
    pub view: ViewId,
    /// Digest of its body.
    pub digest: Digest,
    /// What is promised.
    pub service: Service,
}

/// The delivery of an ordered message.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// The message.
    pub message: MessageId,
    /// The view whose order it stands in.
    pub view: ViewId,
    /// Its place there.
    pub sequence: u64,
    /// Digest of its body.
    pub digest: Digest,
    /// What is promised.
    pub service: Service,
    /// Whether it came with the end of the view.
    pub transitional: bool,
}

/// Whether a message has a place in the order of its view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It has.
    Ordered,
    /// It comes in no order but its sender's. Such messages are counted apart.
    Fifo,
}

/// A message of either kind, sent or delivered, for the properties that both have.
#[derive(Clone, Copy, Debug)]
pub struct Carried {
    /// Its kind, and which of that it is.
    pub message: (Kind, MessageId),
    /// The view it was handed in.
    pub view: ViewId,
    /// Digest of its body.
    pub digest: Digest,
    /// What is promised of its place, if it has one.
    pub service: Option<Service>,
}

impl From<Sending> for Carried {
    fn from(it: Sending) -> Carried {
        let message = (Kind::Ordered, it.message);
        Carried { message, view: it.view, digest: it.digest, service: Some(it.service) }
    }
}

impl From<Delivery> for Carried {
    fn from(it: Delivery) -> Carried {
        let message = (Kind::Ordered, it.message);
        Carried { message, view: it.view, digest: it.digest, service: Some(it.service) }
    }
}

impl Event {
    /// The membership note, if this is one.
    pub fn membership(&self) -> Option<&MembershipNote> {
        if let What::Note(Note::Membership(note)) = &self.what { Some(note) } else { None }
    }

    /// The installation of a view, if this is one.
    pub fn install(&self) -> Option<Install<'_>> {
        if let MembershipNote::ViewInstalled { view, previous, transitional } = self.membership()? {
            return Some(Install { view, previous: *previous, transitional });
        }
        None
    }

    /// The sending of a message, if this is one.
    pub fn sending(&self) -> Option<Sending> {
        if let MembershipNote::Sent { message, view, digest, service } = *self.membership()? {
            return Some(Sending { message, view, digest, service });
        }
        None
    }

    /// The delivery of a message, if this is one.
    pub fn delivery(&self) -> Option<Delivery> {
        let note = self.membership()?;
        if let MembershipNote::Delivered { message, view, sequence, digest, service, transitional } = *note {
            return Some(Delivery { message, view, sequence, digest, service, transitional });
        }
        None
    }

    /// The sending of a message of either kind, if this is one.
    pub fn sent(&self) -> Option<Carried> {
        if let MembershipNote::FifoSent { message, view, digest } = *self.membership()? {
            return Some(Carried { message: (Kind::Fifo, message), view, digest, service: None });
        }
        self.sending().map(Carried::from)
    }

    /// The delivery of a message of either kind, if this is one.
    pub fn delivered(&self) -> Option<Carried> {
        if let MembershipNote::FifoDelivered { message, view, digest, .. } = *self.membership()? {
            return Some(Carried { message: (Kind::Fifo, message), view, digest, service: None });
        }
        self.delivery().map(Carried::from)
    }

    /// The message handed back to its sender, if this is that.
    pub fn returned(&self) -> Option<MessageId> {
        if let MembershipNote::Returned { message } = *self.membership()? { Some(message) } else { None }
    }

    /// The acquiring operation that begins, with its permit and the node's time, if this is one.
    pub fn acquisition(&self) -> Option<(&Operation, Permit, Tick)> {
        if let What::OperationBegan { operation, local } = &self.what
            && let Verb::Start(permit) = operation.verb
        {
            return Some((operation, permit, *local));
        }
        None
    }

    /// Whether the life is over with this.
    pub fn ends_life(&self) -> bool {
        matches!(self.what, What::DaemonCrashed | What::HostCrashed | What::Halted { .. })
    }
}
