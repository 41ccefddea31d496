//! R2: the ownership epochs that a shared disk sees never fall, and one epoch is one node's.

use crate::checker::{Checker, demand};
use crate::event::{Event, What};
use phalanx_types::{GroupName, NodeId, OwnershipEpoch};
use std::collections::BTreeMap;

/// The last writer of each group.
#[derive(Default)]
pub(crate) struct DataPlane {
    last: BTreeMap<GroupName, (OwnershipEpoch, NodeId)>,
}

impl Checker for DataPlane {
    fn property(&self) -> &'static str {
        "R2 data plane"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        let What::DiskWrite { group, epoch } = &event.what else { return Ok(()) };
        let node = event.life.node;
        let Some((last, writer)) = self.last.get_mut(group) else {
            self.last.insert(group.clone(), (*epoch, node));
            return Ok(());
        };
        demand(*epoch >= *last, || {
            format!("{node} wrote to {group} with epoch {epoch} after {writer} with {last}")
        })?;
        demand(*epoch > *last || node == *writer, || {
            format!("{node} and {writer} both wrote to {group} with epoch {epoch}")
        })?;
        (*last, *writer) = (*epoch, node);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};

    #[test]
    fn epochs_grow() {
        good(DataPlane::default(), Story::new().write(1, "shop", 1).write(1, "shop", 1).write(2, "shop", 5));
        good(DataPlane::default(), Story::new().write(1, "shop", 9).write(2, "mail", 1).write(1, "shop", 9));
    }

    #[test]
    fn an_old_owner_writes_late() {
        let story = Story::new().write(1, "shop", 1).write(2, "shop", 2);
        bad(DataPlane::default(), story.write(1, "shop", 1), "epoch 1 after node 2 with 2");
    }

    #[test]
    fn two_nodes_share_an_epoch() {
        bad(DataPlane::default(), Story::new().write(1, "shop", 1).write(2, "shop", 1), "both wrote");
    }
}
