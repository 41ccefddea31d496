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
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};

    #[test]
    fn ids_grow() {
        good(
            Monotony::default(),
            Story::new().start(&[1]).install(&[1], 1, &[1], 0).install(&[1], 3, &[1], 1),
        );
        let restart = Story::new().start(&[1]).install(&[1], 3, &[1], 0).crash(1).start(&[1]);
        good(Monotony::default(), restart.install(&[1], 4, &[1], 0));
    }

    #[test]
    fn an_id_falls() {
        let story = Story::new().start(&[1]).install(&[1], 3, &[1], 0);
        bad(Monotony::default(), story.install(&[1], 2, &[1], 3), "view 2/1 after view 3/1");
    }

    #[test]
    fn an_id_is_used_again_after_a_restart() {
        let story = Story::new().start(&[1]).install(&[1], 3, &[1], 0).crash(1).start(&[1]);
        bad(Monotony::default(), story.install(&[1], 3, &[1], 0), "1.2 installed view 3/1");
    }
}
