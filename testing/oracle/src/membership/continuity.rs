//! M7: a primary view counts a majority of the configured nodes, and shares one that counts with the primary before.

use crate::checker::{Checker, Terms, demand};
use crate::event::Event;
use phalanx_types::{NodeId, View, ViewId};
use std::collections::BTreeSet;

/// The newest primary.
pub(crate) struct Continuity {
    majority: usize,
    newest: Option<(ViewId, BTreeSet<NodeId>)>,
}

impl Continuity {
    /// In this cluster.
    pub fn new(terms: &Terms) -> Continuity {
        Continuity { majority: terms.majority(), newest: None }
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
        let Some(install) = event.install().filter(|install| install.view.primary) else { return Ok(()) };
        let (id, counting) = (install.view.id, counting(install.view));
        demand(counting.len() >= self.majority, || {
            format!("view {id} is primary with {} of {} needed", counting.len(), self.majority)
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
    fn quarantined_members_make_no_majority() {
        let story = Story::new().start(&[1, 2]).quarantine(2);
        let mut view = story.view(1, &[1, 2]);
        view.primary = true;
        bad(checker(), story.install_as(1, view, 0, &[1]), "1 of 2 needed");
    }
}
