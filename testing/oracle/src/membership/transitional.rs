//! M9: a transitional set holds members of both views, and just those that truly came along.

use crate::checker::{Checker, demand};
use crate::event::{Event, Install};
use crate::horizon::PerView;
use phalanx_types::{NodeId, View, ViewId};
use std::collections::{BTreeMap, BTreeSet};

/// One installation of a view.
struct Arrival {
    previous: ViewId,
    transitional: BTreeSet<NodeId>,
}

#[derive(Default)]
struct Arrivals {
    view: Option<View>,
    by_node: BTreeMap<NodeId, Arrival>,
}

/// Who came into each view from where.
#[derive(Default)]
pub(crate) struct Transitional {
    views: PerView<Arrivals>,
}

impl Transitional {
    fn check_members(&self, event: &Event, install: &Install<'_>) -> Result<(), String> {
        let before = self.views.get(install.previous).and_then(|known| known.view.as_ref());
        let stayed = |node: &NodeId| {
            let life = install.view.members.get(node).map(|member| member.incarnation);
            life.is_some_and(|life| life == event.life || before.is_some_and(|view| view.has_life(life)))
        };
        install.transitional.iter().try_for_each(|node| {
            demand(stayed(node), || {
                let (from, to) = (install.previous, install.view.id);
                format!("{}: {node} is said to have come along from {from} to {to}", event.life)
            })
        })
    }
}

/// `q` is in `p`'s set just if both came from one view; a first view comes from nowhere.
fn check_pair(p: (NodeId, &Arrival), q: (NodeId, &Arrival)) -> Result<(), String> {
    let together = p.0 == q.0 || (p.1.previous == q.1.previous && p.1.previous != ViewId::NONE);
    demand(p.1.transitional.contains(&q.0) == together, || {
        let (from_p, from_q) = (p.1.previous, q.1.previous);
        format!("{} came from {from_p}, {} from {from_q}, but the first has {:?}", p.0, q.0, p.1.transitional)
    })
}

impl Checker for Transitional {
    fn property(&self) -> &'static str {
        "M9 transitional set"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some(install) = event.install() {
            self.check_members(event, &install)?;
            let node = event.life.node;
            let arrivals = self.views.of(install.view.id);
            arrivals.view.get_or_insert_with(|| install.view.clone());
            let arrival = Arrival { previous: install.previous, transitional: install.transitional.clone() };
            arrivals.by_node.insert(node, arrival);
            let mine = &arrivals.by_node[&node];
            for (other, theirs) in &arrivals.by_node {
                check_pair((node, mine), (*other, theirs))?;
                check_pair((*other, theirs), (node, mine))?;
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

    /// Node 1 is alone in view 1; nodes 2 and 3 came to view 2 from nowhere, each by itself.
    fn apart() -> Story {
        let story = Story::new().start(&[1, 2, 3]).install(&[1], 1, &[1], 0);
        let view = story.view(2, &[2, 3]);
        story.install_as(2, view.clone(), 0, &[2]).install_as(3, view, 0, &[3])
    }

    pub(crate) fn trial() -> Trial {
        let merged = || apart().view(3, &[1, 2, 3]);
        let pair = || apart().view(3, &[2, 3]);
        let restarted = apart().crash(3).start(&[3]);
        let again = restarted.view(3, &[2, 3]);
        Trial::of(Transitional::default)
            .good("two come along together", apart().install(&[2, 3], 3, &[2, 3], 2))
            .good(
                "two sides merge",
                apart().install(&[1], 3, &[1, 2, 3], 1).install(&[2, 3], 3, &[1, 2, 3], 2),
            )
            .good(
                "a fellow that crashed in between was still with us",
                apart().install_as(2, pair(), 2, &[2, 3]).crash(3),
            )
            .good("a first view comes from nowhere, alone", apart())
            .bad(
                "somebody from elsewhere is said to have come along",
                apart().install_as(2, merged(), 2, &[1, 2, 3]),
                "node 1 is said to have come along",
            )
            .bad(
                "somebody who came along is left out",
                apart().install_as(2, pair(), 2, &[2, 3]).install_as(3, pair(), 2, &[3]),
                "but the first has",
            )
            .bad(
                "a new life is said to have come along",
                restarted.install_as(2, again, 2, &[2, 3]),
                "node 3 is said to have come along",
            )
    }
}
