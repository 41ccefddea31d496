//! L3: in time no healthy node has a dead one in its view.

use super::Deadline;
use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime};
use phalanx_types::{NodeId, Span};
use std::collections::{BTreeMap, BTreeSet};

/// Beyond detection, for agreement.
const AGREEMENT: Span = Span::from_secs(2);

/// The members of each node's view.
pub(crate) struct Completeness {
    deadline: Deadline,
    members: BTreeMap<NodeId, BTreeSet<NodeId>>,
}

impl Completeness {
    /// Within the time that this cluster may take.
    pub fn new(terms: &Terms) -> Completeness {
        let deadline = Deadline::after(terms.timings.detect() + AGREEMENT);
        Completeness { deadline, members: BTreeMap::new() }
    }

    fn judge(&mut self, at: GlobalTime) -> Result<(), String> {
        let Some(core) = self.deadline.due(at) else { return Ok(()) };
        self.members.iter().filter(|(node, _)| core.contains(node)).try_for_each(|(node, members)| {
            demand(members.is_subset(&core), || format!("{node} still has {members:?}; well are {core:?}"))
        })
    }
}

impl Checker for Completeness {
    fn property(&self) -> &'static str {
        "L3 completeness"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.deadline.see(event);
        self.judge(event.at)?;
        if let Some(install) = event.install() {
            self.members.insert(event.life.node, install.view.members.keys().copied().collect());
        }
        if event.ends_life() {
            self.members.remove(&event.life.node);
        }
        Ok(())
    }

    fn finish(&mut self, at: GlobalTime) -> Result<(), String> {
        self.judge(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good, terms};

    fn checker() -> Completeness {
        Completeness::new(&terms())
    }

    fn story() -> Story {
        Story::new().start(&[1, 2, 3]).install(&[1, 2, 3], 1, &[1, 2, 3], 0).crash(3).heal(&[1, 2])
    }

    #[test]
    fn the_dead_are_left_out() {
        good(checker(), story().install(&[1, 2], 2, &[1, 2], 1).later(Span::from_secs(5)));
        good(checker(), story().later(Span::from_secs(2)));
    }

    #[test]
    fn the_dead_are_kept() {
        bad(checker(), story().later(Span::from_secs(3)), "node 1 still has");
    }

    #[test]
    fn one_keeps_the_dead() {
        let story = story().install(&[1], 2, &[1, 2], 1).later(Span::from_secs(3));
        bad(checker(), story, "node 2 still has");
    }
}
