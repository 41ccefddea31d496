//! Which nodes may form a view together: those that all hear each other.
//!
//! When connectivity is not transitive every node must split the cluster the same way, or views would form for ever.
//! So the graph of mutual hearing is cut into cliques by one deterministic rule: the largest first, and of equal ones the
//! one with the lowest nodes; the rest of the graph is cut the same way.

use phalanx_types::limits::NODES_MAX;
use phalanx_types::{NodeId, NodeSet};
use std::collections::BTreeMap;

/// Steps the search may take before it keeps the best found so far; never reached by a connected cluster.
const SEARCH_STEPS_MAX: u32 = 20_000;

/// The nodes that `me` should form a view with, given what each known node hears. Always holds `me`.
pub fn clique_of(me: NodeId, hears: &BTreeMap<NodeId, NodeSet>) -> NodeSet {
    let graph = mutual(hears);
    let mut left: NodeSet = graph.keys().copied().collect();
    while left.has(me) {
        let best = largest_clique(&graph, left);
        if best.has(me) {
            return best;
        }
        left = left.minus(best);
    }
    NodeSet::EMPTY.with(me)
}

/// The same, but of equal cliques the one with the highest nodes goes first, as in a ring the highest lead.
pub(crate) fn mirrored_clique_of(me: NodeId, hears: &BTreeMap<NodeId, NodeSet>) -> NodeSet {
    let mirror = |node: NodeId| NodeId(NODES_MAX as u16 + 1 - node.0);
    let mirrored = |set: NodeSet| set.iter().map(mirror).collect::<NodeSet>();
    let hears = hears.iter().map(|(node, heard)| (mirror(*node), mirrored(*heard))).collect();
    mirrored(clique_of(mirror(me), &hears))
}

/// The neighbours of each node: those that it hears and that hear it.
fn mutual(hears: &BTreeMap<NodeId, NodeSet>) -> BTreeMap<NodeId, NodeSet> {
    let both = |node: NodeId, heard: NodeSet| {
        heard
            .iter()
            .filter(|peer| *peer != node && hears.get(peer).is_some_and(|set| set.has(node)))
            .collect()
    };
    hears.iter().map(|(node, heard)| (*node, both(*node, *heard))).collect()
}

/// The largest clique within `among`, the lowest of equals; never empty unless `among` is.
fn largest_clique(graph: &BTreeMap<NodeId, NodeSet>, among: NodeSet) -> NodeSet {
    let all_connected = |node: NodeId| among.without(node).is_within(graph[&node]);
    if among.iter().all(all_connected) {
        return among;
    }
    let mut search = Search { graph, best: NodeSet::EMPTY, steps: 0 };
    search.extend(NodeSet::EMPTY, among);
    search.best
}

struct Search<'a> {
    graph: &'a BTreeMap<NodeId, NodeSet>,
    best: NodeSet,
    steps: u32,
}

impl Search<'_> {
    /// Tries every way to grow `clique` by nodes of `candidates`, each connected to all of `clique`.
    fn extend(&mut self, clique: NodeSet, mut candidates: NodeSet) {
        self.steps += 1;
        if clique.len() > self.best.len() {
            self.best = clique;
        }
        // Candidates are tried from the lowest on, so the first clique of a size is the lowest one.
        while let Some(node) = candidates.first() {
            if clique.len() + candidates.len() <= self.best.len() || self.steps > SEARCH_STEPS_MAX {
                return;
            }
            candidates = candidates.without(node);
            self.extend(clique.with(node), candidates.and(self.graph[&node]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn graph(nodes: u16, cut: &[(u16, u16)]) -> BTreeMap<NodeId, NodeSet> {
        let all: NodeSet = (1..=nodes).map(NodeId).collect();
        let hears = |node: u16| {
            let deaf_to = cut.iter().filter(|(by, _)| *by == node).map(|(_, to)| NodeId(*to));
            deaf_to.fold(all, NodeSet::without)
        };
        (1..=nodes).map(|node| (NodeId(node), hears(node))).collect()
    }

    fn check(nodes: u16, cut: &[(u16, u16)], expected: &[&[u16]]) {
        let hears = graph(nodes, cut);
        for clique in expected {
            let set: NodeSet = clique.iter().map(|node| NodeId(*node)).collect();
            for node in *clique {
                assert_eq!(clique_of(NodeId(*node), &hears), set, "of node {node}");
            }
        }
    }

    #[test]
    fn a_whole_cluster_is_one_clique() {
        check(5, &[], &[&[1, 2, 3, 4, 5]]);
    }

    #[test]
    fn one_deaf_direction_is_a_cut() {
        check(3, &[(1, 2)], &[&[1, 3], &[2]]);
        check(3, &[(2, 1)], &[&[1, 3], &[2]]);
    }

    #[test]
    fn a_bridge_node_goes_with_one_side_and_all_agree_with_which() {
        check(5, &[(1, 4), (1, 5), (2, 4), (2, 5)], &[&[1, 2, 3], &[4, 5]]);
    }

    #[test]
    fn mirrored_the_highest_of_equal_cliques_goes_first() {
        let hears = graph(3, &[(1, 3)]);
        let sets: Vec<NodeSet> = (1..=3).map(|node| mirrored_clique_of(NodeId(node), &hears)).collect();
        let (low, high) = ([1].map(NodeId).into_iter().collect(), [2, 3].map(NodeId).into_iter().collect());
        assert_eq!(sets, [low, high, high]);
    }

    #[test]
    fn a_node_nobody_hears_is_alone() {
        check(4, &[(1, 3), (2, 3), (4, 3)], &[&[1, 2, 4], &[3]]);
    }

    /// The naive twin: all subsets, largest first, lowest of equals, then the rest.
    fn naive(me: NodeId, hears: &BTreeMap<NodeId, NodeSet>) -> NodeSet {
        let linked = |a: NodeId, b: NodeId| a == b || (hears[&a].has(b) && hears[&b].has(a));
        let mut left: NodeSet = hears.keys().copied().collect();
        loop {
            let subsets = (1..1u64 << hears.len()).map(NodeSet::from_bits).filter(|set| set.is_within(left));
            let cliques = subsets.filter(|set| set.iter().all(|a| set.iter().all(|b| linked(a, b))));
            let best = cliques
                .max_by_key(|set| (set.len(), std::cmp::Reverse(set.iter().collect::<Vec<_>>())))
                .expect("a single node is a clique");
            if best.has(me) {
                return best;
            }
            left = left.minus(best);
        }
    }

    proptest! {
        #[test]
        fn agrees_with_its_naive_twin(masks in proptest::collection::vec(any::<u64>(), 1..8)) {
            let all = (1u64 << masks.len()) - 1;
            let hears: BTreeMap<_, _> =
                masks.iter().zip(1..).map(|(mask, node)| (NodeId(node), NodeSet::from_bits(mask & all))).collect();
            for node in hears.keys() {
                prop_assert_eq!(clique_of(*node, &hears), naive(*node, &hears));
            }
        }
    }
}
