//! L2: once all has settled, no healthy node leaves a healthy one out: it neither agrees to a view without it nor
//! installs one.

use super::Deadline;
use super::current::nodes;
use crate::checker::{Checker, Terms, demand};
use crate::event::Event;
use phalanx_events::MembershipNote;
use phalanx_types::{NodeId, ViewId};
use std::collections::BTreeSet;

/// L2 needs to know who is well.
pub(crate) struct Accuracy {
    deadline: Deadline,
}

impl Accuracy {
    /// From when this cluster must have settled.
    pub fn new(terms: &Terms) -> Accuracy {
        Accuracy { deadline: Deadline::after(terms, Terms::settle) }
    }

    fn judge(&self, node: NodeId, id: ViewId, members: &BTreeSet<NodeId>) -> Result<(), String> {
        let core = self.deadline.core().filter(|core| core.contains(&node));
        demand(core.is_none_or(|core| core.is_subset(members)), || {
            format!("{node} agrees to view {id} of {members:?}, although {core:?} are well")
        })
    }
}

impl Checker for Accuracy {
    fn property(&self) -> &'static str {
        "L2 accuracy"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.deadline.see(event);
        if !self.deadline.over(event.at) {
            return Ok(());
        }
        if let Some(MembershipNote::ViewAccepted { id, members }) = event.membership() {
            self.judge(event.life.node, *id, members)?;
        }
        match event.install() {
            Some(install) => self.judge(event.life.node, install.view.id, &nodes(install.view)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::{Story, terms};
    use crate::trial::Trial;
    use phalanx_types::Span;

    const LONG: Span = Span::from_secs(30);

    pub(crate) fn trial() -> Trial {
        let healed = || Story::of(&[1, 2, 3]).heal(&[1, 2, 3]);
        let without_3 = || Story::of(&[1, 2, 3]).heal(&[1, 2]).later(LONG);
        Trial::of(|| Accuracy::new(&terms()))
            .good(
                "all are kept",
                healed().later(LONG).accept(1, 2, &[1, 2, 3]).install(&[1], 2, &[1, 2, 3], 1),
            )
            .good(
                "one is left out while all settles",
                healed().accept(1, 2, &[1, 2]).install(&[1, 2], 2, &[1, 2], 1).later(LONG),
            )
            .good(
                "who is not well may be left out",
                without_3().accept(1, 2, &[1, 2]).install(&[1, 2], 2, &[1, 2], 1),
            )
            .good(
                "who is not well may think what it likes",
                without_3().accept(3, 2, &[3]).install(&[3], 2, &[3], 1),
            )
            .bad(
                "one agrees to leave another out, and nothing comes of it",
                healed().later(LONG).accept(2, 2, &[1, 2]),
                "2 agrees to view 2/1",
            )
            .bad("one is left out", healed().later(LONG).install(&[1], 2, &[1, 2], 1), "1 agrees to view 2/1")
            .bad(
                "one goes its own way",
                healed().later(LONG).install(&[3], 2, &[3], 1),
                "3 agrees to view 2/1",
            )
    }
}
