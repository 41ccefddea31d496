//! For tests of the layers above, behind the feature `testing`: what in earnest only the promise book makes.

use crate::proof::{Expiry, ProofKind};
use phalanx_types::{NodeId, ProofClass, Tick};

/// The end of a lost node's last lease, as a test says.
pub fn expiry(node: NodeId, until: Tick, class: ProofClass) -> Expiry {
    Expiry::new(node, until, ProofKind::LeaseExpired(class))
}

/// The same of a node that is down by an operator's word.
pub fn confirmed_down(node: NodeId, until: Tick) -> Expiry {
    Expiry::new(node, until, ProofKind::Confirmed)
}
