//! The plan: every motion that the state calls for, with its steps.
//!
//! Immutable, and the same at every manager with the same inputs; managers vote on its digest before step 1.

use crate::level::PlannerLevel;
use crate::place::{Verdict, verdict};
use crate::state::{GroupRecord, GroupsState, Motion};
use crate::step::{Step, Steps};
use minicbor::{Decode, Encode};
use phalanx_model::Cluster;
use phalanx_types::{Digest, GroupName, View, ViewId};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Plan {
    /// The planner that made it.
    #[n(0)]
    pub level: PlannerLevel,
    /// The view it holds in; a new view voids it.
    #[n(1)]
    pub view: ViewId,
    /// What is to become of each group concerned.
    #[n(2)]
    pub motions: BTreeMap<GroupName, Motion>,
    /// How, as a graph: every step comes after those it waits for.
    #[n(3)]
    pub steps: Vec<Step>,
}

/// The plan that the planner of this level makes for everything that has to change and is not in motion.
pub fn plan(level: PlannerLevel, cluster: &Cluster, view: &View, state: &GroupsState) -> Plan {
    plan_for(level, cluster, view, state, |_| true)
}

/// The part of [`plan`] that concerns `groups`.
pub fn plan_of(
    level: PlannerLevel,
    cluster: &Cluster,
    view: &View,
    state: &GroupsState,
    groups: &BTreeSet<GroupName>,
) -> Plan {
    plan_for(level, cluster, view, state, |name| groups.contains(name))
}

/// Digest of all that the plan of `groups` depends on: when it is the same, the plan is.
pub fn inputs(view: &View, state: &GroupsState, groups: &BTreeSet<GroupName>) -> Digest {
    let records: BTreeMap<&GroupName, &GroupRecord> =
        state.groups.iter().filter(|(name, _)| groups.contains(name)).collect();
    let all = (view, &state.config, &state.leaving, &state.unguarded, &state.reach, records);
    Digest::of(&minicbor::to_vec(all).expect("encoding into memory cannot fail"))
}

/// Planners of all levels there are plan alike.
fn plan_for(
    level: PlannerLevel,
    cluster: &Cluster,
    view: &View,
    state: &GroupsState,
    wanted: impl Fn(&GroupName) -> bool,
) -> Plan {
    let mut steps = Steps::new(view);
    let mut motions = BTreeMap::new();
    for (name, group) in cluster.groups.iter().filter(|(name, _)| wanted(name)) {
        if let (Verdict::Move(motion), Some(record)) = (verdict(group, view, state), state.groups.get(name)) {
            steps.add(group, record, &motion);
            motions.insert(name.clone(), motion);
        }
    }
    Plan { level, view: view.id, motions, steps: steps.into_vec() }
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.motions.is_empty()
    }

    /// The groups concerned.
    pub fn groups(&self) -> BTreeSet<GroupName> {
        self.motions.keys().cloned().collect()
    }

    /// What managers vote on.
    pub fn digest(&self) -> Digest {
        Digest::of(&minicbor::to_vec(self).expect("encoding into memory cannot fail"))
    }
}
