//! L5: what a healthy node sends in the view of just the healthy ones, each of them delivers in time, be it safe or agreed.
//!
//! A message that goes back to its sender, or whose view ends, is not owed: L1 sees to it that no view ends in the end.

use super::Deadline;
use super::current::{CurrentViews, nodes};
use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime, Kind};
use phalanx_events::MessageId;
use phalanx_types::{NodeId, ViewId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A message under way.
struct Owed {
    view: ViewId,
    to: BTreeSet<NodeId>,
}

/// What is owed to whom.
pub(crate) struct DeliveredToAll {
    healed: Deadline,
    views: CurrentViews,
    owed: BTreeMap<(Kind, MessageId), Owed>,
    /// When each must have been delivered, in order.
    due: VecDeque<(GlobalTime, (Kind, MessageId))>,
}

impl DeliveredToAll {
    /// Within the time that this cluster may take.
    pub fn new(terms: &Terms) -> DeliveredToAll {
        DeliveredToAll {
            healed: Deadline::after(terms, Terms::settle),
            views: CurrentViews::default(),
            owed: BTreeMap::new(),
            due: VecDeque::new(),
        }
    }

    fn judge(&mut self, at: GlobalTime) -> Result<(), String> {
        while let Some((_, message)) = self.due.pop_front_if(|(due, _)| *due < at) {
            let late = self.owed.remove(&message);
            demand(late.is_none(), || {
                let missing = late.map(|owed| owed.to).unwrap_or_default();
                format!("{message:?} was not delivered by {missing:?} within {}", self.healed.span())
            })?;
        }
        Ok(())
    }

    fn take(&mut self, event: &Event) {
        let node = event.life.node;
        if let (Some(sending), Some(core)) = (event.sent(), self.healed.core())
            && self.views.of(node).is_some_and(|view| view.id == sending.view && nodes(view) == *core)
        {
            self.owed.insert(sending.message, Owed { view: sending.view, to: core.clone() });
            self.due.push_back((event.at + self.healed.span(), sending.message));
        }
        if let Some(delivery) = event.delivered() {
            self.settle(delivery.message, node);
        }
        if let Some(message) = event.returned() {
            self.owed.remove(&(Kind::Ordered, message));
        }
        if let Some(install) = event.install() {
            self.owed.retain(|_, owed| owed.view >= install.view.id);
        }
    }

    fn settle(&mut self, message: (Kind, MessageId), node: NodeId) {
        if let Some(owed) = self.owed.get_mut(&message) {
            owed.to.remove(&node);
            if owed.to.is_empty() {
                self.owed.remove(&message);
            }
        }
    }
}

impl Checker for DeliveredToAll {
    fn property(&self) -> &'static str {
        "L5 delivered to all"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.healed.see(event);
        self.judge(event.at)?;
        self.take(event);
        self.views.see(event);
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
    use phalanx_events::Service::{Agreed, Safe};
    use phalanx_types::Span;

    const LONG: Span = Span::from_secs(30);

    pub(crate) fn trial() -> Trial {
        let healed = || Story::of(&[1, 2]).heal(&[1, 2]);
        let sent = || healed().send(1, 1, 1, Safe);
        let half = || sent().deliver(&[1], (1, 1), 1, 1, Safe);
        let last = terms().settle() - Span::from_millis(4);
        Trial::of(|| DeliveredToAll::new(&terms()))
            .good("everybody has it", half().deliver(&[2], (1, 1), 1, 1, Safe).later(LONG))
            .good(
                "one has it at the last moment",
                half().later(last).deliver(&[2], (1, 1), 1, 1, Safe).later(LONG),
            )
            .good(
                "its view ended, and it went back",
                sent().install(&[1, 2], 2, &[1, 2], 1).returned(1, 1).later(LONG),
            )
            .good(
                "it was sent before all was well",
                Story::of(&[1, 2]).send(1, 1, 1, Agreed).heal(&[1, 2]).later(LONG),
            )
            .good(
                "it was sent where not all are",
                Story::of(&[1]).start(&[2]).heal(&[1, 2]).send(1, 1, 1, Agreed).later(LONG),
            )
            .bad("nobody has it", sent().later(LONG), "was not delivered by {NodeId(1), NodeId(2)}")
            .bad("the sender alone has it", half().later(LONG), "by {NodeId(2)}")
            .bad(
                "the sender itself lacks it",
                sent().deliver(&[2], (1, 1), 1, 1, Safe).later(LONG),
                "by {NodeId(1)}",
            )
            .bad(
                "one has it too late",
                half().later(LONG).deliver(&[2], (1, 1), 1, 1, Safe),
                "by {NodeId(2)}",
            )
    }
}
