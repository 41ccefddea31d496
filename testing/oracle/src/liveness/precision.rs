//! L1 and L2: in time all healthy nodes have installed one view of just themselves, and install no other after.

use super::Deadline;
use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime};
use phalanx_types::{NodeId, View};
use std::collections::{BTreeMap, BTreeSet};

/// The view of each node.
pub(crate) struct Precision {
    deadline: Deadline,
    views: BTreeMap<NodeId, View>,
}

impl Precision {
    /// Within the time that this cluster may take.
    pub fn new(terms: &Terms) -> Precision {
        Precision { deadline: Deadline::after(terms.settle()), views: BTreeMap::new() }
    }

    fn judge(&mut self, at: GlobalTime) -> Result<(), String> {
        let Some(core) = self.deadline.due(at) else { return Ok(()) };
        let views: Vec<_> = core.iter().map(|node| self.views.get(node)).collect();
        let members = |view: &View| view.members.keys().copied().collect::<BTreeSet<_>>();
        let right = views[0].is_some_and(|first| members(first) == core)
            && views.iter().all(|view| *view == views[0]);
        demand(right, || {
            let view = |view: &&View| format!("{} {:?}", view.id, view.members.keys().collect::<Vec<_>>());
            let views: Vec<_> = views.iter().map(|known| known.as_ref().map(view)).collect();
            format!("{core:?} are well and connected, but in {views:?}")
        })
    }
}

impl Checker for Precision {
    fn property(&self) -> &'static str {
        "L1 precision"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.deadline.see(event);
        self.judge(event.at)?;
        if let Some(install) = event.install() {
            self.views.insert(event.life.node, install.view.clone());
            demand(!self.deadline.over(event.at), || {
                format!("{} installed view {} although all is well", event.life, install.view.id)
            })?;
        }
        if event.ends_life() {
            self.views.remove(&event.life.node);
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
    use phalanx_types::Span;

    const LONG: Span = Span::from_secs(30);

    fn checker() -> Precision {
        Precision::new(&terms())
    }

    fn healed() -> Story {
        Story::new().start(&[1, 2, 3]).install(&[1, 2], 1, &[1, 2], 0).heal(&[1, 2, 3])
    }

    #[test]
    fn all_end_in_one_view() {
        good(checker(), healed().install(&[1, 2, 3], 2, &[1, 2, 3], 1).later(LONG));
        good(
            checker(),
            Story::new().start(&[1, 2]).install(&[1, 2], 1, &[1, 2], 0).heal(&[1, 2]).later(LONG),
        );
    }

    #[test]
    fn one_stays_outside() {
        bad(checker(), healed().later(LONG), "are well and connected");
        bad(checker(), healed().install(&[1, 2], 2, &[1, 2, 3], 1).later(LONG), "None");
    }

    #[test]
    fn there_is_no_rest() {
        let story = healed().install(&[1, 2, 3], 2, &[1, 2, 3], 1).later(LONG);
        bad(checker(), story.install(&[1], 3, &[1, 2, 3], 2), "although all is well");
    }
}
