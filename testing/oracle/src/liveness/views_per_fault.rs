//! L10: what befalls the cluster makes no node install more than two views, and what befalls nobody makes none.
//!
//! Two are what a change costs at worst, at each node: it goes to one part and then to a better one. Across the cluster there
//! may be as many as there are parts: a dead switch makes one for each node. What overlaps is charged to the oldest.
//! Where chance decides what the networks carry, each lost beat is a change that nobody tells of: then nothing is
//! charged, nor while what came of it may still show.

use super::changes::Changes;
use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime};
use phalanx_types::{NodeId, Span};
use std::collections::{BTreeMap, VecDeque};

/// Views that one change may cost each node.
const VIEWS_MAX: u32 = 2;
/// So many detection times a change may show: a node stalls for two, is shunned for four, and that is noticed and agreed.
const SHOWS_DETECTS: u64 = 8;

/// A change, and how many views of each node were charged to it.
struct Change {
    at: GlobalTime,
    views: BTreeMap<NodeId, u32>,
}

impl Change {
    fn charge(&mut self, node: NodeId) -> bool {
        let views = self.views.entry(node).or_insert(0);
        let bears = *views < VIEWS_MAX;
        *views += u32::from(bears);
        bears
    }
}

/// What befell the cluster of late.
pub(crate) struct ViewsPerFault {
    changes: Changes,
    terms: Terms,
    of_late: VecDeque<Change>,
    /// Until when chance, or what came of it, may make views.
    chance_until: GlobalTime,
}

impl ViewsPerFault {
    /// With the timings of this cluster.
    pub fn new(terms: &Terms) -> ViewsPerFault {
        let (changes, of_late) = (Changes::default(), VecDeque::new());
        ViewsPerFault { changes, terms: terms.clone(), of_late, chance_until: GlobalTime::default() }
    }

    fn shows(&self) -> Span {
        self.terms.settle().max(self.terms.slowest().detect_longest() * SHOWS_DETECTS)
    }

    fn charge(&mut self, node: NodeId, at: GlobalTime) -> Result<(), String> {
        let shows = self.shows();
        while self.of_late.pop_front_if(|change| change.at + shows < at).is_some() {}
        let charged = self.of_late.iter_mut().any(|change| change.charge(node));
        demand(charged, || {
            let count = self.of_late.len() as u32;
            format!("more than {} of {node} for {count} changes within {shows}", count * VIEWS_MAX)
        })
    }
}

impl Checker for ViewsPerFault {
    fn property(&self) -> &'static str {
        "L10 views per fault"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.terms.see(event);
        let was_noisy = self.changes.noisy();
        if self.changes.see(event) {
            self.of_late.push_back(Change { at: event.at, views: BTreeMap::new() });
        }
        if was_noisy || self.changes.noisy() {
            self.chance_until = event.at + self.shows();
        }
        match event.install().filter(|_| event.at > self.chance_until) {
            Some(install) => self
                .charge(event.life.node, event.at)
                .map_err(|words| format!("view {} is one too many: {words}", install.view.id)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::{Story, terms};
    use crate::trial::Trial;

    const LONG: Span = Span::from_secs(30);

    pub(crate) fn trial() -> Trial {
        let calm = || Story::of(&[1, 2, 3]).later(LONG);
        let crash = || calm().crash(3).install(&[1, 2], 2, &[1, 2], 1);
        let parts =
            calm().links(false).install(&[1], 2, &[1], 1).install(&[2], 3, &[2], 1).install(&[3], 4, &[3], 1);
        let noise =
            |story: Story| (2..9).fold(story, |story, view| story.install(&[1], view, &[1, 2, 3], view - 1));
        Trial::of(|| ViewsPerFault::new(&terms()))
            .good(
                "a crash makes one view, a boot another",
                crash().later(LONG).start(&[3]).install(&[1, 2, 3], 3, &[1, 2, 3], 2),
            )
            .good(
                "a node goes to one part and then to a better one",
                calm().links(false).install(&[1], 2, &[1], 1).install(&[1, 2], 3, &[1, 2], 2),
            )
            .good("a dead switch makes a view for each node", parts)
            .good(
                "two faults at once may make four",
                calm()
                    .crash(3)
                    .links(false)
                    .install(&[1], 2, &[1, 2], 1)
                    .install(&[1], 3, &[1], 2)
                    .install(&[1], 4, &[1, 2], 3)
                    .install(&[1], 5, &[1], 4),
            )
            .good("chance makes as many as it likes", noise(calm().links(true)))
            .good("what chance left behind takes its time", noise(calm().links(true).links(false)))
            .bad(
                "a view out of nothing",
                calm().install(&[1], 2, &[1, 2], 1),
                "view 2/1 is one too many: more than 0",
            )
            .bad(
                "a third view for one fault",
                crash().install(&[1], 3, &[1, 2], 2).install(&[1], 4, &[1, 2], 3),
                "view 4/1 is one too many",
            )
            .bad(
                "an old fault is no excuse",
                crash().later(LONG).install(&[1, 2], 3, &[1, 2], 2),
                "more than 0",
            )
            .bad(
                "chance is no excuse for ever",
                noise(calm().links(true).links(false).later(LONG)),
                "more than 0",
            )
            .bad(
                "noise that is long over is none either",
                noise(calm().links(true).links(false).later(LONG).crash(3)),
                "view 4/1 is one too many",
            )
    }
}
