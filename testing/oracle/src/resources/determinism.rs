//! R4 (SAME-IN-SAME-OUT): managers in step hold one state and compute one plan from it.

use crate::checker::{Checker, demand};
use crate::event::{Event, What};
use phalanx_events::{ManagerNote, Note};

/// R4 needs no memory: the managers compare, and say what they find.
pub(crate) struct Determinism;

impl Checker for Determinism {
    fn property(&self) -> &'static str {
        "R4 determinism"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        let What::Note(Note::Manager(note)) = &event.what else { return Ok(()) };
        let apart = matches!(note, ManagerNote::PlanDiverged { .. } | ManagerNote::StateDiverged { .. });
        demand(!apart, || format!("{} differs from the others: {note:?}", event.life))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};
    use phalanx_types::{Digest, NodeId};

    fn says(note: ManagerNote) -> Story {
        Story::new().tell(1, What::Note(Note::Manager(note)))
    }

    #[test]
    fn they_agree() {
        good(Determinism, says(ManagerNote::ShutdownBegun));
        good(Determinism, says(ManagerNote::StateAdopted { from: NodeId(2), digest: Digest::of(b"one") }));
    }

    #[test]
    fn they_differ() {
        let (theirs, ours) = (Digest::of(b"one"), Digest::of(b"other"));
        bad(Determinism, says(ManagerNote::PlanDiverged { theirs, ours }), "1.1 differs");
        bad(Determinism, says(ManagerNote::StateDiverged { from: NodeId(2), ours, theirs }), "StateDiverged");
    }
}
