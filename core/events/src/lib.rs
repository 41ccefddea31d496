//! The one typed stream of what happens, which logs, people, programs and the simulator's oracle read.
//!
//! Core code emits [`Note`]s with a cause; the shell renders them. One file for each layer that speaks.
#![forbid(unsafe_code)]

pub mod manager;
pub mod membership;
pub mod point;

pub use manager::{ManagerNote, ShutdownCause, StretchCause};
pub use membership::{MembershipNote, MessageId, Service};
pub use point::Point;

use serde::Serialize;

/// Something that happened on this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "layer", rename_all = "kebab-case")]
pub enum Note {
    /// Topology, views, messages, leases.
    Membership(MembershipNote),
    /// Plans, groups, resources.
    Manager(ManagerNote),
}

impl From<MembershipNote> for Note {
    fn from(note: MembershipNote) -> Note {
        Note::Membership(note)
    }
}

impl From<ManagerNote> for Note {
    fn from(note: ManagerNote) -> Note {
        Note::Manager(note)
    }
}
