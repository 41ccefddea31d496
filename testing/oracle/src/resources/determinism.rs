//! R4 (SAME-IN-SAME-OUT): managers in step hold one state and compute one plan from it.

use crate::checker::{Checker, demand};
use crate::event::{Event, What};
use phalanx_events::{ManagerNote, Note};
use phalanx_types::{Digest, ViewId};
use std::collections::BTreeMap;

/// Views whose digests are remembered; members enter a view within moments of each other.
const VIEWS_MAX: usize = 64;

/// R4 remembers the state that each recent view began with.
#[derive(Default)]
pub(crate) struct Determinism {
    begun: BTreeMap<ViewId, Digest>,
}

impl Determinism {
    fn in_step(&mut self, view: ViewId, state: Digest) -> Result<(), String> {
        let first = *self.begun.entry(view).or_insert(state);
        while self.begun.len() > VIEWS_MAX {
            self.begun.pop_first();
        }
        demand(first == state, || {
            format!("another state at the beginning of view {view}: {state:?}, not {first:?}")
        })
    }
}

impl Checker for Determinism {
    fn property(&self) -> &'static str {
        "R4 determinism"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        let What::Note(Note::Manager(note)) = &event.what else { return Ok(()) };
        if let ManagerNote::InStep { view, state, .. } = note {
            return self.in_step(*view, *state);
        }
        let apart = matches!(note, ManagerNote::PlanDiverged { .. } | ManagerNote::StateDiverged { .. });
        demand(!apart, || format!("{} differs from the others: {note:?}", event.life))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};
    use phalanx_events::ShutdownCause;
    use phalanx_types::NodeId;

    fn says(note: ManagerNote) -> Story {
        Story::new().tell(1, What::Note(Note::Manager(note)))
    }

    fn in_step(counter: u64, state: &[u8]) -> What {
        let view = ViewId { counter, coordinator: NodeId(1) };
        What::Note(Note::Manager(ManagerNote::InStep {
            view,
            config: Digest::of(b""),
            state: Digest::of(state),
        }))
    }

    #[test]
    fn they_agree() {
        good(Determinism::default(), says(ManagerNote::ShutdownBegun { cause: ShutdownCause::Asked }));
        let story =
            Story::new().tell(1, in_step(5, b"one")).tell(2, in_step(5, b"one")).tell(2, in_step(6, b"two"));
        good(Determinism::default(), story);
    }

    #[test]
    fn they_differ() {
        let (theirs, ours) = (Digest::of(b"one"), Digest::of(b"other"));
        bad(Determinism::default(), says(ManagerNote::PlanDiverged { theirs, ours }), "1.1 differs");
        let story = Story::new().tell(1, in_step(5, b"one")).tell(2, in_step(5, b"two"));
        bad(Determinism::default(), story, "another state");
    }
}
