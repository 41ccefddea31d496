//! The manager of one node: its inputs, its effects, and the order in which one step does things.
//!
//! Replicated state changes only by ordered notices of a primary view this node is in step with. What happens on this
//! node is decided by the difference between that state, the agents' own truth and the lease.

use crate::apply::Changes;
use crate::charter::Passage;
use crate::config::Config;
use crate::form::Forming;
use crate::guard::Guard;
use crate::message::{Papers, Transfer, encode};
use crate::networks::Networks;
use crate::ordered::ConfigTalk;
use crate::planning::Planning;
use crate::request::{Reply, Request};
use crate::requests::Requests;
use crate::shutdown::Shutdown;
use crate::stretch::Stretching;
use crate::tie::Tie;
use phalanx_agent::{Agent, AgentEffect, Desk, OperationIds, Phase as AgentPhase};
use phalanx_events::{ManagerNote, Point, ShutdownCause};
use phalanx_groups::{Group, Membership, Notice};
use phalanx_ledger::Ledger;
use phalanx_membership::{Hearing, Standing};
use phalanx_model::{Cluster, Group as ModelGroup};
use phalanx_plan::{GroupsState, Holding, PlannerLevel, Reaches, RestartTimes};
use phalanx_types::{
    BootId, Bug, Claim, GroupName, Incarnation, NetworkId, Operation, OperationId, OperationResult, Plot,
    RequestId, ResourceName, Span, Tick, Verdict, ViewId,
};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The cluster manager on one node.
pub struct Manager {
    pub(crate) me: Incarnation,
    pub(crate) boot: BootId,
    pub(crate) born: Tick,
    /// When the last step was.
    pub(crate) now: Tick,
    pub(crate) config: Config,
    pub(crate) phase: Phase,
    pub(crate) state: GroupsState,
    pub(crate) agents: BTreeMap<GroupName, Agent>,
    pub(crate) ids: OperationIds,
    pub(crate) standing: Standing,
    /// This node wrote its passport: nothing new is acquired until the next view.
    pub(crate) sealed: Cell<bool>,
    /// What this node last reported of each group in this view.
    pub(crate) reported: BTreeMap<GroupName, Holding>,
    /// The restarts that this node last reported of each group in this view.
    pub(crate) counted: BTreeMap<GroupName, RestartTimes>,
    /// Whether the members of the view use one configuration.
    pub(crate) talk: ConfigTalk,
    pub(crate) planning: Planning,
    pub(crate) requests: Requests,
    pub(crate) changes: Changes,
    pub(crate) shutdown: Shutdown,
    pub(crate) guard: Guard,
    pub(crate) passage: Passage,
    pub(crate) stretching: Stretching,
    pub(crate) forming: Option<Forming>,
    pub(crate) tie: Tie,
    pub(crate) networks: Networks,
    /// Why each group stands still, as last told.
    pub(crate) told: BTreeMap<GroupName, String>,
    /// When each group was let go here because the lease ran out, since this node was last in step.
    pub(crate) let_go: BTreeMap<GroupName, Tick>,
    /// When something that the group would not take is tried again.
    pub(crate) retry_at: Tick,
    /// The latest planner that this node has.
    pub(crate) planner: PlannerLevel,
    /// The bug that the simulator planted, if any.
    pub(crate) plot: Plot,
}

/// How this node stands to the replicated state.
pub(crate) enum Phase {
    /// No view yet.
    Alone,
    /// A view without quorum: nothing changes but what the lease ends.
    Apart(Box<Membership>),
    /// A primary view whose state is still to come.
    CatchingUp(Box<Membership>),
    /// A primary view; the state is everybody's.
    InStep(Box<Membership>),
}

/// What a manager hears.
#[derive(Clone, Debug)]
pub enum ManagerInput {
    /// Time has passed.
    Wake,
    /// Its group has something to say, in order.
    Notice(Notice),
    /// `Group::standing` changed.
    StandingChanged,
    /// An operation ended.
    Operated {
        /// Which.
        id: OperationId,
        /// How.
        result: OperationResult,
    },
    /// A started application's main process ended.
    Ended {
        /// Its group.
        group: GroupName,
        /// The application.
        resource: ResourceName,
        /// Exit code or signal, for people.
        how: String,
    },
    /// An operator asks for something.
    Asked {
        /// Names the reply.
        id: RequestId,
        /// What.
        request: Request,
    },
    /// A ledger's image is durable, and so is every earlier one.
    Stored {
        /// The number it was handed out with.
        number: u64,
    },
    /// The deadman accepts lease ends, or it is gone or refuses.
    Guarded(bool),
    /// Adapters or addresses on a network changed.
    Carrier {
        /// The network.
        network: NetworkId,
        /// Whether an adapter with an address there has a carrier.
        up: bool,
    },
    /// By this node's adapters on a network a target outside the cluster answered.
    TargetAnswered {
        /// The network.
        network: NetworkId,
    },
    /// What became of a claim.
    Claimed {
        /// Which.
        claim: Claim,
        /// What became of it.
        verdict: Verdict,
    },
    /// This node stood still for so long, beyond what was due.
    StoodStill(Span),
    /// Whom this node reaches on each network.
    Hearing(BTreeMap<NetworkId, Hearing>),
    /// Leave cleanly: groups go elsewhere first.
    Shutdown(ShutdownCause),
}

/// What a manager wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManagerEffect {
    /// Run an operation.
    Operate(Operation),
    /// Answer a request.
    Reply {
        /// Which.
        id: RequestId,
        /// How it ended.
        reply: Reply,
    },
    /// Make this image of the ledger durable in place of the last one; answered by [`ManagerInput::Stored`].
    Store {
        /// Names the answer; grows by one with each.
        number: u64,
        /// The image.
        image: Vec<u8>,
    },
    /// Ask a network's targets for an echo by this node's adapters there; [`ManagerInput::TargetAnswered`] if one answers.
    AskTargets {
        /// The network.
        network: NetworkId,
    },
    /// Claim a generation at the tie-breaker; answered by [`ManagerInput::Claimed`], within its limit if nothing hangs.
    Claim(Claim),
    /// Something happened.
    Note(ManagerNote),
    /// The node leaves: after [`ManagerInput::Shutdown`] nothing is left to be done here, or nothing can be.
    Leave {
        /// In which state it leaves, for people.
        why: String,
    },
}

impl From<AgentEffect> for ManagerEffect {
    fn from(effect: AgentEffect) -> ManagerEffect {
        match effect {
            AgentEffect::Operate(operation) => ManagerEffect::Operate(operation),
            AgentEffect::Note(note) => ManagerEffect::Note(note),
        }
    }
}

/// What one step works with.
pub(crate) struct Turn<'a> {
    pub now: Tick,
    pub group: &'a mut dyn Group,
    pub out: &'a mut Vec<ManagerEffect>,
}

impl Turn<'_> {
    pub fn note(&mut self, note: ManagerNote) {
        self.out.push(ManagerEffect::Note(note));
    }

    pub fn reached(&mut self, point: Point) {
        self.note(ManagerNote::Reached { point });
    }
}

impl Manager {
    /// A manager of a new life. Its first step probes every group that this node may host.
    ///
    /// `cluster` is what the ledger's active version declares.
    pub fn new(now: Tick, me: Incarnation, boot: BootId, ledger: Ledger, cluster: Arc<Cluster>) -> Manager {
        let config = Config::new(ledger, cluster);
        let state = GroupsState::fresh(&config.cluster, config.active());
        let stretching = Stretching::new(now, config.cluster.timings(), config.ledger.stretch());
        Manager {
            me,
            boot,
            born: now,
            now,
            config,
            phase: Phase::Alone,
            state,
            agents: BTreeMap::new(),
            ids: OperationIds::default(),
            standing: Standing::none(ViewId::NONE, Span::ZERO),
            sealed: Cell::new(false),
            reported: BTreeMap::new(),
            counted: BTreeMap::new(),
            talk: ConfigTalk::default(),
            planning: Planning::begin(PlannerLevel::FIRST),
            requests: Requests::default(),
            changes: Changes::default(),
            shutdown: Shutdown::No,
            guard: Guard::default(),
            passage: Passage::default(),
            stretching,
            forming: None,
            tie: Tie::default(),
            networks: Networks::default(),
            told: BTreeMap::new(),
            let_go: BTreeMap::new(),
            retry_at: Tick::NEVER,
            planner: PlannerLevel::LATEST,
            plot: Plot::NONE,
        }
    }

    /// The lives whose adapter on a network is up, as all managers that go on together know it.
    pub fn adapters_up(&self, network: NetworkId) -> impl Iterator<Item = Incarnation> {
        let up = move |reaches: &Reaches| reaches.get(&network).is_some_and(|reach| !reach.is_down());
        self.state.reach.iter().filter(move |(_, reaches)| up(reaches)).map(|(life, _)| *life)
    }

    /// This is the latest planner that the node has, as one of an earlier or later build would say.
    pub fn plan_up_to(&mut self, planner: PlannerLevel) {
        self.planner = planner;
    }

    /// Plants the bug that the simulator chose, if any.
    pub fn plant(&mut self, plot: Plot) {
        self.plot = plot;
    }

    /// Applies one input; pushes onto `out` what is to be done, in order.
    ///
    /// After a gap in this node's own time, a step with [`ManagerInput::Wake`] and the lease earned before the gap must
    /// come before anything that could renew that.
    pub fn step(
        &mut self,
        now: Tick,
        input: ManagerInput,
        group: &mut dyn Group,
        out: &mut Vec<ManagerEffect>,
    ) {
        (self.now, self.standing) = (now, group.standing());
        let mut turn = Turn { now, group, out };
        if self.sealed.get() {
            self.each_agent(&mut turn, |agent, desk| agent.seal(desk));
        }
        self.drive_agents(&mut turn);
        match input {
            ManagerInput::Wake | ManagerInput::StandingChanged => {}
            ManagerInput::Notice(notice) => self.hear(&mut turn, notice),
            ManagerInput::Operated { id, result } => self.operated(&mut turn, id, &result),
            ManagerInput::Ended { group, resource, how } => {
                self.with_agent(&mut turn, &group, |agent, desk| agent.ended(desk, &resource, &how));
            }
            ManagerInput::Asked { id, request } => self.asked(&mut turn, id, request),
            ManagerInput::Stored { number } => self.stored(&mut turn, number),
            ManagerInput::Guarded(guarded) => self.guarded(&mut turn, guarded),
            ManagerInput::Carrier { network, up } => self.carrier(&mut turn, network, up),
            ManagerInput::TargetAnswered { network } => self.target_answered(&turn, network),
            ManagerInput::Claimed { claim, verdict } => self.claimed(&mut turn, claim, verdict),
            ManagerInput::StoodStill(length) => self.stood_still(&mut turn, length),
            ManagerInput::Hearing(hearing) => self.hearing(&turn, hearing),
            ManagerInput::Shutdown(cause) => self.begin_shutdown(&mut turn, cause),
        }
        self.settle(&mut turn);
    }

    /// Does everything that the present state of things calls for.
    fn settle(&mut self, turn: &mut Turn<'_>) {
        self.retry_at = Tick::NEVER;
        self.enlist(turn);
        self.tell_config(turn);
        self.clear_agents(turn);
        self.drive_agents(turn);
        self.recall(turn);
        self.report(turn);
        self.tell_guard(turn);
        self.mind_networks(turn);
        self.report_restarts(turn);
        self.follow_requests(turn);
        self.follow_change(turn);
        self.follow_stretch(turn);
        self.follow_charter(turn);
        self.follow_forming(turn);
        self.follow_tie(turn);
        self.explain(turn);
        self.propose(turn);
        self.follow_shutdown(turn);
    }

    /// When the next step is due at the latest; [`Tick::NEVER`] if nothing is waited for.
    pub fn wake_at(&self) -> Tick {
        let let_go_at = self.standing.let_go_at();
        let agents = self.agents.values().map(|agent| agent.wake_at(let_go_at));
        let unlisted = self.unlisted().next().map_or(Tick::NEVER, |_| self.born);
        agents
            .chain([unlisted, self.retry_at, self.proofs_at(), self.planning.wake_at(), self.networks_at()])
            .chain([self.requests.wake_at(), self.changes.wake_at(), self.shutdown.wake_at(self.now)])
            .chain([self.charter_at(), self.stretch_at(), self.forming.map_or(Tick::NEVER, Forming::wake_at)])
            .chain([self.tie_at()])
            .min()
            .unwrap_or(Tick::NEVER)
    }

    /// The body of this node's passport. From now on until the next view nothing new is acquired here: the others
    /// rely on what the passport says. Call it only when one is written.
    pub fn passport(&self) -> Vec<u8> {
        self.sealed.set(true);
        let claims = self.agents.iter().map(|(name, agent)| (name.clone(), agent.claim())).collect();
        let ledger = &self.config.ledger;
        let active = ledger.active().stamp();
        let head = if self.plot.has(Bug::StagedNotBrought) { active } else { ledger.head().stamp() };
        let (stretch, lease_max) = (self.stretch(), ledger.stretch().lease_max.max(self.pace().lease_max));
        let (reach, planner) = (self.networks.reaches(), Some(self.planner));
        encode(&Papers { active, head, claims, reach, stretch, lease_max, planner })
    }

    /// The replicated state for members that are not in step; taken at a membership notice, before or after its
    /// step.
    pub fn state(&self) -> Vec<u8> {
        let version = self.config.ledger.active().clone();
        encode(&Transfer { version, state: self.state.clone() })
    }

    /// Whether everything was probed, nothing is held and nothing is under way.
    pub fn is_blank(&self) -> bool {
        self.probed() && self.agents.values().all(Agent::is_idle)
    }

    /// Whether the probes at daemon start are over: the node may begin to beat.
    pub fn probed(&self) -> bool {
        self.unlisted().next().is_none() && self.agents.values().all(Agent::probed)
    }

    /// Whether something is held here, or may be from one moment to the next: the deadman has to watch.
    pub fn holds_anything(&self) -> bool {
        self.agents.values().any(|agent| match agent.phase() {
            AgentPhase::Probing { .. } | AgentPhase::Idle { .. } => false,
            AgentPhase::Starting(_)
            | AgentPhase::Running(_)
            | AgentPhase::Stopping { .. }
            | AgentPhase::Stuck { .. } => true,
        })
    }

    /// The view this node is in step with, if it is primary.
    pub(crate) fn in_step(&self) -> Option<&Membership> {
        match &self.phase {
            Phase::InStep(membership) => Some(membership),
            Phase::Alone | Phase::Apart(_) | Phase::CatchingUp(_) => None,
        }
    }

    /// Groups that this node may host and has no agent for yet.
    pub(crate) fn unlisted(&self) -> impl Iterator<Item = &ModelGroup> {
        let groups = self.config.cluster.groups.values();
        groups
            .filter(|group| group.rank(self.me.node).is_some())
            .filter(|group| !self.agents.contains_key(&group.name))
    }

    /// Lets one agent act.
    pub(crate) fn with_agent<T>(
        &mut self,
        turn: &mut Turn<'_>,
        name: &GroupName,
        act: impl FnOnce(&mut Agent, &mut Desk<'_>) -> T,
    ) -> Option<T> {
        let mut effects = Vec::new();
        let (ids, out, unplugged) = (&mut self.ids, &mut effects, &self.networks.unplugged);
        let mut desk = Desk { now: turn.now, standing: self.standing, unplugged, ids, out };
        let answer = self.agents.get_mut(name).map(|agent| act(agent, &mut desk));
        let lets_go =
            |effect: &AgentEffect| matches!(effect, AgentEffect::Note(ManagerNote::LettingGo { .. }));
        if effects.iter().any(lets_go) {
            self.let_go.insert(name.clone(), turn.now);
        }
        turn.out.extend(effects.into_iter().map(ManagerEffect::from));
        answer
    }

    /// Lets every agent act.
    pub(crate) fn each_agent(&mut self, turn: &mut Turn<'_>, act: impl Fn(&mut Agent, &mut Desk<'_>)) {
        let names: Vec<_> = self.agents.keys().cloned().collect();
        for name in &names {
            self.with_agent(turn, name, &act);
        }
    }

    /// How long what an earlier life left running may stay without a lease of this life.
    pub(crate) fn unleased_until(&self) -> Tick {
        let timings = self.config.cluster.timings();
        self.born + (timings.lease() - timings.stop_budget())
    }
}
