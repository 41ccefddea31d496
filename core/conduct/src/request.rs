//! What an operator may ask, and how the asking ends.

use phalanx_types::{GroupName, NodeId};
use serde::{Deserialize, Serialize};

/// An operator's request that changes something. Reads are answered from the manager's state instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// Make this cluster file the active configuration.
    Apply {
        /// The cluster file, as text.
        text: String,
    },
    /// Form the cluster without the nodes that are away, on the operator's word that they are down.
    Form {
        /// Who the operator is, for the audit.
        by: String,
        /// Why, in the operator's words.
        why: String,
    },
    /// Go by the configured timings again, however far they were stretched.
    ShrinkTimings,
    /// Move a group to a node and keep it there until it is restored (PowerHA: priority override location).
    Move {
        /// The group.
        group: GroupName,
        /// Where to.
        to: NodeId,
    },
    /// Clear the priority override; the group goes back where its policy wants it.
    Restore {
        /// The group.
        group: GroupName,
    },
    /// Bring a group online where its policy wants it.
    Online {
        /// The group.
        group: GroupName,
    },
    /// Bring a group offline until it is asked online again.
    Offline {
        /// The group.
        group: GroupName,
    },
}

/// How a request ended; each gets exactly one (exit codes of `interface.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// It is done (exit code 0).
    Done {
        /// What was done, for people.
        what: String,
    },
    /// It was tried and failed (exit code 1).
    Failed {
        /// What failed and what was done instead.
        why: String,
    },
    /// It makes no sense (exit code 2); nothing was changed.
    Bad {
        /// What is wrong and what to do.
        why: String,
    },
    /// The state of things does not allow it now (exit code 3); nothing was changed.
    Refused {
        /// Why not, and what to do.
        why: String,
    },
    /// The view changed while it was under way; what became of it shows in the status (exit code 4).
    Unknown {
        /// What is known.
        why: String,
    },
}
