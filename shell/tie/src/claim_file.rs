//! What stands in the file of a claim: text, so that a person can read who has won.

use phalanx_types::{Claim, ClusterId, NodeId, NodeSet};
use std::fmt::Write;

/// The first line.
const MAGIC: &str = "phalanx tie-breaker claim 1";
/// Longer files are none of ours.
pub const BYTES_MAX: usize = 4_096;

/// The file that claims a generation of a cluster for half of its nodes.
pub fn write(cluster: ClusterId, claim: Claim) -> String {
    let mut text = format!("{MAGIC}\ncluster {cluster}\ngeneration {}\nhalf", claim.generation);
    for node in claim.half.iter() {
        write!(text, " {}", node.0).expect("text takes every write");
    }
    text + "\nend\n"
}

/// Who has claimed that generation of that cluster; `None` if that is no such file, or not all of one.
pub fn read(text: &str, cluster: ClusterId, generation: u64) -> Option<NodeSet> {
    let mut lines = text.strip_suffix("\nend\n")?.lines();
    let head = [MAGIC.to_owned(), format!("cluster {cluster}"), format!("generation {generation}")];
    if !head.iter().all(|line| lines.next() == Some(line)) {
        return None;
    }
    let nodes = lines.next()?.strip_prefix("half ")?.split(' ');
    let half = nodes.map(|node| node.parse().ok().map(NodeId)).collect::<Option<Vec<NodeId>>>()?;
    let fits = half.iter().all(|node| usize::from(node.0) <= phalanx_types::limits::NODES_MAX && node.0 > 0);
    (lines.next().is_none() && fits).then(|| half.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: ClusterId = ClusterId([7; 16]);

    fn claim() -> Claim {
        Claim { generation: 3, half: [NodeId(1), NodeId(64)].into_iter().collect() }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(read(&write(CLUSTER, claim()), CLUSTER, 3), Some(claim().half));
    }

    #[test]
    fn what_is_cut_off_or_of_somebody_else_is_no_claim() {
        let text = write(CLUSTER, claim());
        for length in 0..text.len() {
            assert_eq!(read(&text[..length], CLUSTER, 3), None, "{length} bytes of it");
        }
        assert_eq!(read(&text, CLUSTER, 4), None);
        assert_eq!(read(&text, ClusterId([8; 16]), 3), None);
        for (from, to) in
            [("64", "65"), ("64", "0"), ("64", "x"), ("claim 1", "claim 2"), ("end", "half 2\nend")]
        {
            assert_eq!(read(&text.replace(from, to), CLUSTER, 3), None, "{to}");
        }
    }
}
