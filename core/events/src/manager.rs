//! What the cluster manager has to say: plans, groups, resources, requests. Each note carries its cause.

use crate::point::Point;
use minicbor::{Decode, Encode};
use phalanx_types::{
    Charter, Claim, Digest, GroupName, NetworkId, NodeId, NodeSet, OwnershipEpoch, RequestId, ResourceName,
    Span, Stall, Tick, Verb, Verdict, ViewId,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A note from the cluster manager. Notes on plans are given by every member alike; those on steps and on this
/// node's own changes by the node concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
pub enum ManagerNote {
    /// The probe at daemon start is over for a group.
    Probed {
        /// The group.
        group: GroupName,
        /// What was found.
        found: String,
    },
    /// Running resources of an earlier life of the daemon were taken over as they are.
    Readopted {
        /// The group.
        group: GroupName,
        /// The acquisition they belong to.
        epoch: OwnershipEpoch,
    },
    /// This node's relation to a group changed.
    GroupChanged {
        /// The group.
        group: GroupName,
        /// The acquisition.
        epoch: OwnershipEpoch,
        /// What it was.
        from: &'static str,
        /// What it is now.
        to: &'static str,
        /// Why.
        cause: String,
    },
    /// This node asks the others to agree to a plan.
    PlanProposed {
        /// The plan.
        plan: Digest,
        /// The groups it moves.
        groups: BTreeSet<GroupName>,
    },
    /// A plan is agreed and under way.
    PlanAgreed {
        /// The plan.
        plan: Digest,
        /// The view it holds in.
        view: ViewId,
        /// Its steps in words.
        steps: Vec<String>,
    },
    /// A proposed plan found no agreement; another follows.
    PlanRefused {
        /// Why.
        cause: String,
    },
    /// This manager computed another plan from the same inputs: the groups concerned are left as they are.
    PlanDiverged {
        /// The plan proposed.
        theirs: Digest,
        /// The plan computed here.
        ours: Digest,
    },
    /// A plan under way ended before its goal.
    PlanVoided {
        /// The group whose motion ended.
        group: GroupName,
        /// Why.
        cause: String,
    },
    /// A group's motion reached its end.
    PlanFinished {
        /// The group.
        group: GroupName,
        /// How it ended.
        outcome: String,
    },
    /// Nothing is done with a group, and why.
    StandingStill {
        /// The group.
        group: GroupName,
        /// Why.
        reason: String,
    },
    /// Nobody else can hold the group: its acquisition here may begin.
    Cleared {
        /// The group.
        group: GroupName,
        /// The acquisition.
        epoch: OwnershipEpoch,
        /// What was proven of each other node.
        proofs: BTreeMap<NodeId, String>,
        /// How long the proofs were waited for.
        waited: Span,
    },
    /// An operation was begun.
    StepBegun {
        /// The group.
        group: GroupName,
        /// The resource.
        resource: ResourceName,
        /// What is done.
        verb: Verb,
        /// The acquisition.
        epoch: OwnershipEpoch,
    },
    /// An operation ended as it should.
    StepDone {
        /// The group.
        group: GroupName,
        /// The resource.
        resource: ResourceName,
        /// What was done.
        verb: Verb,
        /// The acquisition.
        epoch: OwnershipEpoch,
        /// How long it took.
        took: Span,
    },
    /// An operation failed.
    StepFailed {
        /// The group.
        group: GroupName,
        /// The resource.
        resource: ResourceName,
        /// What was tried.
        verb: Verb,
        /// The acquisition.
        epoch: OwnershipEpoch,
        /// How long it took.
        took: Span,
        /// What was said.
        why: String,
    },
    /// A monitor found an application unwell.
    MonitorFailed {
        /// The group.
        group: GroupName,
        /// The application.
        resource: ResourceName,
        /// Failures in a row.
        failures: u32,
        /// How many make it count as failed.
        limit: u32,
        /// What the monitor said.
        why: String,
    },
    /// A failed application is started again on this node.
    RestartedInPlace {
        /// The group.
        group: GroupName,
        /// The application.
        resource: ResourceName,
        /// Which restart within the counting span.
        restart: u32,
        /// How many there may be.
        limit: u32,
        /// What had failed.
        why: String,
    },
    /// An application used up its restarts.
    RestartsExhausted {
        /// The group.
        group: GroupName,
        /// The application.
        resource: ResourceName,
        /// Whether the group leaves this node because of it.
        leaves: bool,
        /// What failed last.
        why: String,
    },
    /// This node's adapter on a network is down: it has no carrier, no address, or reaches nobody there.
    AdapterDown {
        /// The network.
        network: NetworkId,
        /// What was seen of it.
        cause: String,
    },
    /// This node's adapter on a network is up again. Its node is as good a place as others once it has been up for a while.
    AdapterUp {
        /// The network.
        network: NetworkId,
        /// How long until it is relied on again.
        settles_in: Span,
    },
    /// This node reaches no other on a network, but a target outside the cluster answers: its adapter works.
    AdapterVouched {
        /// The network.
        network: NetworkId,
    },
    /// A network is down: at one node, or reached by nobody.
    NetworkDown {
        /// The network.
        network: NetworkId,
        /// Where; everywhere if no node is named.
        node: Option<NodeId>,
    },
    /// A network is up again: at one node, or reached by somebody.
    NetworkUp {
        /// The network.
        network: NetworkId,
        /// Where; no longer down everywhere if no node is named.
        node: Option<NodeId>,
    },
    /// A service address is not where it should be: this node puts it on a good adapter, with everything else running on.
    SwapAdapter {
        /// The group.
        group: GroupName,
        /// The address.
        resource: ResourceName,
        /// What was wrong where it was.
        cause: String,
    },
    /// A service address that was not where it should be is on a good adapter, to be probed next.
    AdapterSwapped {
        /// The group.
        group: GroupName,
        /// The address.
        resource: ResourceName,
        /// The interface that has it now.
        interface: String,
    },
    /// A service address is not where it should be, and this node has no good adapter for it now.
    AddressAstray {
        /// The group.
        group: GroupName,
        /// The address.
        resource: ResourceName,
        /// What was wrong where it was.
        cause: String,
    },
    /// The lease runs out: the group is let go without asking anybody.
    LettingGo {
        /// The group.
        group: GroupName,
        /// The acquisition.
        epoch: OwnershipEpoch,
        /// When the lease ends.
        until: Tick,
    },
    /// A request of an operator was taken.
    RequestBegun {
        /// Names it.
        id: RequestId,
        /// What is asked.
        asked: String,
    },
    /// A request ended.
    RequestEnded {
        /// Names it.
        id: RequestId,
        /// How.
        reply: String,
    },
    /// In step with a primary view: every member that says this of one view says the same digest.
    InStep {
        /// The view.
        view: ViewId,
        /// Digest of the active version of the configuration.
        config: Digest,
        /// Digest of the replicated state, once all go by one configuration.
        state: Digest,
    },
    /// The donor's state was adopted.
    StateAdopted {
        /// The donor.
        from: NodeId,
        /// Digest of the state.
        digest: Digest,
    },
    /// Members in step hold different states at one place in the order: a defect. The groups concerned are left alone.
    StateDiverged {
        /// The groups whose plan showed it.
        groups: BTreeSet<GroupName>,
        /// Digest of the state here.
        ours: Digest,
    },
    /// A version of the configuration became active here.
    Activated {
        /// Its digest.
        config: Digest,
        /// Digest of the version that it follows.
        parent: Digest,
        /// Its version.
        version: u64,
    },
    /// An operator is told that this version is active everywhere: it is never lost.
    ChangeAcknowledged {
        /// Its digest.
        config: Digest,
    },
    /// An operator forms the cluster without nodes that he knows to be down, against the quorum.
    Formed {
        /// The generation that begins with it.
        generation: u64,
        /// Who decides in it.
        few: NodeSet,
        /// Who is down by the operator's word.
        without: NodeSet,
        /// Who the operator is.
        by: String,
        /// Why, in the operator's words.
        why: String,
    },
    /// This node's half of those that decide claims, at the tie-breaker, that it goes on.
    TieClaimed {
        /// The claim.
        claim: Claim,
    },
    /// The tie-breaker answered, or did not.
    TieJudged {
        /// The claim.
        claim: Claim,
        /// What became of it.
        verdict: Verdict,
    },
    /// Whose agreement makes a primary view is another matter now.
    CharterChanged {
        /// Whose it is.
        charter: Charter,
    },
    /// Detection and leases are to be of another length, by agreement; here as soon as that is on disk.
    TimingsChanged {
        /// What it follows from.
        cause: StretchCause,
        /// Silence on all paths after which a node is declared down.
        detect: Span,
        /// For how long leases are granted.
        lease: Span,
    },
    /// All members of the view have them on disk and go by them.
    TimingsSettled {
        /// See [`ManagerNote::TimingsChanged`].
        detect: Span,
        /// See [`ManagerNote::TimingsChanged`].
        lease: Span,
    },
    /// The cluster was formed by an operator without this node: what is held here is let go.
    FormedWithoutUs {
        /// The generation that begins with it.
        generation: u64,
    },
    /// A version of the configuration that was active here is not part of the generation joined.
    VersionLost {
        /// Its version.
        version: u64,
        /// Its digest.
        config: Digest,
    },
    /// This node shuts down: its groups go elsewhere first.
    ShutdownBegun {
        /// Why.
        cause: ShutdownCause,
    },
    /// A rare branch was taken.
    Reached {
        /// Which.
        point: Point,
    },
}

/// Why the timings change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StretchCause {
    /// A member stood still for longer than those before forgave.
    #[n(0)]
    Stall(#[n(0)] Stall),
    /// Nobody stood still for long enough to need them, for a long time.
    #[n(1)]
    Calm,
    /// An operator asked for those that are configured.
    #[n(2)]
    Operator,
    /// Other members had agreed on it before this node came to them.
    #[n(3)]
    Met,
}

/// Why a node leaves in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ShutdownCause {
    /// Somebody asked for it.
    Asked,
    /// What it must remember cannot be made durable: it may promise nothing more.
    NotDurable,
}

impl fmt::Display for ShutdownCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ShutdownCause::Asked => "shut down",
            ShutdownCause::NotDurable => "the state directory cannot be written",
        })
    }
}
