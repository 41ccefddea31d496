//! M7: a primary view counts a majority of the configured nodes, and shares one that counts with the primary before.
//!
//! Where an operator formed the cluster of few, a majority of those is enough, until a majority of all has it that their
//! word is needed no more. Nothing is enough without them before. Their first primary needs to share nobody with the one
//! before: the operator is the witness.

use super::deciders::Deciders;
use crate::checker::{Checker, Terms, demand};
use crate::event::Event;
use phalanx_types::{NodeSet, ViewId};

/// The newest primary.
pub(crate) struct Continuity {
    deciders: Deciders,
    newest: Option<(ViewId, NodeSet)>,
}

impl Continuity {
    /// In this cluster.
    pub fn new(terms: &Terms) -> Continuity {
        Continuity { deciders: Deciders::new(terms), newest: None }
    }

    /// Whether `id` comes after every primary so far.
    fn is_newest(&self, id: ViewId) -> bool {
        self.newest.as_ref().is_none_or(|(before, _)| *before < id)
    }

    fn judge(&self, id: ViewId, counting: NodeSet) -> Result<(), String> {
        // A view of before is installed late by some: a majority of all was enough for it.
        demand(self.deciders.are_met_by(counting) || !self.is_newest(id), || {
            format!("view {id} is primary with {} of {}", counting.len(), self.deciders.words())
        })?;
        let Some((before, witnesses)) = &self.newest else { return Ok(()) };
        demand(*before == id || witnesses.iter().any(|node| counting.has(node)), || {
            format!("primaries {before} and {id} share no node that counts")
        })
    }
}

impl Checker for Continuity {
    fn property(&self) -> &'static str {
        "M7 primary continuity"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if self.deciders.see(event) {
            self.newest = None;
        }
        let Some(install) = event.install().filter(|install| install.view.primary) else { return Ok(()) };
        let (id, counting) = (install.view.id, install.view.counting());
        self.judge(id, counting)?;
        if self.is_newest(id) {
            self.newest = Some((id, counting));
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::{Story, terms};
    use crate::trial::Trial;

    /// This node, and no other, installs a view that calls itself primary.
    fn primary(story: Story, node: u16, counter: u64, members: &[u16]) -> Story {
        let mut view = story.view(counter, members);
        view.primary = true;
        story.install_as(node, view, 0, &[node])
    }

    fn two() -> Story {
        Story::new().start(&[1, 2, 3]).install(&[1, 2], 1, &[1, 2], 0)
    }

    fn formed() -> Story {
        Story::of(&[1, 2, 3]).form(&[1], &[2, 3])
    }

    pub(crate) fn trial() -> Trial {
        let anew = Story::new().start(&[1, 2, 3]);
        Trial::of(|| Continuity::new(&terms()))
            .good("majorities overlap", two().install(&[2, 3], 2, &[2, 3], 1))
            .good(
                "a view between them is not primary",
                two().install(&[3], 2, &[3], 0).install(&[1, 2, 3], 3, &[1, 2, 3], 1),
            )
            .good(
                "one installs the old primary late",
                two().install(&[1], 2, &[1, 3], 1).install(&[2], 1, &[1, 2], 0),
            )
            .good(
                "few are enough where an operator formed the cluster of them",
                primary(formed(), 1, 2, &[1]),
            )
            .bad("a minority calls itself primary", primary(anew.clone(), 1, 1, &[1]), "1 of 2 needed")
            .bad(
                "a majority of which one is in quarantine",
                primary(anew.quarantine(2), 1, 1, &[1, 2]),
                "1 of 2 needed",
            )
            .bad(
                "the rest of a formed cluster decides without the few",
                primary(formed(), 2, 3, &[2, 3]),
                "Settled(Of",
            )
    }
}
