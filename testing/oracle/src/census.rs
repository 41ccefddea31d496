//! What happened in a trace, counted: no judgement, only figures (L10 among them).

use crate::event::{Event, What};
use phalanx_events::{ManagerNote, Note};
use phalanx_types::{GroupName, NodeId, ViewId};
use std::collections::{BTreeMap, BTreeSet};

/// Counters over one trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Views installed by at least one node.
    pub views: u64,
    /// Views installed after the first fault.
    pub views_after_faults: u64,
    /// Holds that began on another node than the last hold of that group.
    pub moves: u64,
    /// Acquiring operations that began.
    pub acquisitions: u64,
    /// Ordered messages delivered, counted at each node.
    pub deliveries: u64,
    /// Times the deadman killed what was held.
    pub deadman_kills: u64,
    /// Times the deadman reset a host.
    pub deadman_resets: u64,
    /// Faults by class.
    pub faults: BTreeMap<&'static str, u64>,
    /// Times an operator formed the cluster against the quorum.
    pub formed: u64,
    /// Holds that began while another node held the same group.
    pub dual_owners: u64,
    holding: BTreeSet<(GroupName, NodeId)>,
    seen: BTreeSet<ViewId>,
    holders: BTreeMap<GroupName, NodeId>,
}

impl Census {
    /// Counts one event.
    pub fn see(&mut self, event: &Event) {
        if let Some(install) = event.install()
            && self.seen.insert(install.view.id)
        {
            self.views += 1;
            self.views_after_faults += u64::from(!self.faults.is_empty());
        }
        if let What::HoldBegan { group, .. } = &event.what {
            let node = event.life.node;
            let before = self.holders.insert(group.clone(), node);
            self.moves += u64::from(before.is_some_and(|holder| holder != node));
            self.dual_owners += u64::from(self.holding.iter().any(|(held, by)| held == group && *by != node));
            self.holding.insert((group.clone(), node));
        }
        if let What::HoldEnded { group, .. } = &event.what {
            self.holding.remove(&(group.clone(), event.life.node));
        }
        if let What::Note(Note::Manager(ManagerNote::Formed { .. })) = event.what {
            self.formed += 1;
        }
        if let What::Fault { kind, .. } = event.what {
            *self.faults.entry(kind).or_insert(0) += 1;
        }
        self.acquisitions += u64::from(event.acquisition().is_some());
        self.deliveries += u64::from(event.delivery().is_some());
        self.deadman_kills += u64::from(event.what == What::DeadmanKilled);
        self.deadman_resets += u64::from(event.what == What::DeadmanReset);
    }

    /// Faults of all classes.
    pub fn fault_count(&self) -> u64 {
        self.faults.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Story;

    #[test]
    fn views_and_moves_are_counted_once() {
        let story = Story::new().start(&[1, 2]).install(&[1, 2], 1, &[1, 2], 0).hold(1, "shop", 1);
        let story = story.tell(1, What::Fault { kind: "crash-host", words: String::new() });
        let story = story.install(&[2], 2, &[2], 1).let_go(1, "shop").hold(2, "shop", 2);
        let mut census = Census::default();
        story.events().for_each(|event| census.see(&event));
        assert_eq!((census.views, census.views_after_faults, census.moves), (2, 1, 1));
        assert_eq!(census.fault_count(), 1);
    }
}
