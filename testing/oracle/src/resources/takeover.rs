//! F1 (PROOF-FIRST): nobody acquires a group from a holder that was torn away before that holder's last lease is over,
//! deadman included, or its host has booted again.

use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime, HoldEnd, What};
use phalanx_types::{GroupName, NodeId, OperationResult, Span};
use std::collections::BTreeMap;

/// Who was torn from each group, and until when each node's lease runs.
pub(crate) struct Takeover {
    deadman_bound: Span,
    lease_end: BTreeMap<NodeId, GlobalTime>,
    torn: BTreeMap<GroupName, NodeId>,
}

impl Takeover {
    /// With the timings of this cluster.
    pub fn new(terms: &Terms) -> Takeover {
        let deadman_bound = terms.timings.deadman_bound();
        Takeover { deadman_bound, lease_end: BTreeMap::new(), torn: BTreeMap::new() }
    }

    fn check(&mut self, taker: NodeId, group: &GroupName, at: GlobalTime) -> Result<(), String> {
        let Some(holder) = self.torn.remove(group).filter(|holder| *holder != taker) else { return Ok(()) };
        let end = self.lease_end.get(&holder).copied().unwrap_or_default() + self.deadman_bound;
        demand(at >= end, || {
            format!("{taker} takes {group} {} before the last lease of {holder} is over", end - at)
        })
    }
}

impl Checker for Takeover {
    fn property(&self) -> &'static str {
        "F1 takeover"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        let node = event.life.node;
        if let What::Fed { until_global, .. } = event.what {
            self.lease_end.insert(node, until_global);
        }
        if let What::Started { .. } = event.what {
            // A daemon that is back can speak for its host, and a new boot speaks for itself.
            self.torn.retain(|_, holder| *holder != node);
        }
        if let What::OperationEnded { operation, result: OperationResult::Inactive } = &event.what {
            // It has looked itself and can say so.
            self.torn.retain(|group, holder| *holder != node || *group != operation.group);
        }
        if let What::HoldEnded { group, by } = &event.what {
            match by {
                HoldEnd::Torn => self.torn.insert(group.clone(), node),
                HoldEnd::LetGo => self.torn.remove(group),
            };
        }
        if let What::HoldBegan { group, .. } = &event.what {
            return self.check(node, group, event.at);
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::{Story, terms};
    use crate::trial::Trial;

    const LEASE: Span = Span::from_millis(500);

    /// Node 1 holds shop when its host dies.
    fn torn() -> Story {
        Story::new().start(&[1, 2]).feed(1, LEASE).hold(1, "shop", 1).crash(1).torn(1, "shop")
    }

    pub(crate) fn trial() -> Trial {
        let bound = terms().timings.deadman_bound();
        let held = || Story::new().start(&[1, 2]).feed(1, LEASE).hold(1, "shop", 1);
        let renewed = held().later(LEASE / 2).feed(1, LEASE).crash(1).torn(1, "shop");
        let milli = Span::from_millis(1);
        Trial::of(|| Takeover::new(&terms()))
            .good(
                "after the lease and the deadman's bound, to the millisecond",
                torn().later(LEASE + bound - milli * 4).later(milli).hold(2, "shop", 2),
            )
            .good(
                "at once where the holder's daemon is back and says so",
                torn().start(&[1]).hold(2, "shop", 2),
            )
            .good("at once where it was let go", held().let_go(1, "shop").hold(2, "shop", 2))
            .good("at once by the one who lost it", torn().hold(1, "shop", 2))
            .bad("on an announcement", torn().hold(2, "shop", 2), "before the last lease of node 1 is over")
            .bad(
                "before the deadman must have acted",
                torn().later(LEASE - milli * 2).hold(2, "shop", 2),
                "node 2 takes shop",
            )
            .bad(
                "by the lease of before the last renewal",
                renewed.later(LEASE / 2 + bound).hold(2, "shop", 2),
                "node 2 takes shop",
            )
    }
}
