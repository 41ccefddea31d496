//! The membership of one node: one step function over beats, links, views, order and leases.
//!
//! Phases: a node has a view [`Phase::Installed`]; forms one as [`Phase::Coordinating`]; or has [`Phase::Accepted`] one that
//! another node forms. What a phase needs is inside it. While a view is being formed the old one is frozen: nothing
//! more is numbered, received or delivered in it, so what a flush says stays true.

mod forming;
mod leasing;
mod ringing;
mod traffic;

use crate::fifo::Fifo;
use crate::lease::Lease;
use crate::links::Links;
use crate::message::{self, Ending, Flush, Traffic};
use crate::order::Order;
use crate::promise::Promises;
use crate::proof::Expiry;
use crate::standing::Standing;
use phalanx_events::{MembershipNote, Point};
use phalanx_topology::outlook::TopologyOutlook;
use phalanx_topology::{Hearing, Speech, Strategy, Topology};
use phalanx_types::limits::{DOWN_SILENCE, FORMED_COUNTER_STEP};
use phalanx_types::{
    BootId, Bug, Charter, Digest, Electorate, Incarnation, NetworkId, NodeId, NodeSet, PathId, Plot,
    ProofClass, Shared, Span, Tick, Timings, View, ViewId,
};
use phalanx_wire::{Arrival, Frame, Stream};
use std::collections::{BTreeMap, VecDeque};

/// What a membership is made with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// This node in this life.
    pub me: Incarnation,
    /// The boot of this host.
    pub boot: BootId,
    /// The timings in force.
    pub timings: Timings,
    /// How many members that count make a primary view.
    pub quorum: usize,
    /// The ways to each other configured node.
    pub paths: BTreeMap<NodeId, Vec<PathId>>,
    /// How the nodes watch each other.
    pub strategy: Strategy,
    /// The longest lease that an earlier life may have granted; zero if there was none.
    pub lease_max: Span,
    /// View counters up to this one may have been used by earlier lives.
    pub counter_used: u64,
    /// View counters up to this one are durably reserved for this life.
    pub counter_reserved: u64,
    /// The bug that the simulator planted, if any.
    pub plot: Plot,
    /// The class of proof that an expired lease gives here.
    pub class: ProofClass,
}

/// What the layers above say when a view is being formed.
pub trait Above {
    /// Their words for the new view. Until it is installed they begin nothing that these words do not say.
    fn passport(&mut self) -> Vec<u8>;
    /// Whether this node has probed everything, holds nothing and is about to hold nothing.
    fn is_blank(&self) -> bool;
    /// Whose agreement makes a primary view, as far as they know and have it on disk.
    fn charter(&self) -> Charter;
    /// The timings to go by, as far as they have them on disk.
    fn pace(&self) -> Pace;
}

/// Which timings are in force at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Those by which it watches others, promises and counts.
    pub timings: Timings,
    /// No promise that it made and that may still run was longer.
    pub lease_max: Span,
}

/// What comes out of a membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a frame.
    Send {
        /// The receiver.
        to: NodeId,
        /// By which path.
        path: PathId,
        /// Of which urgency.
        stream: Stream,
        /// The frame.
        bytes: Shared,
    },
    /// Ask a node's host for an echo; [`Membership::echoed`] if its kernel answers.
    AskEcho {
        /// The node.
        of: NodeId,
        /// By which path.
        path: PathId,
    },
    /// This node stood still for so long, by its own clock and beyond what was due.
    StoodStill(Span),
    /// Send a beat that says nothing new: it need not wake its receiver.
    Beat {
        /// The receiver.
        to: NodeId,
        /// By which path.
        path: PathId,
        /// The frame.
        bytes: Shared,
    },
    /// Ask the deadman to accept a lease end.
    Feed(Tick),
    /// View counters up to this one will be needed soon: reserve them durably.
    Reserve(u64),
    /// Something for the layers above; the order of these is the order of the cluster.
    Up(Upcall),
    /// Something happened.
    Note(MembershipNote),
}

/// What the layers above hear, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upcall {
    /// A message was delivered.
    Delivered {
        /// Who sent it.
        sender: Incarnation,
        /// What.
        body: Shared,
        /// Its place in the view.
        sequence: u64,
    },
    /// A message without a place in the order was delivered; of each sender they come in the order it sent them.
    Fifo {
        /// Who sent it.
        sender: Incarnation,
        /// What.
        body: Vec<u8>,
    },
    /// An own message found no place in its view; others may have delivered it.
    Returned {
        /// What was sent.
        body: Shared,
    },
    /// Replicated state came from another member of the installed view.
    State {
        /// The member.
        from: NodeId,
        /// The state.
        body: Vec<u8>,
    },
    /// A view was installed.
    Installed(Box<Installed>),
}

/// What was delivered in a view to members that left it together. Two parts of a view that have the same have delivered the
/// same messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The last number of the order.
    pub ordered: u64,
    /// How much without an order: more is more, and in doubt the mark tells apart.
    pub fifo: u64,
    /// Digest of how far each sender was heard.
    pub mark: Digest,
}

impl Delivered {
    fn of(ending: &Ending) -> Delivered {
        let mark = Digest::of(&message::write(&ending.heard));
        Delivered { ordered: ending.last, fifo: ending.heard.values().sum(), mark }
    }
}

/// A view that was installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The view.
    pub view: View,
    /// The view each member comes from.
    pub previous: BTreeMap<NodeId, ViewId>,
    /// What was delivered in each of those to the members that come from it.
    pub delivered: BTreeMap<ViewId, Delivered>,
    /// The words that each member brought.
    pub passports: BTreeMap<NodeId, Vec<u8>>,
    /// For each configured node that is no member: when its last lease is over here.
    pub expiries: BTreeMap<NodeId, Expiry>,
    /// The charter that it was formed under.
    pub charter: Charter,
}

/// Why a message was not taken. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The view is changing.
    Changing,
    /// Too many own messages wait for their place.
    Full,
    /// Longer than [`MESSAGE_BYTES_MAX`].
    TooLong,
}

/// Whether there are notes of single messages, with a digest of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remarks {
    Made,
    /// Nobody would hear them.
    Spared,
}

impl Remarks {
    fn are_made(self) -> bool {
        self == Remarks::Made
    }
}

#[derive(Clone, Debug)]
enum Phase {
    Installed { order: Order, confirmed: bool },
    Accepted { round: Round, order: Order },
    Coordinating { round: Round, order: Order, flushes: BTreeMap<NodeId, Flush> },
}

/// A proposed view.
#[derive(Clone, Debug)]
struct Round {
    id: ViewId,
    members: Vec<Incarnation>,
    since: Tick,
}

/// The membership of one node.
#[derive(Clone, Debug)]
pub struct Membership {
    setup: Setup,
    all: Electorate,
    /// Whose agreement makes a primary view, as last known.
    charter: Charter,
    /// The generation of the charter that the installed view was formed under.
    formed_in: u64,
    topology: Topology,
    links: Links,
    phase: Phase,
    /// The timings that the layers above said last.
    pace: Pace,
    lease: Lease,
    promises: Promises,
    /// The lives that have been granted leases ever since: those that every view accepted meanwhile had in it.
    grantees: BTreeMap<NodeId, Incarnation>,
    /// When the other members of the view installed may be granted leases too: when nobody outside it can act any more
    /// on the end of a lease that they had.
    admit_at: Tick,
    accepted_id: ViewId,
    /// When the promises of earlier lives have run out; afterwards this node counts.
    quarantine_until: Tick,
    ready: bool,
    counter_reserved: u64,
    counter_seen: u64,
    message_number: u64,
    /// The installed view's messages without an order; frozen with it.
    fifo: Fifo,
    fifo_number: u64,
    /// A proposal that cannot be accepted yet, because a member of it is not heard here.
    parked: Option<(Incarnation, ViewId, Vec<Incarnation>)>,
    /// Since when the view has differed from what it should be.
    mismatch_since: Option<Tick>,
    /// When this node begins a round if the mismatch lasts; [`Tick::NEVER`] without one.
    propose_at: Tick,
    /// Members that are behind: since when they have come no further, and how far they are.
    stalled: BTreeMap<NodeId, (Tick, u64)>,
    ack_told: u64,
    ack_told_bytes: u64,
    urgent: bool,
    beat_now: bool,
    /// What the last beat to all said, and whom it said is heard.
    said: Option<(Speech, NodeSet)>,
    /// Installed upcalls that the layers above have not taken yet; nothing is acquired meanwhile.
    unseen_installs: usize,
    /// When the step under way began.
    now: Tick,
    /// When the next step was asked for.
    expected: Tick,
    /// Messages of the view being formed that came before its installation did.
    early: Vec<(Incarnation, Traffic)>,
    reserve_asked: u64,
    /// Something came from above or beside since the last step: a [`Membership::wake`] is due at once.
    stirred: bool,
    remarks: Remarks,
    out: VecDeque<Output>,
}

impl Membership {
    /// A membership in a view of its own.
    pub fn new(now: Tick, setup: Setup, above: &mut dyn Above) -> Membership {
        let others: Vec<NodeId> = setup.paths.keys().copied().collect();
        let nodes: NodeSet = others.iter().copied().chain([setup.me.node]).collect();
        let (all, charter) = (Electorate { nodes, quorum: setup.quorum }, above.charter());
        let (paths, strategy) = (setup.paths.clone(), setup.strategy.clone());
        let mut topology = Topology::new(now, setup.me, setup.boot, setup.timings, paths, strategy);
        topology.plant(setup.plot);
        let lease_max = setup.lease_max.max(setup.timings.lease());
        assert!(setup.counter_reserved > setup.counter_used, "a life needs a view of its own to begin with");
        let nowhere = View { id: ViewId::NONE, members: BTreeMap::new(), primary: false };
        let order = Order::new(setup.me.node, nowhere.clone(), setup.plot);
        let mut membership = Membership {
            all,
            charter,
            formed_in: charter.generation,
            topology,
            links: Links::new(setup.plot),
            pace: Pace { timings: setup.timings, lease_max: setup.timings.lease() },
            lease: Lease::new(setup.me.node, all, charter, setup.plot),
            promises: Promises::new(now, others, lease_max, setup.plot),
            grantees: BTreeMap::new(),
            admit_at: Tick::NEVER,
            accepted_id: ViewId::NONE,
            quarantine_until: now + lease_max.stretched() + setup.timings.takeover_margin(),
            ready: setup.plot.has(Bug::GrantAfterRestart),
            counter_reserved: setup.counter_reserved,
            counter_seen: if setup.plot.has(Bug::ReusedCounters) { 0 } else { setup.counter_used },
            message_number: 0,
            fifo: Fifo::new(setup.me.node, &nowhere),
            fifo_number: 0,
            parked: None,
            mismatch_since: None,
            propose_at: Tick::NEVER,
            stalled: BTreeMap::new(),
            ack_told: 0,
            ack_told_bytes: 0,
            urgent: true,
            beat_now: true,
            said: None,
            unseen_installs: 0,
            now,
            expected: now,
            early: Vec::new(),
            reserve_asked: 0,
            stirred: false,
            remarks: Remarks::Made,
            out: VecDeque::new(),
            phase: Phase::Installed { order, confirmed: false },
            setup,
        };
        membership.note(MembershipNote::TimingsInForce { timings: membership.setup.timings });
        membership.start_alone(now, above);
        membership
    }

    fn start_alone(&mut self, now: Tick, above: &mut dyn Above) {
        self.propose(now, vec![self.setup.me], above);
        self.finish(now, above);
    }

    /// Time has passed.
    pub fn wake(&mut self, now: Tick, above: &mut dyn Above) {
        self.begin(now, above);
        self.finish(now, above);
    }

    /// Frames arrived, authenticated; an error changes nothing. Gives how many were taken in, one at least: what forms a
    /// view begins a lot of its own, because the layers above must have had their turn with all that came before.
    pub fn receive(&mut self, now: Tick, arrivals: &[Arrival], above: &mut dyn Above) -> usize {
        self.begin(now, above);
        let mut taken = 0;
        for Arrival { path, from, bytes } in arrivals {
            let frame = Frame::decode(bytes);
            if taken > 0 && frame.as_ref().is_ok_and(forms_view) {
                break;
            }
            taken += 1;
            match frame {
                Ok(Frame::Beat(beat)) => self.on_beat(now, *path, *from, &beat, above),
                Ok(Frame::Segment(segment)) => self.on_segment(now, *from, &segment, above),
                Ok(Frame::Ack(ack)) => self.on_ack(*from, ack.view, ack.received),
                Ok(
                    frame @ (Frame::Ring(_)
                    | Frame::LeaseRequest(_)
                    | Frame::LeaseRound(_)
                    | Frame::Receipt(_)),
                ) => self.on_ring(now, *path, *from, &frame),
                Err(_) => self.drop_frame(*from, "not a frame"),
            }
        }
        self.finish(now, above);
        taken
    }

    /// Beats arrived, authenticated. They are taken in together: nothing is delivered on a beat's account before the last
    /// of them is heard. What is no beat is dropped, for after each of those the layers above must have their turn.
    pub fn receive_beats(&mut self, now: Tick, arrivals: &[Arrival], above: &mut dyn Above) {
        self.begin(now, above);
        for Arrival { path, from, bytes } in arrivals {
            match Frame::decode(bytes) {
                Ok(Frame::Beat(beat)) => self.on_beat(now, *path, *from, &beat, above),
                Ok(
                    frame @ (Frame::Ring(_)
                    | Frame::LeaseRequest(_)
                    | Frame::LeaseRound(_)
                    | Frame::Receipt(_)),
                ) => self.on_ring(now, *path, *from, &frame),
                Ok(Frame::Segment(_) | Frame::Ack(_)) | Err(_) => self.drop_frame(*from, "not a beat"),
            }
        }
        self.finish(now, above);
    }

    /// Nobody hears notes of single messages: none are made any more. All else is as ever.
    pub fn spare_remarks(&mut self) {
        self.remarks = Remarks::Spared;
    }

    /// The deadman accepted a lease end.
    pub fn fed(&mut self, now: Tick, until: Tick) {
        (self.now, self.stirred) = (now, true);
        self.lease.accept(until);
        if until <= now {
            self.reached(Point::AcceptedTooLate);
        }
        self.note(MembershipNote::Leased { until: self.lease.until() });
    }

    /// The kernel of a node's host answered an echo.
    pub fn echoed(&mut self, now: Tick, of: NodeId, path: PathId) {
        let mut notes = Vec::new();
        self.topology.echo(now, of, path, &mut notes);
        self.tell(notes);
    }

    /// The deadman is gone, or refuses.
    pub fn unfed(&mut self) {
        self.stirred = true;
        self.lease.lose_deadman();
    }

    /// View counters up to this one are durable.
    pub fn reserved(&mut self, counter: u64) {
        self.stirred = true;
        self.counter_reserved = self.counter_reserved.max(counter);
    }

    /// The next output, in order.
    pub fn poll(&mut self) -> Option<Output> {
        let output = self.out.pop_front()?;
        if matches!(output, Output::Up(Upcall::Installed(_))) {
            self.unseen_installs -= 1;
        }
        Some(output)
    }

    /// Whether a [`Membership::wake`] is due at once.
    pub fn is_stirred(&self) -> bool {
        self.stirred
    }

    /// What this node may do right now.
    pub fn standing(&self) -> Standing {
        let view = &self.order().view;
        let (lease_until, stop_budget) = (self.lease.until(), self.setup.timings.stop_budget());
        let settled = match &self.phase {
            Phase::Installed { confirmed, .. } => *confirmed && self.unseen_installs == 0,
            Phase::Accepted { .. } | Phase::Coordinating { .. } => false,
        };
        Standing { view: view.id, primary: view.primary, confirmed: settled, lease_until, stop_budget }
    }

    /// The nodes that any beat came from lately, this one not among them, whatever became of it.
    pub fn heard_lately(&self) -> NodeSet {
        self.topology.heard_within(self.now, DOWN_SILENCE)
    }

    /// Whether anybody is reached on each network.
    pub fn hearing(&self) -> &BTreeMap<NetworkId, Hearing> {
        self.topology.hearing()
    }

    /// Who is reached on which path, and the rings there.
    pub fn topology(&self, now: Tick) -> TopologyOutlook {
        self.topology.outlook(now)
    }

    /// The view installed last.
    pub fn view(&self) -> &View {
        &self.order().view
    }

    /// When to call [`Membership::wake`] at the latest.
    pub fn wake_at(&self) -> Tick {
        if self.stirred { self.now } else { self.expected }
    }

    fn next_timer(&self) -> Tick {
        let quarantine = if self.ready { Tick::NEVER } else { self.quarantine_until };
        let timers =
            [self.topology.wake_at(), self.links.wake_at(&self.setup.timings), quarantine, self.propose_at];
        timers.into_iter().min().unwrap_or(Tick::NEVER)
    }

    fn order(&self) -> &Order {
        match &self.phase {
            Phase::Installed { order, .. }
            | Phase::Accepted { order, .. }
            | Phase::Coordinating { order, .. } => order,
        }
    }

    fn note(&mut self, note: MembershipNote) {
        self.out.push_back(Output::Note(note));
    }

    fn reached(&mut self, point: Point) {
        self.note(MembershipNote::Reached { point });
    }

    fn drop_frame(&mut self, from: Incarnation, reason: &'static str) {
        self.note(MembershipNote::FrameDropped { from: from.node, reason });
    }

    /// Before any input: a node that stood still asks for answers at once and believes no silence.
    fn begin(&mut self, now: Tick, above: &mut dyn Above) {
        self.now = now;
        self.follow_pace(now, above);
        let mut notes = Vec::new();
        if let Some(gap) = self.topology.notice_gap(now, self.expected, &mut notes) {
            self.out.push_back(Output::StoodStill(gap));
            self.urgent = true;
            self.beat_now = true;
            self.stalled.clear();
        }
        self.tell(notes);
    }

    /// After every input: re-judges the picture, drives the view, delivers, and sends what is due.
    fn finish(&mut self, now: Tick, above: &mut dyn Above) {
        self.leave_quarantine(now);
        self.follow_charter(now, above);
        let mut notes = Vec::new();
        let judged = self.topology.check(now, &mut notes);
        self.tell(notes);
        if judged || self.is_unsettled() {
            self.retry_parked(now, above);
            self.watch_progress(now);
            self.reconsider(now, above);
        }
        self.deliver();
        self.confirm();
        self.speak(now, above);
        let doubted = self.topology.take_doubted(now).into_iter();
        self.out.extend(doubted.map(|(of, path)| Output::AskEcho { of, path }));
        self.acknowledge(now);
        self.renew(now);
        self.pump(now);
        (self.stirred, self.expected) = (false, self.next_timer());
    }

    fn is_unsettled(&self) -> bool {
        let forming = !matches!(self.phase, Phase::Installed { .. });
        forming || self.parked.is_some() || self.mismatch_since.is_some()
    }

    fn tell(&mut self, notes: Vec<MembershipNote>) {
        self.out.extend(notes.into_iter().map(Output::Note));
    }

    /// What this node knows of the charter is in force here at once. One of a new generation wants a new view, whose
    /// counter is out of reach for anybody who does not know of it.
    fn follow_charter(&mut self, now: Tick, above: &mut dyn Above) {
        let charter = self.charter.merged(above.charter());
        if charter == self.charter {
            return;
        }
        if charter.generation > self.charter.generation {
            self.counter_seen += FORMED_COUNTER_STEP;
            self.mismatch_since.get_or_insert(now);
        }
        self.set_charter(charter);
    }

    fn set_charter(&mut self, charter: Charter) {
        self.charter = charter;
        self.lease.set_charter(charter);
    }

    fn leave_quarantine(&mut self, now: Tick) {
        if !self.ready && now >= self.quarantine_until {
            self.ready = true;
            self.beat_now = true;
            self.note(MembershipNote::QuarantineOver);
            self.mismatch_since.get_or_insert(now);
        }
    }
}

/// Whether it may carry a message of those that form a view.
fn forms_view(frame: &Frame<'_>) -> bool {
    match frame {
        Frame::Segment(segment) => segment.stream == Stream::Control && !segment.bytes.is_empty(),
        Frame::Beat(_)
        | Frame::Ack(_)
        | Frame::Ring(_)
        | Frame::LeaseRequest(_)
        | Frame::LeaseRound(_)
        | Frame::Receipt(_) => false,
    }
}
