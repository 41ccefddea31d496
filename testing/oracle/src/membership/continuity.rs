//! M7: a primary view counts a majority of the configured nodes, and shares one that counts with the primary before.
//!
//! Where an operator formed the cluster of few, a majority of those is enough, until a majority of all has it that their
//! word is needed no more. Nothing is enough without them before. Their first primary needs to share nobody with the one
//! before: the operator is the witness.

use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, What};
use phalanx_events::{ManagerNote, Note};
use phalanx_types::{Charter, CharterStage, Electorate, NodeId, NodeSet, View, ViewId};
use std::collections::BTreeSet;

/// The newest primary.
pub(crate) struct Continuity {
    all: Electorate,
    /// The latest charter that anybody spoke of.
    charter: Charter,
    newest: Option<(ViewId, BTreeSet<NodeId>)>,
}

impl Continuity {
    /// In this cluster.
    pub fn new(terms: &Terms) -> Continuity {
        let all = Electorate { nodes: terms.nodes.iter().copied().collect(), quorum: terms.majority() };
        Continuity { all, charter: Charter::FIRST, newest: None }
    }
}

impl Continuity {
    /// While the charter closes, some do not know of it yet, and the few are enough for them.
    fn lenient(&self) -> Charter {
        match self.charter.few() {
            Some(few) => self.charter.at(CharterStage::Few(few)),
            None => self.charter,
        }
    }
}

fn counting(view: &View) -> BTreeSet<NodeId> {
    view.members.iter().filter(|(_, member)| member.counts).map(|(node, _)| *node).collect()
}

impl Checker for Continuity {
    fn property(&self) -> &'static str {
        "M7 primary continuity"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let What::Note(Note::Manager(ManagerNote::CharterChanged { charter })) = &event.what {
            if charter.generation > self.charter.generation {
                self.newest = None;
            }
            self.charter = self.charter.merged(*charter);
        }
        let Some(install) = event.install().filter(|install| install.view.primary) else { return Ok(()) };
        let (id, counting) = (install.view.id, counting(install.view));
        let set: NodeSet = counting.iter().copied().collect();
        // A view of before is installed late by some: a majority of all was enough for it.
        let met =
            self.lenient().is_met(set, self.all) || self.newest.as_ref().is_some_and(|(new, _)| id <= *new);
        demand(met, || {
            let (count, quorum, few) = (counting.len(), self.all.quorum, self.charter.few());
            format!("view {id} is primary with {count} of {quorum} needed (formed by {few:?})")
        })?;
        if let Some((before, witnesses)) = &self.newest {
            demand(*before == id || !witnesses.is_disjoint(&counting), || {
                format!("primaries {before} and {id} share no node that counts")
            })?;
        }
        if self.newest.as_ref().is_none_or(|(before, _)| *before < id) {
            self.newest = Some((id, counting));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good, terms};

    fn checker() -> Continuity {
        Continuity::new(&terms())
    }

    #[test]
    fn majorities_overlap() {
        let story = || Story::new().start(&[1, 2, 3]).install(&[1, 2], 1, &[1, 2], 0);
        good(checker(), story().install(&[2, 3], 2, &[2, 3], 1));
        good(checker(), story().install(&[3], 2, &[3], 0).install(&[1, 2, 3], 3, &[1, 2, 3], 1));
    }

    #[test]
    fn a_minority_calls_itself_primary() {
        let story = Story::new().start(&[1]);
        let mut view = story.view(1, &[1]);
        view.primary = true;
        bad(checker(), story.install_as(1, view, 0, &[1]), "1 of 2 needed");
    }

    #[test]
    fn few_decide_where_an_operator_formed_the_cluster_of_them() {
        let set = |nodes: &[u16]| nodes.iter().map(|node| NodeId(*node)).collect();
        let charter = Charter::FIRST.formed_by(set(&[1]), set(&[2, 3]), 1);
        let note = What::Note(Note::Manager(ManagerNote::CharterChanged { charter }));
        let formed =
            || Story::new().start(&[1, 2, 3]).install(&[1, 2, 3], 1, &[1, 2, 3], 0).tell(1, note.clone());
        let view = |story: &Story, counter, nodes: &[u16]| {
            let mut view = story.view(counter, nodes);
            view.primary = true;
            view
        };
        let alone = view(&formed(), 2, &[1]);
        good(checker(), formed().install_as(1, alone, 1, &[1]));
        let others = view(&formed(), 3, &[2, 3]);
        bad(checker(), formed().install_as(2, others, 1, &[2, 3]), "formed by");
    }

    #[test]
    fn quarantined_members_make_no_majority() {
        let story = Story::new().start(&[1, 2]).quarantine(2);
        let mut view = story.view(1, &[1, 2]);
        view.primary = true;
        bad(checker(), story.install_as(1, view, 0, &[1]), "1 of 2 needed");
    }
}
