//! G4 (VIRTUAL-SYNCHRONY): lives that go from one view into the next together delivered the same messages in it.

use crate::checker::{Checker, demand};
use crate::event::{Event, Kind};
use crate::horizon::PerView;
use phalanx_events::MessageId;
use phalanx_types::{NodeId, ViewId};
use std::collections::{BTreeMap, BTreeSet};

type Delivered = BTreeSet<(Kind, MessageId)>;

#[derive(Default)]
struct Side {
    /// What each life has delivered in this view so far.
    delivered: BTreeMap<NodeId, Delivered>,
    /// What those who left for a next view had delivered: the first of them stands for all.
    left: BTreeMap<ViewId, (NodeId, Delivered)>,
}

/// Who delivered what in each view.
#[derive(Default)]
pub(crate) struct VirtualSynchrony {
    views: PerView<Side>,
}

impl VirtualSynchrony {
    fn leave(&mut self, node: NodeId, from: ViewId, to: ViewId) -> Result<(), String> {
        let side = self.views.of(from);
        let mine = side.delivered.remove(&node).unwrap_or_default();
        let (first, theirs) = side.left.entry(to).or_insert_with(|| (node, mine.clone()));
        demand(*theirs == mine, || {
            let odd: Vec<_> = theirs.symmetric_difference(&mine).take(3).collect();
            format!("{first} and {node} went from {from} to {to} together, but not both delivered {odd:?}")
        })
    }
}

impl Checker for VirtualSynchrony {
    fn property(&self) -> &'static str {
        "G4 virtual synchrony"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        let node = event.life.node;
        if let Some(delivery) = event.delivered() {
            self.views.of(delivery.view).delivered.entry(node).or_default().insert(delivery.message);
        }
        if let Some(install) = event.install()
            && install.previous != ViewId::NONE
        {
            self.leave(node, install.previous, install.view.id)?;
        }
        self.views.see(event);
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;
    use phalanx_events::Service::Agreed;

    pub(crate) fn trial() -> Trial {
        // Node 3 lacks what the others have.
        let story = || Story::of(&[1, 2, 3]).deliver_agreed(&[1, 2], (1, 1), 1, 1);
        let all = || story().deliver_late(&[3], (1, 1), 1, 1, Agreed);
        Trial::of(VirtualSynchrony::default)
            .good("companions know the same", story().install(&[1, 2], 2, &[1, 2], 1))
            .good(
                "who lacks something goes another way",
                story().install(&[1, 2], 2, &[1, 2], 1).install(&[3], 3, &[3], 1),
            )
            .bad(
                "one companion lacks a message without an order",
                Story::of(&[1, 2]).tell_all(1, 1, 1).hear(&[1], (1, 1), 1).install(&[1, 2], 2, &[1, 2], 1),
                "not both delivered",
            )
            .good("what was missing comes with the end", all().install(&[1, 2, 3], 2, &[1, 2, 3], 1))
            .good(
                "they meet again by different ways",
                story().install(&[3], 2, &[3], 1).install(&[1, 2], 3, &[1, 2, 3], 1).install(
                    &[3],
                    3,
                    &[1, 2, 3],
                    2,
                ),
            )
            .bad(
                "one companion lacks a message",
                story().install(&[1, 2, 3], 2, &[1, 2, 3], 1),
                "not both delivered",
            )
            .bad(
                "one has one more at the end",
                story().deliver_late(&[2], (3, 1), 1, 2, Agreed).install(&[1, 2], 2, &[1, 2], 1),
                "went from 1/1 to 2/1",
            )
            .bad(
                "as many, but not the same",
                story().deliver_agreed(&[3], (2, 1), 1, 1).install(&[1, 3], 2, &[1, 3], 1),
                "1 and node 3 went",
            )
    }
}
