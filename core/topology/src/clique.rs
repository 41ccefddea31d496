//! Which nodes may form a view together: those that all hear each other.
//!
//! When connectivity is not transitive every node must split the cluster the same way, or views would form for ever.
//! So the graph of mutual hearing is cut into cliques by one deterministic rule: the largest first, and of equal ones the
//! one with the lowest nodes; the rest of the graph is cut the same way.

use phalanx_types::limits::NODES_MAX;
use phalanx_types::{NodeId, NodeSet};

/// Steps the search may take before it keeps the best found so far; never reached by a connected cluster.
const SEARCH_STEPS_MAX: u32 = 20_000;

/// Who hears whom, among the nodes of whom that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Graph {
    nodes: NodeSet,
    /// Whom node n hears stands at n - 1.
    hears: [NodeSet; NODES_MAX],
}

impl Graph {
    /// Nothing is known of anybody.
    pub fn new() -> Graph {
        Graph { nodes: NodeSet::EMPTY, hears: [NodeSet::EMPTY; NODES_MAX] }
    }

    /// `node` hears these.
    pub fn insert(&mut self, node: NodeId, hears: NodeSet) {
        self.nodes = self.nodes.with(node);
        if let Some(known) = usize::from(node.0).checked_sub(1).and_then(|place| self.hears.get_mut(place)) {
            *known = hears;
        }
    }

    /// Whom one of its nodes hears, itself among them.
    fn heard_by(&self, node: NodeId) -> NodeSet {
        self.hears[usize::from(node.0) - 1].with(node)
    }

    fn all_hear_all(&self) -> bool {
        self.nodes.iter().all(|node| self.nodes.is_within(self.heard_by(node)))
    }

    /// The same graph with the highest node as the lowest.
    fn mirrored(&self) -> Graph {
        let mut mirrored = Graph::new();
        self.nodes.iter().for_each(|node| mirrored.insert(mirror(node), self.heard_by(node).mirrored()));
        mirrored
    }

    /// The neighbours of each node: those that it hears and that hear it.
    fn mutual(&self) -> Graph {
        let mut mutual = Graph::new();
        for node in self.nodes.iter() {
            let heard = self.heard_by(node).and(self.nodes).without(node);
            mutual.insert(node, heard.iter().filter(|peer| self.heard_by(*peer).has(node)).collect());
        }
        mutual
    }
}

/// The nodes that `me` should form a view with. Always holds `me`.
pub(crate) fn clique_of(me: NodeId, hears: &Graph) -> NodeSet {
    if hears.nodes.has(me) && hears.all_hear_all() {
        return hears.nodes;
    }
    let graph = hears.mutual();
    let mut left = graph.nodes;
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
pub(crate) fn mirrored_clique_of(me: NodeId, hears: &Graph) -> NodeSet {
    if hears.nodes.has(me) && hears.all_hear_all() {
        return hears.nodes;
    }
    clique_of(mirror(me), &hears.mirrored()).mirrored()
}

fn mirror(node: NodeId) -> NodeId {
    NodeId(NODES_MAX as u16 + 1 - node.0)
}

/// The largest clique within `among`, the lowest of equals; never empty unless `among` is. Who is connected to all the
/// others is in every clique that is the largest, so those need no search.
fn largest_clique(graph: &Graph, among: NodeSet) -> NodeSet {
    let of_all = among.iter().filter(|node| among.is_within(graph.heard_by(*node))).collect();
    let mut search = Search { graph, best: NodeSet::EMPTY, steps: 0 };
    search.extend(of_all, among.minus(of_all));
    search.best
}

struct Search<'a> {
    graph: &'a Graph,
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
            self.extend(clique.with(node), candidates.and(self.graph.heard_by(node)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn graph(nodes: u16, cut: &[(u16, u16)]) -> Graph {
        let all: NodeSet = (1..=nodes).map(NodeId).collect();
        let mut graph = Graph::new();
        for node in all.iter() {
            let deaf_to = cut.iter().filter(|(by, _)| *by == node.0).map(|(_, to)| NodeId(*to));
            graph.insert(node, deaf_to.fold(all, NodeSet::without));
        }
        graph
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
        let nodes: Vec<NodeId> = hears.keys().copied().collect();
        let chosen = |bits: u64| {
            let places = (0..nodes.len()).filter(move |place| bits >> place & 1 == 1);
            places.map(|place| nodes[place]).collect::<NodeSet>()
        };
        let mut left: NodeSet = nodes.iter().copied().collect();
        loop {
            let subsets = (1..1u64 << nodes.len()).map(chosen).filter(|set| set.is_within(left));
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
            let reversed: BTreeMap<_, _> =
                hears.iter().map(|(node, heard)| (mirror(*node), heard.mirrored())).collect();
            let mut graph = Graph::new();
            hears.iter().for_each(|(node, heard)| graph.insert(*node, *heard));
            for node in hears.keys() {
                prop_assert_eq!(clique_of(*node, &graph), naive(*node, &hears));
                prop_assert_eq!(mirrored_clique_of(*node, &graph), naive(mirror(*node), &reversed).mirrored());
            }
        }
    }

    #[test]
    fn in_a_full_cluster_one_that_half_of_the_others_lost_is_left_out_without_much_searching() {
        let nodes = NODES_MAX as u16;
        let cut: Vec<(u16, u16)> = (1..=nodes / 2).map(|node| (node, nodes - 1)).collect();
        let (graph, all) = (graph(nodes, &cut).mutual(), NodeSet::from_bits(u64::MAX));
        let mut search = Search { graph: &graph, best: NodeSet::EMPTY, steps: 0 };
        let of_all = (nodes / 2 + 1..=nodes).filter(|node| *node != nodes - 1).map(NodeId).collect();
        search.extend(of_all, all.minus(of_all));
        assert!(search.steps < 2 * u32::from(nodes), "{}", search.steps);
        assert_eq!(largest_clique(&graph, all), all.without(NodeId(nodes - 1)));
    }
}
