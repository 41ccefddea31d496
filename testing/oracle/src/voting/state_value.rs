//! V5: a group's state value becomes what was proposed when that is approved, and changes by nothing else.

use super::{Seat, heard, leaves};
use crate::checker::{Checker, demand};
use crate::event::Event;
use phalanx_groups::domain::{Notice, StateValue};
use std::collections::BTreeMap;

/// The state value as each provider knows it.
#[derive(Default)]
pub(crate) struct StateChanges {
    known: BTreeMap<Seat, StateValue>,
}

impl Checker for StateChanges {
    fn property(&self) -> &'static str {
        "V5 state value"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.known.retain(|seat, _| !leaves(event, seat));
        let Some((seat, notice)) = heard(event) else { return Ok(()) };
        let (proposed, standing) = match notice {
            Notice::Approved { proposal, standing, .. } => (proposal.state.as_ref(), standing),
            Notice::Rejected { standing, .. } => (None, standing),
            Notice::Phase { .. }
            | Notice::Silent { .. }
            | Notice::Refused(_)
            | Notice::Changed { .. }
            | Notice::Deactivate(_)
            | Notice::Responsiveness { .. }
            | Notice::Dissolved => return Ok(()),
        };
        let known = match standing.members.contains(&seat.provider) {
            true => self.known.insert(seat.clone(), standing.state.clone()),
            false => self.known.remove(&seat),
        };
        let expected = proposed.or(known.as_ref());
        demand(expected.is_none_or(|expected| *expected == standing.state), || {
            format!("{seat} finds {:?} where {expected:?} should be", standing.state)
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;

    pub(crate) fn trial() -> Trial {
        let valued = || Story::new().valued(1, 7, "a");
        Trial::of(StateChanges::default)
            .good("nothing else changes it", valued().approved_at(1, 8, "a"))
            .good("a newcomer finds what there is", Story::new().approved_at(1, 7, "new").valued(1, 8, "b"))
            .good("another domain has another", valued().dissolved(1).approved_at(1, 1, "b"))
            .good("a group made anew has another", valued().group_dissolved(1).approved_at(1, 8, "b"))
            .bad("it changes by itself", valued().approved_at(1, 8, "b"), "should be")
            .bad("it changes by what was rejected", valued().rejected(1, 8), "should be")
            .bad("it becomes something else", Story::new().amended(1, 7, "asked", "got"), "should be")
    }
}
