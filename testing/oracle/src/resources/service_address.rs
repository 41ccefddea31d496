//! R9: a service address is on at most one node.

use crate::checker::{Checker, demand};
use crate::event::{Event, What};
use phalanx_types::{GroupName, NodeId, ResourceName};
use std::collections::BTreeMap;

/// Where each address is.
#[derive(Default)]
pub(crate) struct OneAddress {
    at: BTreeMap<(GroupName, ResourceName), NodeId>,
}

impl Checker for OneAddress {
    fn property(&self) -> &'static str {
        "R9 one address"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        let node = event.life.node;
        if let What::AddressDown { group, resource } = &event.what {
            self.at.remove(&(group.clone(), resource.clone()));
        }
        if let What::AddressUp { group, resource } = &event.what {
            let before = self.at.insert((group.clone(), resource.clone()), node).unwrap_or(node);
            demand(before == node, || format!("{resource} of {group} is on {before} and on {node}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good, group};

    fn up(story: Story, node: u16, name: &str) -> Story {
        story.tell(node, What::AddressUp { group: group("shop"), resource: name.parse().unwrap() })
    }

    fn down(story: Story, node: u16, name: &str) -> Story {
        story.tell(node, What::AddressDown { group: group("shop"), resource: name.parse().unwrap() })
    }

    #[test]
    fn an_address_moves() {
        good(OneAddress::default(), up(down(up(Story::new(), 1, "ip"), 1, "ip"), 2, "ip"));
        good(OneAddress::default(), up(up(Story::new(), 1, "ip"), 2, "other"));
    }

    #[test]
    fn an_address_is_in_two_places() {
        bad(OneAddress::default(), up(up(Story::new(), 1, "ip"), 2, "ip"), "on node 1 and on node 2");
    }

    #[test]
    fn the_wrong_address_was_taken_down() {
        bad(OneAddress::default(), up(down(up(Story::new(), 1, "ip"), 1, "other"), 2, "ip"), "ip of shop");
    }
}
