//! How the replicated state changes: at a new view, at a node's report, at an agreed plan. Nowhere else but by an
//! operator's order (`order.rs`).
//!
//! The rule behind all of it: a node's record is never more optimistic than the node itself. An agreed acquisition
//! makes its taker a holder at once; only the taker's own later word makes it free again. So a plan may be given up
//! at any point.

use crate::plan::Plan;
use crate::state::{GroupRecord, GroupsState, Holding, NodeRecord, Restarts, Urge};
use phalanx_model::Cluster;
use phalanx_types::{Digest, GroupName, Incarnation, NodeId, OwnershipEpoch, View};
use std::collections::{BTreeMap, BTreeSet};

/// What one node says of all its groups.
pub type Claims = BTreeMap<GroupName, Holding>;

impl GroupsState {
    /// A state in which nobody has said anything yet.
    pub fn fresh(cluster: &Cluster, config: Digest) -> GroupsState {
        let mut state = GroupsState::empty();
        state.align(cluster, config);
        state
    }

    /// The state of a node without a configuration.
    pub fn empty() -> GroupsState {
        GroupsState {
            config: Digest([0; 32]),
            members: BTreeSet::new(),
            leaving: BTreeSet::new(),
            unguarded: BTreeSet::new(),
            reach: BTreeMap::new(),
            groups: BTreeMap::new(),
        }
    }

    /// Makes a configuration the active one: keeps what is known of groups that stay, knows nothing of new ones.
    pub fn align(&mut self, cluster: &Cluster, config: Digest) {
        self.config = config;
        self.groups.retain(|name, _| cluster.groups.contains_key(name));
        for (name, group) in &cluster.groups {
            let record = self.groups.entry(name.clone()).or_default();
            record.nodes.retain(|node, _| group.rank(*node).is_some());
            record.motion = None;
        }
    }

    /// A primary view was installed, and each member said what it holds. Every motion ends.
    pub fn install(&mut self, view: &View, claims: &BTreeMap<NodeId, Claims>) {
        let lives: BTreeSet<_> = view.members.values().map(|member| member.incarnation).collect();
        let joined: Vec<_> =
            lives.iter().filter(|life| !self.members.contains(life)).map(|life| life.node).collect();
        for (name, record) in &mut self.groups {
            record.motion = None;
            record.see(view, name, claims);
            record.welcome(&joined);
        }
        self.leaving.retain(|life| lives.contains(life));
        self.unguarded.retain(|life| lives.contains(life));
        self.reach.retain(|life, _| lives.contains(life));
        self.members = lives;
    }

    /// A member said what it holds of one group.
    pub fn report(&mut self, life: Incarnation, group: &GroupName, holding: Holding) {
        let Some(record) = self.groups.get_mut(group) else { return };
        // Said before an acquisition was agreed that the sender had not heard of yet.
        if holding.epoch() < record.holding(life.node).epoch() {
            return;
        }
        record.know(holding.epoch());
        record.nodes.insert(life.node, NodeRecord { life, holding });
        record.finish_motion();
    }

    /// A member restarted applications of a group in place.
    pub fn count(&mut self, life: Incarnation, group: &GroupName, restarts: Restarts) {
        let Some(record) = self.groups.get_mut(group) else { return };
        if record.holding(life.node).claims() && record.holding(life.node).epoch() == restarts.epoch {
            record.restarts = Some(restarts);
        }
    }

    /// A member shuts down.
    pub fn leave(&mut self, life: Incarnation) {
        self.leaving.insert(life);
    }

    /// A member lost its deadman, or has one again: then failures for want of a lease are forgiven it.
    pub fn guard(&mut self, life: Incarnation, guarded: bool) {
        match guarded {
            false => drop(self.unguarded.insert(life)),
            true if self.unguarded.remove(&life) => {
                self.groups.values_mut().for_each(|record| record.welcome(&[life.node]));
            }
            true => {}
        }
    }

    /// A plan was agreed: its motions are under way.
    pub fn agree(&mut self, view: &View, plan: &Plan) {
        for (name, motion) in &plan.motions {
            let Some(record) = self.groups.get_mut(name) else { continue };
            if let Some(acquire) = motion.acquire {
                record.epoch = record.epoch.max(acquire.epoch);
                record.started = true;
                record.take(view, acquire.node, acquire.epoch);
            }
            record.motion = Some(motion.clone());
        }
    }

    /// Managers disagreed over these groups' plan.
    pub fn halt(&mut self, groups: &BTreeSet<GroupName>, why: &str) {
        for record in
            self.groups.iter_mut().filter(|(name, _)| groups.contains(name)).map(|(_, record)| record)
        {
            record.halted = Some(why.to_owned());
        }
    }
}

impl GroupRecord {
    /// Failures so far no longer keep the group off `node`.
    pub fn forgive(&mut self, node: NodeId) {
        let holding = self.holding(node);
        // What it has now may still fail, and that will not have been forgiven.
        let epoch = OwnershipEpoch(holding.epoch().0.saturating_sub(u64::from(holding.claims())));
        self.forgiven.insert(node, epoch);
    }

    /// Failures so far no longer keep the group off any node.
    pub fn forgive_all(&mut self) {
        let nodes: Vec<_> = self.nodes.keys().copied().collect();
        nodes.into_iter().for_each(|node| self.forgive(node));
    }

    /// Records what members brought, and that the others are gone.
    fn see(&mut self, view: &View, name: &GroupName, claims: &BTreeMap<NodeId, Claims>) {
        for record in self.nodes.iter_mut().filter(|(node, _)| !view.has(**node)).map(|(_, record)| record) {
            let (epoch, held) = (record.holding.epoch(), record.holding.may_hold());
            // Whatever was agreed for it, it may have begun.
            self.begun = self.begun.max(epoch);
            record.holding = Holding::Lost { epoch, held };
        }
        for (node, member) in &view.members {
            match claims.get(node).and_then(|said| said.get(name)).cloned() {
                Some(holding) => {
                    self.know(holding.epoch());
                    self.nodes.insert(*node, NodeRecord { life: member.incarnation, holding });
                }
                None => drop(self.nodes.remove(node)),
            }
        }
    }

    /// A node speaks of this acquisition: it may have begun it.
    fn know(&mut self, epoch: OwnershipEpoch) {
        (self.epoch, self.begun) = (self.epoch.max(epoch), self.begun.max(epoch));
    }

    /// A join gives the joiner another chance, and every node if the group runs nowhere.
    pub(crate) fn welcome(&mut self, joined: &[NodeId]) {
        joined.iter().for_each(|node| self.forgive(*node));
        if !joined.is_empty() && self.claimants().is_empty() {
            self.forgive_all();
            self.halted = None;
        }
    }

    fn take(&mut self, view: &View, node: NodeId, epoch: OwnershipEpoch) {
        if let Some(member) = view.members.get(&node) {
            let holding = Holding::Acquiring { epoch };
            self.nodes.insert(node, NodeRecord { life: member.incarnation, holding });
        }
    }

    /// Ends the motion once it has reached its goal or cannot.
    fn finish_motion(&mut self) {
        let Some(motion) = &self.motion else { return };
        let stuck = |node: &NodeId| matches!(self.holding(*node), Holding::Stuck { .. });
        let released = motion.release.iter().all(|node| self.holding(*node).is_free());
        let broken = motion.release.iter().any(stuck);
        let (arrived, failed) = match motion.acquire {
            None => (true, None),
            Some(acquire) => match self.holding(acquire.node) {
                Holding::Online { .. } => (true, None),
                Holding::Acquiring { .. } => (false, None),
                Holding::Unknown
                | Holding::Releasing { .. }
                | Holding::Stuck { .. }
                | Holding::Free { .. }
                | Holding::Lost { .. } => (false, Some(acquire.node)),
            },
        };
        let missed = broken || failed.is_some_and(|node| self.placed == Some(node));
        if broken || failed.is_some() || (released && arrived) {
            (self.motion, self.urge) = (None, Urge::None);
            // An override that could not be followed is forgotten, so that it does not surprise anybody later.
            self.placed = self.placed.filter(|_| !missed);
        }
    }
}
