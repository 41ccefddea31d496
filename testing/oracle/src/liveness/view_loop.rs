//! L12: whatever stays broken, nobody goes in a circle: in a world that stands still, a node leaves another out at most once.
//!
//! This is what a one-way link tempts to: who can be heard but hears nothing is left out, asks to be let in, is let in, and is
//! left out again. Whatever was under way when the world last changed is given twice the detection time to show.

use super::changes::Changes;
use super::current::{CurrentViews, nodes};
use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime};
use phalanx_types::{NodeId, Span};
use std::collections::BTreeSet;

/// Who has left out whom since the world has stood still.
pub(crate) struct ViewLoop {
    changes: Changes,
    /// From when on it stands still.
    still: GlobalTime,
    terms: Terms,
    views: CurrentViews,
    left_out: BTreeSet<(NodeId, NodeId)>,
}

impl ViewLoop {
    /// With the detection time of this cluster.
    pub fn new(terms: &Terms) -> ViewLoop {
        ViewLoop {
            changes: Changes::default(),
            still: GlobalTime::default(),
            terms: terms.clone(),
            views: CurrentViews::default(),
            left_out: BTreeSet::new(),
        }
    }

    fn shows(&self) -> Span {
        self.terms.slowest().detect_longest() * 2
    }

    fn judge(&mut self, event: &Event) -> Result<(), String> {
        let (Some(install), me) = (event.install(), event.life.node) else { return Ok(()) };
        let before = self.views.of(me).map(nodes).unwrap_or_default();
        before.difference(&nodes(install.view)).try_for_each(|node| {
            demand(self.left_out.insert((me, *node)), || {
                let since = event.at - self.still;
                format!("{me} leaves out {node} again; nothing has changed for {}", since + self.shows())
            })
        })
    }
}

impl Checker for ViewLoop {
    fn property(&self) -> &'static str {
        "L12 no view loop"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.terms.see(event);
        if self.changes.see(event) {
            self.still = event.at + self.shows();
            self.left_out.clear();
        }
        if event.at > self.still && !self.changes.noisy() {
            self.judge(event)?;
        }
        self.views.see(event);
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::{Story, terms};
    use crate::trial::Trial;

    const LONG: Span = Span::from_secs(30);

    /// Node 1 leaves node 3 out and lets it in again, as view `first` and the one after.
    fn round(story: Story, first: u64) -> Story {
        story.install(&[1, 2], first, &[1, 2], first - 1).install(&[1, 2, 3], first + 1, &[1, 2, 3], first)
    }

    pub(crate) fn trial() -> Trial {
        let one_way = || Story::of(&[1, 2, 3]).links(false);
        let still = || one_way().later(LONG);
        Trial::of(|| ViewLoop::new(&terms()))
            .good("who hears nothing is left out, once", still().install(&[1, 2], 2, &[1, 2], 1).later(LONG))
            .good("each is left out once", round(still(), 2).install(&[1, 3], 4, &[1, 3], 3))
            .good(
                "two leave each other out",
                still().install(&[1, 2], 2, &[1, 2], 1).install(&[3], 3, &[3], 1),
            )
            .good("a link that comes and goes", round(round(still(), 2).links(false).later(LONG), 4))
            .good("what was under way when the world changed", round(round(one_way(), 2), 4).later(LONG))
            .good("chance goes in circles", round(round(one_way().links(true).later(LONG), 2), 4))
            .bad("a loop", round(still(), 2).install(&[1], 4, &[1, 2], 3), "1 leaves out node 3 again")
            .bad("a slow loop", round(round(still(), 2).later(LONG), 4), "1 leaves out node 3 again")
            .bad(
                "a loop of which the others know nothing",
                still().install(&[3], 2, &[3], 1).install(&[3], 3, &[1, 2, 3], 2).install(&[3], 4, &[3], 3),
                "3 leaves out node 1 again",
            )
    }
}
