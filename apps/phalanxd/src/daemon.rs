//! The real-time thread: what wakes it goes into the core, what the core decides is carried out, in order.
//!
//! Nothing here waits, writes a file or reads one from a disk, or talks to a terminal.

use crate::adapters;
use crate::aha::{self, Crier};
use crate::birth::{Cradle, unborn};
use crate::clients::{self, Clients};
use crate::door;
use crate::doubles::Doubles;
use crate::doubts::Doubts;
use crate::error::StartError;
use crate::guard::{Feeder, Guard};
use crate::hands::{self, Hands};
use crate::inbox::{Guarded, Inbox, Word, inbox};
use crate::keeper::Keeper;
use crate::outlook::{DaemonStatus, domain_outlook, dropped, hanging, outlook};
use crate::remark::Remark;
use crate::scribe::Scribe;
use crate::settings::Settings;
use crate::stall::Stolen;
use crate::targets::Targets;
use crate::tie::Ties;
use crate::topology::topology_outlook;
use crate::wait::{Wait, Woken};
use crate::words::Names;
use phalanx_api::{Answer, Ask, Asked, ClientId, Server, Told, socket};
use phalanx_conduct::{Reply, Request};
use phalanx_eventfs::EventFs;
use phalanx_events::{ManagerNote, MembershipNote, Note};
use phalanx_exec::Permits;
use phalanx_host::now;
use phalanx_ledger::Ledger;
use phalanx_model::Cluster;
use phalanx_netlink::Adapters;
use phalanx_node::{Arrival, Effect, Input, Lane, Node, Record};
use phalanx_realtime::{Signal, Signals, lock_memory, make_realtime};
use phalanx_types::{RequestId, Span, Tick, ViewId};
use phalanx_udp::{Carrier, Paths, Seal};
use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Between two looks at what has no deadline: missing addresses, refused datagrams.
const CHORES_INTERVAL: Span = Span::from_secs(1);

/// Effects for which room is kept from one step to the next.
const EFFECTS_KEPT: usize = 1_024;

/// A running daemon.
pub struct Daemon {
    node: Node,
    carrier: Carrier,
    wait: Wait,
    /// Room for what a step decides; empty between two steps.
    effects: Vec<Effect>,
    inbox: Inbox,
    signals: Signals,
    permits: Arc<Permits>,
    hands: Hands,
    adapters: Adapters,
    targets: Targets,
    doubts: Doubts,
    ties: Ties,
    guard: Guard,
    feeder: Feeder,
    keeper: Keeper,
    scribe: Scribe,
    told: Told,
    door: JoinHandle<()>,
    clients: Clients,
    cluster: Arc<Cluster>,
    config: String,
    status: DaemonStatus,
    asked: BTreeMap<RequestId, ClientId>,
    last_request: u64,
    missing: Vec<SocketAddr>,
    doubles: Doubles,
    stolen: Stolen,
    aha: Option<EventFs>,
    chores_at: Tick,
    started: Tick,
    orders_to_stop: u32,
    over: Option<String>,
}

impl Daemon {
    /// Everything that can fail does so here, before the first beat.
    pub fn start(settings: &Settings, signals: Signals) -> Result<Daemon, StartError> {
        let cradle = Cradle::open(settings)?;
        let listener = socket::listen(&settings.run_dir).map_err(StartError::Socket)?;
        let carrier = open_carrier(settings, &cradle)?;
        let cgroup = hands::cgroup(settings)?;
        let (inbox, post) = inbox()?;
        let (server, told) = Server::new(listener)?;
        let me = cradle.me();
        let names = Names::new(&cradle.cluster, me.node);
        let events = cradle.dir.path().to_owned();
        let (aha, trouble) = aha::mount(settings);
        let crier = aha.as_ref().map(|events| Crier::new(events, cradle.identity.cluster, me.node));
        let mut scribe = Scribe::begin(&events, settings.log, names, told.clone(), crier)?;
        let door = door::open(server, post.clone(), events)?;
        let permits = Permits::none();
        let clients = Clients::begin(settings, me, &cradle.cluster, &cgroup, post.clone())?;
        let guard = Guard::begin(settings.deadman_socket(), post.clone())?;
        let name = cradle.identity.name.to_string();
        let hands = Hands::new(settings, cgroup, name, Arc::clone(&permits), guard.clone(), post.clone())?;
        let adapters = adapters::watch(&cradle.cluster, post.clone())?;
        let targets = Targets::begin(me.node, post.clone())?;
        let doubts = Doubts::begin(me.node, post.clone())?;
        let ties = Ties::begin(cradle.identity.cluster, me, post.clone())?;
        let keeper = Keeper::begin(cradle.dir, post)?;
        scribe.remark(Remark::Started { life: me, version: env!("CARGO_PKG_VERSION") });
        trouble.into_iter().for_each(|trouble| scribe.remark(trouble));
        let realtime = become_realtime(&mut scribe);
        let mut wait = Wait::new(&inbox, &clients, &signals)?;
        wait.watch(&carrier)?;
        let mut effects = Vec::new();
        let mut node = Node::new(cradle.birth, &mut effects).map_err(|why| unborn(settings, why))?;
        // The scribe would not write them down.
        node.spare_remarks();
        let mut daemon = Daemon {
            node,
            carrier,
            wait,
            effects: Vec::new(),
            inbox,
            signals,
            permits,
            hands,
            feeder: Feeder::new(guard.clone()),
            adapters,
            targets,
            doubts,
            ties,
            guard,
            keeper,
            scribe,
            told,
            door,
            clients,
            cluster: cradle.cluster,
            config: cradle.config,
            status: daemon_status(settings, realtime),
            asked: BTreeMap::new(),
            last_request: 0,
            missing: Vec::new(),
            doubles: Doubles::default(),
            stolen: Stolen::begin(),
            aha,
            chores_at: Tick::ZERO,
            started: now(),
            orders_to_stop: 0,
            over: None,
        };
        effects.into_iter().for_each(|effect| daemon.carry_out(effect));
        Ok(daemon)
    }

    /// Runs until this life is over.
    pub fn run(mut self) -> Result<(), StartError> {
        let (mut woken, mut arrivals) = (Vec::new(), Vec::new());
        while self.over.is_none() {
            self.wait.arm(self.node.wake_at().min(self.chores_at))?;
            self.wait.wait(&mut woken)?;
            self.keep_time(&mut arrivals);
            for woken in woken.drain(..) {
                match woken {
                    Woken::Path(path) => self.carrier.receive(path, &mut arrivals),
                    Woken::Inbox => self.hear(),
                    Woken::Clients => self.serve(),
                    Woken::Signal => self.heed_signals(),
                    Woken::Timer => {}
                }
            }
            if !arrivals.is_empty() {
                self.step(Input::Arrived(mem::take(&mut arrivals)));
            }
            if self.clients.is_behind() {
                self.serve();
            }
            self.carrier.flush();
            self.do_chores()?;
        }
        self.end()
    }

    /// What is due goes first. When it is time to speak, what is routine is heard before: so a node answers at each beat
    /// of its own all beats that have come since the last, and they need not wake it.
    fn keep_time(&mut self, arrivals: &mut Vec<Arrival>) {
        if self.node.wake_at() > now() {
            return;
        }
        self.carrier.receive_routine(arrivals);
        let (fed, beats) = (self.feeder.news(), mem::take(arrivals));
        self.step(Input::Due { fed, beats });
        // Beats do not wait for whatever else there is to do.
        self.carrier.flush();
    }

    fn step(&mut self, input: Input) {
        if self.over.is_some() {
            return;
        }
        let mut effects = mem::take(&mut self.effects);
        self.node.step(now(), input, &mut effects);
        self.publish();
        effects.drain(..).for_each(|effect| self.carry_out(effect));
        effects.shrink_to(EFFECTS_KEPT);
        self.effects = effects;
        self.clients.stepped(&self.node);
    }

    /// Takes in some of what clients did: the beats of this node come first in every turn.
    fn serve(&mut self) {
        let acts = self.clients.take(&self.node);
        if !acts.is_empty() {
            self.step(clients::input(&acts));
        }
    }

    /// Lets the drivers see what this node may do, before any of them is told to do something.
    fn publish(&self) {
        let standing = self.node.standing();
        let until = if standing.primary && standing.confirmed { standing.let_go_at() } else { Tick::ZERO };
        self.permits.publish(standing.view, until);
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send { to, path, lane, bytes } => {
                let view = self.node.view().map_or(ViewId::NONE, |view| view.id);
                self.carrier.send(to, path, urgency(lane), view, &bytes);
            }
            Effect::Feed { until } => self.feeder.feed(until, self.node.standing().stop_budget),
            Effect::Store { token, record } => {
                self.note_config(&record);
                self.keeper.keep(token, record);
            }
            Effect::Operate(operation) => self.hands.run(operation, &self.cluster),
            Effect::AskTargets { network } => self.targets.ask(network, &self.cluster),
            Effect::Claim(claim) => self.ties.claim(claim, &self.cluster),
            Effect::AskEcho { of, path } => self.doubts.ask(of, path, &self.cluster),
            Effect::Reply { id, reply } => self.reply(id, reply),
            Effect::Client { client, event } => self.clients.tell(client, event),
            Effect::Note(note) => self.note(note),
            Effect::Halt { why } => self.over = Some(why),
        }
    }

    /// A ledger that is stored may have another active version.
    fn note_config(&mut self, record: &Record) {
        if let Record::Ledger(image) = record
            && let Ok(ledger) = Ledger::from_image(image)
        {
            self.take_config(ledger.active().text());
        }
    }

    fn take_config(&mut self, text: &str) {
        if text != self.config
            && let Ok(parsed) = phalanx_model::parse("ledger", text)
        {
            text.clone_into(&mut self.config);
            self.cluster = Arc::new(parsed.cluster);
            self.adapters.follow(&self.cluster);
            self.clients.follow(&self.cluster);
        }
    }

    fn note(&mut self, note: Note) {
        match &note {
            Note::Manager(ManagerNote::GroupChanged { group, to: "free", .. }) => {
                self.guard.let_go(group.clone());
            }
            Note::Manager(ManagerNote::Readopted { group, .. }) => self.hands.guard(group, &self.cluster),
            Note::Manager(_) | Note::Membership(_) => {}
        }
        let stall = match note {
            Note::Membership(MembershipNote::SelfPaused { gap }) => Some(gap),
            Note::Membership(_) | Note::Manager(_) => None,
        };
        self.scribe.note(note);
        if let Some(gap) = stall {
            self.scribe.remark(self.stolen.explain(gap));
        }
    }

    fn hear(&mut self) {
        self.inbox.hush();
        while let Some(word) = self.inbox.next() {
            match word {
                Word::Input(input) => self.step(input),
                Word::Remark(remark) => self.scribe.remark(remark),
                Word::Asked(asked) => self.answer(asked),
                Word::Guarded(standing) => self.guarded(standing),
            }
        }
    }

    fn guarded(&mut self, standing: Result<Guarded, String>) {
        match standing {
            Ok(Guarded { slate, watchdog }) => {
                self.feeder.take(slate);
                (self.status.deadman, self.status.watchdog) = ("guarded".into(), watchdog);
                self.scribe.remark(Remark::Guarded);
            }
            Err(why) => {
                self.feeder.take(None);
                self.status.watchdog = None;
                self.status.deadman.clone_from(&why);
                self.scribe.remark(Remark::Unguarded { why });
                self.step(Input::Unfed);
            }
        }
    }

    fn answer(&mut self, asked: Asked) {
        let Asked { client, ask, by } = asked;
        if ask.changes() {
            self.scribe.remark(Remark::Asked { by: by.clone(), ask: summary(&ask) });
        }
        match ask {
            Ask::Status => self.tell_status(client),
            Ask::Config => self.told.answer(client, Answer::Config { text: self.config.clone() }),
            Ask::Domain => self.tell_domain(client),
            Ask::Topology => self.tell_topology(client),
            Ask::Events { .. } => self.told.answer(client, Answer::End),
            Ask::Apply { text } => self.request(client, Request::Apply { text }),
            Ask::Form { cluster, .. } if cluster != self.cluster.name.as_str() => {
                self.refuse(client, format!("this cluster is called {}, not {cluster}", self.cluster.name));
            }
            Ask::Form { why, .. } => self.request(client, Request::Form { by, why }),
            Ask::ShrinkTimings => self.request(client, Request::ShrinkTimings),
            Ask::Move { group, to } => match self.cluster.node_named(to.as_str()) {
                Some(to) => self.request(client, Request::Move { group, to }),
                None => self.refuse(client, format!("there is no node {to}; see `phalanx node`")),
            },
            Ask::Restore { group } => self.request(client, Request::Restore { group }),
            Ask::Online { group } => self.request(client, Request::Online { group }),
            Ask::Offline { group } => self.request(client, Request::Offline { group }),
            Ask::Stop => {
                self.stop(by);
                let what = "groups move away, then the daemon ends".into();
                self.told.answer(client, Answer::Reply { reply: Reply::Done { what } });
            }
        }
    }

    fn refuse(&self, client: ClientId, why: String) {
        self.told.answer(client, Answer::Reply { reply: Reply::Bad { why } });
    }

    fn tell_status(&mut self, client: ClientId) {
        self.status.dropped = dropped(self.carrier.drops());
        let (standing, status) = (self.node.standing(), self.node.status(now()));
        let (cluster, class) = (&self.cluster, self.node.class());
        let status = outlook(cluster, &standing, class, self.daemon_status(), status);
        self.told.answer(client, Answer::Status { status });
    }

    fn tell_domain(&mut self, client: ClientId) {
        match self.node.domain() {
            Some(domain) => {
                let domain = domain_outlook(&self.cluster, &domain, self.started, now());
                self.told.answer(client, Answer::Domain { domain });
            }
            None => self.refuse(client, "this node has no view yet: ask again in a moment".into()),
        }
    }

    fn tell_topology(&mut self, client: ClientId) {
        match self.node.topology(now()) {
            Some(topology) => {
                let topology = topology_outlook(&self.cluster, &self.node.timings(), &topology, now());
                self.told.answer(client, Answer::Topology { topology });
            }
            None => self.refuse(client, "this node does not beat yet: ask again in a moment".into()),
        }
    }

    /// Its own status; a deadman that hangs is seen here before it fails to accept a lease end.
    fn daemon_status(&self) -> DaemonStatus {
        match self.feeder.silence() {
            Some(silence) => DaemonStatus { deadman: hanging(silence), ..self.status.clone() },
            None => self.status.clone(),
        }
    }

    fn request(&mut self, client: ClientId, request: Request) {
        self.last_request += 1;
        let id = RequestId(self.last_request);
        self.asked.insert(id, client);
        self.step(Input::Asked { id, request });
    }

    fn reply(&mut self, id: RequestId, reply: Reply) {
        if let Some(client) = self.asked.remove(&id) {
            self.told.answer(client, Answer::Reply { reply });
        }
    }

    fn heed_signals(&mut self) {
        while let Some(signal) = self.signals.take() {
            match signal {
                Signal::Stop => self.stop("a signal".into()),
                Signal::Hangup => {}
            }
        }
    }

    /// The first order moves groups away first; the second ends at once.
    fn stop(&mut self, by: String) {
        self.orders_to_stop += 1;
        match self.orders_to_stop {
            1 => {
                self.scribe.remark(Remark::Stopping { by });
                self.step(Input::Shutdown);
            }
            _ => self.over = Some("told twice to stop: the deadman stops what is left".into()),
        }
    }

    fn do_chores(&mut self) -> io::Result<()> {
        if now() < self.chores_at {
            return Ok(());
        }
        self.chores_at = now() + CHORES_INTERVAL;
        if !self.carrier.missing().is_empty() {
            self.carrier.mend();
            self.wait.watch(&self.carrier)?;
        }
        self.tell_missing();
        self.stolen.note(now());
        self.ties.check(now(), &self.cluster);
        for node in self.doubles.look(self.carrier.doubles()) {
            let node =
                self.cluster.nodes.get(&node).map_or_else(|| node.to_string(), |node| node.name.to_string());
            self.scribe.remark(Remark::Twin { node });
        }
        Ok(())
    }

    fn tell_missing(&mut self) {
        let before = mem::replace(&mut self.missing, self.carrier.missing());
        for address in self.missing.iter().filter(|address| !before.contains(address)) {
            self.scribe.remark(Remark::AddressMissing { address: *address });
        }
        for address in before.into_iter().filter(|address| !self.missing.contains(address)) {
            self.scribe.remark(Remark::AddressThere { address });
        }
    }

    fn end(mut self) -> Result<(), StartError> {
        let why = self.over.take().unwrap_or_default();
        self.permits.publish(ViewId::NONE, Tick::ZERO);
        self.scribe.remark(Remark::Ended { why: why.clone() });
        self.scribe.end();
        self.clients.end();
        drop(self.aha.take());
        self.told.end();
        // A door that broke down has said so on standard error.
        let _ = self.door.join();
        match self.orders_to_stop {
            1 => Ok(()),
            _ => Err(StartError::Halted(why)),
        }
    }
}

fn open_carrier(settings: &Settings, cradle: &Cradle) -> Result<Carrier, StartError> {
    let paths = Paths::new(&cradle.cluster, cradle.me().node, settings.port);
    let seal = Seal::new(cradle.seal.clone(), paths.peers());
    let name = cradle.identity.name.to_string();
    Carrier::open(paths, seal).map_err(|error| StartError::Addresses(name, error))
}

/// Whether this thread is real-time from now on.
fn become_realtime(scribe: &mut Scribe) -> bool {
    if let Err(error) = lock_memory() {
        scribe.remark(Remark::NotLocked { why: error.to_string() });
    }
    let realtime = make_realtime();
    if let Err(error) = &realtime {
        scribe.remark(Remark::NotRealtime { why: error.to_string() });
    }
    realtime.is_ok()
}

fn daemon_status(settings: &Settings, realtime: bool) -> DaemonStatus {
    DaemonStatus {
        version: env!("CARGO_PKG_VERSION"),
        pid: rustix::process::getpid().as_raw_nonzero().get(),
        realtime,
        deadman: "not reached yet".into(),
        watchdog: None,
        port: settings.port,
        dropped: BTreeMap::new(),
    }
}

/// What is asked, without the text of files.
fn summary(ask: &Ask) -> String {
    match ask {
        Ask::Status | Ask::Config | Ask::Domain | Ask::Topology | Ask::Events { .. } => "to read".into(),
        Ask::Apply { text } => format!("apply a cluster file of {} bytes", text.len()),
        Ask::Form { why, .. } => format!("cluster form --alone ({why})"),
        Ask::ShrinkTimings => "cluster timings --configured".into(),
        Ask::Move { group, to } => format!("group move {group} --to {to}"),
        Ask::Restore { group } => format!("group move {group} --restore"),
        Ask::Online { group } => format!("group online {group}"),
        Ask::Offline { group } => format!("group offline {group}"),
        Ask::Stop => "node stop".into(),
    }
}

fn urgency(lane: Lane) -> u8 {
    match lane {
        Lane::Beat => 0,
        Lane::Vote => 1,
        Lane::Data => 2,
        Lane::Routine => phalanx_udp::ROUTINE,
    }
}
