//! The manager's replicated state: what every node is known to hold, and what operators asked for.
//!
//! It changes at ordered points only (`transition.rs`), so it is the same at every member in step. Its encoding is
//! canonical: equal states have equal bytes and so equal digests.

use crate::reach::Reaches;
use minicbor::{Decode, Encode};
use phalanx_types::{
    BootId, Digest, GroupName, Incarnation, NetworkId, NodeId, OwnershipEpoch, ResourceName, Tick,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The state of all groups.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct GroupsState {
    /// Digest of the active configuration.
    #[n(0)]
    pub config: Digest,
    /// Members of the last primary view.
    #[n(1)]
    pub members: BTreeSet<Incarnation>,
    /// Lives that are shutting down: nothing is placed on them.
    #[n(2)]
    pub leaving: BTreeSet<Incarnation>,
    /// Every configured group.
    #[n(3)]
    pub groups: BTreeMap<GroupName, GroupRecord>,
    /// Lives without an armed deadman: they can have no lease, so nothing is placed on them.
    #[n(4)]
    pub unguarded: BTreeSet<Incarnation>,
    /// What members say of their adapters.
    #[n(5)]
    pub reach: BTreeMap<Incarnation, Reaches>,
}

/// What is known and wanted of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct GroupRecord {
    /// What the operator wants of it.
    #[n(0)]
    pub intent: Intent,
    /// The node an explicit move put it on (PowerHA: priority override location).
    #[n(1)]
    pub placed: Option<NodeId>,
    /// Whether it is to go to its best node now, whatever its fallback policy says.
    #[n(2)]
    pub urge: Urge,
    /// Whether an acquisition was ever agreed since it was last brought online: from then on fallover rules apply
    /// instead of the startup policy.
    #[n(3)]
    pub started: bool,
    /// The highest epoch ever seen of it.
    #[n(4)]
    pub epoch: OwnershipEpoch,
    /// What each node has to do with it; a node without a record is unknown.
    #[n(5)]
    pub nodes: BTreeMap<NodeId, NodeRecord>,
    /// Failures up to these epochs no longer keep the group off their nodes.
    #[n(6)]
    pub forgiven: BTreeMap<NodeId, OwnershipEpoch>,
    /// Why its automation stopped, if it did: managers disagreed over its plan.
    #[n(7)]
    pub halted: Option<String>,
    /// The agreed change that is under way.
    #[n(8)]
    pub motion: Option<Motion>,
    /// The highest epoch under which anything may have been started: nobody goes on under a lower one.
    #[n(9)]
    pub begun: OwnershipEpoch,
    /// Restarts in place where it runs, so that a new life of that daemon goes on counting.
    #[n(10)]
    pub restarts: Option<Restarts>,
}

/// When each application was restarted in place, on the clock of its host's boot.
pub type RestartTimes = BTreeMap<ResourceName, Vec<Tick>>;

/// The restarts in place during one acquisition.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Restarts {
    /// The boot whose clock it is.
    #[n(0)]
    pub boot: BootId,
    /// The acquisition.
    #[n(1)]
    pub epoch: OwnershipEpoch,
    /// The restarts.
    #[n(2)]
    pub times: RestartTimes,
}

/// What the operator wants of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// Online where its policies want it.
    #[n(0)]
    #[default]
    Policy,
    /// Offline until asked online.
    #[n(1)]
    Offline,
}

/// Whether an operator's move is still to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urge {
    /// The fallback policy decides.
    #[n(0)]
    #[default]
    None,
    /// An operator asked for a move or a restore that is not done yet.
    #[n(1)]
    Operator,
}

/// One node's word on one group.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct NodeRecord {
    /// The life that gave it.
    #[n(0)]
    pub life: Incarnation,
    /// What it said.
    #[n(1)]
    pub holding: Holding,
}

/// What one node has to do with one group. Within one epoch a node goes down this list and never back.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(tag = "holding", rename_all = "kebab-case")]
pub enum Holding {
    /// Not probed yet in this life: presumed to hold it.
    #[n(0)]
    Unknown,
    /// It may acquire, and may have begun to.
    #[n(1)]
    Acquiring {
        /// The acquisition.
        #[n(0)]
        epoch: OwnershipEpoch,
    },
    /// All its resources are active there.
    #[n(2)]
    Online {
        /// The acquisition.
        #[n(0)]
        epoch: OwnershipEpoch,
    },
    /// It is being stopped there.
    #[n(3)]
    Releasing {
        /// The acquisition.
        #[n(0)]
        epoch: OwnershipEpoch,
    },
    /// It could not be stopped there, or could not be probed: nothing may start it elsewhere.
    #[n(4)]
    Stuck {
        /// The acquisition.
        #[n(0)]
        epoch: OwnershipEpoch,
        /// What is in the way.
        #[n(1)]
        why: String,
    },
    /// A probe found nothing of it.
    #[n(5)]
    Free {
        /// The last acquisition there in this life; [`OwnershipEpoch::NONE`] if there was none.
        #[n(0)]
        epoch: OwnershipEpoch,
        /// Why that one failed, if it did.
        #[n(1)]
        failed: Option<String>,
    },
    /// The node is not a member. What it held then is free only by a proof of its own.
    #[n(6)]
    Lost {
        /// The last acquisition known there.
        #[n(0)]
        epoch: OwnershipEpoch,
        /// Whether it held anything, or nobody knew, when it was last seen.
        #[n(1)]
        held: bool,
    },
}

/// An agreed change of one group: who lets go, who acquires.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Motion {
    /// Nodes that stop it.
    #[n(0)]
    pub release: BTreeSet<NodeId>,
    /// The node that acquires it afterwards.
    #[n(1)]
    pub acquire: Option<Acquire>,
    /// Why.
    #[n(2)]
    pub reason: Reason,
}

/// An agreed acquisition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Acquire {
    /// Who acquires.
    #[n(0)]
    pub node: NodeId,
    /// Under which epoch.
    #[n(1)]
    pub epoch: OwnershipEpoch,
}

/// Why a step or a whole motion is planned.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Reason {
    /// The startup policy brings the group online.
    #[n(0)]
    Startup,
    /// Its node was lost.
    #[n(1)]
    Fallover {
        /// The node lost.
        #[n(0)]
        from: NodeId,
    },
    /// It failed on a node, and this one is next.
    #[n(2)]
    NextNode {
        /// Where it failed last.
        #[n(0)]
        failed: NodeId,
        /// How.
        #[n(1)]
        why: String,
    },
    /// A node of higher priority is there again.
    #[n(3)]
    Fallback {
        /// That node.
        #[n(0)]
        to: NodeId,
    },
    /// An operator moves it.
    #[n(4)]
    Moved {
        /// Where to.
        #[n(0)]
        to: NodeId,
    },
    /// An operator brings it offline.
    #[n(5)]
    Offline,
    /// Two nodes claim it: the later acquisition stays.
    #[n(6)]
    Claimed {
        /// The node that keeps it.
        #[n(0)]
        keeper: NodeId,
    },
    /// An acquisition agreed in an earlier view goes on.
    #[n(7)]
    Continued,
    /// Its node shuts down.
    #[n(8)]
    Leaving {
        /// That node.
        #[n(0)]
        node: NodeId,
    },
    /// Its node has lost its deadman, and with it its lease.
    #[n(20)]
    Unguarded {
        /// That node.
        #[n(0)]
        node: NodeId,
    },
    /// The network of its service address is down at its node.
    #[n(21)]
    NetworkDown {
        /// That node.
        #[n(0)]
        node: NodeId,
        /// The network.
        #[n(1)]
        network: NetworkId,
    },
    /// Its node let it go, and it comes back.
    #[n(9)]
    Recovered,
    /// A node cannot stop it, so nobody else can start it.
    #[n(11)]
    Blocked {
        /// That node.
        #[n(0)]
        node: NodeId,
    },
    /// What a node has of it is older than an acquisition that was begun since: it goes before anything is started.
    #[n(12)]
    Superseded {
        /// That node.
        #[n(0)]
        node: NodeId,
    },
    /// A node that is not a member may still hold it until there is a proof.
    #[n(10)]
    MayHold {
        /// That node.
        #[n(0)]
        node: NodeId,
    },
}

impl Holding {
    /// The acquisition it speaks of.
    pub fn epoch(&self) -> OwnershipEpoch {
        match self {
            Holding::Unknown => OwnershipEpoch::NONE,
            Holding::Acquiring { epoch }
            | Holding::Online { epoch }
            | Holding::Releasing { epoch }
            | Holding::Stuck { epoch, .. }
            | Holding::Free { epoch, .. }
            | Holding::Lost { epoch, .. } => *epoch,
        }
    }

    /// Whether the node means to have the group.
    pub fn claims(&self) -> bool {
        match self {
            Holding::Acquiring { .. } | Holding::Online { .. } => true,
            Holding::Unknown
            | Holding::Releasing { .. }
            | Holding::Stuck { .. }
            | Holding::Free { .. }
            | Holding::Lost { .. } => false,
        }
    }

    /// Whether a probe found nothing there.
    pub fn is_free(&self) -> bool {
        matches!(self, Holding::Free { .. })
    }

    /// Whether something may be active there.
    pub fn may_hold(&self) -> bool {
        match self {
            Holding::Free { .. } => false,
            Holding::Lost { held, .. } => *held,
            Holding::Unknown
            | Holding::Acquiring { .. }
            | Holding::Online { .. }
            | Holding::Releasing { .. }
            | Holding::Stuck { .. } => true,
        }
    }
}

impl GroupRecord {
    /// What `node` has to do with the group.
    pub fn holding(&self, node: NodeId) -> &Holding {
        self.nodes.get(&node).map_or(&Holding::Unknown, |record| &record.holding)
    }

    /// Why the group is kept off `node`: its last acquisition there failed and nothing forgave it.
    pub fn failure(&self, node: NodeId) -> Option<&str> {
        let forgiven = self.forgiven.get(&node).copied().unwrap_or_default();
        match self.holding(node) {
            Holding::Free { epoch, failed: Some(why) } if *epoch > forgiven => Some(why),
            Holding::Unknown
            | Holding::Acquiring { .. }
            | Holding::Online { .. }
            | Holding::Releasing { .. }
            | Holding::Stuck { .. }
            | Holding::Free { .. }
            | Holding::Lost { .. } => None,
        }
    }

    /// Whether `node` goes by an acquisition that a later one has superseded.
    pub fn is_superseded(&self, node: NodeId) -> bool {
        let holding = self.holding(node);
        holding.claims() && holding.epoch() < self.begun
    }

    /// The nodes that mean to have the group, the latest acquisition last.
    pub fn claimants(&self) -> Vec<NodeId> {
        let mut claims: Vec<_> = self
            .nodes
            .iter()
            .filter(|(_, record)| record.holding.claims())
            .map(|(node, record)| (record.holding.epoch(), *node))
            .collect();
        claims.sort_unstable();
        claims.into_iter().map(|(_, node)| node).collect()
    }
}

impl GroupsState {
    /// Digest over everything.
    pub fn digest(&self) -> Digest {
        Digest::of(&minicbor::to_vec(self).expect("encoding into memory cannot fail"))
    }
}
