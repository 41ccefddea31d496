//! How far the timings of a cluster are stretched, and what a node keeps of that on disk.
//!
//! A member that stood still for longer than the timings forgive says so in order; all members then go by a longer step of
//! the ladder. Which record holds where two are known is decided here; what is safe does not depend on it, for each grant
//! says how long it is for.

use crate::id::{NodeId, ViewId};
use crate::time::Span;
use minicbor::{Decode, Encode};
use serde::Serialize;

/// A step of the ladder of timings: 0 is what is configured, and each step detects later and leases longer than the one
/// below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Step(#[n(0)] pub u8);

/// That a node stood still: more of its own time passed between two wakenings than was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Stall {
    /// The node.
    #[n(0)]
    pub node: NodeId,
    /// For how long.
    #[n(1)]
    pub length: Span,
}

/// How far the timings are stretched by agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Stretch {
    /// The step that all are to go by.
    #[n(0)]
    pub step: Step,
    /// Counts the changes there were.
    #[n(1)]
    pub changes: u64,
    /// The view in which it was changed last.
    #[n(2)]
    pub view: ViewId,
    /// The stall for which they were stretched last; none since they last shrank.
    #[n(3)]
    pub stall: Option<Stall>,
}

/// What a node keeps on disk of the timings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StretchRecord {
    /// What was agreed, as far as it knows.
    #[n(0)]
    pub stretch: Stretch,
    /// No promise that it made and that may still run was longer than this; zero while they never were but as configured.
    #[n(1)]
    pub lease_max: Span,
    /// The longest stall of its own that it has not said in order yet.
    #[n(2)]
    pub untold: Option<Span>,
}

impl Step {
    /// What the cluster file says.
    pub const CONFIGURED: Step = Step(0);

    /// The step below; of the lowest, itself.
    #[must_use]
    pub fn lower(self) -> Step {
        Step(self.0.saturating_sub(1))
    }
}

impl StretchRecord {
    /// That of a cluster whose timings never were but as configured.
    pub const FIRST: StretchRecord =
        StretchRecord { stretch: Stretch::FIRST, lease_max: Span::ZERO, untold: None };
}

impl Stretch {
    /// As configured, and never changed.
    pub const FIRST: Stretch =
        Stretch { step: Step::CONFIGURED, changes: 0, view: ViewId::NONE, stall: None };

    /// The next agreement, made in `view`.
    #[must_use]
    pub fn changed(self, view: ViewId, step: Step, stall: Option<Stall>) -> Stretch {
        Stretch { step, changes: self.changes + 1, view, stall }
    }

    /// The one of the two that holds: the later.
    #[must_use]
    pub fn merged(self, other: Stretch) -> Stretch {
        if self.rank() >= other.rank() { self } else { other }
    }

    /// Of two the higher is the later.
    pub fn rank(&self) -> (u64, ViewId) {
        (self.changes, self.view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_agreement_holds_whether_it_is_longer_or_shorter() {
        let view = |counter| ViewId { counter, coordinator: NodeId(1) };
        let longer = Stretch::FIRST.changed(view(3), Step(2), None);
        let shorter = longer.changed(view(4), Step(1), None);
        assert_eq!(longer.merged(shorter), shorter);
        assert_eq!(Stretch::FIRST.merged(longer), longer);
        let elsewhere = Stretch::FIRST.changed(view(4), Step(1), None);
        assert_eq!(longer.merged(elsewhere), elsewhere, "of equally many changes that of the later view");
    }
}
