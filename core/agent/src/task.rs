//! What operations of an active group are done for: the group, the acquisition, and how far that is. Decides nothing.

use phalanx_model::Group;
use phalanx_types::OwnershipEpoch;

/// What everything in an active group is done for.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// The group.
    pub group: &'a Group,
    /// The acquisition.
    pub epoch: OwnershipEpoch,
    /// Whether it is complete.
    pub stage: Stage,
}

/// Whether an acquisition was completed before: a failure means something else then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Being acquired.
    Starting,
    /// Acquired.
    Running,
}
