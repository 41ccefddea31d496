//! Boots and crashes of hosts, starts and ends of daemons, stopping and freezing.

use crate::clock::{BootClock, DRIFT_PPM};
use crate::deadman::Deadman;
use crate::disk::Journal;
use crate::host::{Daemon, Host, Ice, Stopped};
use crate::node::Factory;
use crate::random::Random;
use crate::resource::Resources;
use crate::setting::{Breadth, Builds, Setting};
use crate::world::{Happening, World};
use phalanx_conduct::PlannerLevel;
use phalanx_node::{Birth, Input};
use phalanx_oracle::What;
use phalanx_types::{BootId, NodeId, Plot, Span, Tick, Timings, ViewId};
use std::collections::{BTreeMap, BTreeSet};

/// From power to the daemon's start.
pub(crate) const BOOT: (Span, Span) = (Span::from_millis(50), Span::from_millis(300));
/// How long a daemon that ended itself is away.
const AWAY: (Span, Span) = (Span::from_millis(100), Span::from_secs(1));

/// The planners of daemons of different builds: of this one, and of later ones.
const PLANNERS: [PlannerLevel; 3] = [PlannerLevel::LATEST, LATER, PlannerLevel(LATER.0 + 1)];
/// The planner of the next build.
pub(crate) const LATER: PlannerLevel = PlannerLevel(PlannerLevel::LATEST.0 + 1);

/// A host that was never switched on.
pub(crate) fn new_host<N>(
    seed: u64,
    id: NodeId,
    setting: &Setting,
    ledger: Vec<u8>,
    clocks: &mut Random,
) -> Host<N> {
    let node = u64::from(id.0);
    let ppm = clocks.between(0, 2 * DRIFT_PPM as u64) as i64 - DRIFT_PPM;
    Host {
        id,
        up: false,
        retired: false,
        boots: 0,
        boot_id: BootId([0; 16]),
        starts: setting.wear.lives,
        clock: BootClock::new(0, Tick::ZERO, ppm),
        ppm,
        planner: PlannerLevel::LATEST,
        journal: Journal::new(seed, node, ledger, setting.wear.views),
        deadman: new_deadman(&setting.timings(), clocks),
        look: u64::MAX,
        slate: None,
        resources: Resources::new(seed, node, setting),
        unplugged: BTreeSet::new(),
        daemon: None,
        away: None,
        ice: None,
    }
}

/// A deadman that is late by less than it may be.
fn new_deadman(timings: &Timings, clocks: &mut Random) -> Deadman {
    let lateness = clocks.span(Span::ZERO, timings.deadman_bound() * 8 / 10);
    Deadman::new(timings, lateness)
}

/// Frames that waited together are read together, as a real shell does.
fn in_lots(inbox: Vec<Input>) -> Vec<Input> {
    let mut lots: Vec<Input> = Vec::new();
    for input in inbox {
        match (lots.last_mut(), input) {
            (Some(Input::Arrived(lot)), Input::Arrived(more)) => lot.extend(more),
            (_, input) => lots.push(input),
        }
    }
    lots
}

impl<F: Factory> World<F> {
    pub(crate) fn powers_on(&mut self, host: usize, boot: u64) {
        let deadman = new_deadman(&self.timings, &mut self.clocks);
        let boot_id = BootId(self.clocks.bytes());
        let shows = Tick(self.clocks.between(Span::from_secs(5).0, Span::from_secs(60).0));
        let lost = self.rescue.as_ref().is_some_and(|rescue| rescue.is_lost(host));
        let target = &mut self.hosts[host];
        if target.up || target.retired || target.boots != boot || lost {
            return;
        }
        (target.up, target.deadman, target.boot_id, target.look) = (true, deadman, boot_id, u64::MAX);
        // The first boot was long ago, if that is what the seed is about.
        let uptime = self.setting.wear.uptime.filter(|_| target.boots == 0);
        let shows = uptime.map_or(shows, |step| Tick(step.0 - shows.0));
        target.boots += 1;
        target.clock = BootClock::new(self.now, shows, target.ppm);
        let boot = target.boots;
        let after = self.clocks.span(self.boot.0, self.boot.1);
        self.later(after, Happening::DaemonStarts { host: host as u8, boot });
    }

    pub(crate) fn daemon_starts(&mut self, host: usize, boot: u64) {
        let target = &mut self.hosts[host];
        if !target.up || target.boots != boot || target.daemon.is_some() {
            return;
        }
        target.starts += 1;
        if self.setting.builds == Builds::Mixed {
            target.planner = *self.builds.pick(&PLANNERS).expect("there are some");
        }
        target.away = None;
        target.resources.end_operations(&mut self.seen);
        let (me, boot) = (target.life(), target.boot_id);
        let stored = target.journal.stored().clone();
        let now = target.clock.local(self.now);
        let (planner, plot) = (target.planner, Plot::NONE);
        let birth = Birth { cluster: self.cluster, me, boot, stored, now, planner, plot };
        self.tell_seen(host);
        let core = self.make_core(birth);
        self.hosts[host].daemon = Some(Daemon {
            core,
            life: me,
            view: ViewId::NONE,
            wake: Tick::NEVER,
            wake_due: u64::MAX,
            fed: None,
            unread: Vec::new(),
            stopped: None,
            open: BTreeMap::new(),
        });
        self.tell(host, What::Started { boot });
        let unplugged: Vec<_> = self.hosts[host].unplugged.iter().map(|(_, lane)| *lane).collect();
        unplugged.into_iter().for_each(|lane| self.tell_carrier(host, lane));
        self.carry_out_all(host);
        self.wake_up(host);
        self.client_comes(host);
    }

    /// The daemon is gone; what its host holds and what its drivers began lives on.
    fn end_daemon(&mut self, host: usize, what: What) {
        self.hosts[host].journal.writer_died();
        self.hosts[host].daemon = None;
        self.tell(host, what);
    }

    pub(crate) fn crash_daemon(&mut self, host: usize, back: Span) {
        self.end_daemon(host, What::DaemonCrashed);
        self.start_daemon_after(host, back);
    }

    /// The daemon ends itself.
    pub(crate) fn halt(&mut self, host: usize, why: String) {
        self.end_daemon(host, What::Halted { why });
        let drawn = self.clocks.span(AWAY.0, AWAY.1);
        let back = self.hosts[host].away.take().unwrap_or(drawn);
        self.start_daemon_after(host, back);
    }

    pub(crate) fn start_daemon_after(&mut self, host: usize, back: Span) {
        let boot = self.hosts[host].boots;
        self.later(back, Happening::DaemonStarts { host: host as u8, boot });
    }

    /// The host and everything on it is gone, but for its journal.
    pub(crate) fn crash_host(&mut self, host: usize, back: Span) {
        let target = &mut self.hosts[host];
        target.journal.writer_died();
        (target.up, target.daemon, target.ice) = (false, None, None);
        target.resources.power_off(&mut self.seen);
        let boot = target.boots;
        self.tell_seen(host);
        self.tell(host, What::HostCrashed);
        self.later(back, Happening::PowersOn { host: host as u8, boot });
    }

    /// The daemon is stopped (SIGSTOP); its host and its deadman run on.
    pub(crate) fn stop_daemon(&mut self, host: usize, span: Span) {
        let number = self.now;
        let Some(daemon) = &mut self.hosts[host].daemon else { return };
        daemon.stopped = Some(Stopped { number, ..Stopped::default() });
        self.tell(host, What::Paused);
        self.later(span, Happening::Resumes { host: host as u8, number });
    }

    /// It runs again, and finds all that came meanwhile at once, before or after its own timers.
    pub(crate) fn resumes(&mut self, host: usize, number: u64) {
        let Some(daemon) = &mut self.hosts[host].daemon else { return };
        let Some(stopped) = daemon.stopped.take_if(|stopped| stopped.number == number) else { return };
        let start = daemon.life.start;
        daemon.wake_due = u64::MAX;
        self.tell(host, What::Resumed);
        let timers_first = self.targets.coin();
        if timers_first {
            self.wake_up(host);
        }
        for operation in stopped.operations {
            self.begins(host, start, operation);
        }
        let inbox = match self.setting.breadth {
            Breadth::Usual => stopped.inbox,
            Breadth::Wide => in_lots(stopped.inbox),
        };
        for input in inbox {
            self.hears(host, start, input);
        }
        if !timers_first && self.hosts[host].living(start).is_some() {
            self.wake_up(host);
        }
    }

    /// The whole host stands still.
    pub(crate) fn freeze(&mut self, host: usize, span: Span, clock_stands: bool) {
        let since = self.now;
        self.hosts[host].ice = Some(Ice { since, clock_stands, waiting: Vec::new() });
        self.tell(host, What::Frozen);
        self.later(span, Happening::Thaws { host: host as u8, since });
    }

    /// It goes on where it was.
    pub(crate) fn thaws(&mut self, host: usize, since: u64) {
        let Some(ice) = self.hosts[host].ice.take_if(|ice| ice.since == since) else { return };
        if ice.clock_stands {
            self.hosts[host].clock.stood_still(since, self.now);
        }
        self.tell(host, What::Thawed);
        ice.waiting.into_iter().for_each(|happening| self.queue.push(self.now, happening));
    }
}
