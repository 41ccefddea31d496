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
mod tests {
    use super::*;
    use crate::story::{Story, bad, good, terms};

    #[test]
    fn configured_nodes_under_their_names() {
        good(Identity::new(&terms()), Story::new().start(&[1]).install(&[1], 1, &[1], 0));
        good(Identity::new(&terms()), Story::new().start(&[1, 3]).install(&[1, 3], 1, &[1, 3], 0));
    }

    #[test]
    fn a_node_that_nobody_configured() {
        bad(Identity::new(&terms()), Story::new().install(&[1], 1, &[1, 9], 0), "not configured");
    }

    #[test]
    fn two_lives_of_one_node() {
        let story = Story::new().start(&[1, 2]);
        let mut view = story.view(1, &[1, 2]);
        let first = view.members[&NodeId(1)];
        view.members.insert(NodeId(2), first);
        bad(Identity::new(&terms()), story.install_as(1, view, 0, &[1]), "lists life 1.1 as node 2");
    }
}
