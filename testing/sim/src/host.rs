//! One host: its clock, journal, deadman and resources, and the daemon that may or may not run on it.

use crate::clock::BootClock;
use crate::deadman::Deadman;
use crate::disk::Journal;
use crate::resource::Resources;
use crate::world::Happening;
use phalanx_conduct::{PlannerLevel, Request};
use phalanx_node::{Arrival, Input};
use phalanx_types::{BootId, Incarnation, NodeId, Operation, RequestId, Span, Tick, ViewId};
use std::collections::{BTreeMap, BTreeSet};

/// Frames that a stopped daemon's socket keeps.
pub const INBOX_MAX: usize = 4_096;

/// One host.
pub struct Host<N> {
    /// Its node.
    pub id: NodeId,
    /// Whether it has power.
    pub up: bool,
    /// Whether it stays without power for good.
    pub retired: bool,
    /// Counts boots; what was meant for an earlier boot means nothing.
    pub boots: u64,
    /// The kernel's name for this boot.
    pub boot_id: BootId,
    /// Counts lives; durable.
    pub starts: u64,
    /// Its clock, and how far off it always is.
    pub clock: BootClock,
    /// The latest planner of the daemon that is installed.
    pub planner: PlannerLevel,
    /// How far off its clock is, parts per million.
    pub ppm: i64,
    /// What its daemon stored.
    pub journal: Journal,
    /// Its deadman.
    pub deadman: Deadman,
    /// When the deadman looks next, on the global clock.
    pub look: u64,
    /// The lease end that the daemon wrote for the deadman to see.
    pub slate: Option<Slate>,
    /// What is active here.
    pub resources: Resources,
    /// Which faults keep adapters from having a carrier, each with the adapter's lane.
    pub unplugged: BTreeSet<(u32, u8)>,
    /// Its daemon, if it runs.
    pub daemon: Option<Daemon<N>>,
    /// How long a daemon that ends itself is away; drawn if not said.
    pub away: Option<Span>,
    /// Since when the host stands still.
    pub ice: Option<Ice>,
}

/// What the daemon has written for the deadman, and whether that is going to look.
#[derive(Clone, Copy)]
pub struct Slate {
    /// Which life wrote it.
    pub start: u64,
    /// The lease end.
    pub until: Tick,
    /// The lease end that the deadman accepted last.
    pub accepted: Tick,
    /// Whether a look is to come.
    pub awaited: bool,
}

/// A host that stands still.
pub struct Ice {
    /// Since when.
    pub since: u64,
    /// Whether its clock stands too.
    pub clock_stands: bool,
    /// What happened to it meanwhile.
    pub waiting: Vec<Happening>,
}

/// One life of a daemon.
pub struct Daemon<N> {
    /// The core.
    pub core: N,
    /// Which life it is.
    pub life: Incarnation,
    /// The view it last installed: what the shell compares permits with.
    pub view: ViewId,
    /// When it wants to be woken, on its own clock, as last seen.
    pub wake: Tick,
    /// When it will be, on the global clock.
    pub wake_due: u64,
    /// The lease end that the deadman accepted since it was awake last.
    pub fed: Option<Tick>,
    /// What has arrived that need not wake it.
    pub unread: Vec<Arrival>,
    /// What waits for it while it is stopped.
    pub stopped: Option<Stopped>,
    /// Operators' requests it has not answered.
    pub open: BTreeMap<RequestId, Request>,
}

/// A daemon that is stopped.
#[derive(Default)]
pub struct Stopped {
    /// Tells this stop from others.
    pub number: u64,
    /// What it will hear when it runs again.
    pub inbox: Vec<Input>,
    /// What it was about to begin.
    pub operations: Vec<Operation>,
}

impl<N> Host<N> {
    /// Whether its adapter on this lane has a carrier.
    pub fn has_carrier(&self, lane: usize) -> bool {
        self.unplugged.iter().all(|(_, unplugged)| usize::from(*unplugged) != lane)
    }

    /// Its latest life.
    pub fn life(&self) -> Incarnation {
        Incarnation { node: self.id, start: self.starts }
    }

    /// The life with this start number, if it is this host's and runs.
    pub fn living(&mut self, start: u64) -> Option<&mut Daemon<N>> {
        self.daemon.as_mut().filter(|daemon| daemon.life.start == start)
    }

    /// Whether its daemon is there and not stopped.
    pub fn is_responsive(&self) -> bool {
        self.ice.is_none() && self.daemon.as_ref().is_some_and(|daemon| daemon.stopped.is_none())
    }
}
