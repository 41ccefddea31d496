//! Proofs that a node no longer holds a group, and the clearance to acquire that they add up to (PROOF-FIRST).
//!
//! A [`Permit`] is what a start needs. Only a [`Clearance`] gives one, only a full set of [`Proof`]s makes a
//! clearance, and each proof is made here from its evidence. Nothing else in Phalanx can build one of the three.
//!
//! ```compile_fail
//! use phalanx_membership::{Proof, ProofKind};
//! use phalanx_types::{NodeId, ProofClass};
//! let forged = Proof { node: NodeId(2), kind: ProofKind::LeaseExpired(ProofClass::Process) };
//! ```

use crate::standing::Standing;
use phalanx_types::{BootId, GroupName, Incarnation, NodeId, OwnershipEpoch, Permit, ProofClass, Tick};
use serde::Serialize;
use std::fmt;

/// That one node does not hold one group (or any group), and will not without a new agreed decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    node: NodeId,
    kind: ProofKind,
}

/// What a proof rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum ProofKind {
    /// The node stopped the group and a probe afterwards found nothing.
    Released {
        /// The group that was probed.
        group: GroupName,
        /// The acquisition that ended.
        epoch: OwnershipEpoch,
        /// The life of the node that probed.
        life: Incarnation,
    },
    /// A probe in this life of the node found nothing, and the node was not asked to start it since.
    NeverHeld {
        /// The group that was probed.
        group: GroupName,
        /// The life of the node that probed.
        life: Incarnation,
    },
    /// The host runs a newer boot than the one that could have held it.
    Rebooted(BootId),
    /// The last lease that any member of this primary could have granted it is over, deadman and margin included.
    LeaseExpired(ProofClass),
    /// An operator said that the node is down when forming the cluster without it, and it was no member since.
    Confirmed,
}

/// When the last lease of a lost node is over on this node's clock; kept by the promise book of `membership`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Expiry {
    node: NodeId,
    until: Tick,
    kind: ProofKind,
}

/// What a probe of a group on one node found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding<'a> {
    /// The life that probed.
    pub life: Incarnation,
    /// The group probed.
    pub group: &'a GroupName,
    /// The last acquisition there in this life; [`OwnershipEpoch::NONE`] if there was none.
    pub epoch: OwnershipEpoch,
    /// Whether any of the group's resources was found active.
    pub active: bool,
}

/// That nobody but `taker` can hold `group`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clearance {
    group: GroupName,
    taker: NodeId,
    proofs: Vec<Proof>,
}

/// Nodes that may still hold the group. Nothing was cleared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(pub Vec<NodeId>);

impl Expiry {
    /// Only the promise book makes these; see `promise.rs`.
    pub(crate) fn new(node: NodeId, until: Tick, kind: ProofKind) -> Expiry {
        Expiry { node, until, kind }
    }

    /// The lost node.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// When the proof can be had, for a timer.
    pub fn until(&self) -> Tick {
        self.until
    }

    /// The proof, once the time has come.
    pub fn proof(&self, now: Tick) -> Option<Proof> {
        (now >= self.until).then(|| Proof { node: self.node, kind: self.kind.clone() })
    }
}

impl Proof {
    /// From a probe that found nothing; `None` if it found something.
    pub fn from_finding(finding: &Finding<'_>) -> Option<Proof> {
        let (group, life) = (finding.group.clone(), finding.life);
        let kind = match finding.epoch {
            OwnershipEpoch::NONE => ProofKind::NeverHeld { group, life },
            epoch => ProofKind::Released { group, epoch, life },
        };
        (!finding.active).then_some(Proof { node: life.node, kind })
    }

    /// From a newer boot of the host that may have held the group; `None` if the boot is the same.
    pub fn from_boots(node: NodeId, held_in: BootId, now_in: BootId) -> Option<Proof> {
        (held_in != now_in).then_some(Proof { node, kind: ProofKind::Rebooted(now_in) })
    }

    /// The node it is about.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// What it rests on.
    pub fn kind(&self) -> &ProofKind {
        &self.kind
    }

    /// Whether it says that its node does not hold `group`, to the strength that the group demands.
    pub fn covers(&self, group: &GroupName, needs: ProofClass) -> bool {
        match &self.kind {
            ProofKind::Released { group: named, .. } | ProofKind::NeverHeld { group: named, .. } => {
                named == group
            }
            ProofKind::Rebooted(_) | ProofKind::Confirmed => true,
            ProofKind::LeaseExpired(class) => *class >= needs,
        }
    }
}

impl Clearance {
    /// That each of `candidates` other than `taker` is proven not to hold `group`.
    ///
    /// `candidates` are all nodes that may host the group, members or not.
    pub fn check(
        group: &GroupName,
        taker: NodeId,
        needs: ProofClass,
        candidates: impl IntoIterator<Item = NodeId>,
        proofs: Vec<Proof>,
    ) -> Result<Clearance, Missing> {
        let proven =
            |node: &NodeId| proofs.iter().any(|proof| proof.node == *node && proof.covers(group, needs));
        let missing: Vec<_> = candidates.into_iter().filter(|node| *node != taker && !proven(node)).collect();
        match missing.is_empty() {
            true => Ok(Clearance { group: group.clone(), taker, proofs }),
            false => Err(Missing(missing)),
        }
    }

    /// The permit to start resources of the group now; `None` if this node's standing does not allow it.
    pub fn permit(&self, standing: &Standing, now: Tick) -> Option<Permit> {
        standing.permit(now)
    }

    /// The group cleared.
    pub fn group(&self) -> &GroupName {
        &self.group
    }

    /// The node that may acquire it.
    pub fn taker(&self) -> NodeId {
        self.taker
    }

    /// What it rests on, for `explain`.
    pub fn proofs(&self) -> &[Proof] {
        &self.proofs
    }
}

impl fmt::Display for ProofKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProofKind::Released { epoch, .. } => write!(f, "released (epoch {epoch}, probed)"),
            ProofKind::NeverHeld { .. } => write!(f, "never held (probed)"),
            ProofKind::Rebooted(boot) => write!(f, "rebooted (boot {boot})"),
            ProofKind::LeaseExpired(class) => write!(f, "lease expired (class {class})"),
            ProofKind::Confirmed => write!(f, "down by an operator's word"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::{Span, ViewId};

    fn group() -> GroupName {
        "shop".parse().unwrap()
    }

    fn finding(group: &GroupName, node: u16, active: bool) -> Finding<'_> {
        let life = Incarnation { node: NodeId(node), start: 1 };
        Finding { life, group, epoch: OwnershipEpoch(7), active }
    }

    fn check(proofs: Vec<Proof>, needs: ProofClass) -> Result<Clearance, Missing> {
        Clearance::check(&group(), NodeId(1), needs, [1, 2, 3].map(NodeId), proofs)
    }

    #[test]
    fn every_other_candidate_needs_a_proof() {
        let group = group();
        let released = |node| Proof::from_finding(&finding(&group, node, false)).unwrap();
        assert_eq!(check(vec![released(2)], ProofClass::Process).unwrap_err(), Missing(vec![NodeId(3)]));
        assert!(check(vec![released(2), released(3)], ProofClass::Fenced).is_ok());
    }

    #[test]
    fn a_probe_that_found_something_proves_nothing() {
        assert_eq!(Proof::from_finding(&finding(&group(), 2, true)), None);
    }

    #[test]
    fn an_expiry_proves_nothing_before_its_time_nor_beyond_its_class() {
        let kind = ProofKind::LeaseExpired(ProofClass::Process);
        let expiry = |node| Expiry::new(NodeId(node), Tick(10), kind.clone());
        assert_eq!(expiry(2).proof(Tick(9)), None);
        let proofs = || vec![expiry(2).proof(Tick(10)).unwrap(), expiry(3).proof(Tick(11)).unwrap()];
        assert!(check(proofs(), ProofClass::Process).is_ok());
        assert_eq!(check(proofs(), ProofClass::Kernel).unwrap_err(), Missing(vec![NodeId(2), NodeId(3)]));
    }

    #[test]
    fn no_permit_without_a_confirmed_primary_and_a_lease() {
        let clearance = Clearance::check(&group(), NodeId(1), ProofClass::Process, [], vec![]).unwrap();
        let good = Standing {
            view: ViewId::NONE,
            primary: true,
            confirmed: true,
            lease_until: Tick(100),
            stop_budget: Span(20),
        };
        assert!(clearance.permit(&good, Tick(79)).is_some());
        assert!(clearance.permit(&good, Tick(80)).is_none(), "the stop budget is not for starting");
        assert!(clearance.permit(&Standing { primary: false, ..good }, Tick(0)).is_none());
        assert!(clearance.permit(&Standing { confirmed: false, ..good }, Tick(0)).is_none());
    }
}
