//! F3: a node whose lease is over holds nothing: it has let go, or its deadman has acted, within the deadman's bound.

use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime, What};
use phalanx_types::{GroupName, NodeId, Span};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
struct Holder {
    end: GlobalTime,
    groups: BTreeSet<GroupName>,
}

/// What each node holds and until when it may.
pub(crate) struct SelfStop {
    deadman_bound: Span,
    holders: BTreeMap<NodeId, Holder>,
    /// When the first of them must hold nothing any more.
    next: GlobalTime,
}

impl SelfStop {
    /// With the timings of this cluster.
    pub fn new(terms: &Terms) -> SelfStop {
        let (deadman_bound, holders) = (terms.timings.deadman_bound(), BTreeMap::new());
        SelfStop { deadman_bound, holders, next: GlobalTime(u64::MAX) }
    }

    /// Applies a change to one node's entry.
    fn change(&mut self, node: NodeId, change: impl FnOnce(&mut Holder)) {
        change(self.holders.entry(node).or_default());
        let holding = self.holders.values().filter(|holder| !holder.groups.is_empty());
        self.next =
            holding.map(|holder| holder.end).min().unwrap_or(GlobalTime(u64::MAX)) + self.deadman_bound;
    }

    fn check(&self, at: GlobalTime) -> Result<(), String> {
        demand(at <= self.next, || {
            let late = |holder: &Holder| !holder.groups.is_empty() && holder.end + self.deadman_bound < at;
            let (node, holder) = self.holders.iter().find(|(_, holder)| late(holder)).expect("one is late");
            format!("{node} holds {:?} {} after its lease ended", holder.groups, at - holder.end)
        })
    }
}

impl Checker for SelfStop {
    fn property(&self) -> &'static str {
        "F3 self-stop"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.check(event.at)?;
        let node = event.life.node;
        if let What::Fed { until_global, .. } = event.what {
            self.change(node, |holder| holder.end = until_global);
        }
        if let What::HoldBegan { group, .. } = &event.what {
            self.change(node, |holder| holder.groups.extend([group.clone()]));
        }
        if let What::HoldEnded { group, .. } = &event.what {
            self.change(node, |holder| holder.groups.retain(|held| held != group));
        }
        Ok(())
    }

    fn finish(&mut self, at: GlobalTime) -> Result<(), String> {
        self.check(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good, terms};

    const LEASE: Span = Span::from_millis(500);

    fn checker() -> SelfStop {
        SelfStop::new(&terms())
    }

    fn holding() -> Story {
        Story::new().start(&[1, 2]).feed(1, LEASE).hold(1, "shop", 1)
    }

    #[test]
    fn renewed_or_let_go() {
        good(checker(), holding().later(Span::from_millis(400)).feed(1, LEASE).later(Span::from_millis(400)));
        good(checker(), holding().later(LEASE).let_go(1, "shop").later(Span::from_secs(5)));
    }

    #[test]
    fn held_too_long() {
        bad(checker(), holding().later(Span::from_millis(520)), "node 1 holds");
        bad(checker(), holding().later(Span::from_millis(520)).let_go(1, "shop"), "after its lease ended");
    }

    #[test]
    fn held_without_any_lease() {
        bad(checker(), Story::new().later(LEASE).hold(2, "shop", 1).later(LEASE), "node 2 holds");
    }
}
