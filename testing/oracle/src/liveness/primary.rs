//! L4: if the healthy nodes can decide, by what they have heard of who does, then in time each is in a primary view.

use super::Deadline;
use super::current::CurrentViews;
use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime, What};
use phalanx_events::{ManagerNote, Note};
use phalanx_types::{Charter, Electorate, NodeId};
use std::collections::BTreeMap;

/// Who is in a primary view.
pub(crate) struct Primary {
    deadline: Deadline,
    all: Electorate,
    /// What each node has on disk of who decides, as far as it said so.
    charters: BTreeMap<NodeId, Charter>,
    views: CurrentViews,
}

impl Primary {
    /// Within the time that this cluster may take.
    pub fn new(terms: &Terms) -> Primary {
        let deadline = Deadline::after(terms, Terms::settle);
        let all = Electorate { nodes: terms.nodes.iter().copied().collect(), quorum: terms.majority() };
        Primary { deadline, all, charters: BTreeMap::new(), views: CurrentViews::default() }
    }

    fn judge(&mut self, at: GlobalTime) -> Result<(), String> {
        let Some(core) = self.deadline.due(at) else { return Ok(()) };
        let known = core.iter().filter_map(|node| self.charters.get(node));
        let charter = known.copied().fold(Charter::FIRST, Charter::merged);
        if !charter.is_met(core.iter().copied().collect(), self.all) {
            return Ok(());
        }
        let in_primary = |node: &NodeId| self.views.of(*node).is_some_and(|view| view.primary);
        demand(core.iter().all(in_primary), || {
            let primary: Vec<_> = core.iter().filter(|node| in_primary(node)).collect();
            format!("{core:?} can decide, but in a primary view are only {primary:?}")
        })
    }
}

impl Checker for Primary {
    fn property(&self) -> &'static str {
        "L4 primary"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.deadline.see(event);
        self.judge(event.at)?;
        self.views.see(event);
        if let What::Note(Note::Manager(ManagerNote::CharterChanged { charter })) = &event.what {
            self.charters.insert(event.life.node, *charter);
        }
        Ok(())
    }

    fn finish(&mut self, at: GlobalTime) -> Result<(), String> {
        self.judge(at)
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
        let both = || Story::of(&[1, 2]);
        let quarantined = || Story::new().start(&[1, 2]).quarantine(2).install(&[1, 2], 1, &[1, 2], 0);
        Trial::of(|| Primary::new(&terms()))
            .good("a majority acts", both().heal(&[1, 2]).later(LONG))
            .good("few are not asked to", both().install(&[1], 2, &[1], 1).crash(2).heal(&[1]).later(LONG))
            .good(
                "it comes to it at last",
                both()
                    .install(&[1], 2, &[1], 1)
                    .install(&[2], 2, &[2], 1)
                    .heal(&[1, 2])
                    .later(Span::from_secs(6))
                    .install(&[1, 2], 3, &[1, 2], 2)
                    .later(LONG),
            )
            .bad(
                "a majority has no view",
                Story::new().start(&[1, 2]).heal(&[1, 2]).later(LONG),
                "can decide",
            )
            .bad("a quarantine never ends", quarantined().heal(&[1, 2]).later(LONG), "only []")
            .bad(
                "one of them is elsewhere",
                both().install(&[2], 2, &[2], 1).heal(&[1, 2]).later(LONG),
                "only [NodeId(1)]",
            )
            .bad(
                "one of them has forgotten it",
                both().heal(&[1, 2]).crash_daemon(1).start(&[1]).later(LONG),
                "only [NodeId(2)]",
            )
    }
}
