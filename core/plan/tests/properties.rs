//! Placement against a naive twin, and what must hold of every plan: it reaches rest, it starts nothing before those
//! who hold let go, and equal inputs give equal bytes.
#![allow(clippy::unwrap_used)]

use phalanx_model::{Cluster, Fallback, Fallover, FileSystem, Format, Group, Node, OperationLimits, Quorum};
use phalanx_model::{Resource, ResourceKind, ServiceAddress, Startup};
use phalanx_plan::{
    GroupRecord, GroupsState, Holding, Intent, NodeRecord, Plan, PlannerLevel, Reach, Standstill, StepKind,
    Urge, Verdict, plan, verdict,
};
use phalanx_types::{
    BootId, Digest, GroupName, Incarnation, Member, Monitoring, NetworkId, NodeId, OwnershipEpoch,
    ProofClass, Span, TimingProfile, View, ViewId,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn life(node: NodeId) -> Incarnation {
    Incarnation { node, start: 1 }
}

fn resource(name: &str, after: &[&str]) -> Resource {
    let second = Span::from_secs(1);
    Resource {
        name: name.parse().unwrap(),
        after: after.iter().map(|name| name.parse().unwrap()).collect(),
        limits: OperationLimits { start: second, stop: second, probe: second },
        kind: ResourceKind::FileSystem(FileSystem {
            device: "/dev/x".into(),
            mount: "/x".into(),
            format: Format::Ext4,
            options: vec![],
        }),
    }
}

const LAN: NetworkId = NetworkId(0);

fn address() -> Resource {
    let address = "10.0.0.9/24".parse().unwrap();
    let kind = ResourceKind::ServiceAddress(ServiceAddress { network: LAN, address });
    Resource { kind, ..resource("ip", &[]) }
}

fn cluster(nodes: Vec<NodeId>, startup: Startup, fallback: Fallback) -> Cluster {
    let name: GroupName = "shop".parse().unwrap();
    let group = Group {
        name: name.clone(),
        nodes,
        startup,
        fallover: Fallover::NextPriority,
        fallback,
        takeover_needs: ProofClass::Process,
        resources: vec![address(), resource("data", &[]), resource("web", &["data"])],
    };
    let node =
        |id: u16| (NodeId(id), Node { name: format!("n{id}").parse().unwrap(), addresses: BTreeMap::new() });
    Cluster {
        grace: None,
        tie_breaker: None,
        tie_breakers: BTreeMap::new(),
        name: "demo".parse().unwrap(),
        timing: TimingProfile::Auto,
        monitoring: Monitoring::Mesh,
        quorum: Quorum::Majority,
        nodes: (1..=4).map(node).collect(),
        networks: BTreeMap::new(),
        groups: BTreeMap::from([(name, group)]),
    }
}

fn holding() -> impl Strategy<Value = Holding> {
    let epoch = || (1u64..6).prop_map(OwnershipEpoch);
    prop_oneof![
        4 => (0u64..6).prop_map(|epoch| Holding::Free { epoch: OwnershipEpoch(epoch), failed: None }),
        2 => epoch().prop_map(|epoch| Holding::Free { epoch, failed: Some("broke".into()) }),
        2 => epoch().prop_map(|epoch| Holding::Online { epoch }),
        1 => epoch().prop_map(|epoch| Holding::Acquiring { epoch }),
        1 => epoch().prop_map(|epoch| Holding::Releasing { epoch }),
        1 => epoch().prop_map(|epoch| Holding::Stuck { epoch, why: "busy".into() }),
        1 => Just(Holding::Unknown),
    ]
}

fn reach() -> impl Strategy<Value = Option<Reach>> {
    use Reach::{Alone, Deaf, Lost, Settling, Silent, Well};
    let other = [Settling, Deaf, Silent, Lost, Alone].map(|reach| Just(Some(reach)));
    prop_oneof![3 => Just(Some(Well)), 1 => Just(None), 2 => proptest::strategy::Union::new(other)]
}

prop_compose! {
    fn site()(
        order in Just([1u16, 2, 3, 4].map(NodeId).to_vec()).prop_shuffle(),
        count in 1usize..5,
        home in any::<bool>(),
        never in any::<bool>(),
        there in proptest::collection::vec(any::<bool>(), 4),
        holdings in proptest::collection::vec(holding(), 4),
        offline in prop::bool::weighted(0.2),
        placed in proptest::option::weighted(0.3, 0usize..4),
        urged in prop::bool::weighted(0.3),
        started in any::<bool>(),
        leaving in proptest::option::weighted(0.2, 1u16..5),
        begun in prop_oneof![2 => Just(0u64), 1 => 1u64..7],
        reaches in proptest::collection::vec(reach(), 4),
    ) -> (Cluster, View, GroupsState) {
        let nodes: Vec<_> = order[..count].to_vec();
        let startup = if home { Startup::HomeNode } else { Startup::FirstAvailable };
        let fallback = if never { Fallback::Never } else { Fallback::HigherPriority };
        let cluster = cluster(nodes.clone(), startup, fallback);
        let member = |node| Member { incarnation: life(node), boot: BootId([0; 16]), counts: true };
        let members: BTreeMap<_, _> = (1..=4)
            .map(NodeId)
            .filter(|node| there[usize::from(node.0) - 1])
            .map(|node| (node, member(node)))
            .collect();
        let view = View { id: ViewId { counter: 9, coordinator: NodeId(1) }, members, primary: true };
        let said = |node: &NodeId| {
            let holding = holdings[usize::from(node.0) - 1].clone();
            let holding = match view.has(*node) {
                true => holding,
                false => Holding::Lost { epoch: holding.epoch(), held: holding.may_hold() },
            };
            (*node, NodeRecord { life: life(*node), holding })
        };
        let record = GroupRecord {
            intent: if offline { Intent::Offline } else { Intent::Policy },
            placed: placed.and_then(|index| nodes.get(index).copied()),
            urge: if urged { Urge::Operator } else { Urge::None },
            started,
            epoch: OwnershipEpoch(6),
            begun: OwnershipEpoch(begun),
            nodes: nodes.iter().map(said).collect(),
            ..GroupRecord::default()
        };
        let state = GroupsState {
            config: Digest([0; 32]),
            members: BTreeSet::new(),
            leaving: leaving.map(NodeId).map(life).into_iter().collect(),
            unguarded: BTreeSet::new(),
            reach: (1..=4).map(NodeId).zip(reaches)
                .map(|(node, reach)| (life(node), reach.map(|reach| (LAN, reach)).into_iter().collect()))
                .collect(),
            groups: BTreeMap::from([("shop".parse().unwrap(), record)]),
        };
        (cluster, view, state)
    }
}

/// Where the group would be once everything is done, by the rules as the manual tells them; `None` for nowhere, and
/// `Err` where something is in the way.
fn twin(cluster: &Cluster, view: &View, state: &GroupsState) -> Result<Option<NodeId>, ()> {
    let (group, record) = (cluster.groups.values().next().unwrap(), state.groups.values().next().unwrap());
    let is = |node: NodeId, test: fn(&Holding) -> bool| view.has(node) && test(record.holding(node));
    let claims: Vec<NodeId> = group.nodes.iter().copied().filter(|node| is(*node, Holding::claims)).collect();
    let leaves = |node: NodeId| state.leaving.contains(&life(node));
    let usable = |node: NodeId| {
        let free = matches!(record.holding(node), Holding::Free { failed: None, .. });
        view.has(node) && !leaves(node) && (free || claims.contains(&node))
    };
    let said = |node: NodeId| state.reach.get(&life(node)).and_then(|all| all.get(&LAN)).copied();
    let works = view.members.keys().any(|node| matches!(said(*node), Some(Reach::Well | Reach::Alone)));
    let is_down =
        |node: NodeId| said(node) == Some(Reach::Lost) || (works && said(node) == Some(Reach::Silent));
    let in_doubt = |node: NodeId| {
        let doubt = said(node) == Some(Reach::Settling) || (works && said(node) == Some(Reach::Deaf));
        doubt && !claims.contains(&node)
    };
    let mut by_preference: Vec<NodeId> = group.nodes.clone();
    by_preference.sort_by_key(|node| (in_doubt(*node), Some(*node) != record.placed, group.rank(*node)));
    let first = by_preference.iter().copied().find(|node| usable(*node) && !is_down(*node));
    let holder = claims.iter().copied().max_by_key(|node| (record.holding(*node).epoch(), *node));
    if record.intent == Intent::Offline {
        return Ok(None).and_then(|none| {
            if claims.is_empty() && blocked(group, view, record) { Err(()) } else { Ok(none) }
        });
    }
    if holder.is_some_and(|node| record.holding(node).epoch() < record.begun) {
        return Ok(None);
    }
    if claims.len() > 1 {
        return Ok(holder);
    }
    match holder {
        None if blocked(group, view, record) => Err(()),
        None if !record.started
            && record.placed.is_none()
            && group.startup == Startup::HomeNode
            && !view.has(group.nodes[0]) =>
        {
            Ok(None)
        }
        None => Ok(first),
        Some(holder) => {
            let online = matches!(record.holding(holder), Holding::Online { .. });
            let free_to_move = record.urge == Urge::Operator
                || (group.fallback == Fallback::HigherPriority && online)
                || leaves(holder)
                || is_down(holder);
            let stays = if leaves(holder) { None } else { Some(holder) };
            let stuck = group.nodes.iter().any(|node| is(*node, |it| matches!(it, Holding::Stuck { .. })));
            if stuck && !online {
                return Ok(None);
            }
            if blocked(group, view, record) {
                return Ok(stays);
            }
            Ok(if free_to_move { first.or(stays) } else { stays })
        }
    }
}

fn blocked(group: &Group, view: &View, record: &GroupRecord) -> bool {
    group.nodes.iter().any(|node| {
        view.has(*node)
            && matches!(
                record.holding(*node),
                Holding::Unknown | Holding::Releasing { .. } | Holding::Stuck { .. } | Holding::Lost { .. }
            )
    })
}

/// Where the plan leaves the group.
fn goal(cluster: &Cluster, view: &View, state: &GroupsState) -> Result<Option<NodeId>, ()> {
    let (group, record) = (cluster.groups.values().next().unwrap(), state.groups.values().next().unwrap());
    match verdict(group, view, state) {
        Verdict::Move(motion) => Ok(motion.acquire.map(|acquire| acquire.node).or_else(|| {
            let mut kept = record.claimants().into_iter().filter(|node| view.has(*node));
            kept.rfind(|node| !motion.release.contains(node))
        })),
        Verdict::Stay(Standstill::Online { node } | Standstill::Unreachable { node, .. }) => Ok(Some(node)),
        Verdict::Stay(
            Standstill::ByOperator
            | Standstill::LackOfNode
            | Standstill::NoNetwork { .. }
            | Standstill::FailedEverywhere
            | Standstill::AwaitsHome { .. },
        ) => Ok(None),
        Verdict::Stay(
            Standstill::InMotion
            | Standstill::Stuck { .. }
            | Standstill::Releasing { .. }
            | Standstill::Unprobed { .. }
            | Standstill::Halted { .. },
        ) => Err(()),
    }
}

/// Does a plan as its nodes would, in the order of its reports.
fn carry_out(view: &View, state: &mut GroupsState, plan: &Plan) {
    state.agree(view, plan);
    for (name, motion) in &plan.motions {
        for node in &motion.release {
            let epoch = state.groups[name].holding(*node).epoch();
            state.report(life(*node), name, Holding::Free { epoch, failed: None });
        }
        if let Some(acquire) = motion.acquire {
            state.report(life(acquire.node), name, Holding::Online { epoch: acquire.epoch });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn placement_is_that_of_the_naive_twin((cluster, view, state) in site()) {
        prop_assert_eq!(goal(&cluster, &view, &state), twin(&cluster, &view, &state));
    }

    #[test]
    fn plans_come_to_rest((cluster, view, mut state) in site()) {
        for _ in 0..4 {
            let next = plan(PlannerLevel::LATEST, &cluster, &view, &state);
            if next.is_empty() {
                return Ok(());
            }
            carry_out(&view, &mut state, &next);
        }
        prop_assert!(plan(PlannerLevel::LATEST, &cluster, &view, &state).is_empty(), "{:?}", plan(PlannerLevel::LATEST, &cluster, &view, &state));
    }

    #[test]
    fn nothing_starts_before_every_other_candidate_let_go((cluster, view, state) in site()) {
        let plan = plan(PlannerLevel::LATEST, &cluster, &view, &state);
        let record = state.groups.values().next().unwrap();
        let group = cluster.groups.values().next().unwrap();
        for step in plan.steps.iter().filter(|step| matches!(step.kind, StepKind::Start { .. })) {
            let gates: Vec<_> = step.after.iter().map(|id| &plan.steps[id.0 as usize]).collect();
            for other in group.nodes.iter().filter(|node| **node != step.node) {
                let gated = gates.iter().any(|gate| match &gate.kind {
                    StepKind::Release => gate.node == *other,
                    StepKind::AwaitProof { of } => of == other,
                    StepKind::Stop { .. } | StepKind::Start { .. } | StepKind::Declare => false,
                });
                let silent = !matches!(record.holding(*other), Holding::Stuck { .. } | Holding::Unknown);
                prop_assert!(gated || record.holding(*other).is_free() || !silent, "{other}: {step:?}");
            }
            prop_assert!(step.after.iter().all(|id| *id < step.id));
        }
    }

    #[test]
    fn no_acquisition_goes_on_under_an_epoch_below_one_that_was_begun((cluster, view, state) in site()) {
        let record = state.groups.values().next().unwrap();
        for motion in plan(PlannerLevel::LATEST, &cluster, &view, &state).motions.values() {
            let acquire = motion.acquire.map(|acquire| acquire.epoch);
            prop_assert!(acquire.is_none_or(|epoch| epoch >= record.begun), "{motion:?}");
        }
        if let Verdict::Stay(Standstill::Online { node }) =
            verdict(cluster.groups.values().next().unwrap(), &view, &state)
        {
            prop_assert!(record.holding(node).epoch() >= record.begun);
        }
    }

    #[test]
    fn what_was_begun_is_never_forgotten((_, view, mut state) in site(), said in holding(), node in 1u16..5) {
        let (name, before) = (state.groups.keys().next().unwrap().clone(), state.groups.values().next().unwrap().begun);
        state.report(life(NodeId(node)), &name, said.clone());
        let told = state.groups[&name].begun;
        prop_assert!(told >= before && (state.groups[&name].holding(NodeId(node)) != &said || told >= said.epoch()));
        let claims = BTreeMap::from_iter(view.members.keys().map(|node| {
            let free = Holding::Free { epoch: OwnershipEpoch::NONE, failed: None };
            (*node, BTreeMap::from([(name.clone(), free)]))
        }));
        let absent = state.groups[&name].nodes.iter().filter(|(node, _)| !view.has(**node));
        let absent = absent.map(|(_, record)| record.holding.epoch()).max().unwrap_or_default();
        state.install(&view, &claims);
        prop_assert!(state.groups[&name].begun >= told.max(absent));
    }

    #[test]
    fn equal_inputs_give_equal_bytes((cluster, view, state) in site()) {
        let copy: GroupsState = minicbor::decode(&minicbor::to_vec(&state).unwrap()).unwrap();
        prop_assert_eq!(&copy, &state);
        prop_assert_eq!(plan(PlannerLevel::LATEST, &cluster, &view, &copy).digest(), plan(PlannerLevel::LATEST, &cluster, &view, &state).digest());
    }
}
