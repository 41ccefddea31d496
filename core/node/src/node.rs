//! One node's core: membership below, the group between, the manager above.
//!
//! An input goes to the layer it concerns; what that layer says goes to the next; and so on until all are quiet. A node is
//! born probing and reserving: it beats only when it knows what it holds and may use view counters that no earlier life
//! of it can have used.

use crate::io::{Birth, Effect, Input, Lane, Record, StoreToken, Unborn};
use phalanx_conduct::{Manager, ManagerEffect, ManagerInput, Status};
use phalanx_events::ShutdownCause;
use phalanx_groups::domain::adapter_membership;
use phalanx_groups::outlook::DomainOutlook;
use phalanx_groups::services::{ClientAct, ClientId};
use phalanx_groups::{Engine, Group, Notice, ProposalId, Provider, Refusal, Vote};
use phalanx_ledger::Ledger;
use phalanx_membership::topology::TopologyOutlook;
use phalanx_membership::{
    Above, Hearing, Installed, Membership, Output, Pace, Setup, Standing, Strategy, Upcall,
};
use phalanx_model::{Cluster, Fault};
use phalanx_types::limits::VIEW_COUNTERS_RESERVED;
use phalanx_types::{
    Bug, Charter, Incarnation, Monitoring, NetworkId, NodeId, NodeSet, PathId, ProofClass, Span,
    StretchRecord, Tick, Timings, View, ViewId,
};
use phalanx_wire::{Arrival, Stream};
use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

/// Rounds of passing messages between the layers in one step; more would mean that they chase each other.
const ROUNDS_MAX: usize = 10_000;

/// A node's core.
pub struct Node {
    birth: Birth,
    cluster: Arc<Cluster>,
    /// As configured.
    timings: Timings,
    manager: Manager,
    /// When the manager is due, as of its last step.
    manager_due: Tick,
    stage: Stage,
    told: Standing,
    hearing: BTreeMap<NetworkId, Hearing>,
    /// Whether the deadman accepted the last lease end that it was asked to.
    guarded: bool,
    /// Whether nobody hears notes of single messages.
    spares_remarks: bool,
    stores: u64,
    /// Images of the ledger under way, by what the manager calls them.
    images: BTreeMap<StoreToken, u64>,
}

enum Stage {
    /// Probing, and reserving view counters.
    Born { reserved: Option<u64>, asked: Option<(StoreToken, u64)> },
    /// Beating.
    Beating(Box<Beating>),
    /// Over: nothing is done any more.
    Over,
}

struct Beating {
    membership: Membership,
    engine: Engine,
    /// Reservations under way.
    reserving: BTreeMap<StoreToken, u64>,
}

/// What the manager says of itself to the layers below.
struct Words<'a> {
    manager: &'a mut Manager,
    engine: &'a Engine,
}

impl Above for Words<'_> {
    fn passport(&mut self) -> Vec<u8> {
        self.engine.passport(self.manager.passport())
    }

    fn is_blank(&self) -> bool {
        self.manager.is_blank()
    }

    fn charter(&self) -> Charter {
        self.manager.charter()
    }

    fn pace(&self) -> Pace {
        self.manager.pace()
    }
}

/// The group before there is one, and between two views.
struct NoGroup {
    me: Incarnation,
    standing: Standing,
}

impl Group for NoGroup {
    fn me(&self) -> Incarnation {
        self.me
    }

    fn standing(&self) -> Standing {
        self.standing
    }

    fn heard_lately(&self) -> NodeSet {
        NodeSet::EMPTY
    }

    fn broadcast(&mut self, _: Vec<u8>) -> Result<(), Refusal> {
        Err(Refusal::Changing)
    }

    fn propose(&mut self, _: Vec<u8>, _: Span) -> Result<ProposalId, Refusal> {
        Err(Refusal::Changing)
    }

    fn vote(&mut self, _: ProposalId, _: Vote, _: &str) {}
}

impl Node {
    /// A node's core, and the first effects.
    pub fn new(birth: Birth, out: &mut Vec<Effect>) -> Result<Node, Unborn> {
        let (ledger, cluster) = active(&birth)?;
        let timings = cluster.timings();
        let told = Standing::none(ViewId::NONE, timings.stop_budget());
        let mut manager = Manager::new(birth.now, birth.me, birth.boot, ledger, Arc::clone(&cluster));
        manager.plan_up_to(birth.planner);
        manager.plant(birth.plot);
        let stage = Stage::Born { reserved: None, asked: None };
        let mut node = Node {
            manager_due: birth.now,
            birth,
            cluster,
            timings,
            manager,
            stage,
            told,
            hearing: BTreeMap::new(),
            guarded: true,
            spares_remarks: false,
            stores: 0,
            images: BTreeMap::new(),
        };
        let counter = node.birth.stored.view_counter_max + VIEW_COUNTERS_RESERVED;
        let token = node.store_limits(counter, out);
        let reserved = Some(counter).filter(|_| node.birth.plot.has(Bug::ReservationNotAwaited));
        node.stage = Stage::Born { reserved, asked: Some((token, counter)) };
        let now = node.birth.now;
        node.step(now, Input::Wake, out);
        Ok(node)
    }

    /// Nobody hears notes of single messages: none are made. To be called before the first step. What this node does is the same.
    pub fn spare_remarks(&mut self) {
        self.spares_remarks = true;
    }

    /// Takes one input; pushes onto `out` what the shell must do, in order.
    pub fn step(&mut self, now: Tick, input: Input, out: &mut Vec<Effect>) {
        self.take_acceptance(now, &input);
        self.wake(now, out);
        self.dispatch(now, input, out);
        self.settle(now, out);
        self.leave_cradle(now, out);
    }

    /// When to call [`Node::step`] with [`Input::Wake`] at the latest.
    pub fn wake_at(&self) -> Tick {
        let below = match &self.stage {
            Stage::Born { .. } => Tick::NEVER,
            Stage::Beating(beating) => beating.membership.wake_at().min(beating.engine.wake_at()),
            Stage::Over => return Tick::NEVER,
        };
        below.min(self.manager_due)
    }

    /// What this node may do right now.
    pub fn standing(&self) -> Standing {
        match &self.stage {
            Stage::Beating(beating) => beating.membership.standing(),
            Stage::Born { .. } | Stage::Over => Standing::none(ViewId::NONE, self.timings.stop_budget()),
        }
    }

    /// The view installed last, once there is one.
    pub fn view(&self) -> Option<&View> {
        match &self.stage {
            Stage::Beating(beating) => Some(beating.membership.view()),
            Stage::Born { .. } | Stage::Over => None,
        }
    }

    /// Group Services as this node sees it, once it has a view.
    pub fn domain(&self) -> Option<DomainOutlook> {
        match &self.stage {
            Stage::Beating(beating) => Some(beating.engine.outlook()),
            Stage::Born { .. } | Stage::Over => None,
        }
    }

    /// Who is reached on which path, once this node beats.
    pub fn topology(&self, now: Tick) -> Option<TopologyOutlook> {
        match &self.stage {
            Stage::Beating(beating) => Some(beating.membership.topology(now)),
            Stage::Born { .. } | Stage::Over => None,
        }
    }

    /// The timings in force here.
    pub fn timings(&self) -> Timings {
        self.manager.pace().timings
    }

    /// What the cluster looks like from here.
    pub fn status(&self, now: Tick) -> Status {
        self.manager.status(now)
    }

    fn dispatch(&mut self, now: Tick, input: Input, out: &mut Vec<Effect>) {
        match input {
            Input::Wake => self.below(|membership, words| membership.wake(now, words)),
            Input::Arrived(arrivals) => self.take_frames(now, &arrivals, out),
            Input::Due { fed, beats } => {
                self.below(|membership, words| membership.receive_beats(now, &beats, words));
                if fed.is_some() {
                    self.guarded(now, true, out);
                }
            }
            Input::Fed { .. } => self.guarded(now, true, out),
            Input::Unfed => {
                self.below(|membership, _| membership.unfed());
                self.guarded(now, false, out);
            }
            Input::StoreDone(token) => match self.images.remove(&token) {
                Some(number) => self.manage(now, ManagerInput::Stored { number }, out),
                None => self.stored(token),
            },
            // The groups go first: if the deadman is gone too, nobody would end them after this node.
            Input::StoreFailed(_) => self.manage(now, ManagerInput::Shutdown(ShutdownCause::NotDurable), out),
            Input::Carrier { network, up } => self.manage(now, ManagerInput::Carrier { network, up }, out),
            Input::TargetAnswered { network } => {
                self.manage(now, ManagerInput::TargetAnswered { network }, out);
            }
            Input::EchoAnswered { by, path } => self.below(|membership, _| membership.echoed(now, by, path)),
            Input::Claimed { claim, verdict } => {
                self.manage(now, ManagerInput::Claimed { claim, verdict }, out);
            }
            Input::Operated { id, result } => self.manage(now, ManagerInput::Operated { id, result }, out),
            Input::Ended { group, resource, how } => {
                self.manage(now, ManagerInput::Ended { group, resource, how }, out);
            }
            Input::Asked { id, request } => self.manage(now, ManagerInput::Asked { id, request }, out),
            Input::Clients(acts) => acts.into_iter().for_each(|(client, act)| self.serve(client, act)),
            Input::Shutdown => self.manage(now, ManagerInput::Shutdown(ShutdownCause::Asked), out),
        }
    }

    /// Takes in what can be taken in together, and lets all layers come to rest before the rest.
    fn take_frames(&mut self, now: Tick, arrivals: &[Arrival], out: &mut Vec<Effect>) {
        let mut rest = arrivals;
        while let Stage::Beating(beating) = &mut self.stage
            && !rest.is_empty()
        {
            let Beating { membership, engine, .. } = &mut **beating;
            let words = &mut Words { manager: &mut self.manager, engine };
            let taken = membership.receive(now, rest, words);
            rest = &rest[taken..];
            if !rest.is_empty() {
                self.settle(now, out);
            }
        }
    }

    /// Before the lease is looked at: an end that the deadman accepted was asked for in an earlier step, so it was earned
    /// then, whatever time has passed since. Until it comes nobody takes over, and if it is past it saves nothing.
    fn take_acceptance(&mut self, now: Tick, input: &Input) {
        if let Input::Fed { until } | Input::Due { fed: Some(until), .. } = input {
            self.below(|membership, _| membership.fed(now, *until));
        }
    }

    /// The manager hears of its deadman where that is news; that it is gone, each time: it may have new groups since.
    fn guarded(&mut self, now: Tick, guarded: bool, out: &mut Vec<Effect>) {
        let before = mem::replace(&mut self.guarded, guarded);
        if before != guarded || !guarded {
            self.manage(now, ManagerInput::Guarded(guarded), out);
        }
    }

    fn below(&mut self, act: impl FnOnce(&mut Membership, &mut Words<'_>)) {
        if let Stage::Beating(beating) = &mut self.stage {
            let Beating { membership, engine, .. } = &mut **beating;
            act(membership, &mut Words { manager: &mut self.manager, engine });
        }
    }

    /// What is due goes first: after a gap in its own time a node looks at its lease before any other input.
    fn wake(&mut self, now: Tick, out: &mut Vec<Effect>) {
        if self.manager_due <= now {
            self.manage(now, ManagerInput::Wake, out);
        }
        if let Stage::Beating(beating) = &mut self.stage {
            beating.engine.expire(now);
        }
    }

    /// A client of Group Services does something.
    fn serve(&mut self, client: ClientId, act: ClientAct) {
        if let Stage::Beating(beating) = &mut self.stage {
            beating.engine.services().act(client, act);
        }
    }

    /// What clients want said is said, and what they are to hear comes out; true if there was something of either.
    fn tell_clients(&mut self, out: &mut Vec<Effect>) -> bool {
        let Stage::Beating(beating) = &mut self.stage else { return false };
        let Beating { membership, engine, .. } = &mut **beating;
        let before = out.len();
        let spoke = engine.speak(membership);
        self.tell_events(out);
        spoke || out.len() > before
    }

    /// How much of what clients want said waits to be said. Who hands in their acts leaves off while it is much.
    pub fn unsaid(&self) -> usize {
        match &self.stage {
            Stage::Beating(beating) => beating.engine.unsaid(),
            Stage::Born { .. } | Stage::Over => 0,
        }
    }

    /// The adapter membership groups follow what the managers agreed on.
    fn keep_adapter_groups(&mut self) {
        let Stage::Beating(beating) = &mut self.stage else { return };
        let Beating { membership, engine, .. } = &mut **beating;
        let is_member = |life: &Incarnation| {
            membership.view().members.get(&life.node).is_some_and(|member| member.incarnation == *life)
        };
        for (network, configured) in &self.cluster.networks {
            if let Some(group) = adapter_membership(configured.name.as_str()) {
                let up = self.manager.adapters_up(*network).filter(is_member).collect();
                engine.services().keep_ready(group, &up);
            }
        }
    }

    fn tell_events(&mut self, out: &mut Vec<Effect>) {
        let Stage::Beating(beating) = &mut self.stage else { return };
        while let Some((client, event)) = beating.engine.services().poll() {
            out.push(Effect::Client { client, event });
        }
    }

    fn stored(&mut self, token: StoreToken) {
        match &mut self.stage {
            Stage::Born { reserved, asked } => {
                if let Some((_, counter)) = asked.take_if(|(asked, _)| *asked == token) {
                    *reserved = Some(counter);
                }
            }
            Stage::Beating(beating) => {
                if let Some(counter) = beating.reserving.remove(&token) {
                    beating.membership.reserved(counter);
                }
            }
            Stage::Over => {}
        }
    }

    /// Passes what the layers say to each other until all are quiet.
    fn settle(&mut self, now: Tick, out: &mut Vec<Effect>) {
        self.tell_standing(now, out);
        for _ in 0..ROUNDS_MAX {
            let Stage::Beating(beating) = &mut self.stage else { return };
            match beating.membership.poll() {
                Some(output) => self.pass(now, output, out),
                None if self.tell_standing(now, out) || self.tell_hearing(now, out) => {}
                None if self.tell_clients(out) => {}
                None => match self.is_stirred() {
                    true => self.below(|membership, words| membership.wake(now, words)),
                    false => return,
                },
            }
        }
        self.halt("the layers of this node's core do not come to rest".to_owned(), out);
    }

    fn is_stirred(&self) -> bool {
        matches!(&self.stage, Stage::Beating(beating) if beating.membership.is_stirred())
    }

    fn pass(&mut self, now: Tick, output: Output, out: &mut Vec<Effect>) {
        match output {
            Output::Send { to, path, stream, bytes } => {
                out.push(Effect::Send { to, path, lane: lane(stream), bytes });
            }
            Output::Beat { to, path, bytes } => {
                out.push(Effect::Send { to, path, lane: Lane::Routine, bytes })
            }
            Output::AskEcho { of, path } => out.push(Effect::AskEcho { of, path }),
            Output::StoodStill(length) => self.manage(now, ManagerInput::StoodStill(length), out),
            Output::Feed(until) => out.push(Effect::Feed { until }),
            Output::Note(note) => out.push(Effect::Note(note.into())),
            Output::Reserve(counter) => {
                let token = self.store_limits(counter, out);
                if let Stage::Beating(beating) = &mut self.stage {
                    match self.birth.plot.has(Bug::ReservationNotAwaited) {
                        true => beating.membership.reserved(counter),
                        false => drop(beating.reserving.insert(token, counter)),
                    }
                }
            }
            Output::Up(Upcall::Installed(installed)) => self.begin_view(now, *installed, out),
            Output::Up(upcall) => {
                let Stage::Beating(beating) = &mut self.stage else { return };
                let notices = beating.engine.hear(now, upcall);
                let news = !notices.is_empty();
                for notice in notices {
                    self.manage(now, ManagerInput::Notice(notice), out);
                }
                if news {
                    self.keep_adapter_groups();
                }
                self.tell_events(out);
            }
        }
    }

    fn begin_view(&mut self, now: Tick, installed: Installed, out: &mut Vec<Effect>) {
        let Stage::Beating(beating) = &mut self.stage else { return };
        beating.engine.set_timings(self.manager.pace().timings);
        let mut begun = beating.engine.begin(now, installed);
        let membership = begun.notices.pop();
        for notice in begun.notices {
            self.close_view(now, notice, out);
        }
        if let Some(membership) = membership {
            self.manage(now, ManagerInput::Notice(membership), out);
        }
        self.keep_adapter_groups();
        let kept = self.birth.plot.has(Bug::StateNotSent);
        for node in begun.needy.into_iter().filter(|_| !kept) {
            let state = Engine::transfer(self.manager.state());
            self.below(|membership, _| membership.send_state(node, state));
        }
        self.tell_events(out);
        let (needy, domain) = begun.domain;
        for node in needy {
            self.below(|membership, _| membership.send_state(node, domain.clone()));
        }
    }

    /// What a view's end has to say, before the manager hears of the next view: it begins nothing in that one meanwhile, for
    /// what it knows is of the old one.
    fn close_view(&mut self, now: Tick, notice: Notice, out: &mut Vec<Effect>) {
        let Stage::Beating(beating) = &mut self.stage else { return };
        let mut closed = NoGroup { me: self.birth.me, standing: beating.membership.standing() };
        let mut effects = Vec::new();
        self.manager.step(now, ManagerInput::Notice(notice), &mut closed, &mut effects);
        self.managed(effects, out);
    }

    fn manage(&mut self, now: Tick, input: ManagerInput, out: &mut Vec<Effect>) {
        let mut effects = Vec::new();
        match &mut self.stage {
            Stage::Beating(beating) => {
                let Beating { membership, engine, .. } = &mut **beating;
                self.manager.step(now, input, &mut Provider { engine, membership }, &mut effects);
            }
            Stage::Born { .. } => {
                let mut nobody = NoGroup { me: self.birth.me, standing: self.told };
                self.manager.step(now, input, &mut nobody, &mut effects);
            }
            Stage::Over => {}
        }
        self.managed(effects, out);
    }

    fn managed(&mut self, effects: Vec<ManagerEffect>, out: &mut Vec<Effect>) {
        self.manager_due = self.manager.wake_at();
        effects.into_iter().for_each(|effect| self.carry_out(effect, out));
    }

    fn carry_out(&mut self, effect: ManagerEffect, out: &mut Vec<Effect>) {
        match effect {
            ManagerEffect::Operate(operation) => out.push(Effect::Operate(operation)),
            ManagerEffect::Reply { id, reply } => out.push(Effect::Reply { id, reply }),
            ManagerEffect::Note(note) => out.push(Effect::Note(note.into())),
            ManagerEffect::Store { number, image } => {
                let token = self.store(Record::Ledger(image), out);
                self.images.insert(token, number);
            }
            ManagerEffect::Claim(claim) => out.push(Effect::Claim(claim)),
            ManagerEffect::AskTargets { network } => out.push(Effect::AskTargets { network }),
            ManagerEffect::Leave { why } => self.halt(why, out),
        }
    }

    /// The manager hears of its standing whenever it is another; true if it is.
    fn tell_standing(&mut self, now: Tick, out: &mut Vec<Effect>) -> bool {
        let standing = self.standing();
        if standing == self.told {
            return false;
        }
        self.told = standing;
        self.manage(now, ManagerInput::StandingChanged, out);
        true
    }

    /// The manager hears whom this node reaches whenever that is another; true if it is.
    fn tell_hearing(&mut self, now: Tick, out: &mut Vec<Effect>) -> bool {
        let Stage::Beating(beating) = &self.stage else { return false };
        if beating.membership.hearing() == &self.hearing {
            return false;
        }
        self.hearing = beating.membership.hearing().clone();
        self.manage(now, ManagerInput::Hearing(self.hearing.clone()), out);
        true
    }

    /// Begins to beat once everything is probed and the view counters are reserved.
    fn leave_cradle(&mut self, now: Tick, out: &mut Vec<Effect>) {
        let Stage::Born { reserved: Some(counter_reserved), .. } = self.stage else { return };
        if !self.manager.probed() {
            return;
        }
        let setup = self.setup(counter_reserved);
        let mut engine = Engine::new(self.birth.me, self.timings);
        engine.plant(self.birth.plot);
        let mut words = Words { manager: &mut self.manager, engine: &engine };
        let mut membership = Membership::new(now, setup, &mut words);
        if self.spares_remarks {
            membership.spare_remarks();
        }
        let reserving = BTreeMap::new();
        self.stage = Stage::Beating(Box::new(Beating { membership, engine, reserving }));
        self.settle(now, out);
    }

    fn setup(&self, counter_reserved: u64) -> Setup {
        let birth = &self.birth;
        Setup {
            me: birth.me,
            boot: birth.boot,
            timings: self.manager.pace().timings,
            quorum: self.quorum(),
            paths: paths(&self.cluster, birth.me.node),
            strategy: strategy(&self.cluster, birth.me.node),
            lease_max: birth.stored.lease_max.max(self.manager.pace().lease_max),
            counter_used: birth.stored.view_counter_max,
            counter_reserved,
            plot: birth.plot,
            class: self.class(),
        }
    }

    /// What an expired lease of a node proves here. A watchdog adds nothing as long as no takeover waits for its timeout.
    pub fn class(&self) -> ProofClass {
        ProofClass::Process
    }

    fn quorum(&self) -> usize {
        let bug = self.birth.plot.has(Bug::HalfIsQuorum);
        self.cluster.quorum_size() - usize::from(bug)
    }

    fn store_limits(&mut self, view_counter_max: u64, out: &mut Vec<Effect>) -> StoreToken {
        let lease_max = self.birth.stored.lease_max.max(self.timings.lease());
        self.store(Record::Limits { view_counter_max, lease_max }, out)
    }

    fn store(&mut self, record: Record, out: &mut Vec<Effect>) -> StoreToken {
        self.stores += 1;
        let token = StoreToken(self.stores);
        out.push(Effect::Store { token, record });
        token
    }

    fn halt(&mut self, why: String, out: &mut Vec<Effect>) {
        self.stage = Stage::Over;
        out.push(Effect::Halt { why });
    }
}

/// The active configuration that a node is born with.
fn active(birth: &Birth) -> Result<(Ledger, Arc<Cluster>), Unborn> {
    let mut ledger = Ledger::from_image(&birth.stored.ledger).map_err(Unborn::Ledger)?;
    if birth.plot.has(Bug::StretchForgotten) {
        ledger.set_stretch(StretchRecord::FIRST);
    }
    let faults = |faults: Vec<Fault>| {
        let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
        Unborn::Config(lines.join("\n"))
    };
    let cluster = phalanx_model::parse("ledger", ledger.active().text()).map_err(faults)?.cluster;
    match cluster.nodes.contains_key(&birth.me.node) {
        true => Ok((ledger, Arc::new(cluster))),
        false => Err(Unborn::NotConfigured(birth.me.node)),
    }
}

fn lane(stream: Stream) -> Lane {
    match stream {
        Stream::Control => Lane::Beat,
        Stream::Vote => Lane::Vote,
        Stream::Data => Lane::Data,
    }
}

/// How `me` watches the others: of the rings, those on which it has an address.
fn strategy(cluster: &Cluster, me: NodeId) -> Strategy {
    match cluster.monitoring {
        Monitoring::Mesh => Strategy::Mesh,
        Monitoring::Ring => {
            let rings = cluster.rings().into_iter();
            Strategy::Ring(rings.filter(|(_, seats)| seats.iter().any(|seat| seat.node == me)).collect())
        }
    }
}

/// The ways from `me` to each other node: one for each pair of addresses with one place on one network.
fn paths(cluster: &Cluster, me: NodeId) -> BTreeMap<NodeId, Vec<PathId>> {
    let own = &cluster.nodes[&me].addresses;
    let to = |node: &phalanx_model::Node| {
        let shared = node.addresses.iter().filter_map(|(network, addresses)| {
            let count = addresses.len().min(own.get(network)?.len());
            Some((0..count as u8).map(|index| PathId { network: *network, index }))
        });
        shared.flatten().collect()
    };
    let others = cluster.nodes.iter().filter(|(node, _)| **node != me);
    others.map(|(node, configured)| (*node, to(configured))).collect()
}
