//! R1 (ONE-OWNER): no two nodes hold one group at any instant.

use crate::checker::{Checker, demand};
use crate::event::{Event, What};
use phalanx_types::{GroupName, NodeId};
use std::collections::BTreeMap;

/// Who holds each group.
#[derive(Default)]
pub(crate) struct OneOwner {
    holders: BTreeMap<GroupName, NodeId>,
}

impl Checker for OneOwner {
    fn property(&self) -> &'static str {
        "ONE-OWNER"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        let node = event.life.node;
        if let What::HoldEnded { group, .. } = &event.what {
            self.holders.remove(group);
        }
        if let What::HoldBegan { group, .. } = &event.what {
            let holder = self.holders.insert(group.clone(), node).unwrap_or(node);
            demand(holder == node, || format!("{node} acquires {group}, which {holder} still holds"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};

    #[test]
    fn one_after_the_other() {
        let story = || Story::new().start(&[1, 2]).hold(1, "shop", 1);
        good(OneOwner::default(), story().let_go(1, "shop").hold(2, "shop", 2));
        good(OneOwner::default(), story().hold(2, "mail", 1).torn(1, "shop").hold(2, "shop", 2));
    }

    #[test]
    fn two_at_once() {
        bad(OneOwner::default(), Story::new().hold(1, "shop", 1).hold(2, "shop", 2), "node 1 still holds");
    }

    #[test]
    fn one_returns_while_the_next_holds() {
        let story = Story::new().hold(1, "shop", 1).let_go(1, "shop").hold(2, "shop", 2);
        bad(OneOwner::default(), story.hold(1, "shop", 3), "node 2 still holds");
    }
}
