//! The tie-breaker: a place outside the cluster where one of two halves can claim that it goes on, and the other cannot.
//!
//! A claim is for the generation of the charter that ends with it. Whoever is the first to claim a generation has won it for
//! good: the same half may claim it again, and hears that it has won; any other has lost. So a claim needs no end. What
//! ends is the generation: the half that won begins the next one ([`crate::Charter::won_by`]), and all are in that one
//! when they meet again.

use crate::node_set::NodeSet;
use serde::Serialize;

/// What half of those that decide ask of the tie-breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// The generation of the charter by which they are exactly half.
    pub generation: u64,
    /// Who they are.
    pub half: NodeSet,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The generation is theirs, now or since an earlier claim.
    Won,
    /// It is these nodes'.
    Lost(NodeSet),
    /// Nobody knows: it could not be asked, or did not answer in time. It may have been won all the same.
    Unknown(String),
}
