//! Everything that goes into a node's core and everything that comes out of it.
//!
//! The shell (or the simulator) calls `Node::step(now, input, &mut effects)` with `now` never falling, carries the
//! effects out in order, and calls again with [`Input::Wake`] at `Node::wake_at()` at the latest.

use phalanx_conduct::{PlannerLevel, Reply, Request};
use phalanx_events::Note;
use phalanx_groups::services::{ClientAct, ClientEvent, ClientId};
use phalanx_ledger::Damage;
use phalanx_types::{
    BootId, Claim, ClusterId, GroupName, Incarnation, NetworkId, NodeId, Operation, OperationId,
    OperationResult, PathId, Plot, RequestId, ResourceName, Shared, Span, Tick, Verdict,
};
use phalanx_wire::Arrival;
use serde::Serialize;

/// What a node's core is born with.
#[derive(Clone, Debug)]
pub struct Birth {
    /// The cluster.
    pub cluster: ClusterId,
    /// This node and this life of it; the shell made the start number durable before.
    pub me: Incarnation,
    /// The boot of this host.
    pub boot: BootId,
    /// What earlier lives left on disk.
    pub stored: Stored,
    /// What time it is.
    pub now: Tick,
    /// The latest planner that it has: that of this build, unless the simulator lets it be of another.
    pub planner: PlannerLevel,
    /// The bug that the simulator planted, if any.
    pub plot: Plot,
}

/// What is on disk of earlier lives, checked by the shell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// View counters up to this one may have been used.
    pub view_counter_max: u64,
    /// The longest lease ever in force; zero on a new node.
    pub lease_max: Span,
    /// The ledger's image, as last written by [`Record::Ledger`].
    pub ledger: Vec<u8>,
}

/// Which queue a frame belongs to; a lower lane never goes ahead of a higher one. A frame that is [`Lane::Routine`] need not
/// wake its receiver: it comes with whatever else wakes that, the next beat of its own at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Lane {
    /// Beats and membership.
    Beat,
    /// Votes and other small ordered messages.
    Vote,
    /// Everything else.
    Data,
    /// Beats that say nothing new.
    Routine,
}

/// Why a node cannot live with what it was born with. Nothing was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unborn {
    /// The ledger's image is damaged.
    Ledger(Damage),
    /// The active configuration cannot be read; every fault, a line each.
    Config(String),
    /// The active configuration has no such node.
    NotConfigured(NodeId),
}

/// Names a write, so that its completion can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct StoreToken(pub u64);

/// Something to be made durable, whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Record {
    /// View counters up to this one will be used, and leases up to this long.
    Limits {
        /// See [`Stored::view_counter_max`].
        view_counter_max: u64,
        /// See [`Stored::lease_max`].
        lease_max: Span,
    },
    /// The ledger.
    Ledger(Vec<u8>),
}

/// One input.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time has passed.
    Wake,
    /// Frames arrived, in this order.
    Arrived(Vec<Arrival>),
    /// Time has passed, and what need not wake this node has come meanwhile.
    Due {
        /// The lease end that the deadman accepted, if that is news.
        fed: Option<Tick>,
        /// What came on [`Lane::Routine`]. Anything but a beat is dropped there.
        beats: Vec<Arrival>,
    },
    /// Something about this node's adapters on a network changed: a carrier, an interface, an address that is gone. Also
    /// told at the start for each network without an adapter; until then there is said to be one.
    Carrier {
        /// The network.
        network: NetworkId,
        /// Whether some interface with an address of this node's own on that network has a carrier.
        up: bool,
    },
    /// By this node's adapters on a network a target outside the cluster answered.
    TargetAnswered {
        /// The network.
        network: NetworkId,
    },
    /// A node's host answered an echo.
    EchoAnswered {
        /// The node.
        by: NodeId,
        /// By which path.
        path: PathId,
    },
    /// What became of a claim at the tie-breaker.
    Claimed {
        /// Which.
        claim: Claim,
        /// What became of it.
        verdict: Verdict,
    },
    /// The deadman accepted a lease end.
    Fed {
        /// The lease end.
        until: Tick,
    },
    /// The deadman is gone, or refuses.
    Unfed,
    /// A record is durable.
    StoreDone(StoreToken),
    /// A record could not be made durable; what is on disk is not known.
    StoreFailed(StoreToken),
    /// An operation ended.
    Operated {
        /// Which.
        id: OperationId,
        /// How.
        result: OperationResult,
    },
    /// A started application's main process ended (process monitor).
    Ended {
        /// Its group.
        group: GroupName,
        /// The application.
        resource: ResourceName,
        /// Exit code or signal, for people.
        how: String,
    },
    /// An operator asks for something.
    Asked {
        /// Names the reply.
        id: RequestId,
        /// What is asked.
        request: Request,
    },
    /// Clients of Group Services do something, in this order. What they do at once is said in as few frames as it fits into.
    Clients(Vec<(ClientId, ClientAct)>),
    /// Stop cleanly: groups are moved away or brought offline first.
    Shutdown,
}

/// One effect, to be carried out in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Effect {
    /// A client of Group Services is to hear something.
    Client {
        /// Which.
        client: ClientId,
        /// What.
        event: ClientEvent,
    },
    /// Send a frame, sealed, to whichever life of the node has a session; may be lost.
    Send {
        /// The receiver.
        to: NodeId,
        /// By which path.
        path: PathId,
        /// Which queue.
        lane: Lane,
        /// What.
        bytes: Shared,
    },
    /// Tell the deadman the lease end; answered by [`Input::Fed`] or [`Input::Unfed`].
    Feed {
        /// The lease end.
        until: Tick,
    },
    /// Make a record durable; answered by [`Input::StoreDone`] or [`Input::StoreFailed`].
    Store {
        /// Names the answer.
        token: StoreToken,
        /// What.
        record: Record,
    },
    /// Run an operation; answered by [`Input::Operated`].
    Operate(Operation),
    /// Ask all of a network's targets for an echo by this node's adapters there; [`Input::TargetAnswered`] if one answers.
    AskTargets {
        /// The network.
        network: NetworkId,
    },
    /// Ask a node's host for an echo by this node's adapter on a path; [`Input::EchoAnswered`] if its kernel answers.
    AskEcho {
        /// The node.
        of: NodeId,
        /// By which path.
        path: PathId,
    },
    /// Claim a generation at the tie-breaker; answered by [`Input::Claimed`]. While an earlier claim hangs there it need not be.
    Claim(Claim),
    /// Answer an operator's request.
    Reply {
        /// Which request.
        id: RequestId,
        /// How it ended.
        reply: Reply,
    },
    /// Something happened.
    Note(Note),
    /// This life is over: nothing is held any more, or nothing can be. The shell exits.
    Halt {
        /// Why, for people.
        why: String,
    },
}
