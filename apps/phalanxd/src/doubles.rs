//! Nodes that seem to exist twice: said when signs of it come steadily, and once as long as they do.

use phalanx_types::NodeId;
use std::collections::BTreeMap;

/// Looks in a row with new signs that make it worth saying; after a restart late datagrams make one or two.
const LOOKS: u32 = 3;

/// What was seen of each node.
#[derive(Default)]
pub struct Doubles {
    seen: BTreeMap<NodeId, Seen>,
}

#[derive(Default)]
struct Seen {
    count: u64,
    looks: u32,
}

impl Doubles {
    /// Looks at the signs so far, once a second; gives the nodes that are to be told of now.
    pub fn look(&mut self, signs: &BTreeMap<NodeId, u64>) -> Vec<NodeId> {
        signs
            .iter()
            .filter_map(|(node, count)| self.seen.entry(*node).or_default().look(*count).then_some(*node))
            .collect()
    }
}

impl Seen {
    fn look(&mut self, count: u64) -> bool {
        let new = count > self.count;
        self.count = count;
        self.looks = if new { self.looks.saturating_add(1) } else { 0 };
        self.looks == LOOKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_datagrams_are_nothing_and_a_copy_is_told_once() {
        let mut doubles = Doubles::default();
        let mut told = |count| !doubles.look(&[(NodeId(1), count)].into()).is_empty();
        let counts = [3, 4, 4, 4, 9, 14, 19, 24, 29, 29, 30, 31, 32];
        let said: Vec<u64> = counts.into_iter().filter(|count| told(*count)).collect();
        assert_eq!(said, [19, 32]);
    }
}
