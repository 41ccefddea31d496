//! Where one group belongs: the policies, in the order in which they win.
//!
//! An operator's word comes before a policy, letting go before acquiring, an acquisition under way before a better
//! place. Never places a group while another node may mean to have it, and never lets an old acquisition go on after a
//! newer one was begun: what a shared disk sees of epochs only grows.

use crate::reach::Footing;
use crate::state::{Acquire, GroupRecord, GroupsState, Holding, Intent, Motion, Reason, Urge};
use phalanx_model::{Fallback, Fallover, Group, Startup};
use phalanx_types::{NetworkId, NodeId, View};
use serde::Serialize;
use std::collections::BTreeSet;

/// What is to be done with a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// It has to change.
    Move(Motion),
    /// It stays as it is.
    Stay(Standstill),
}

/// Why nothing is done with a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "standstill", rename_all = "kebab-case")]
pub enum Standstill {
    /// It runs where it belongs.
    Online {
        /// Where.
        node: NodeId,
    },
    /// An agreed change is under way.
    InMotion,
    /// An operator brought it offline.
    ByOperator,
    /// It runs, but the network of its service address is down at its node, and no other node is better.
    Unreachable {
        /// Where it runs.
        node: NodeId,
        /// The network.
        network: NetworkId,
    },
    /// The network of its service address is down at every node that could have it.
    NoNetwork {
        /// The network.
        network: NetworkId,
    },
    /// None of its nodes is there (PowerHA: lack of available node).
    LackOfNode,
    /// It starts on its home node only, and that is not there.
    AwaitsHome {
        /// The home node.
        home: NodeId,
    },
    /// It failed on every node that is there (PowerHA: ERROR).
    FailedEverywhere,
    /// A node could not stop it.
    Stuck {
        /// Where.
        node: NodeId,
        /// What is in the way.
        why: String,
    },
    /// A node is still letting it go.
    Releasing {
        /// Which.
        node: NodeId,
    },
    /// A member has not looked yet whether it holds it.
    Unprobed {
        /// Which.
        node: NodeId,
    },
    /// Managers disagreed over its plan: people must look.
    Halted {
        /// What was disagreed on.
        why: String,
    },
}

/// What is to be done with `group` in this view and state.
pub fn verdict(group: &Group, view: &View, state: &GroupsState) -> Verdict {
    let Some(record) = state.groups.get(&group.name) else {
        return Verdict::Stay(Standstill::LackOfNode);
    };
    let place = Place { group, view, state, record };
    match (&record.halted, &record.motion) {
        (Some(why), _) => Verdict::Stay(Standstill::Halted { why: why.clone() }),
        (None, Some(_)) => Verdict::Stay(Standstill::InMotion),
        (None, None) => place.verdict(),
    }
}

/// The node an operator's move or restore would bring the group to, if any is eligible.
pub fn best(group: &Group, view: &View, state: &GroupsState) -> Option<NodeId> {
    let record = state.groups.get(&group.name)?;
    Place { group, view, state, record }.best()
}

struct Place<'a> {
    group: &'a Group,
    view: &'a View,
    state: &'a GroupsState,
    record: &'a GroupRecord,
}

impl Place<'_> {
    fn verdict(&self) -> Verdict {
        let claimants: Vec<_> =
            self.record.claimants().into_iter().filter(|node| self.view.has(*node)).collect();
        match (self.record.intent, claimants.as_slice()) {
            (Intent::Offline, []) => Verdict::Stay(self.blocked().unwrap_or(Standstill::ByOperator)),
            (Intent::Offline, holders) => release(holders, Reason::Offline),
            (Intent::Policy, []) => self.blocked().map_or_else(|| self.bring_online(), Verdict::Stay),
            (Intent::Policy, holders @ [.., last]) if self.record.is_superseded(*last) => {
                release(holders, Reason::Superseded { node: *last })
            }
            (Intent::Policy, [holder]) => self.review(*holder),
            (Intent::Policy, [others @ .., keeper]) => Verdict::Move(Motion {
                release: others.iter().copied().collect(),
                acquire: self.stuck().map_or_else(|| self.continued(*keeper), |_| None),
                reason: Reason::Claimed { keeper: *keeper },
            }),
        }
    }

    /// What keeps a group that nobody claims from starting anywhere.
    fn blocked(&self) -> Option<Standstill> {
        let members = self.group.nodes.iter().filter(|node| self.view.has(**node));
        let found = members.map(|node| (*node, self.record.holding(*node)));
        found.filter_map(|(node, holding)| hindrance(node, holding)).next()
    }

    /// A member that cannot stop the group.
    fn stuck(&self) -> Option<NodeId> {
        let stuck = |node: &&NodeId| matches!(self.record.holding(**node), Holding::Stuck { .. });
        self.group.nodes.iter().filter(|node| self.view.has(**node)).find(stuck).copied()
    }

    fn bring_online(&self) -> Verdict {
        match self.candidate() {
            Ok(node) => Verdict::Move(Motion {
                release: BTreeSet::new(),
                acquire: Some(Acquire { node, epoch: self.record.epoch.next(self.view.id) }),
                reason: self.why_online(),
            }),
            Err(standstill) => Verdict::Stay(standstill),
        }
    }

    /// The node to start on while the group runs nowhere.
    fn candidate(&self) -> Result<NodeId, Standstill> {
        let home = self.group.nodes[0];
        match (self.record.started || self.record.placed.is_some(), self.group.startup) {
            (false, Startup::HomeNode) if !self.view.has(home) => Err(Standstill::AwaitsHome { home }),
            (false, Startup::HomeNode | Startup::FirstAvailable) => self.next(),
            (true, Startup::HomeNode | Startup::FirstAvailable) => match self.group.fallover {
                Fallover::NextPriority => self.next(),
            },
        }
    }

    fn next(&self) -> Result<NodeId, Standstill> {
        let failed = |node: &NodeId| self.view.has(*node) && self.record.failure(*node).is_some();
        let down = |node: &NodeId| self.down(*node).filter(|_| self.view.has(*node));
        let down = self.group.nodes.iter().find_map(down);
        self.best().ok_or_else(|| match (self.group.nodes.iter().any(failed), down) {
            (_, Some(network)) => Standstill::NoNetwork { network },
            (true, None) => Standstill::FailedEverywhere,
            (false, None) => Standstill::LackOfNode,
        })
    }

    /// Whether the one node that has the group keeps it.
    ///
    /// It is never taken from a node that has it while somebody stands in the way of starting it elsewhere.
    fn review(&self, holder: NodeId) -> Verdict {
        let unfit = self.is_unfit(holder);
        let target = match (self.blocked(), self.stuck()) {
            (_, Some(node)) if self.continued(holder).is_some() => {
                return release(&[holder], Reason::Blocked { node });
            }
            (Some(_), _) => (!unfit).then_some(holder),
            (None, _) => self.target(holder),
        };
        match target {
            Some(to) if to == holder => self.keep(holder),
            None if !unfit => self.keep(holder),
            Some(to) => Verdict::Move(Motion {
                release: BTreeSet::from([holder]),
                acquire: Some(Acquire { node: to, epoch: self.record.epoch.next(self.view.id) }),
                reason: self.why_moved(holder, to),
            }),
            None => release(&[holder], self.why_unfit(holder)),
        }
    }

    fn keep(&self, holder: NodeId) -> Verdict {
        match self.continued(holder) {
            Some(acquire) => Verdict::Move(Motion {
                release: BTreeSet::new(),
                acquire: Some(acquire),
                reason: Reason::Continued,
            }),
            None => Verdict::Stay(match self.down(holder) {
                Some(network) => Standstill::Unreachable { node: holder, network },
                None => Standstill::Online { node: holder },
            }),
        }
    }

    /// The acquisition of `holder` that is still to be finished.
    fn continued(&self, holder: NodeId) -> Option<Acquire> {
        match self.record.holding(holder) {
            Holding::Acquiring { epoch } => Some(Acquire { node: holder, epoch: *epoch }),
            Holding::Unknown
            | Holding::Online { .. }
            | Holding::Releasing { .. }
            | Holding::Stuck { .. }
            | Holding::Free { .. }
            | Holding::Lost { .. } => None,
        }
    }

    /// Where the group that `holder` has should be.
    fn target(&self, holder: NodeId) -> Option<NodeId> {
        let settled = matches!(self.record.holding(holder), Holding::Online { .. });
        let moves = match (self.record.urge, self.group.fallback) {
            (Urge::Operator, Fallback::HigherPriority | Fallback::Never) => true,
            (Urge::None, Fallback::HigherPriority) => settled,
            (Urge::None, Fallback::Never) => false,
        };
        match moves || self.is_unfit(holder) || self.down(holder).is_some() {
            true => self.best(),
            false => Some(holder),
        }
    }

    /// The best node that could have the group: the one it was moved to, then by priority; one whose network is not to be
    /// relied on only if there is no other.
    fn best(&self) -> Option<NodeId> {
        let ranking = || self.record.placed.iter().chain(&self.group.nodes).copied();
        let on =
            |footing: Footing| ranking().find(|node| self.eligible(*node) && self.footing(*node) == footing);
        on(Footing::Firm).or_else(|| on(Footing::Shaky))
    }

    /// How well the group stands at a node with its networks. Who has it is not left for less than a network that is down.
    fn footing(&self, node: NodeId) -> Footing {
        match self.state.footing(self.view, self.group, node) {
            Footing::Shaky if self.record.holding(node).claims() => Footing::Firm,
            footing @ (Footing::Firm | Footing::Shaky | Footing::None(_)) => footing,
        }
    }

    /// The network of the group that is down at a node.
    fn down(&self, node: NodeId) -> Option<NetworkId> {
        match self.footing(node) {
            Footing::None(network) => Some(network),
            Footing::Firm | Footing::Shaky => None,
        }
    }

    fn eligible(&self, node: NodeId) -> bool {
        let holding = self.record.holding(node);
        self.view.has(node)
            && !self.is_unfit(node)
            && self.group.rank(node).is_some()
            && (holding.is_free() || holding.claims())
            && self.record.failure(node).is_none()
    }

    /// Whether nothing may stay on a member: it shuts down, or it can have no lease.
    fn is_unfit(&self, node: NodeId) -> bool {
        let unfit = |life| self.state.leaving.contains(life) || self.state.unguarded.contains(life);
        self.view.members.get(&node).is_some_and(|member| unfit(&member.incarnation))
    }

    fn why_unfit(&self, node: NodeId) -> Reason {
        let life = self.view.members.get(&node).map(|member| member.incarnation);
        match life.is_some_and(|life| self.state.leaving.contains(&life)) {
            true => Reason::Leaving { node },
            false => Reason::Unguarded { node },
        }
    }

    fn why_moved(&self, holder: NodeId, to: NodeId) -> Reason {
        match (self.is_unfit(holder), self.record.urge, self.down(holder)) {
            (true, _, _) => self.why_unfit(holder),
            (false, Urge::Operator, _) => Reason::Moved { to },
            (false, Urge::None, Some(network)) => Reason::NetworkDown { node: holder, network },
            (false, Urge::None, None) => Reason::Fallback { to },
        }
    }

    fn why_online(&self) -> Reason {
        let nodes = || self.group.nodes.iter().copied();
        let lost = nodes().filter(|node| self.was_lost(*node)).max_by_key(|node| self.epoch_at(*node));
        let failed = nodes()
            .filter_map(|node| self.record.failure(node).map(|why| (node, why)))
            .max_by_key(|(node, _)| self.epoch_at(*node));
        match (self.record.started, failed, lost) {
            (true, Some((failed, why)), _) => Reason::NextNode { failed, why: why.to_owned() },
            (true, None, Some(from)) => Reason::Fallover { from },
            (true, None, None) => Reason::Recovered,
            (false, _, _) => Reason::Startup,
        }
    }

    fn was_lost(&self, node: NodeId) -> bool {
        matches!(self.record.holding(node), Holding::Lost { held: true, .. })
    }

    fn epoch_at(&self, node: NodeId) -> phalanx_types::OwnershipEpoch {
        self.record.holding(node).epoch()
    }
}

fn release(holders: &[NodeId], reason: Reason) -> Verdict {
    Verdict::Move(Motion { release: holders.iter().copied().collect(), acquire: None, reason })
}

fn hindrance(node: NodeId, holding: &Holding) -> Option<Standstill> {
    match holding {
        Holding::Unknown => Some(Standstill::Unprobed { node }),
        Holding::Releasing { .. } => Some(Standstill::Releasing { node }),
        Holding::Stuck { why, .. } => Some(Standstill::Stuck { node, why: why.clone() }),
        Holding::Free { .. } | Holding::Acquiring { .. } | Holding::Online { .. } => None,
        // Of a member this lasts only until its passport is read.
        Holding::Lost { .. } => Some(Standstill::Unprobed { node }),
    }
}
