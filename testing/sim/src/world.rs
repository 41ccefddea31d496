//! The world of one seed: hosts, networks and a queue of what is going to happen, one thing at a time.
//!
//! Here is the loop; what a core asks for is carried out in `shell`, resources in `drivers`, boots and crashes in
//! `power`, faults in `strike`. Nothing here reads a clock or draws chance from anywhere but the seed.

use crate::clients::Clients;
use crate::drill::Drill;
use crate::fault::{Mode, Planner, Strike};
use crate::host::Host;
use crate::net::{Net, Trouble};
use crate::node::{Factory, SimNode};
use crate::points::Points;
use crate::queue::Queue;
use crate::random::{Random, Stream};
use crate::rescue::Rescue;
use crate::run::{Course, Judge};
use crate::session::Sessions;
use crate::setting::Setting;
use crate::story::Manners;
use crate::tie::TieBreaker;
use crate::trace::Trace;
use phalanx_groups::services::{ClientAct, ClientId};
use phalanx_node::{Effect, Input};
use phalanx_oracle::{Census, Event, GlobalTime, Oracle, Terms, Violation, What};
use phalanx_types::{
    Claim, ClusterId, GroupName, NodeId, Operation, OperationId, PathId, Shared, Span, Tick, Timings, ViewId,
};
use std::collections::BTreeSet;

/// More than this in one seed is a loop without end.
const HAPPENINGS_MAX: u64 = 50_000_000;
/// A core that wants to be woken at once has to wait so long.
const WAKE_MIN: u64 = 1_000;

/// A datagram on its way.
#[derive(Clone, Debug)]
pub struct Flight {
    /// The sender, from 0, and its life's start number.
    pub from: (u8, u64),
    /// The receiver, from 0, and the life it is sealed for; of a Hello the one that it echoes.
    pub to: (u8, u64),
    /// By which network, and which adapters on it.
    pub lane: u8,
    /// Whether it is a Hello in place of a frame.
    pub hello: bool,
    /// Whether it waits until its receiver is awake anyway.
    pub routine: bool,
    /// What is in it.
    pub bytes: Shared,
}

/// What can be going to happen. Hosts count from 0; `start` names a life, `boot` a boot that it is meant for.
#[derive(Debug)]
pub enum Happening {
    /// A frame arrives.
    Arrives(Flight),
    /// A core's own timer.
    Wakes { host: u8, start: u64 },
    /// A daemon is told something by its own host.
    Hears { host: u8, start: u64, input: Box<Input> },
    /// A request for an echo arrives at the kernel of host `of`; the daemon of host `by` waits for the answer.
    EchoAsked { of: u8, by: u8, start: u64, path: PathId },
    /// A claim arrives at the tie-breaker; the answer takes so long, if it comes in time.
    Claims { by: u8, start: u64, claim: Claim, answers: Option<Span> },
    /// The deadman comes to look at what a life has written down.
    Looks { host: u8, start: u64 },
    /// A record is durable, or not.
    Lands { host: u8, start: u64, generation: u32 },
    /// An operation reaches its driver.
    Begins { host: u8, start: u64, operation: Box<Operation> },
    /// A probe or monitor ends.
    Looked { host: u8, boot: u64, start: u64, index: usize, operation: Box<Operation>, after: Span },
    /// A start, stop or kill ends.
    Over { host: u8, boot: u64, start: u64, index: usize, id: OperationId },
    /// An application writes to the shared disk.
    Writes { host: u8, boot: u64, index: usize, serial: u32 },
    /// The deadman looks at what is held.
    DeadmanLooks { host: u8, boot: u64 },
    /// The deadman's kill of one resource takes effect.
    DeadmanKills { host: u8, boot: u64, index: usize },
    /// A host gets power.
    PowersOn { host: u8, boot: u64 },
    /// A daemon is started, unless one runs.
    DaemonStarts { host: u8, boot: u64 },
    /// A stopped daemon runs again.
    Resumes { host: u8, number: u64 },
    /// A frozen host runs again.
    Thaws { host: u8, since: u64 },
    /// An honest operator looks whether to form the cluster of the few, or whether all is well again.
    OperatorLooks,
    /// Some client of Group Services does something.
    ClientActs { host: u8, start: u64 },
    /// A client has made up its mind.
    ClientVotes { host: u8, start: u64, client: ClientId, vote: Box<ClientAct> },
    /// A planned fault.
    Strikes(usize),
    /// The end of one.
    Lifts { strike: usize, host: u8 },
    /// In a story the networks are in trouble.
    TroubleBegins { id: u32, troubles: Vec<Trouble> },
    /// That is over.
    TroubleEnds { id: u32 },
    /// The end of all.
    Heals,
    /// Everybody should be well now.
    Healed { tries: u32 },
    /// What operators brought offline is wanted online.
    AsksOnline,
    /// The end.
    Ends,
}

impl Happening {
    /// The host that cannot take it while it stands still.
    fn host(&self) -> Option<usize> {
        match self {
            Happening::Arrives(flight) => Some(flight.to.0 as usize),
            Happening::EchoAsked { of, .. } => Some(*of as usize),
            Happening::Wakes { host, .. }
            | Happening::Hears { host, .. }
            | Happening::Looks { host, .. }
            | Happening::Lands { host, .. }
            | Happening::Begins { host, .. }
            | Happening::Looked { host, .. }
            | Happening::Over { host, .. }
            | Happening::Writes { host, .. }
            | Happening::DeadmanLooks { host, .. }
            | Happening::DeadmanKills { host, .. }
            | Happening::DaemonStarts { host, .. }
            | Happening::ClientActs { host, .. }
            | Happening::ClientVotes { host, .. }
            | Happening::Resumes { host, .. } => Some(*host as usize),
            Happening::PowersOn { .. }
            | Happening::Claims { .. }
            | Happening::Thaws { .. }
            | Happening::OperatorLooks
            | Happening::Strikes(_)
            | Happening::Lifts { .. }
            | Happening::TroubleBegins { .. }
            | Happening::TroubleEnds { .. }
            | Happening::Heals
            | Happening::Healed { .. }
            | Happening::AsksOnline
            | Happening::Ends => None,
        }
    }
}

/// When what part of a seed begins, on the global clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phases {
    /// Faults strike from here …
    pub warm: u64,
    /// … to here; then everything heals.
    pub heal: u64,
}

impl Phases {
    /// For these timings: at least a minute of faults.
    pub fn of(setting: &Setting) -> Phases {
        let timings = setting.timings();
        let warm = Span::from_secs(3) + timings.detect() * 5;
        let faults = Span::from_secs(60).max(timings.detect() * 75);
        Phases { warm: warm.0, heal: warm.0 + faults.0 }
    }

    /// From healing to where all is said to be well: longer than any operation or boot takes.
    pub fn rest(&self, terms: &Terms) -> Span {
        Span::from_secs(6) + terms.slowest().takeover_wait() * 2
    }

    /// From there to the end.
    pub fn quiet(&self, terms: &Terms) -> Span {
        terms.settle() + terms.slowest().takeover_wait() + Span::from_secs(8)
    }
}

/// The world.
pub struct World<F: Factory> {
    pub(crate) factory: F,
    pub(crate) setting: Setting,
    pub(crate) timings: Timings,
    /// What the oracle knows of the cluster.
    pub(crate) terms: Terms,
    pub(crate) cluster: ClusterId,
    pub(crate) phases: Phases,
    pub(crate) now: u64,
    pub(crate) queue: Queue<Happening>,
    pub(crate) hosts: Vec<Host<F::Node>>,
    pub(crate) net: Net,
    pub(crate) tie_breaker: TieBreaker,
    pub(crate) sessions: Sessions,
    pub(crate) strikes: Vec<Strike>,
    pub(crate) clocks: Random,
    pub(crate) targets: Random,
    pub(crate) workload: Random,
    pub(crate) builds: Random,
    /// What clients of Group Services do, if there are any.
    pub(crate) clients: Option<Clients>,
    /// How many troubles of the networks a story has told of.
    pub(crate) troubles: u32,
    /// How clients of Group Services vote in a story.
    pub(crate) manners: Option<Manners>,
    /// What clients do of whom only the time of a vote is wanted.
    pub(crate) drill: Option<Drill>,
    pub(crate) healing: bool,
    /// What an honest operator is about while most hosts are lost.
    pub(crate) rescue: Option<Rescue>,
    pub(crate) requests: u64,
    /// How long a host takes from power to its daemon's start.
    pub(crate) boot: (Span, Span),
    /// The cluster as operators want it.
    pub(crate) wanted: Setting,
    pub(crate) excused: BTreeSet<GroupName>,
    pub(crate) seen: Vec<What>,
    effects: Vec<Effect>,
    /// Frames that each host has sent and received.
    pub(crate) frames: Vec<u64>,
    oracle: Oracle,
    /// What is counted.
    pub census: Census,
    /// Which rare branches were taken.
    pub points: Points,
    /// What is kept.
    pub trace: Trace,
    violation: Option<Violation>,
    over: bool,
}

impl<F: Factory> World<F> {
    /// The world of this seed.
    pub fn new(factory: F, seed: u64, course: Course, trace: Trace) -> World<F> {
        let Course { mode, judge, .. } = course;
        let (mode, setting) = (mode.of(seed), course.setting(seed));
        let phases = Phases::of(&setting);
        let strikes = Planner::new(seed, &setting).draw(mode, phases.warm, phases.heal);
        let terms = setting.terms();
        let oracle = match mode {
            Mode::Swarm | Mode::Stress | Mode::Form | Mode::Groups | Mode::Dwindle | Mode::Mixed => {
                Oracle::safety(&terms)
            }
            Mode::Freeze => Oracle::beyond_class(&terms),
        };
        let oracle = match judge {
            Judge::All if factory.is_live() => oracle.with_liveness(&terms),
            Judge::All | Judge::Safety => oracle,
            Judge::Only(property) => oracle.with_liveness(&terms).only(&[property]),
        };
        let mut world = World::with(factory, seed, setting, strikes, oracle, trace);
        world.clients = (mode == Mode::Groups).then(|| Clients::new(seed));
        world
    }

    /// A world in which just these strikes happen, before just this oracle.
    pub fn with(
        factory: F,
        seed: u64,
        setting: Setting,
        strikes: Vec<Strike>,
        oracle: Oracle,
        trace: Trace,
    ) -> World<F> {
        let mut world = World::still(factory, seed, setting, oracle, trace);
        world.strikes = strikes;
        world.schedule();
        world
    }

    /// A world in which nothing is going to happen: all hosts are off.
    pub(crate) fn still(factory: F, seed: u64, setting: Setting, oracle: Oracle, trace: Trace) -> World<F> {
        let mut clocks = Random::new(seed, Stream::Clock);
        let ledger = factory.first_ledger(&setting);
        let host = |node: NodeId| crate::power::new_host(seed, node, &setting, ledger.clone(), &mut clocks);
        let hosts = setting.node_ids().map(host).collect();
        World {
            timings: setting.timings(),
            terms: setting.terms(),
            cluster: ClusterId(clocks.bytes()),
            phases: Phases::of(&setting),
            now: 0,
            queue: Queue::default(),
            hosts,
            net: Net::new(seed, setting.nodes, setting.lanes()),
            tie_breaker: TieBreaker::new(seed, setting.nodes),
            sessions: Sessions::new(setting.nodes),
            strikes: Vec::new(),
            clocks,
            targets: Random::new(seed, Stream::Targets),
            workload: Random::new(seed, Stream::Workload),
            builds: Random::new(seed, Stream::Builds),
            clients: None,
            troubles: 0,
            manners: None,
            drill: None,
            healing: false,
            rescue: None,
            requests: 0,
            boot: crate::power::BOOT,
            wanted: setting.clone(),
            excused: BTreeSet::new(),
            seen: Vec::new(),
            effects: Vec::new(),
            frames: vec![0; setting.nodes],
            oracle,
            census: Census::default(),
            points: Points::default(),
            trace,
            violation: None,
            over: false,
            factory,
            setting,
        }
    }

    /// Everybody boots within half a second; the strikes come as planned; then all heals.
    fn schedule(&mut self) {
        for host in 0..self.hosts.len() {
            let at = self.clocks.below(Span::from_millis(500).0);
            self.queue.push(at, Happening::PowersOn { host: host as u8, boot: 0 });
        }
        for (index, strike) in self.strikes.iter().enumerate() {
            self.queue.push(strike.at, Happening::Strikes(index));
        }
        self.queue.push(self.phases.heal, Happening::Heals);
    }

    /// Runs to the end, or to the first violation.
    pub fn run(&mut self) -> Result<(), Violation> {
        let mut left = HAPPENINGS_MAX;
        while !self.over && self.violation.is_none() {
            let Some((at, happening)) = self.queue.pop() else { break };
            self.now = at;
            self.happen(happening);
            left -= 1;
            if left == 0 {
                self.object("BOUNDED", format!("{HAPPENINGS_MAX} things happened and no end is in sight"));
            }
        }
        let end = GlobalTime(self.now);
        match self.violation.take() {
            Some(violation) => Err(violation),
            None => self.oracle.finish(end),
        }
    }

    /// Runs to this time, or to the first violation.
    pub fn run_until(&mut self, until: Span) -> Result<(), Violation> {
        while let Some((at, happening)) = self.queue.pop_before(until.0) {
            self.now = at;
            self.happen(happening);
            if let Some(violation) = self.violation.take() {
                return Err(violation);
            }
        }
        self.now = until.0;
        Ok(())
    }

    /// Nothing more happens: whether every property holds at the end, too.
    pub(crate) fn finish(&mut self) -> Result<(), Violation> {
        self.oracle.finish(GlobalTime(self.now))
    }

    /// How many frames a host, counted from 0, has sent and received.
    pub fn traffic(&self, host: usize) -> u64 {
        self.frames[host]
    }

    /// The view that every daemon has installed, if it is the same everywhere.
    pub fn common_view(&self) -> Option<ViewId> {
        let mut views = self.hosts.iter().filter_map(|host| host.daemon.as_ref()).map(|daemon| daemon.view);
        let first = views.next()?;
        views.all(|view| view == first).then_some(first)
    }

    /// A host, counted from 0, crashes for good.
    pub fn crash(&mut self, host: usize) {
        self.crash_host(host, Span::from_secs(24 * 60 * 60));
    }

    /// How long it has run.
    pub fn elapsed(&self) -> Span {
        Span(self.now)
    }

    pub(crate) fn object(&mut self, property: &'static str, words: String) {
        self.violation.get_or_insert(Violation { property, words, at: GlobalTime(self.now) });
    }

    fn happen(&mut self, happening: Happening) {
        if let Some(host) = happening.host()
            && let Some(ice) = &mut self.hosts[host].ice
        {
            ice.waiting.push(happening);
            return;
        }
        match happening {
            Happening::Arrives(flight) => self.arrives(flight),
            Happening::Wakes { host, start } => self.wakes(host as usize, start),
            Happening::EchoAsked { of, by, start, path } => {
                self.answer_echo(of as usize, (by as usize, start), path);
            }
            Happening::Claims { by, start, claim, answers } => {
                self.decides_tie(by as usize, start, claim, answers);
            }
            Happening::Hears { host, start, input } => self.hears(host as usize, start, *input),
            Happening::Looks { host, start } => self.looks_at_slate(host as usize, start),
            Happening::Lands { host, start, generation } => self.lands(host as usize, start, generation),
            Happening::Begins { host, start, operation } => self.begins(host as usize, start, *operation),
            Happening::Looked { host, boot, start, index, operation, after } => {
                self.looked((host as usize, boot), start, index, &operation, after);
            }
            Happening::Over { host, boot, start, index, id } => {
                self.over((host as usize, boot), start, index, id);
            }
            Happening::Writes { host, boot, index, serial } => {
                self.writes((host as usize, boot), index, serial)
            }
            Happening::DeadmanLooks { host, boot } => self.deadman_looks(host as usize, boot),
            Happening::DeadmanKills { host, boot, index } => self.deadman_kills((host as usize, boot), index),
            Happening::PowersOn { host, boot } => self.powers_on(host as usize, boot),
            Happening::DaemonStarts { host, boot } => self.daemon_starts(host as usize, boot),
            Happening::Resumes { host, number } => self.resumes(host as usize, number),
            Happening::ClientVotes { host, start, client, vote } => {
                self.client_does(host as usize, start, client, *vote);
            }
            Happening::ClientActs { host, start } => self.client_acts(host as usize, start),
            Happening::Thaws { host, since } => self.thaws(host as usize, since),
            Happening::OperatorLooks => self.operator_looks(),
            Happening::Strikes(index) => self.strikes(index),
            Happening::Lifts { strike, host } => self.lifts(strike, host as usize),
            Happening::TroubleBegins { id, troubles } => self.lay(0, id, &troubles),
            Happening::TroubleEnds { id } => self.lift(0, id),
            Happening::Heals => self.heals(),
            Happening::Healed { tries } => self.healed(tries),
            Happening::AsksOnline => self.asks_online(),
            Happening::Ends => self.over = true,
        }
    }

    /// Something happens `after` from now.
    pub(crate) fn later(&mut self, after: Span, happening: Happening) {
        self.queue.push(self.now + after.0, happening);
    }

    /// Shows the oracle what happened on a host.
    pub(crate) fn tell(&mut self, host: usize, what: What) {
        let event = Event { at: GlobalTime(self.now), life: self.hosts[host].life(), what };
        self.census.see(&event);
        self.terms.see(&event);
        self.points.see(&event);
        if self.violation.is_none() {
            self.violation = self.oracle.see(&event).err();
        }
        self.trace.event(event);
    }

    /// Shows the oracle what an observer saw of a host's resources.
    pub(crate) fn tell_seen(&mut self, host: usize) {
        let mut seen = std::mem::take(&mut self.seen);
        seen.drain(..).for_each(|what| self.tell(host, what));
        self.seen = seen;
    }

    /// Gives an input to a daemon that runs, and carries out what it asks for.
    pub(crate) fn step(&mut self, host: usize, input: Input) {
        let Host { daemon: Some(daemon), clock, .. } = &mut self.hosts[host] else { return };
        daemon.core.step(clock.local(self.now), input, &mut self.effects);
        self.carry_out_all(host);
        self.set_alarm(host);
    }

    /// Carries out what a core has just asked for.
    pub(crate) fn carry_out_all(&mut self, host: usize) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            self.carry_out(host, effect);
        }
        self.effects = effects;
    }

    /// A new core, which may ask for something at once.
    pub(crate) fn make_core(&mut self, birth: phalanx_node::Birth) -> F::Node {
        self.factory.born(birth, &mut self.effects)
    }

    /// Sees to it that the daemon is woken no later than it wants.
    pub(crate) fn set_alarm(&mut self, host: usize) {
        let Host { daemon: Some(daemon), clock, .. } = &mut self.hosts[host] else { return };
        let wake = daemon.core.wake_at();
        if wake == daemon.wake && daemon.wake_due != u64::MAX {
            return;
        }
        daemon.wake = wake;
        let due = clock.global(wake).max(self.now + WAKE_MIN);
        if wake != Tick::NEVER && due < daemon.wake_due {
            daemon.wake_due = due;
            let start = daemon.life.start;
            self.queue.push(due, Happening::Wakes { host: host as u8, start });
        }
    }

    fn wakes(&mut self, host: usize, start: u64) {
        let now = self.now;
        let local = self.hosts[host].clock.local(now);
        let Some(daemon) = self.hosts[host].living(start).filter(|daemon| daemon.stopped.is_none()) else {
            return;
        };
        if daemon.wake_due <= now {
            daemon.wake_due = u64::MAX;
        }
        match daemon.core.wake_at() <= local {
            true => self.wake_up(host),
            false => self.set_alarm(host),
        }
    }

    /// A daemon whose time has come reads first what did not wake it.
    pub(crate) fn wake_up(&mut self, host: usize) {
        let Some(daemon) = &mut self.hosts[host].daemon else { return };
        let (fed, beats) = (daemon.fed.take(), std::mem::take(&mut daemon.unread));
        self.step(host, Input::Due { fed, beats });
    }
}
