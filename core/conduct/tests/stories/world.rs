//! A world in memory: managers, an order of messages, views, leases, deadmen and drivers, all on one virtual clock.
//!
//! At every start it asserts ONE-OWNER: nothing of the group is active or being started anywhere else.

use crate::cluster::name;
use phalanx_conduct::{Manager, ManagerEffect, ManagerInput, PlannerLevel};
use phalanx_groups::{
    Cause, Group, Membership, Notice, Outcome, Passport, ProposalId, Refusal, StateStamp, Vote,
};
use phalanx_ledger::Ledger;
use phalanx_membership::testing::{confirmed_down, expiry};
use phalanx_membership::{Expiry, Hearing, Standing};
use phalanx_model::{Cluster, parse};
use phalanx_types::limits::FORMED_COUNTER_STEP;
use phalanx_types::{
    BootId, Charter, Digest, Electorate, GroupName, Incarnation, Member, NetworkId, NodeId, NodeSet,
    Operation, OperationResult, OwnershipEpoch, ProofClass, ResourceName, Span, Tick, TimingProfile, Timings,
    Verb, View, ViewId,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const HOP: Span = Span::from_millis(1);
/// How long a disk takes to make a record durable.
const DISK: Span = Span::from_millis(3);
const STEPS_MAX: usize = 200_000;

type Key = (GroupName, ResourceName);

/// A host: what runs on it outlives its daemon.
pub struct Host {
    pub manager: Option<Manager>,
    life: Incarnation,
    boot: u8,
    view: Option<View>,
    /// The generation of the charter that its view was formed under.
    formed_in: u64,
    stamp: StateStamp,
    /// What is active, and for which acquisition.
    active: BTreeMap<Key, OwnershipEpoch>,
    starting: BTreeSet<GroupName>,
    /// When its lease ends, once it is no longer renewed.
    lease_end: Option<Tick>,
    pub deadman: bool,
    frozen: bool,
    /// What waits to be heard while it stands still.
    held: Vec<ManagerInput>,
    pub bad_starts: BTreeMap<ResourceName, u32>,
    pub bad_stops: BTreeSet<ResourceName>,
    /// Starts that say they are done and do nothing.
    pub lying_starts: BTreeSet<ResourceName>,
    /// Its disk: the ledger's image.
    pub image: Vec<u8>,
    /// Its adapters on the one network: which have a carrier.
    pub adapters: [bool; 2],
    /// The adapter that each address is on; none once somebody took it off.
    on: BTreeMap<ResourceName, Option<usize>>,
    /// Addresses that a host outside the cluster has.
    pub taken: BTreeSet<ResourceName>,
    /// The latest planner of the daemon that it starts next.
    pub planner: PlannerLevel,
    /// Whether it objects to every change of the configuration, as a newer program might.
    pub objects: bool,
}

enum Event {
    Said { view: ViewId, from: NodeId, word: Word },
    Operated { life: Incarnation, operation: Operation },
    Install { members: BTreeSet<NodeId> },
    Deadman { node: NodeId },
    Stored { life: Incarnation, number: u64, image: Vec<u8> },
}

#[derive(Clone)]
enum Word {
    Broadcast(Vec<u8>),
    Propose(ProposalId, Vec<u8>),
    Vote(ProposalId, Vote, String),
}

impl Word {
    /// A vote for another phase turns into an objection.
    fn object(&mut self) {
        if let Word::Vote(_, vote, word) = self
            && *vote == Vote::Continue
        {
            (*vote, *word) = (Vote::Reject, "its own verification failed".into());
        }
    }
}

struct Ballot {
    id: ProposalId,
    body: Vec<u8>,
    phase: u32,
    votes: BTreeMap<NodeId, (Vote, String)>,
}

pub struct World {
    pub now: Tick,
    pub cluster: Arc<Cluster>,
    pub timings: Timings,
    pub hosts: BTreeMap<NodeId, Host>,
    /// Nodes that reach each other.
    pub islands: Vec<BTreeSet<NodeId>>,
    events: BTreeMap<(Tick, u64), Event>,
    ballots: BTreeMap<ViewId, Ballot>,
    counter: u64,
    sequence: u64,
    promised: BTreeMap<NodeId, Tick>,
    pub effects: Vec<(Tick, NodeId, ManagerEffect)>,
    /// Whether two owners are what the story is about.
    pub two_owners_expected: bool,
    /// The newest acquisition of each group that began anything, and whose it is.
    begun: BTreeMap<GroupName, (OwnershipEpoch, NodeId)>,
}

struct Port<'a> {
    me: Incarnation,
    standing: Standing,
    numbers: &'a mut u64,
    said: Vec<Word>,
    in_view: bool,
    heard: NodeSet,
}

impl Host {
    fn is_address(resource: &ResourceName) -> bool {
        resource.as_str().ends_with("-ip")
    }

    /// Puts an address on an adapter with a carrier, if there is one; anything else needs none.
    fn place(&mut self, resource: &ResourceName) -> bool {
        let good = self.adapters.iter().position(|carrier| *carrier);
        if Host::is_address(resource) {
            self.on.insert(resource.clone(), good);
        }
        good.is_some() || !Host::is_address(resource)
    }

    /// What its driver answers once it is started.
    fn started(&self, resource: &ResourceName) -> OperationResult {
        match self.on.get(resource).copied().flatten() {
            Some(adapter) => OperationResult::Placed { interface: format!("eth{adapter}") },
            None => OperationResult::Done,
        }
    }

    fn is_astray(&self, resource: &ResourceName) -> bool {
        let on = self.on.get(resource).copied().flatten();
        Host::is_address(resource) && !on.is_some_and(|adapter| self.adapters[adapter])
    }
}

impl Group for Port<'_> {
    fn me(&self) -> Incarnation {
        self.me
    }
    fn standing(&self) -> Standing {
        self.standing
    }
    fn heard_lately(&self) -> NodeSet {
        self.heard
    }
    fn broadcast(&mut self, body: Vec<u8>) -> Result<(), Refusal> {
        self.in_view.then(|| self.said.push(Word::Broadcast(body))).ok_or(Refusal::Changing)
    }
    fn propose(&mut self, body: Vec<u8>, _: Span) -> Result<ProposalId, Refusal> {
        *self.numbers += 1;
        let id = ProposalId { life: self.me, number: *self.numbers };
        self.in_view.then(|| self.said.push(Word::Propose(id, body))).ok_or(Refusal::Changing)?;
        Ok(id)
    }
    fn vote(&mut self, proposal: ProposalId, vote: Vote, word: &str) {
        self.said.push(Word::Vote(proposal, vote, word.to_owned()));
    }
}

impl World {
    pub fn new(cluster: Cluster) -> World {
        let timings = Timings::of(TimingProfile::Auto);
        let nodes: BTreeSet<_> = cluster.nodes.keys().copied().collect();
        let image = Ledger::begin(cluster.to_toml()).to_image();
        let host = |node: &NodeId| Host {
            manager: None,
            life: Incarnation { node: *node, start: 0 },
            boot: 1,
            view: None,
            formed_in: 1,
            stamp: StateStamp::default(),
            active: BTreeMap::new(),
            starting: BTreeSet::new(),
            lease_end: None,
            deadman: true,
            frozen: false,
            held: Vec::new(),
            bad_starts: BTreeMap::new(),
            bad_stops: BTreeSet::new(),
            lying_starts: BTreeSet::new(),
            adapters: [true, false],
            on: BTreeMap::new(),
            taken: BTreeSet::new(),
            image: image.clone(),
            planner: PlannerLevel::LATEST,
            objects: false,
        };
        World {
            now: Tick(1_000_000_000),
            timings,
            hosts: nodes.iter().map(|node| (*node, host(node))).collect(),
            promised: nodes
                .iter()
                .map(|node| (*node, Tick(1_000_000_000) + timings.takeover_wait()))
                .collect(),
            islands: vec![nodes],
            cluster: Arc::new(cluster),
            events: BTreeMap::new(),
            ballots: BTreeMap::new(),
            counter: 0,
            sequence: 0,
            effects: Vec::new(),
            two_owners_expected: false,
            begun: BTreeMap::new(),
        }
    }

    // What happens to hosts.

    pub fn start(&mut self, node: NodeId) {
        let now = self.now;
        let host = self.host(node);
        host.life.start += 1;
        (host.view, host.stamp, host.frozen) = (None, StateStamp::default(), false);
        // A new daemon's shell first ends what operations of the last one are still under way.
        host.starting.clear();
        let ledger = Ledger::from_image(&host.image).unwrap();
        let cluster = Arc::new(parse("ledger", ledger.active().text()).unwrap().cluster);
        let mut manager = Manager::new(now, host.life, BootId([host.boot; 16]), ledger, cluster);
        manager.plan_up_to(host.planner);
        host.manager = Some(manager);
        host.lease_end = None;
        host.held.clear();
        self.step(node, ManagerInput::Wake);
        self.hear(node, Hearing::Somebody);
        self.tell_adapters(node);
    }

    /// The host is gone at once, and comes back with another boot.
    pub fn crash(&mut self, node: NodeId) {
        self.lose(node);
        let host = self.host(node);
        (host.manager, host.boot) = (None, host.boot + 1);
        host.active.clear();
        host.starting.clear();
        self.review_views(self.timings.detect());
    }

    /// The daemon is gone; what it started runs on until the deadman acts.
    pub fn kill_daemon(&mut self, node: NodeId) {
        self.lose(node);
        let act_at = self.hosts[&node].lease_end.unwrap_or(self.now).before(Span::from_millis(1));
        self.host(node).manager = None;
        self.schedule(act_at.max(self.now), Event::Deadman { node });
        self.review_views(self.timings.detect());
    }

    pub fn freeze(&mut self, node: NodeId) {
        self.lose(node);
        self.host(node).frozen = true;
        self.review_views(self.timings.detect());
    }

    pub fn thaw(&mut self, node: NodeId) {
        self.host(node).frozen = false;
        self.step(node, ManagerInput::Wake);
        let held = std::mem::take(&mut self.host(node).held);
        held.into_iter().for_each(|input| self.step(node, input));
        self.review_views(Span::from_millis(50));
    }

    pub fn part(&mut self, islands: Vec<BTreeSet<NodeId>>) {
        self.islands = islands;
        self.review_views(self.timings.detect());
    }

    pub fn heal(&mut self) {
        self.islands = vec![self.hosts.keys().copied().collect()];
        self.review_views(Span::from_millis(50));
    }

    pub fn application_dies(&mut self, group: &GroupName) {
        let resource: ResourceName = format!("{group}-web").parse().unwrap();
        let key = (group.clone(), resource.clone());
        let at: Vec<_> = self
            .hosts
            .iter()
            .filter(|(_, host)| host.active.contains_key(&key))
            .map(|(node, _)| *node)
            .collect();
        for node in at {
            self.host(node).active.remove(&key);
            let how = "killed by signal 9".to_owned();
            let (group, resource) = (group.clone(), resource.clone());
            self.step(node, ManagerInput::Ended { group, resource, how });
        }
    }

    /// An adapter loses or finds its carrier.
    pub fn set_adapter(&mut self, node: NodeId, adapter: usize, carrier: bool) {
        self.host(node).adapters[adapter] = carrier;
        self.tell_adapters(node);
    }

    /// Somebody takes all addresses off a host.
    pub fn take_addresses(&mut self, node: NodeId) {
        self.host(node).on.clear();
        self.tell_adapters(node);
    }

    fn tell_adapters(&mut self, node: NodeId) {
        let up = self.hosts[&node].adapters.contains(&true);
        self.step(node, ManagerInput::Carrier { network: NetworkId(0), up });
    }

    /// Whom a node reaches on the one network that addresses are on; all reach each other on another one.
    pub fn hear(&mut self, node: NodeId, hearing: Hearing) {
        self.step(node, ManagerInput::Hearing(BTreeMap::from([(NetworkId(0), hearing)])));
    }

    /// Runs for `span` of virtual time.
    pub fn run(&mut self, span: Span) {
        let end = self.now + span;
        for _ in 0..STEPS_MAX {
            let event = self.events.keys().next().copied();
            let wake = self.next_wake();
            let event_at = event.map_or(Tick::NEVER, |(at, _)| at);
            let wake_at = wake.map_or(Tick::NEVER, |(at, _)| at);
            if event_at.min(wake_at) > end {
                self.now = end;
                return;
            }
            match (event, wake) {
                (Some(key), _) if event_at <= wake_at => self.happen(key),
                (_, Some((at, node))) => {
                    self.now = self.now.max(at);
                    self.step(node, ManagerInput::Wake);
                    let next = self.hosts[&node].manager.as_ref().map_or(Tick::NEVER, Manager::wake_at);
                    assert!(next > self.now, "{} does not come to rest", name(node));
                }
                (_, None) => unreachable!("there is an event or a wake"),
            }
        }
        panic!("the world does not come to rest");
    }

    /// Where each of the group's resources is active.
    pub fn owners(&self, group: &GroupName) -> Vec<&'static str> {
        let holds = |host: &Host| host.active.keys().any(|(name, _)| name == group);
        self.hosts.iter().filter(|(_, host)| holds(host)).map(|(node, _)| name(*node)).collect()
    }

    pub fn step(&mut self, node: NodeId, input: ManagerInput) {
        let standing = self.standing(node);
        let (mut numbers, heard) = (self.sequence, self.reached(node).without(node));
        let host = self.hosts.get_mut(&node).unwrap();
        if host.frozen {
            return host.held.push(input);
        }
        let Some(manager) = host.manager.as_mut() else { return };
        let (mut out, in_view) = (Vec::new(), host.view.is_some());
        let said = Vec::new();
        let mut port = Port { me: host.life, standing, numbers: &mut numbers, said, in_view, heard };
        let objects = host.objects;
        let probed = manager.probed();
        manager.step(self.now, input, &mut port, &mut out);
        let (mut said, ready) = (port.said, !probed && manager.probed());
        said.iter_mut().filter(|_| objects).for_each(Word::object);
        self.sequence = numbers;
        self.say(node, said);
        out.into_iter().for_each(|effect| self.carry_out(node, effect));
        if ready {
            self.review_views(Span::from_millis(50));
        }
    }

    fn say(&mut self, node: NodeId, said: Vec<Word>) {
        let Some(view) = self.hosts[&node].view.as_ref().map(|view| view.id) else { return };
        for word in said {
            self.schedule(self.now + HOP, Event::Said { view, from: node, word });
        }
    }

    fn carry_out(&mut self, node: NodeId, effect: ManagerEffect) {
        self.effects.push((self.now, node, effect.clone()));
        match effect {
            ManagerEffect::Operate(operation) => self.begin_operation(node, operation),
            ManagerEffect::Leave { .. } => {
                self.promised.insert(node, self.now + self.timings.takeover_wait());
                self.host(node).manager = None;
                self.host(node).view = None;
                self.review_views(Span::from_millis(50));
            }
            ManagerEffect::Store { number, image } => {
                let life = self.hosts[&node].life;
                self.schedule(self.now + DISK, Event::Stored { life, number, image });
            }
            ManagerEffect::Reply { .. }
            | ManagerEffect::Note(_)
            | ManagerEffect::AskTargets { .. }
            | ManagerEffect::Claim(_) => {}
        }
    }

    fn begin_operation(&mut self, node: NodeId, operation: Operation) {
        let millis = match operation.verb {
            Verb::Start(_) => 20,
            Verb::Stop => 10,
            Verb::Kill => 5,
            Verb::Probe | Verb::Monitor => 2,
            Verb::Scout => 0,
        };
        if let Verb::Start(permit) = operation.verb {
            let standing = self.standing(node);
            assert!(permit.view == standing.view && self.now < permit.valid_until, "a permit is fresh");
            self.assert_one_owner(node, &operation.group);
            self.assert_epochs_grow(node, &operation);
            self.host(node).starting.insert(operation.group.clone());
        }
        let life = self.hosts[&node].life;
        self.schedule(self.now + Span::from_millis(millis), Event::Operated { life, operation });
    }

    /// ONE-OWNER, at the instant of a start.
    fn assert_one_owner(&self, node: NodeId, group: &GroupName) {
        let holds = |host: &Host| {
            host.active.keys().any(|(active, _)| active == group) || host.starting.contains(group)
        };
        let other = self.hosts.iter().find(|(other, host)| **other != node && holds(host));
        if let (Some((other, _)), false) = (other, self.two_owners_expected) {
            panic!("ONE-OWNER: {} starts {group} while {} has it", name(node), name(*other));
        }
    }

    /// The epochs that a group's shared disk sees never fall, and each is one node's.
    fn assert_epochs_grow(&mut self, node: NodeId, operation: &Operation) {
        let mine = (operation.epoch, node);
        let last = *self.begun.entry(operation.group.clone()).or_insert(mine);
        let grows = last.0 < mine.0 || last == mine;
        assert!(grows, "{} starts {} with {mine:?} after {last:?}", name(node), operation.group);
        self.begun.insert(operation.group.clone(), mine);
    }

    fn happen(&mut self, key: (Tick, u64)) {
        self.now = self.now.max(key.0);
        match self.events.remove(&key).unwrap() {
            Event::Said { view, from, word } => self.deliver(view, from, word),
            Event::Operated { life, operation } => self.operate(life, operation),
            Event::Install { members } => self.install(members),
            Event::Deadman { node } => self.bite(node),
            Event::Stored { life, number, image } => {
                let host = self.host(life.node);
                if host.life == life && host.manager.is_some() {
                    host.image = image;
                    self.step(life.node, ManagerInput::Stored { number });
                    self.follow_charter(life.node);
                }
            }
        }
    }

    /// The lease that the last life fed the deadman ends: without a newer one everything is ended.
    fn bite(&mut self, node: NodeId) {
        if self.standing(node).lease_until > self.now + HOP || !self.hosts[&node].deadman {
            return;
        }
        let ended = std::mem::take(&mut self.host(node).active);
        self.host(node).starting.clear();
        for (group, resource) in ended.into_keys().filter(|(_, name)| name.as_str().ends_with("-web")) {
            self.step(node, ManagerInput::Ended { group, resource, how: "killed by the deadman".into() });
        }
    }

    fn operate(&mut self, life: Incarnation, operation: Operation) {
        let host = self.hosts.get_mut(&life.node).unwrap();
        if host.life != life || host.manager.is_none() {
            return;
        }
        let key = (operation.group.clone(), operation.resource.clone());
        let placed = !matches!(operation.verb, Verb::Start(_)) || host.place(&operation.resource);
        let bad_start = host.bad_starts.get_mut(&operation.resource).filter(|left| **left > 0);
        let result = match operation.verb {
            Verb::Start(_) => {
                host.starting.remove(&operation.group);
                match bad_start {
                    None if !placed => OperationResult::Failed("no interface has a carrier".into()),
                    Some(left) => {
                        *left -= 1;
                        OperationResult::Failed("exit code 1".into())
                    }
                    None if host.lying_starts.contains(&operation.resource) => OperationResult::Done,
                    None => {
                        host.active.insert(key, operation.epoch);
                        host.started(&operation.resource)
                    }
                }
            }
            Verb::Stop | Verb::Kill if host.bad_stops.contains(&operation.resource) => {
                OperationResult::Failed("device is busy".into())
            }
            Verb::Stop | Verb::Kill => {
                host.active.remove(&key);
                OperationResult::Done
            }
            Verb::Probe => match host.active.get(&key) {
                Some(epoch) if operation.resource.as_str().ends_with("-web") => {
                    OperationResult::Active { epoch: Some(*epoch) }
                }
                Some(_) => OperationResult::Active { epoch: None },
                None => OperationResult::Inactive,
            },
            Verb::Scout if host.taken.contains(&operation.resource) => {
                OperationResult::Failed("another host has it".into())
            }
            Verb::Monitor if host.is_astray(&operation.resource) => {
                OperationResult::Failed("its interface has no carrier".into())
            }
            Verb::Scout | Verb::Monitor => OperationResult::Done,
        };
        self.step(life.node, ManagerInput::Operated { id: operation.id, result });
    }

    // Views and order.

    /// Each island that has changed gets a view after `delay`.
    fn review_views(&mut self, delay: Span) {
        self.review_leases();
        for members in self.islands.clone() {
            self.schedule(self.now + delay, Event::Install { members });
        }
    }

    fn install(&mut self, island: BTreeSet<NodeId>) {
        if !self.islands.contains(&island) {
            return;
        }
        let beats = |node: &NodeId| {
            let host = &self.hosts[node];
            !host.frozen && host.manager.as_ref().is_some_and(Manager::probed)
        };
        let members: BTreeMap<NodeId, Member> = island
            .into_iter()
            .filter(beats)
            .map(|node| {
                let (incarnation, boot) = (self.hosts[&node].life, BootId([self.hosts[&node].boot; 16]));
                (node, Member { incarnation, boot, counts: true })
            })
            .collect();
        let charter = self.charter(members.keys().copied().collect());
        let same = |node: &NodeId| {
            let host = &self.hosts[node];
            host.formed_in == charter.generation
                && host.view.as_ref().is_some_and(|view| view.members == members)
        };
        let Some(first) = members.keys().next().copied() else { return };
        if members.keys().all(same) {
            return self.renew(members.keys().copied().collect());
        }
        self.counter += 1;
        let id = ViewId { counter: self.counter, coordinator: first };
        self.jump(charter);
        let primary = charter.is_met(members.keys().copied().collect(), self.electorate());
        let charter = charter.having_seen(members.keys().copied().collect());
        self.begin_view(View { id: ViewId { counter: self.counter, ..id }, members, primary }, charter);
    }

    /// They reach each other again before anybody noticed that they did not.
    fn renew(&mut self, members: Vec<NodeId>) {
        for node in members {
            let primary = self.hosts[&node].view.as_ref().is_some_and(|view| view.primary);
            if primary && self.reaches_quorum(node) && self.hosts[&node].lease_end > Some(self.now) {
                self.host(node).lease_end = None;
                self.step(node, ManagerInput::StandingChanged);
            }
        }
    }

    /// A host that has a new charter on disk wants a view formed under it.
    fn follow_charter(&mut self, node: NodeId) {
        let host = &self.hosts[&node];
        let charter = host.manager.as_ref().map_or(Charter::FIRST, Manager::charter);
        if host.formed_in < charter.generation {
            self.review_views(Span::from_millis(50));
        }
    }

    /// A new generation begins far ahead of the one before.
    fn jump(&mut self, charter: Charter) {
        self.counter = self.counter.max((charter.generation - 1) * FORMED_COUNTER_STEP);
    }

    fn electorate(&self) -> Electorate {
        let nodes = self.cluster.nodes.keys().copied().collect();
        Electorate { nodes, quorum: self.cluster.quorum_size() }
    }

    fn begin_view(&mut self, view: View, charter: Charter) {
        let nodes: Vec<_> = view.members.keys().copied().collect();
        let previous = nodes.iter().map(|node| (*node, self.view_id(*node))).collect();
        let passports: BTreeMap<_, _> = nodes.iter().map(|node| (*node, self.passport(*node))).collect();
        nodes.iter().for_each(|node| self.end_ballot(*node));
        let best = passports.values().map(|passport| passport.stamp).max().unwrap();
        let donor = *passports.iter().find(|(_, passport)| passport.stamp == best).unwrap().0;
        let absent = self.cluster.nodes.keys().filter(|node| !view.has(**node));
        let expiries = absent.map(|node| (*node, self.expiry(*node, charter))).collect();
        let in_step = passports.iter().filter(|(_, passport)| passport.stamp == best);
        let in_step = in_step.map(|(node, _)| *node).collect();
        let timings = self.timings;
        let membership = Membership {
            view: view.clone(),
            previous,
            passports,
            donor,
            in_step,
            timings,
            expiries,
            charter,
        };
        for node in &nodes {
            let stamp = membership.passports[node].stamp;
            let lease_end = self.now + self.timings.lease();
            let host = self.host(*node);
            let was_primary = host.view.as_ref().is_some_and(|view| view.primary);
            (host.view, host.formed_in) = (Some(view.clone()), charter.generation);
            let in_step = view.primary && stamp == best;
            host.stamp = if in_step { StateStamp::in_step(view.id) } else { stamp };
            match (was_primary, view.primary) {
                (_, true) => host.lease_end = None,
                (true, false) => host.lease_end = host.lease_end.or(Some(lease_end)),
                (false, false) => {}
            }
        }
        nodes.iter().for_each(|node| {
            self.step(*node, ManagerInput::Notice(Notice::Membership(Box::new(membership.clone()))))
        });
        let Some(body) = self.hosts[&donor].manager.as_ref().map(Manager::state) else { return };
        for node in nodes.iter().filter(|node| membership.passports[node].stamp != best) {
            let (body, digest) = (body.clone(), Digest::of(&body));
            if view.primary {
                self.host(*node).stamp = StateStamp::in_step(view.id);
            }
            self.step(*node, ManagerInput::Notice(Notice::State { from: donor, body, digest }));
        }
    }

    fn expiry(&self, node: NodeId, charter: Charter) -> Expiry {
        match charter.confirmed_down.has(node) {
            true => confirmed_down(node, self.promised[&node]),
            false => expiry(node, self.promised[&node], ProofClass::Process),
        }
    }

    fn view_id(&self, node: NodeId) -> ViewId {
        self.hosts[&node].view.as_ref().map_or(ViewId::NONE, |view| view.id)
    }

    fn passport(&self, node: NodeId) -> Passport {
        let host = &self.hosts[&node];
        Passport { stamp: host.stamp, body: host.manager.as_ref().unwrap().passport() }
    }

    fn end_ballot(&mut self, node: NodeId) {
        if let Some(ballot) = self.ballots.get(&self.view_id(node)) {
            let (proposal, body) = (ballot.id, ballot.body.clone());
            let outcome = Outcome::Rejected(Cause::ViewChanged);
            self.step(node, ManagerInput::Notice(Notice::Outcome { proposal, body, outcome }));
        }
    }

    fn deliver(&mut self, view: ViewId, from: NodeId, word: Word) {
        let here: Vec<_> = self.hosts.keys().copied().filter(|node| self.view_id(*node) == view).collect();
        let Some(members) =
            here.first().and_then(|node| self.hosts[node].view.as_ref()).map(|view| view.members.len())
        else {
            return;
        };
        let notices = self.notices(view, from, word, members);
        for node in here {
            self.host(node).stamp.applied += u64::from(self.hosts[&node].stamp.primary == view);
            for notice in &notices {
                self.step(node, ManagerInput::Notice(notice.clone()));
            }
        }
    }

    fn notices(&mut self, view: ViewId, from: NodeId, word: Word, members: usize) -> Vec<Notice> {
        match word {
            Word::Broadcast(body) => vec![Notice::Message { from, body }],
            Word::Propose(proposal, body) if self.ballots.contains_key(&view) => {
                let outcome = Outcome::Rejected(Cause::Collided);
                self.step(from, ManagerInput::Notice(Notice::Outcome { proposal, body, outcome }));
                Vec::new()
            }
            Word::Propose(proposal, body) => {
                let ballot = Ballot { id: proposal, body: body.clone(), phase: 1, votes: BTreeMap::new() };
                self.ballots.insert(view, ballot);
                vec![Notice::Phase { proposal, phase: 1, body }]
            }
            Word::Vote(id, vote, why) => {
                let Some(ballot) = self.ballots.get_mut(&view).filter(|ballot| ballot.id == id) else {
                    return Vec::new();
                };
                ballot.votes.insert(from, (vote, why));
                match ballot.votes.len() == members {
                    true if ballot.goes_on() => vec![ballot.next_phase()],
                    true => vec![self.ballots.remove(&view).unwrap().close()],
                    false => Vec::new(),
                }
            }
        }
    }

    // Leases.

    fn standing(&self, node: NodeId) -> Standing {
        let host = &self.hosts[&node];
        let budget = self.timings.stop_budget();
        match &host.view {
            None => Standing::none(ViewId::NONE, budget),
            Some(view) => Standing {
                view: view.id,
                primary: view.primary,
                confirmed: view.primary,
                lease_until: match (host.lease_end, view.primary) {
                    (Some(end), _) => end,
                    (None, true) => self.now + self.timings.lease(),
                    (None, false) => Tick::ZERO,
                },
                stop_budget: budget,
            },
        }
    }

    /// Whether enough hosts that live reach this one to grant it a lease.
    fn reaches_quorum(&self, node: NodeId) -> bool {
        let reached = self.reached(node);
        self.charter(reached).is_met(reached, self.electorate())
    }

    /// The hosts that live and reach this one, itself among them.
    fn reached(&self, node: NodeId) -> NodeSet {
        let lives = |other: &&NodeId| {
            let host = &self.hosts[other];
            host.manager.is_some() && !host.frozen
        };
        let reached = self.islands.iter().filter(|island| island.contains(&node)).flatten();
        reached.filter(lives).copied().collect()
    }

    /// The latest charter that any of these knows.
    fn charter(&self, nodes: NodeSet) -> Charter {
        let managers = nodes.iter().filter_map(|node| self.hosts[&node].manager.as_ref());
        managers.map(Manager::charter).fold(Charter::FIRST, Charter::merged)
    }

    /// Nodes that a quorum no longer reaches are granted nothing from now on.
    fn review_leases(&mut self) {
        let cut: Vec<_> = self.hosts.keys().copied().filter(|node| !self.reaches_quorum(*node)).collect();
        cut.into_iter().for_each(|node| self.lose(node));
    }

    /// From now on nobody grants this node anything.
    fn lose(&mut self, node: NodeId) {
        let (lease, wait) = (self.now + self.timings.lease(), self.now + self.timings.takeover_wait());
        let host = self.host(node);
        if host.lease_end.is_none() && host.view.as_ref().is_some_and(|view| view.primary) {
            host.lease_end = Some(lease);
            self.promised.insert(node, wait);
            self.step(node, ManagerInput::StandingChanged);
        }
    }

    fn next_wake(&self) -> Option<(Tick, NodeId)> {
        let wakes = self.hosts.iter().filter(|(_, host)| !host.frozen).filter_map(|(node, host)| {
            let at = host.manager.as_ref()?.wake_at();
            (at < Tick::NEVER).then_some((at, *node))
        });
        wakes.min()
    }

    fn schedule(&mut self, at: Tick, event: Event) {
        self.sequence += 1;
        self.events.insert((at, self.sequence), event);
    }

    pub fn host(&mut self, node: NodeId) -> &mut Host {
        self.hosts.get_mut(&node).unwrap()
    }
}

impl Ballot {
    fn goes_on(&self) -> bool {
        let has = |wanted| self.votes.values().any(|(vote, _)| *vote == wanted);
        has(Vote::Continue) && !has(Vote::Reject)
    }

    fn next_phase(&mut self) -> Notice {
        self.phase += 1;
        self.votes.clear();
        Notice::Phase { proposal: self.id, phase: self.phase, body: self.body.clone() }
    }

    fn close(self) -> Notice {
        let against: BTreeMap<_, _> = self
            .votes
            .into_iter()
            .filter(|(_, (vote, _))| *vote == Vote::Reject)
            .map(|(node, (_, why))| (node, why))
            .collect();
        let outcome = match against.is_empty() {
            true => Outcome::Approved,
            false => Outcome::Rejected(Cause::Voted(against)),
        };
        Notice::Outcome { proposal: self.id, body: self.body, outcome }
    }
}
