//! What the core asks a resource driver to do, and what comes back.
//!
//! The core sends [`Operation`]s as effects; the shell (or the simulator) runs them and answers each with exactly one
//! [`OperationResult`], at the latest at the operation's deadline.

use crate::id::{OperationId, OwnershipEpoch, ViewId};
use crate::name::{GroupName, ResourceName};
use crate::time::{Span, Tick};
use serde::Serialize;

/// Until when, and in which view, an acquiring act is allowed. The shell compares both with the node's current
/// standing right before each system call, and again for each child process (DESIGN.md, "Check-then-act").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Permit {
    /// The view that decided the acquisition.
    pub view: ViewId,
    /// The lease end known when the permit was written.
    pub valid_until: Tick,
}

/// What to do with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verb {
    /// Look whether it is active here; changes nothing.
    Probe,
    /// Look whether anything outside this node would keep it from being started here, such as another host with the same
    /// address; changes nothing. Asked while proofs are awaited, so that it costs no time.
    Scout,
    /// Make it active here. The only acquiring verb, and the only one that takes a permit.
    Start(Permit),
    /// Make it inactive here, in order.
    Stop,
    /// Make it inactive here at any price: the cgroup is killed, the mount is detached.
    Kill,
    /// Look once whether it is well; changes nothing.
    Monitor,
}

/// One request to one driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// Names the answer.
    pub id: OperationId,
    /// The group the resource belongs to.
    pub group: GroupName,
    /// The resource.
    pub resource: ResourceName,
    /// What to do.
    pub verb: Verb,
    /// The acquisition on whose behalf; goes into the environment of every command.
    pub epoch: OwnershipEpoch,
    /// When the driver gives up and answers [`OperationResult::TimedOut`].
    pub limit: Span,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum OperationResult {
    /// Start, stop and kill: done. Monitor: well. Scout: nothing is in the way.
    Done,
    /// Start of something that has one of several places on this node: done, and where it is.
    Placed {
        /// The interface of an address.
        interface: String,
    },
    /// Probe: it is active here. `epoch` is the one it was started with, where the driver can tell.
    Active {
        /// The acquisition that started it, if known.
        epoch: Option<OwnershipEpoch>,
    },
    /// Probe: nothing of it is active here.
    Inactive,
    /// It failed; what the driver or the command said, at most a few hundred bytes.
    Failed(String),
    /// It did not end within its limit and was killed.
    TimedOut,
    /// The permit no longer held when the driver was about to act; nothing was done.
    Stale,
}
