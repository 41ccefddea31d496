//! M2: the ids of the views that a node installs grow, also from one life to the next.

use crate::checker::{Checker, demand};
use crate::event::Event;
use phalanx_types::{NodeId, ViewId};
use std::collections::BTreeMap;

/// The last view of each node.
#[derive(Default)]
pub(crate) struct Monotony {
    last: BTreeMap<NodeId, ViewId>,
}

impl Checker for Monotony {
    fn property(&self) -> &'static str {
        "M2 local monotonicity"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        let Some(install) = event.install() else { return Ok(()) };
        let last = self.last.insert(event.life.node, install.view.id).unwrap_or(ViewId::NONE);
        demand(last < install.view.id, || {
            format!("{} installed view {} after view {last}", event.life, install.view.id)
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;

    pub(crate) fn trial() -> Trial {
        let third = || Story::new().start(&[1, 2]).install(&[1], 3, &[1], 0);
        let rival = |story: &Story, coordinator| {
            let mut view = story.view(3, &[1]);
            view.id.coordinator = NodeId(coordinator);
            view
        };
        let (higher, lower) = (rival(&third(), 2), rival(&third(), 0));
        Trial::of(Monotony::default)
            .good("ids leap", third().install(&[1], 9, &[1], 3))
            .good("another node is behind", third().install(&[2], 2, &[2], 0))
            .good(
                "a new life goes on where the old one was",
                third().crash(1).start(&[1]).install(&[1], 4, &[1], 0),
            )
            .good("two coordinators at one counter", third().install_as(1, higher, 3, &[1]))
            .bad("an id falls", third().install(&[1], 2, &[1], 3), "view 2/1 after view 3/1")
            .bad(
                "a new life uses an id again",
                third().crash(1).start(&[1]).install(&[1], 3, &[1], 0),
                "1.2 installed view 3/1",
            )
            .bad(
                "a counter stands still and the coordinator falls",
                third().install_as(1, lower, 3, &[1]),
                "view 3/0 after view 3/1",
            )
    }
}
