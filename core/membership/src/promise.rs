//! What this node has promised to others: to take no part in taking over from them, and until when.
//!
//! A promise is made by granting a beat and cannot be taken back. A node that restarts has forgotten its promises, so it
//! begins by promising everybody the longest lease that was ever in force. What other members of a new view promised is
//! learnt from its flushes: the longest promise of any member that counts stands for all.

use crate::proof::{Expiry, ProofKind};
use phalanx_types::{Bug, NodeId, NodeSet, Plot, ProofClass, Span, Tick, Timings};
use std::collections::BTreeMap;

/// What an expired promise proves of whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grounds {
    /// The class of proof that an expired lease gives.
    pub class: ProofClass,
    /// Nodes that are down by an operator's word: others than those here may have granted them leases.
    pub confirmed_down: NodeSet,
}

/// The book of promises.
#[derive(Clone, Debug)]
pub(crate) struct Promises {
    until: BTreeMap<NodeId, Tick>,
    plot: Plot,
}

impl Promises {
    /// The book of a node that started at `now` and whose earlier lives may have granted leases up to `lease_max`.
    pub fn new(now: Tick, others: impl IntoIterator<Item = NodeId>, lease_max: Span, plot: Plot) -> Promises {
        let until = now + lease_max.stretched();
        Promises { until: others.into_iter().map(|node| (node, until)).collect(), plot }
    }

    /// A beat of `node` that was received at `received` is granted.
    pub fn make(&mut self, node: NodeId, received: Tick, timings: &Timings) {
        let part = if self.plot.has(Bug::PromiseTooShort) { 2 } else { 1 };
        self.extend(node, received + timings.promise() / part);
    }

    /// Another member's promise toward `node` has `left` to run.
    pub fn learn(&mut self, now: Tick, node: NodeId, left: Span) {
        if !self.plot.has(Bug::ForgottenPromises) {
            self.extend(node, now + left);
        }
    }

    /// How long each promise still runs.
    pub fn left(&self, now: Tick) -> BTreeMap<NodeId, Span> {
        self.until.iter().map(|(node, until)| (*node, now.until(*until))).collect()
    }

    /// When each of `lost` can be proven to hold nothing.
    pub fn expiries(&self, lost: NodeSet, timings: &Timings, grounds: Grounds) -> BTreeMap<NodeId, Expiry> {
        let until = |node: NodeId| match self.plot.has(Bug::TakeoverOnSuspicion) {
            true => Tick::ZERO,
            false => self.until[&node] + timings.takeover_margin(),
        };
        let kind = |node: NodeId| match grounds.confirmed_down.has(node) {
            true => ProofKind::Confirmed,
            false => ProofKind::LeaseExpired(grounds.class),
        };
        let of = |node: NodeId| Expiry::new(node, until(node), kind(node));
        lost.iter().filter(|node| self.until.contains_key(node)).map(|node| (node, of(node))).collect()
    }

    fn extend(&mut self, node: NodeId, until: Tick) {
        if let Some(known) = self.until.get_mut(&node) {
            *known = until.max(*known);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::TimingProfile;

    const GROUNDS: Grounds = Grounds { class: ProofClass::Process, confirmed_down: NodeSet::EMPTY };

    #[test]
    fn a_promise_never_gets_shorter_and_a_restart_promises_the_longest_lease() {
        let timings = Timings::of(TimingProfile::Auto);
        let long = Span::from_secs(5);
        let mut promises = Promises::new(Tick(0), [NodeId(2)], long, Plot::NONE);
        promises.make(NodeId(2), Tick(7), &timings);
        promises.learn(Tick(9), NodeId(2), Span(1));
        let lost = NodeSet::EMPTY.with(NodeId(2));
        let expiry = &promises.expiries(lost, &timings, GROUNDS)[&NodeId(2)];
        assert_eq!(expiry.until(), Tick(0) + long.stretched() + timings.takeover_margin());
    }

    #[test]
    fn of_a_node_that_is_down_by_an_operators_word_that_word_is_the_proof() {
        let timings = Timings::of(TimingProfile::Auto);
        let promises = Promises::new(Tick(0), [2, 3].map(NodeId), timings.lease(), Plot::NONE);
        let lost: NodeSet = [2, 3].map(NodeId).into_iter().collect();
        let grounds = Grounds { confirmed_down: NodeSet::EMPTY.with(NodeId(3)), ..GROUNDS };
        let expiries = promises.expiries(lost, &timings, grounds);
        let kind = |node| expiries[&NodeId(node)].proof(Tick(u64::MAX)).expect("long over").kind().clone();
        assert_eq!(kind(2), ProofKind::LeaseExpired(ProofClass::Process));
        assert_eq!(kind(3), ProofKind::Confirmed);
    }
}
