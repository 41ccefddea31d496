//! G9 (SAFE-DELIVERY): once somebody delivers a safe message within its view, every member of that view delivers it
//! before it installs another one, or dies.

use super::reached::Reached;
use crate::checker::{Checker, demand};
use crate::event::Event;
use crate::horizon::PerView;
use phalanx_events::Service;
use phalanx_types::{Incarnation, NodeId, ViewId};
use std::collections::BTreeSet;

#[derive(Default)]
struct Reach {
    members: BTreeSet<Incarnation>,
    /// The highest place delivered as safe within the view, by anybody.
    safe: u64,
    /// The highest place that each member has delivered.
    reached: Reached,
    /// Members that installed a later view.
    left: BTreeSet<NodeId>,
}

impl Reach {
    fn check(&self, view: ViewId, node: NodeId) -> Result<(), String> {
        let reached = self.reached.by(node);
        demand(reached >= self.safe, || {
            format!("place {} of view {view} was delivered as safe, but {node} left at {reached}", self.safe)
        })
    }
}

/// How far each member came in each view.
#[derive(Default)]
pub(crate) struct Safe {
    views: PerView<Reach>,
}

impl Safe {
    fn leave_earlier(&mut self, life: Incarnation, installed: ViewId) -> Result<(), String> {
        for (id, reach) in self.views.iter_mut().filter(|(id, _)| **id < installed) {
            if reach.members.contains(&life) && reach.left.insert(life.node) {
                reach.check(*id, life.node)?;
            }
        }
        Ok(())
    }
}

impl Checker for Safe {
    fn property(&self) -> &'static str {
        "G9 safe delivery"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some(install) = event.install() {
            let members = install.view.members.values().map(|member| member.incarnation);
            self.views.of(install.view.id).members.extend(members);
            self.leave_earlier(event.life, install.view.id)?;
        }
        if let Some(delivery) = event.delivery() {
            let reach = self.views.of(delivery.view);
            reach.reached.advance(event.life.node, &delivery);
            if delivery.service == Service::Safe && !delivery.transitional {
                reach.safe = reach.safe.max(delivery.sequence);
                reach.left.iter().try_for_each(|node| reach.check(delivery.view, *node))?;
            }
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
    use phalanx_events::Service::{Agreed, Safe as S};

    pub(crate) fn trial() -> Trial {
        let three = || Story::of(&[1, 2, 3]);
        let safe = || three().deliver(&[1], (1, 1), 1, 1, S);
        let absent = Story::new().start(&[1, 2]).install(&[1], 1, &[1, 2], 0).deliver(&[1], (1, 1), 1, 1, S);
        Trial::of(Safe::default)
            .good(
                "everybody has it, one with the end of the view, one is dead",
                safe().deliver_late(&[2], (1, 1), 1, 1, S).crash(3).install(&[1, 2], 2, &[1, 2], 1),
            )
            .good(
                "an agreed message promises less",
                three().deliver_agreed(&[1], (1, 1), 1, 1).install(&[3], 2, &[3], 1),
            )
            .good(
                "delivered with the end of the view it promises less too",
                three().deliver_late(&[1], (1, 1), 1, 1, S).install(&[3], 2, &[3], 1),
            )
            .good(
                "what is agreed behind a safe one may be missing",
                safe().deliver(&[3], (1, 1), 1, 1, S).deliver(&[1], (1, 2), 1, 2, Agreed).install(
                    &[3],
                    2,
                    &[3],
                    1,
                ),
            )
            .bad("somebody leaves without it", safe().install(&[3], 2, &[3], 1), "node 3 left at 0")
            .bad(
                "it is called safe after somebody left",
                three().install(&[3], 2, &[3], 1).deliver(&[1], (1, 1), 1, 1, S),
                "delivered as safe",
            )
            .bad(
                "somebody has all but the last",
                safe().deliver(&[3], (1, 1), 1, 1, S).deliver(&[1], (1, 2), 1, 2, S).install(
                    &[3],
                    2,
                    &[3],
                    1,
                ),
                "node 3 left at 1",
            )
            .bad("a member never came to the view", absent.install(&[2], 2, &[2], 0), "node 2 left at 0")
    }
}
