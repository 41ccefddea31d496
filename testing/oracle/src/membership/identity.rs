//! M5: a view holds configured nodes only, each once, each under its own name.

use crate::checker::{Checker, Terms, demand};
use crate::event::Event;
use phalanx_types::NodeId;
use std::collections::BTreeSet;

/// The configured nodes.
pub(crate) struct Identity {
    nodes: BTreeSet<NodeId>,
}

impl Identity {
    /// Of this cluster.
    pub fn new(terms: &Terms) -> Identity {
        Identity { nodes: terms.nodes.clone() }
    }
}

impl Checker for Identity {
    fn property(&self) -> &'static str {
        "M5 identity"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        let Some(install) = event.install() else { return Ok(()) };
        install.view.members.iter().try_for_each(|(node, member)| {
            let (id, life) = (install.view.id, member.incarnation);
            demand(self.nodes.contains(node), || format!("view {id} holds {node}, which is not configured"))?;
            demand(life.node == *node, || format!("view {id} lists life {life} as {node}"))
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::{Story, terms};
    use crate::trial::Trial;

    pub(crate) fn trial() -> Trial {
        let story = || Story::new().start(&[1, 2]);
        let mut twice = story().view(1, &[1, 2]);
        twice.members.insert(NodeId(2), twice.members[&NodeId(1)]);
        let mut swapped = story().view(1, &[1, 2]);
        let (one, two) = (swapped.members[&NodeId(1)], swapped.members[&NodeId(2)]);
        swapped.members.extend([(NodeId(1), two), (NodeId(2), one)]);
        Trial::of(|| Identity::new(&terms()))
            .good("one of the configured nodes", story().install(&[1], 1, &[1], 0))
            .good("all of them, one not started here", story().install(&[1], 1, &[1, 2, 3], 0))
            .good("a later life of a node", story().crash(2).start(&[2]).install(&[1], 1, &[1, 2], 0))
            .bad(
                "a node that nobody configured",
                story().install(&[1], 1, &[1, 9], 0),
                "holds node 9, which is not configured",
            )
            .bad("one life as two nodes", story().install_as(1, twice, 0, &[1]), "lists life 1.1 as node 2")
            .bad(
                "two nodes under each other's names",
                story().install_as(1, swapped, 0, &[1]),
                "lists life 2.1 as node 1",
            )
    }
}
