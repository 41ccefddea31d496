//! G9 (SAFE-DELIVERY): once somebody delivers a safe message within its view, every member of that view delivers it
//! before it installs another one, or dies.

use crate::checker::{Checker, demand};
use crate::event::Event;
use crate::horizon::PerView;
use phalanx_events::Service;
use phalanx_types::{Incarnation, NodeId, ViewId};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
struct Reach {
    members: BTreeSet<Incarnation>,
    /// The highest place delivered as safe within the view, by anybody.
    safe: u64,
    /// The highest place that each member has delivered.
    reached: BTreeMap<NodeId, u64>,
    /// Members that installed a later view.
    left: BTreeSet<NodeId>,
}

impl Reach {
    fn check(&self, view: ViewId, node: NodeId) -> Result<(), String> {
        let reached = self.reached.get(&node).copied().unwrap_or(0);
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
            reach.reached.insert(event.life.node, delivery.sequence);
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
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};
    use phalanx_events::Service::{Agreed, Safe as S};

    fn story() -> Story {
        Story::new().start(&[1, 2, 3]).install(&[1, 2, 3], 1, &[1, 2, 3], 0)
    }

    #[test]
    fn everybody_has_it_or_is_dead() {
        let late = story().deliver(&[1], (1, 1), 1, 1, S).deliver_late(&[2], (1, 1), 1, 1, S);
        good(Safe::default(), late.crash(3).install(&[1, 2], 2, &[1, 2], 1));
        good(Safe::default(), story().deliver(&[1], (1, 1), 1, 1, Agreed).install(&[3], 2, &[3], 1));
    }

    #[test]
    fn somebody_leaves_without_it() {
        bad(
            Safe::default(),
            story().deliver(&[1], (1, 1), 1, 1, S).install(&[3], 2, &[3], 1),
            "node 3 left at 0",
        );
    }

    #[test]
    fn it_is_called_safe_after_somebody_left() {
        let story = story().install(&[3], 2, &[3], 1).deliver(&[1], (1, 1), 1, 1, S);
        bad(Safe::default(), story, "delivered as safe");
    }

    #[test]
    fn a_member_never_came_to_the_view() {
        let story = Story::new().start(&[1, 2]).install(&[1], 1, &[1, 2], 0).deliver(&[1], (1, 1), 1, 1, S);
        bad(Safe::default(), story.install(&[2], 2, &[2], 0), "node 2 left at 0");
    }
}
