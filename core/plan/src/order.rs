//! What operators may order, as it stands in the message order, and why an order may be turned down.

use crate::place::best;
use crate::reach::Footing;
use crate::state::{GroupsState, Intent, Urge};
use minicbor::{Decode, Encode};
use phalanx_model::{Cluster, Group};
use phalanx_types::{GroupName, NetworkId, NodeId, View};

/// An operator's order concerning one group.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Order {
    /// Move it to a node and keep it there.
    #[n(0)]
    Move {
        /// The group.
        #[n(0)]
        group: GroupName,
        /// The node.
        #[n(1)]
        to: NodeId,
    },
    /// Forget an earlier move and bring it where its priorities say.
    #[n(1)]
    Restore {
        /// The group.
        #[n(0)]
        group: GroupName,
    },
    /// Bring it online where its policies say.
    #[n(2)]
    Online {
        /// The group.
        #[n(0)]
        group: GroupName,
    },
    /// Bring it offline until it is ordered online.
    #[n(3)]
    Offline {
        /// The group.
        #[n(0)]
        group: GroupName,
    },
}

/// Why an order was turned down. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objection {
    /// There is no such group.
    UnknownGroup(GroupName),
    /// There is no such node.
    UnknownNode(NodeId),
    /// The group may not run on that node.
    NotItsNode(GroupName, NodeId),
    /// The node is not a member of the view.
    NotThere(NodeId),
    /// The node is shutting down.
    IsLeaving(NodeId),
    /// The node has no armed deadman.
    IsUnguarded(NodeId),
    /// The network of its service address is down on that node.
    NoNetwork(NodeId, NetworkId),
    /// An offline group has no place to be moved from.
    IsOffline(GroupName),
}

impl Order {
    /// The group it concerns.
    pub fn group(&self) -> &GroupName {
        match self {
            Order::Move { group, .. }
            | Order::Restore { group }
            | Order::Online { group }
            | Order::Offline { group } => group,
        }
    }

    /// Whether it makes sense here and now.
    pub fn check<'a>(
        &self,
        cluster: &'a Cluster,
        view: &View,
        state: &GroupsState,
    ) -> Result<&'a Group, Objection> {
        let name = self.group();
        let group = cluster.groups.get(name).ok_or_else(|| Objection::UnknownGroup(name.clone()))?;
        let offline = state.groups.get(name).is_some_and(|record| record.intent == Intent::Offline);
        match self {
            Order::Move { to, .. } => check_target(cluster, view, state, group, *to)?,
            Order::Restore { .. } | Order::Online { .. } | Order::Offline { .. } => {}
        }
        match self {
            Order::Move { .. } | Order::Restore { .. } if offline => Err(Objection::IsOffline(name.clone())),
            Order::Move { .. } | Order::Restore { .. } | Order::Online { .. } | Order::Offline { .. } => {
                Ok(group)
            }
        }
    }
}

fn check_target(
    cluster: &Cluster,
    view: &View,
    state: &GroupsState,
    group: &Group,
    to: NodeId,
) -> Result<(), Objection> {
    let member = view.members.get(&to);
    match (cluster.nodes.contains_key(&to), group.rank(to), member) {
        (false, _, _) => Err(Objection::UnknownNode(to)),
        (true, None, _) => Err(Objection::NotItsNode(group.name.clone(), to)),
        (true, Some(_), None) => Err(Objection::NotThere(to)),
        (true, Some(_), Some(member)) if state.leaving.contains(&member.incarnation) => {
            Err(Objection::IsLeaving(to))
        }
        (true, Some(_), Some(member)) if state.unguarded.contains(&member.incarnation) => {
            Err(Objection::IsUnguarded(to))
        }
        (true, Some(_), Some(_)) => match state.footing(view, group, to) {
            Footing::None(network) => Err(Objection::NoNetwork(to, network)),
            Footing::Firm | Footing::Shaky => Ok(()),
        },
    }
}

impl GroupsState {
    /// Takes an order at its place in the message order. A motion under way ends here: the next plan starts from
    /// what the nodes report, so nothing that began is forgotten.
    pub fn order(&mut self, cluster: &Cluster, view: &View, order: &Order) -> Result<(), Objection> {
        let group = order.check(cluster, view, self)?;
        let record = self.groups.entry(group.name.clone()).or_default();
        (record.halted, record.motion) = (None, None);
        match order {
            Order::Move { to, .. } => {
                record.placed = Some(*to);
                record.forgive(*to);
            }
            Order::Restore { .. } => record.placed = None,
            Order::Online { .. } => {
                let idle = record.claimants().is_empty();
                (record.intent, record.started) = (Intent::Policy, record.started && !idle);
                record.forgive_all();
            }
            Order::Offline { .. } => (record.intent, record.urge) = (Intent::Offline, Urge::None),
        }
        self.urge(group, view, order);
        Ok(())
    }

    /// A move is still to be done only where the group runs on another node than the best.
    fn urge(&mut self, group: &Group, view: &View, order: &Order) {
        let best = best(group, view, self);
        let record = self.groups.entry(group.name.clone()).or_default();
        record.urge = match order {
            Order::Move { .. } | Order::Restore { .. } if record.claimants().last().copied() != best => {
                Urge::Operator
            }
            Order::Move { .. } | Order::Restore { .. } | Order::Online { .. } | Order::Offline { .. } => {
                Urge::None
            }
        };
    }
}
