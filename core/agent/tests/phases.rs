//! One agent at its desk: what it begins, what it believes, and what it says it holds, phase by phase.
#![allow(clippy::unwrap_used)]

use phalanx_agent::{Agent, AgentEffect, Desk, OperationIds};
use phalanx_membership::{Clearance, Standing};
use phalanx_model::{Cluster, Group, parse};
use phalanx_plan::Holding;
use phalanx_types::limits::{PERMIT_WAIT, START_PROBES_MAX, STUCK_RETRY_INTERVAL, SWAPS_MAX};
use phalanx_types::{
    NetworkId, NodeId, Operation, OperationResult, OwnershipEpoch, ProofClass, Span, Tick, Verb, ViewId,
};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// What every cluster of these stories has.
const HEAD: &str = r#"
    schema = 1
    cluster = { name = "demo" }
    [node]
    ada = { address = { lan = "10.1.0.1" } }
    bob = { address = { lan = "10.1.0.2" } }
    cyd = { address = { lan = "10.1.0.3" } }
    [network]
    lan = { subnet = "10.1.0.0/24" }
"#;

const FILES_AND_WEB: &str = r#"
    [group.shop]
    nodes = ["ada", "bob"]
    [group.shop.resource.data]
    type = "file-system"
    device = "/dev/shop"
    mount = "/srv/shop"
    format = "ext4"
    [group.shop.resource.web]
    type = "application"
    start = ["shop"]
    after = ["data"]
    restart = { count = 1, within = "60s", then = "fallover" }
    [group.shop.resource.web.monitor]
    alive = { type = "process" }
"#;

const STOP_BUDGET: Span = Span::from_millis(100);

/// An agent with its means; operations wait until they are answered.
struct Bench {
    agent: Agent,
    now: Tick,
    lease_until: Tick,
    view: ViewId,
    ids: OperationIds,
    unplugged: BTreeSet<NetworkId>,
    asked: VecDeque<Operation>,
}

/// The only group of a cluster.
fn group_of(text: &str) -> Arc<Group> {
    let Cluster { groups, .. } = parse("test", &format!("{HEAD}{text}")).unwrap().cluster;
    Arc::new(groups.into_values().next().unwrap())
}

fn group() -> Arc<Group> {
    group_of(FILES_AND_WEB)
}

fn epoch(number: u64) -> OwnershipEpoch {
    OwnershipEpoch(number)
}

fn free(number: u64) -> Holding {
    Holding::Free { epoch: epoch(number), failed: None }
}

impl Bench {
    /// A daemon that has just started, with an hour of lease.
    fn new() -> Bench {
        let now = Tick(1_000_000_000);
        let (mut ids, mut out) = (OperationIds::default(), Vec::new());
        let standing = Standing::none(ViewId::NONE, STOP_BUDGET);
        let unplugged = BTreeSet::new();
        let mut desk = Desk { now, standing, unplugged: &unplugged, ids: &mut ids, out: &mut out };
        let agent = Agent::new(&mut desk, group(), now + Span::from_millis(300));
        let view = ViewId { counter: 1, coordinator: NodeId(1) };
        let lease_until = now + Span::from_secs(3_600);
        let mut bench = Bench { agent, now, lease_until, view, ids, unplugged, asked: VecDeque::new() };
        bench.collect(out);
        bench
    }

    /// The same, and nothing was found.
    fn idle() -> Bench {
        let mut bench = Bench::new();
        bench.answer_all(|_| OperationResult::Inactive);
        bench
    }

    /// The same with everything started.
    fn running() -> Bench {
        let mut bench = Bench::cleared();
        bench.answer_all(well);
        assert_eq!(bench.agent.holding(), Holding::Online { epoch: epoch(7) });
        bench
    }

    /// The same with an acquisition that may begin.
    fn cleared() -> Bench {
        let mut bench = Bench::idle();
        bench.act(|agent, desk| agent.acquire(desk, epoch(7), "a plan"));
        bench.clear();
        bench
    }

    fn act(&mut self, act: impl FnOnce(&mut Agent, &mut Desk<'_>)) {
        let mut out = Vec::new();
        let standing = Standing {
            view: self.view,
            primary: true,
            confirmed: true,
            lease_until: self.lease_until,
            stop_budget: STOP_BUDGET,
        };
        let (now, unplugged, ids) = (self.now, &self.unplugged, &mut self.ids);
        act(&mut self.agent, &mut Desk { now, standing, unplugged, ids, out: &mut out });
        self.collect(out);
    }

    fn collect(&mut self, out: Vec<AgentEffect>) {
        self.asked.extend(out.into_iter().filter_map(|effect| match effect {
            AgentEffect::Operate(operation) => Some(operation),
            AgentEffect::Note(_) => None,
        }));
    }

    fn later(&mut self, span: Span) {
        self.now = self.now + span;
        self.act(|agent, desk| agent.drive(desk));
    }

    /// What is asked of drivers, in order, as `start web`.
    fn asks(&self) -> Vec<String> {
        self.asked.iter().map(words).collect()
    }

    /// Answers the first operation.
    fn answer(&mut self, result: OperationResult) {
        let operation = self.asked.pop_front().unwrap();
        self.act(|agent, desk| {
            agent.operated(desk, operation.id, &result);
        });
    }

    /// Answers until nothing is asked any more.
    fn answer_all(&mut self, answer: impl Fn(&Operation) -> OperationResult) {
        while let Some(operation) = self.asked.front() {
            let result = answer(operation);
            self.answer(result);
        }
    }
}

fn words(operation: &Operation) -> String {
    let verb = match operation.verb {
        Verb::Start(_) => "start",
        Verb::Stop => "stop",
        Verb::Kill => "kill",
        Verb::Probe => "probe",
        Verb::Scout => "scout",
        Verb::Monitor => "monitor",
    };
    format!("{verb} {}", operation.resource)
}

/// A driver that does what it is asked while the group comes up.
fn well(operation: &Operation) -> OperationResult {
    match operation.verb {
        Verb::Probe => OperationResult::Active { epoch: Some(operation.epoch) },
        Verb::Start(_) | Verb::Stop | Verb::Kill | Verb::Scout | Verb::Monitor => OperationResult::Done,
    }
}

/// The same while it goes down.
fn ends_well(operation: &Operation) -> OperationResult {
    match operation.verb {
        Verb::Probe => OperationResult::Inactive,
        Verb::Start(_) | Verb::Stop | Verb::Kill | Verb::Scout | Verb::Monitor => OperationResult::Done,
    }
}

#[test]
fn what_the_first_probes_find_decides() {
    let active = |number| OperationResult::Active { epoch: Some(epoch(number)) };
    let check = |data: OperationResult, web: OperationResult, holding: Holding| {
        let mut bench = Bench::new();
        assert_eq!(bench.agent.holding(), Holding::Unknown);
        assert_eq!(bench.asks(), ["probe data", "probe web"]);
        bench.answer(data);
        bench.answer(web);
        assert_eq!(bench.agent.holding(), holding);
    };
    let none = || OperationResult::Active { epoch: None };
    check(OperationResult::Inactive, OperationResult::Inactive, free(0));
    check(none(), active(5), Holding::Online { epoch: epoch(5) });
    check(active(5), OperationResult::Inactive, Holding::Acquiring { epoch: epoch(5) });
    check(none(), OperationResult::Inactive, Holding::Releasing { epoch: epoch(0) });
    check(active(4), active(5), Holding::Releasing { epoch: epoch(0) });
}

#[test]
fn an_acquisition_begins_nothing_before_it_is_cleared_and_goes_in_order() {
    let mut bench = Bench::idle();
    bench.act(|agent, desk| agent.acquire(desk, epoch(7), "a plan"));
    assert_eq!((bench.asks().len(), bench.agent.wants_clearance()), (0, true));
    let mut bench = Bench::cleared();
    assert_eq!(bench.asks(), ["start data"]);
    bench.answer(OperationResult::Done);
    assert_eq!(bench.asks(), ["probe data", "start web"], "what comes after does not wait for the probe");
    bench.answer_all(well);
    assert_eq!(bench.agent.holding(), Holding::Online { epoch: epoch(7) });
}

#[test]
fn a_start_that_lies_is_a_start_that_failed() {
    let mut bench = Bench::cleared();
    bench.answer(OperationResult::Done);
    bench.answer(OperationResult::Inactive);
    assert_eq!(bench.agent.holding(), Holding::Releasing { epoch: epoch(7) });
    bench.answer_all(ends_well);
    let Holding::Free { failed: Some(why), .. } = bench.agent.holding() else { panic!("it is free") };
    assert!(why.contains("data did not start: it said that it is done"), "{why}");
}

#[test]
fn a_start_that_cannot_be_probed_is_probed_again_but_not_for_ever() {
    let mut bench = Bench::cleared();
    bench.answer(OperationResult::Done);
    bench.asked.retain(|operation| operation.verb == Verb::Probe);
    for _ in 1..START_PROBES_MAX {
        bench.answer(OperationResult::Failed("busy".into()));
        assert_eq!(bench.asks(), ["probe data"]);
    }
    bench.answer(OperationResult::TimedOut);
    assert_eq!(bench.agent.holding(), Holding::Releasing { epoch: epoch(7) });
}

#[test]
fn an_acquisition_that_began_nothing_ends_with_its_view_and_one_that_began_goes_on() {
    let mut bench = Bench::idle();
    bench.act(|agent, desk| agent.acquire(desk, epoch(7), "a plan"));
    assert_eq!(
        (bench.agent.holding(), bench.agent.claim()),
        (Holding::Acquiring { epoch: epoch(7) }, free(0))
    );
    bench.act(Agent::seal);
    assert_eq!(bench.agent.holding(), free(0));
    let mut bench = Bench::cleared();
    bench.act(Agent::revoke);
    assert_eq!(bench.agent.claim(), Holding::Acquiring { epoch: epoch(7) });
    assert!(!bench.agent.wants_clearance() || bench.asks() == ["start data"]);
}

#[test]
fn an_acquisition_that_began_nothing_ends_with_the_lease() {
    let mut bench = Bench::idle();
    bench.act(|agent, desk| agent.acquire(desk, epoch(7), "a plan"));
    bench.now = bench.lease_until;
    bench.lease_until = bench.now + Span::from_secs(5);
    bench.act(|agent, desk| agent.drive(desk));
    assert_eq!(bench.agent.holding(), free(7));
}

#[test]
fn a_stale_permit_is_not_used_twice() {
    let mut bench = Bench::cleared();
    bench.answer(OperationResult::Stale);
    assert_eq!(bench.asks().len(), 0, "the same permit would be as stale");
    bench.lease_until = bench.lease_until + Span::from_secs(1);
    bench.act(|agent, desk| agent.drive(desk));
    assert_eq!(bench.asks(), ["start data"]);
    bench.answer(OperationResult::Stale);
    bench.later(PERMIT_WAIT);
    assert_eq!(bench.agent.holding(), Holding::Releasing { epoch: epoch(7) }, "not for ever");
}

#[test]
fn a_dead_application_is_restarted_in_place_as_often_as_its_policy_says() {
    let mut bench = Bench::running();
    let web = "web".parse().unwrap();
    bench.act(|agent, desk| agent.ended(desk, &web, "signal 9"));
    assert_eq!(bench.asks(), ["kill web"]);
    bench.answer_all(well);
    assert_eq!(bench.agent.holding(), Holding::Online { epoch: epoch(7) });
    assert_eq!(bench.agent.restarts()[&web], [bench.now]);
    bench.act(|agent, desk| agent.ended(desk, &web, "signal 9"));
    assert_eq!(bench.agent.holding(), Holding::Releasing { epoch: epoch(7) });
}

#[test]
fn a_new_life_goes_on_counting_restarts() {
    let mut bench = Bench::new();
    bench.answer_all(|_| OperationResult::Active { epoch: Some(epoch(7)) });
    assert!(bench.agent.is_forgetful());
    let web: phalanx_types::ResourceName = "web".parse().unwrap();
    bench.agent.recall(&[(web.clone(), vec![bench.now])].into());
    bench.act(|agent, desk| agent.ended(desk, &web, "signal 9"));
    assert_eq!(bench.agent.holding(), Holding::Releasing { epoch: epoch(7) });
}

#[test]
fn a_release_stops_in_reverse_and_only_a_probe_makes_it_free() {
    let mut bench = Bench::running();
    bench.act(|agent, desk| agent.release(desk, "a plan"));
    assert_eq!(bench.asks(), ["stop web"]);
    bench.answer(OperationResult::Failed("busy".into()));
    assert_eq!(bench.asks(), ["kill web"]);
    bench.answer(OperationResult::Done);
    assert_eq!(bench.asks(), ["stop data"]);
    bench.answer(OperationResult::Done);
    assert_eq!(bench.agent.holding(), Holding::Releasing { epoch: epoch(7) });
    assert_eq!(bench.asks(), ["probe data", "probe web"]);
    bench.answer_all(ends_well);
    assert_eq!(bench.agent.holding(), free(7));
}

#[test]
fn what_cannot_be_stopped_is_stuck_and_tried_again() {
    let mut bench = Bench::running();
    bench.act(|agent, desk| agent.release(desk, "a plan"));
    bench.answer_all(|operation| match operation.verb {
        Verb::Probe => OperationResult::Active { epoch: None },
        Verb::Start(_) | Verb::Stop | Verb::Kill | Verb::Scout | Verb::Monitor => {
            OperationResult::Failed("busy".into())
        }
    });
    assert!(matches!(bench.agent.holding(), Holding::Stuck { .. }), "{:?}", bench.agent.holding());
    bench.later(STUCK_RETRY_INTERVAL);
    bench.answer_all(ends_well);
    assert_eq!(bench.agent.holding(), free(7));
}

#[test]
fn the_end_of_the_lease_needs_nobody_and_gets_rougher() {
    let mut bench = Bench::running();
    let left = bench.now.until(bench.lease_until.before(STOP_BUDGET));
    bench.later(left);
    assert_eq!(bench.asks(), ["stop web"]);
    bench.later(Span(STOP_BUDGET.0 / 2));
    assert_eq!(bench.asks(), ["stop web", "kill web", "kill data"], "half of the budget is gone");
}

#[test]
fn what_nobody_watches_any_more_goes_at_once() {
    let mut bench = Bench::new();
    bench.lease_until = Tick::ZERO;
    bench.answer_all(|_| OperationResult::Active { epoch: Some(epoch(7)) });
    assert_eq!(bench.agent.holding(), Holding::Online { epoch: epoch(7) });
    bench.act(Agent::unwatched);
    assert_eq!(bench.agent.holding(), Holding::Releasing { epoch: epoch(7) });
}

#[test]
fn an_operation_without_an_answer_has_an_end() {
    let mut bench = Bench::cleared();
    let wake = bench.agent.wake_at(bench.lease_until);
    assert!(wake < bench.lease_until);
    let wait = bench.now.until(wake);
    bench.later(wait);
    assert_eq!(bench.agent.holding(), Holding::Releasing { epoch: epoch(7) });
}

// Stories of a group that is one address.

const ADDRESS: &str = r#"
    [group.shop]
    nodes = ["ada", "bob"]
    resource.ip = { type = "service-address", network = "lan", address = "10.1.0.9/24" }
"#;
const LAN: NetworkId = NetworkId(0);

impl Bench {
    /// An idle agent of that group.
    fn address() -> Bench {
        let mut bench = Bench::idle();
        bench.act(|agent, desk| agent.redefine(desk, group_of(ADDRESS)));
        bench.act(|agent, desk| agent.acquire(desk, epoch(7), "a plan"));
        bench
    }

    /// The same, up.
    fn address_up() -> Bench {
        let mut bench = Bench::address();
        bench.answer(OperationResult::Done);
        bench.clear();
        bench.answer_all(well);
        assert_eq!(bench.agent.holding(), Holding::Online { epoch: epoch(7) });
        bench
    }

    fn clear(&mut self) {
        let name = group().name.clone();
        let clearance = Clearance::check(&name, NodeId(1), ProofClass::Process, [NodeId(1)], vec![]).unwrap();
        self.act(|agent, desk| agent.clear(desk, clearance));
    }

    fn adapter(&mut self, plugged: bool) {
        match plugged {
            true => self.unplugged.remove(&LAN),
            false => self.unplugged.insert(LAN),
        };
        self.act(|agent, desk| agent.adapters_changed(desk, LAN));
    }
}

fn unwell() -> OperationResult {
    OperationResult::Failed("its interface has no carrier".into())
}

#[test]
fn who_has_an_address_is_asked_before_there_is_a_clearance_and_started_after_both() {
    let mut bench = Bench::address();
    assert_eq!(bench.asks(), ["scout ip"], "while proofs are awaited");
    bench.clear();
    assert_eq!(bench.asks(), ["scout ip"]);
    bench.answer(OperationResult::Done);
    assert_eq!(bench.asks(), ["start ip"]);

    let mut bench = Bench::address();
    bench.answer(OperationResult::Failed("a stranger has it".into()));
    bench.answer_all(ends_well);
    let Holding::Free { failed: Some(why), .. } = bench.agent.holding() else { panic!() };
    assert_eq!(why, "ip cannot start: a stranger has it");
}

#[test]
fn nobody_waits_for_a_scout_that_does_not_come_back() {
    let mut bench = Bench::address();
    bench.clear();
    bench.later(Span::from_secs(60));
    assert_eq!(bench.asks(), ["scout ip", "start ip"]);
}

#[test]
fn an_address_whose_adapter_is_lost_is_started_on_another_in_place() {
    let mut bench = Bench::address_up();
    bench.adapter(true);
    assert_eq!(bench.asks(), ["monitor ip"]);
    bench.answer(OperationResult::Done);
    assert!(bench.asks().is_empty(), "all is well");
    bench.adapter(true);
    bench.answer(unwell());
    assert_eq!(bench.asks(), ["start ip"]);
    bench.answer_all(well);
    assert_eq!(bench.agent.holding(), Holding::Online { epoch: epoch(7) });
}

#[test]
fn without_another_adapter_it_waits_for_one_or_for_a_plan() {
    let mut bench = Bench::address_up();
    bench.adapter(false);
    bench.answer(unwell());
    bench.later(PERMIT_WAIT + PERMIT_WAIT);
    assert!(bench.asks().is_empty());
    assert_eq!(bench.agent.holding(), Holding::Online { epoch: epoch(7) }, "the others decide where it goes");
    bench.adapter(true);
    assert_eq!(bench.asks(), ["start ip"]);
    bench.answer_all(well);
    bench.adapter(false);
    bench.answer(unwell());
    bench.act(|agent, desk| agent.release(desk, "a plan"));
    assert_eq!(bench.asks(), ["stop ip"], "what is astray may still be there");
}

#[test]
fn an_address_that_cannot_be_put_back_or_does_not_stay_fails_here() {
    let mut bench = Bench::address_up();
    bench.adapter(true);
    bench.answer(unwell());
    bench.answer(OperationResult::Failed("no".into()));
    bench.answer_all(ends_well);
    assert!(matches!(bench.agent.holding(), Holding::Free { failed: Some(_), .. }));

    let mut bench = Bench::address_up();
    for _ in 0..SWAPS_MAX {
        bench.adapter(true);
        bench.answer(unwell());
        bench.answer_all(well);
    }
    bench.adapter(true);
    bench.answer(unwell());
    bench.answer_all(ends_well);
    let Holding::Free { failed: Some(why), .. } = bench.agent.holding() else { panic!() };
    assert!(why.contains("does not stay"), "{why}");
}

#[test]
fn what_is_agreed_without_a_lease_waits_for_one_and_takes_a_new_decision_then() {
    let mut bench = Bench::idle();
    bench.lease_until = bench.now + Span::from_millis(100);
    bench.later(Span::from_millis(1));
    bench.later(Span::from_millis(200));
    bench.act(|agent, desk| agent.acquire(desk, epoch(7), "a plan"));
    bench.later(Span::from_secs(1));
    assert_eq!(bench.agent.holding(), Holding::Acquiring { epoch: epoch(7) }, "not given back at once");
    bench.lease_until = bench.now + Span::from_secs(3_600);
    bench.later(Span::from_millis(1));
    assert_eq!(bench.agent.holding(), free(7));
    bench.act(|agent, desk| agent.acquire(desk, epoch(8), "a plan"));
    assert_eq!(bench.agent.holding(), Holding::Acquiring { epoch: epoch(8) });
}

#[test]
fn what_an_earlier_life_left_is_looked_at_again_under_a_lease() {
    let active = |_: &Operation| OperationResult::Active { epoch: Some(epoch(7)) };
    let adopted = || {
        let mut bench = Bench::new();
        bench.lease_until = Tick::ZERO;
        bench.answer_all(active);
        assert_eq!(bench.agent.holding(), Holding::Online { epoch: epoch(7) });
        bench.lease_until = bench.now + Span::from_secs(3_600);
        bench.later(Span::from_millis(50));
        assert_eq!(bench.asks(), ["probe data", "probe web"]);
        bench
    };
    let mut bench = adopted();
    bench.answer_all(active);
    bench.later(Span::from_millis(50));
    assert!(bench.asks().is_empty(), "once");
    assert_eq!(bench.agent.holding(), Holding::Online { epoch: epoch(7) });

    let mut bench = adopted();
    bench.answer(OperationResult::Inactive);
    bench.answer_all(ends_well);
    let Holding::Free { failed: Some(why), .. } = bench.agent.holding() else { panic!() };
    assert_eq!(why, "data is gone: the deadman of the daemon's earlier life ended it");
}
