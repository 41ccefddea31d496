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
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};

    fn apart() -> Story {
        let story = Story::new().start(&[1, 2, 3]).install(&[1], 1, &[1], 0);
        let view = story.view(2, &[2, 3]);
        story.install_as(2, view.clone(), 0, &[2]).install_as(3, view, 0, &[3])
    }

    #[test]
    fn those_who_come_together_are_told_so() {
        good(Transitional::default(), apart().install(&[2, 3], 3, &[2, 3], 2));
        let merged = apart().install(&[1], 3, &[1, 2, 3], 1).install(&[2, 3], 3, &[1, 2, 3], 2);
        good(Transitional::default(), merged);
    }

    #[test]
    fn somebody_from_elsewhere_is_said_to_have_come_along() {
        let story = apart();
        let view = story.view(3, &[1, 2, 3]);
        bad(Transitional::default(), story.install_as(2, view, 2, &[1, 2, 3]), "said to have come along");
    }

    #[test]
    fn somebody_who_came_along_is_left_out() {
        let story = apart();
        let view = story.view(3, &[2, 3]);
        let story = story.install_as(2, view.clone(), 2, &[2, 3]).install_as(3, view, 2, &[3]);
        bad(Transitional::default(), story, "but the first has");
    }
}
