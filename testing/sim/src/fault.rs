//! Which faults strike a seed, and when: swarm style, so that each seed has its own mix.
//!
//! Only the plan is made here. Where a fault strikes is decided when it does, by who is alive and who holds what.

use crate::disk::DiskHealth;
use crate::net::{Link, NodeMask, QUIET, Trouble};
use crate::random::{MILLION, Random, Stream};
use crate::resource::{Ailing, Ailment, How};
use crate::setting::{Breadth, Setting};
use phalanx_types::Span;

/// Kinds of faults; each is on in half of the seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A host loses power.
    CrashHost,
    /// A daemon dies.
    CrashDaemon,
    /// A daemon is stopped for a while.
    Pause,
    /// A daemon is asked to stop, and is started again.
    Restart,
    /// Some nodes cannot reach some others.
    Partition,
    /// Some nodes can send but not receive, or the other way round.
    OneWay,
    /// Loss, delay, jitter, duplicates, reordering.
    Noise,
    /// A link that comes and goes.
    Flap,
    /// One network is down for everybody.
    NetworkDown,
    /// One adapter loses its carrier, or carries nothing though it has one.
    Adapter,
    /// Somebody takes a service address off.
    Address,
    /// Operations are slow, hang, fail or lie.
    Operations,
    /// An application ends.
    Application,
    /// A journal is slow or fails.
    Disk,
    /// A deadman dies for a while.
    Deadman,
    /// An operator wants something.
    Operator,
    /// Everything dies at once; in one seed of twenty.
    All,
    /// A whole host stands still, deadman included; only in its own mode.
    Freeze,
    /// All but a few hosts crash, and an honest operator forms the cluster of the few; only in its own mode.
    Form,
    /// Frames are held for a while and come all at once, late; only in [`Breadth::Wide`], as are those that follow.
    Jam,
    /// Large frames do not pass, and small ones do.
    Hole,
    /// Nodes are cut off one after the other, and come back in another order.
    Swizzle,
    /// Daemons are stopped for moments, again and again.
    Stutter,
    /// A router between subnets of a network is down; only where a network has several.
    Router,
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A host crashes.
    CrashHost,
    /// A daemon crashes.
    CrashDaemon,
    /// A daemon is stopped.
    Pause,
    /// A daemon is asked to end.
    Restart,
    /// The networks are in trouble.
    Net([Option<Trouble>; 2]),
    /// An adapter on this network dies.
    Adapter {
        /// The network.
        network: u8,
        /// Whether the kernel does not notice.
        silent: bool,
    },
    /// A service address is taken off.
    Address,
    /// Operations on a host ail.
    Operations(Ailment),
    /// An application ends.
    Application,
    /// A journal does badly.
    Disk(DiskHealth),
    /// A deadman dies.
    Deadman,
    /// An operator wants something.
    Operator,
    /// An operator applies another cluster file.
    Change,
    /// All daemons crash.
    AllDaemons,
    /// All hosts crash.
    AllHosts,
    /// A host is frozen; its clock runs on.
    Freeze,
    /// A host is frozen; its clock stands too.
    FreezeWithClock,
    /// An operator forms the cluster of the few that are left.
    Form,
}

/// When what strikes, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// When, on the global clock.
    pub at: u64,
    /// Its class, under which it is counted.
    pub class: Class,
    /// What.
    pub fault: Fault,
    /// Until it is lifted, or until what it took down comes back.
    pub span: Span,
    /// Later strikes of a flapping link belong to the first.
    pub counts: bool,
}

/// What kinds of faults are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All that proofs of class `process` cover.
    Swarm,
    /// The same, and with each of them operators on two nodes apply changes.
    Stress,
    /// Whole hosts are frozen too, which class `process` does not cover: two owners are counted, not judged.
    Freeze,
    /// Once in each seed most hosts are lost for long, and an operator forms the cluster without them.
    Form,
    /// The faults of [`Mode::Swarm`]; and every node has clients of Group Services that do what comes to their minds.
    Groups,
    /// The faults of [`Mode::Swarm`] in a cluster with quorum `dynamic`, and hosts are lost one after the other until two are left.
    Dwindle,
    /// Every other seed as in `Swarm`, the rest in turn as in `Stress`, `Groups` and `Dwindle`; and of [`Breadth::Wide`].
    Mixed,
}

impl Mode {
    /// What kinds of faults are drawn for this seed.
    pub fn of(self, seed: u64) -> Mode {
        match self {
            Mode::Mixed if seed.is_multiple_of(2) => Mode::Swarm,
            Mode::Mixed if seed % 4 == 1 => Mode::Stress,
            Mode::Mixed if seed % 8 == 3 => Mode::Dwindle,
            Mode::Mixed => Mode::Groups,
            Mode::Swarm | Mode::Stress | Mode::Freeze | Mode::Form | Mode::Groups | Mode::Dwindle => self,
        }
    }
}

const SWARM: [Class; 16] = [
    Class::CrashHost,
    Class::CrashDaemon,
    Class::Pause,
    Class::Restart,
    Class::Partition,
    Class::OneWay,
    Class::Noise,
    Class::Flap,
    Class::NetworkDown,
    Class::Adapter,
    Class::Address,
    Class::Operations,
    Class::Application,
    Class::Disk,
    Class::Deadman,
    Class::Operator,
];

/// Those that only [`Breadth::Wide`] has, too.
const WIDE: [Class; 4] = [Class::Jam, Class::Hole, Class::Swizzle, Class::Stutter];

/// One of these is always on, or nothing much would happen.
const STRONG: [Class; 3] = [Class::CrashHost, Class::CrashDaemon, Class::Partition];

/// At least so many faults are planned; some may find nothing to strike.
const FAULTS_MIN: u64 = 8;
const FAULTS_MAX: u64 = 16;
/// A beat of seven nodes is smaller.
const BEAT_BYTES: u32 = 300;

impl Class {
    /// The name under which it is counted.
    pub fn name(self) -> &'static str {
        match self {
            Class::CrashHost => "crash-host",
            Class::CrashDaemon => "crash-daemon",
            Class::Pause => "pause",
            Class::Restart => "restart",
            Class::Partition => "partition",
            Class::OneWay => "one-way",
            Class::Noise => "noise",
            Class::Flap => "flap",
            Class::NetworkDown => "network-down",
            Class::Adapter => "adapter",
            Class::Address => "address",
            Class::Operations => "operations",
            Class::Application => "application",
            Class::Disk => "disk",
            Class::Deadman => "deadman",
            Class::Operator => "operator",
            Class::All => "all-at-once",
            Class::Freeze => "freeze",
            Class::Form => "form",
            Class::Jam => "jam",
            Class::Hole => "hole",
            Class::Swizzle => "swizzle",
            Class::Stutter => "stutter",
            Class::Router => "router",
        }
    }
}

/// Draws plans.
pub struct Planner<'a> {
    random: Random,
    setting: &'a Setting,
    /// Nodes by bit.
    everybody: NodeMask,
    /// Networks by bit.
    everywhere: u8,
}

impl<'a> Planner<'a> {
    /// For this seed and cluster.
    pub fn new(seed: u64, setting: &'a Setting) -> Planner<'a> {
        let (everybody, everywhere) = ((1 << setting.nodes) - 1, (1 << setting.networks) - 1);
        Planner { random: Random::new(seed, Stream::Faults), setting, everybody, everywhere }
    }

    /// The strikes between `from` and `to`, in order.
    pub fn draw(mut self, mode: Mode, from: u64, to: u64) -> Vec<Strike> {
        let classes = self.classes(mode);
        let mut strikes = Vec::new();
        for _ in 0..self.random.between(FAULTS_MIN, FAULTS_MAX) {
            let class = *self.random.pick(&classes).expect("one class is strong");
            let at = self.random.between(from, to);
            self.strike(class, at, &mut strikes);
        }
        if self.random.below(20) == 0 {
            let at = self.random.between(from, to);
            self.strike(Class::All, at, &mut strikes);
        }
        if mode == Mode::Form {
            let at = self.random.between(from, from + (to - from) / 2);
            self.strike(Class::Form, at, &mut strikes);
        }
        if mode == Mode::Dwindle {
            self.dwindle(from, to, &mut strikes);
        }
        if mode == Mode::Stress {
            let change = |strike: &Strike| Strike { fault: Fault::Change, counts: false, ..*strike };
            let changes: Vec<_> = strikes.iter().flat_map(|strike| [change(strike); 2]).collect();
            strikes.extend(changes);
        }
        strikes.retain(|strike| strike.at <= to);
        strikes.sort_by_key(|strike| strike.at);
        strikes
    }

    /// All hosts but two crash for long, each when the others may just have come to decide without the one before.
    fn dwindle(&mut self, from: u64, to: u64, strikes: &mut Vec<Strike>) {
        let (pause, class) = (self.setting.timings().takeover_wait() * 5, Class::CrashHost);
        let mut at = self.random.between(from, from + (to - from) / 4);
        for _ in 2..self.setting.nodes {
            let span = self.random.span(Span(to - from) / 2, Span(to - from));
            strikes.push(Strike { at, class, fault: Fault::CrashHost, span, counts: true });
            at += self.random.span(pause / 2, pause * 2).0;
        }
    }

    fn classes(&mut self, mode: Mode) -> Vec<Class> {
        let mut classes: Vec<_> = SWARM.into_iter().filter(|_| self.random.coin()).collect();
        if self.setting.breadth == Breadth::Wide {
            classes.extend(WIDE.into_iter().filter(|_| self.random.coin()));
        }
        if !classes.iter().any(|class| STRONG.contains(class)) {
            classes.push(*self.random.pick(&STRONG).expect("there are some"));
        }
        if !self.setting.routed.is_empty() {
            classes.push(Class::Router);
        }
        if mode == Mode::Freeze {
            classes.retain(|class| *class != Class::Pause);
            classes.extend([Class::Freeze; 3]);
        }
        classes
    }

    fn strike(&mut self, class: Class, at: u64, strikes: &mut Vec<Strike>) {
        if class == Class::Swizzle {
            return self.swizzle(at, strikes);
        }
        let (fault, span) = (self.fault(class), self.span(class));
        let fault = if class == Class::Jam { held(fault, at + span.0) } else { fault };
        let mut strike = Strike { at, class, fault, span, counts: true };
        let repeats = matches!(class, Class::Flap | Class::Stutter);
        let again = if repeats { self.random.between(5, 20) } else { 0 };
        strikes.push(strike);
        strike.counts = false;
        for _ in 0..again {
            strike.at += strike.span.0 * 2;
            strikes.push(strike);
        }
    }

    /// Each of some nodes is cut off for its own time, a moment after the one before.
    fn swizzle(&mut self, mut at: u64, strikes: &mut Vec<Strike>) {
        let detect = self.setting.timings().detect();
        let class = Class::Swizzle;
        for counts in [true].into_iter().chain(vec![false; self.random.between(1, 4) as usize]) {
            let one = self.one_node();
            let fault = Fault::Net(self.between(self.everywhere, one, self.everybody & !one));
            let span = self.random.span_by_magnitude(detect / 2, detect * 12);
            strikes.push(Strike { at, class, fault, span, counts });
            at += self.random.span(detect / 16, detect * 2).0;
        }
    }

    fn fault(&mut self, class: Class) -> Fault {
        match class {
            Class::CrashHost => Fault::CrashHost,
            Class::CrashDaemon => Fault::CrashDaemon,
            Class::Pause => Fault::Pause,
            Class::Restart => Fault::Restart,
            Class::Partition => Fault::Net(self.partition()),
            Class::OneWay => Fault::Net([Some(self.one_way()), None]),
            Class::Noise => Fault::Net([Some(self.noise()), None]),
            Class::Flap => Fault::Net(self.both_ways(self.everywhere, Link::CUT)),
            Class::NetworkDown => Fault::Net([Some(self.network_down()), None]),
            Class::Adapter => {
                let network = self.random.below(self.setting.networks as u64) as u8;
                Fault::Adapter { network, silent: self.random.coin() }
            }
            Class::Address => Fault::Address,
            Class::Operations => Fault::Operations(self.ailment()),
            Class::Application => Fault::Application,
            Class::Disk if self.random.coin() => Fault::Disk(DiskHealth::Slow),
            Class::Disk => Fault::Disk(DiskHealth::Failing),
            Class::Deadman => Fault::Deadman,
            Class::Operator => Fault::Operator,
            Class::All if self.random.coin() => Fault::AllHosts,
            Class::All => Fault::AllDaemons,
            Class::Freeze if self.random.coin() => Fault::Freeze,
            Class::Freeze => Fault::FreezeWithClock,
            Class::Form => Fault::Form,
            // All of it is in the strikes.
            Class::Swizzle => Fault::Net([None, None]),
            Class::Jam => Fault::Net(self.both_ways(self.everywhere, QUIET)),
            Class::Hole => Fault::Net(self.hole()),
            Class::Stutter => Fault::Pause,
            Class::Router => Fault::Net(self.router()),
        }
    }

    fn span(&mut self, class: Class) -> Span {
        let detect = self.setting.timings().detect();
        let (low, high) = match class {
            Class::CrashHost | Class::All => (Span::from_millis(500), Span::from_secs(15)),
            Class::CrashDaemon | Class::Restart => (Span::from_millis(20), Span::from_secs(5)),
            Class::Pause if self.random.below(3) == 0 => (detect * 9 / 10, detect * 11 / 10),
            Class::Pause | Class::Freeze => (detect / 10, detect * 3),
            Class::Partition | Class::OneWay | Class::NetworkDown | Class::Router => {
                (detect / 4, detect * 25)
            }
            Class::Adapter | Class::Noise | Class::Operations => (detect, detect * 25),
            Class::Flap => (detect / 8, detect * 2),
            Class::Disk | Class::Deadman => (detect, detect * 12),
            Class::Address | Class::Application | Class::Operator | Class::Form => (Span::ZERO, Span::ZERO),
            Class::Jam => (detect / 8, detect * 6),
            // Over before who stalled by it may come back. From a longer one a node is left out again and again: its beats
            // pass, so it is let in (seed 34 of `mixed` when it had longer ones).
            Class::Hole => (detect / 2, detect * 5),
            Class::Swizzle => (detect, detect * 25),
            Class::Stutter => (detect / 20, detect / 2),
        };
        self.random.span_by_magnitude(low, high)
    }

    /// A random set of nodes, neither empty nor all.
    fn some_nodes(&mut self) -> NodeMask {
        self.random.between(1, u64::from(self.everybody) - 1) as NodeMask
    }

    fn one_node(&mut self) -> NodeMask {
        1 << self.random.below(self.setting.nodes as u64)
    }

    fn some_networks(&mut self) -> u8 {
        match self.random.below(3) {
            0 => 1 << self.random.below(self.setting.networks as u64),
            _ => self.everywhere,
        }
    }

    fn between(&self, networks: u8, one: NodeMask, other: NodeMask) -> [Option<Trouble>; 2] {
        let cut = |from, to| Some(Trouble { networks, from, to, link: Link::CUT });
        [cut(one, other), cut(other, one)]
    }

    /// Two random sides, one node alone, one pair, or two sides with a node between that reaches both.
    fn partition(&mut self) -> [Option<Trouble>; 2] {
        let networks = self.some_networks();
        let (side, one, other) = (self.some_nodes(), self.one_node(), self.one_node());
        match self.random.below(5) {
            0 => self.between(networks, side, self.everybody & !side),
            1 | 2 => self.between(networks, one, self.everybody & !one),
            3 => self.between(networks, one, other & !one),
            _ => self.between(networks, side & !one, self.everybody & !side & !one),
        }
    }

    /// Two subnets of a network do not reach each other, or one of them none of the others. Within each all is well.
    fn router(&mut self) -> [Option<Trouble>; 2] {
        let routed: Vec<usize> = self.setting.routed.keys().copied().collect();
        let network = *self.random.pick(&routed).expect("some network has subnets");
        let subnets = self.setting.sides(network);
        let one = self.random.below(subnets.len() as u64) as usize;
        let other = (one + self.random.between(1, subnets.len() as u64 - 1) as usize) % subnets.len();
        let beyond = if self.random.coin() { subnets[other] } else { self.everybody & !subnets[one] };
        self.between(1 << network, subnets[one], beyond)
    }

    fn one_way(&mut self) -> Trouble {
        let (from, to) = if self.random.coin() {
            (self.one_node(), self.everybody)
        } else {
            (self.everybody, self.one_node())
        };
        Trouble { networks: self.some_networks(), from, to, link: Link::CUT }
    }

    fn both_ways(&mut self, networks: u8, link: Link) -> [Option<Trouble>; 2] {
        let (one, other) = (self.one_node(), self.some_nodes());
        let trouble = |from, to| Some(Trouble { networks, from, to, link });
        [trouble(one, other), trouble(other, one)]
    }

    /// Frames beyond a size are lost between some nodes: below what a beat takes nothing at all would pass.
    fn hole(&mut self) -> [Option<Trouble>; 2] {
        let largest = self.random.between(u64::from(BEAT_BYTES), 1_400) as u32;
        self.both_ways(self.everywhere, Link { largest, ..QUIET })
    }

    fn network_down(&mut self) -> Trouble {
        let networks = 1 << self.random.below(self.setting.networks as u64);
        Trouble { networks, from: self.everybody, to: self.everybody, link: Link::CUT }
    }

    /// Up to 30 % lost, half doubled, and late by up to three quarters of detection.
    fn noise(&mut self) -> Trouble {
        let late = self.setting.timings().detect().0 * 3 / 8;
        let random = &mut self.random;
        let mut sometimes = |high: u64| if random.coin() { random.below(high) } else { 0 };
        let (loss, duplicate) = (sometimes(300_000) as u32, sometimes(500_000) as u32);
        let (delay, jitter) = (QUIET.delay + sometimes(late), QUIET.jitter + sometimes(late));
        let link = Link { loss, duplicate, delay, jitter, reorder: random.coin(), ..QUIET };
        let (from, to) = match random.below(3) {
            0 => (self.some_nodes(), self.everybody),
            1 => (self.everybody, self.some_nodes()),
            _ => (self.everybody, self.everybody),
        };
        Trouble { networks: self.some_networks(), from, to, link }
    }

    fn ailment(&mut self) -> Ailment {
        const VERBS: [Ailing; 7] = [
            Ailing::Start,
            Ailing::Start,
            Ailing::Stop,
            Ailing::Stop,
            Ailing::Kill,
            Ailing::Probe,
            Ailing::Monitor,
        ];
        const HOWS: [How; 5] = [How::Slow, How::Slow, How::Hang, How::Fail, How::Lie];
        let verb = *self.random.pick(&VERBS).expect("not empty");
        let how = *self.random.pick(&HOWS).expect("not empty");
        let millionths = self.random.between(u64::from(MILLION) / 10, u64::from(MILLION)) as u32;
        Ailment { verb, how, millionths }
    }
}

/// The same, with frames held until then.
fn held(fault: Fault, until: u64) -> Fault {
    let Fault::Net(troubles) = fault else { return fault };
    let hold = |trouble: Trouble| Trouble { link: Link { held_until: until, ..trouble.link }, ..trouble };
    Fault::Net(troubles.map(|trouble| trouble.map(hold)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const SECOND: u64 = 1_000_000_000;

    fn plan(seed: u64, mode: Mode) -> Vec<Strike> {
        Planner::new(seed, &Setting::plain(5, 2)).draw(mode, 5 * SECOND, 65 * SECOND)
    }

    #[test]
    fn every_plan_has_enough_strikes_in_its_window() {
        for seed in 0..200 {
            let strikes = plan(seed, Mode::Swarm);
            assert!(strikes.iter().filter(|strike| strike.counts).count() as u64 >= FAULTS_MIN);
            assert!(strikes.iter().all(|strike| (5 * SECOND..=65 * SECOND).contains(&strike.at)));
            assert!(strikes.is_sorted_by_key(|strike| strike.at));
            assert_eq!(strikes, plan(seed, Mode::Swarm));
        }
    }

    #[test]
    fn every_class_turns_up() {
        let classes = |mode| -> BTreeSet<_> {
            (0..200).flat_map(|seed| plan(seed, mode)).map(|strike| strike.class.name()).collect()
        };
        assert_eq!(classes(Mode::Swarm).len(), SWARM.len() + 1);
        let wide = Setting { breadth: Breadth::Wide, ..Setting::plain(5, 2) };
        let plan = |seed| Planner::new(seed, &wide).draw(Mode::Swarm, 5 * SECOND, 65 * SECOND);
        let all: BTreeSet<_> = (0..200).flat_map(plan).map(|strike| strike.class.name()).collect();
        assert_eq!(all.len(), SWARM.len() + WIDE.len() + 1);
        let routed = Setting { routed: [(1, vec![0, 0, 1, 1, 2])].into(), ..Setting::plain(5, 2) };
        let strikes = |seed| Planner::new(seed, &routed).draw(Mode::Swarm, 5 * SECOND, 65 * SECOND);
        let cuts: Vec<_> = (0..50).flat_map(strikes).filter(|strike| strike.class == Class::Router).collect();
        let crosses = |trouble: Trouble| {
            let subnets = [0b00011, 0b01100, 0b10000];
            trouble.networks == 0b10 && subnets.iter().all(|subnet| trouble.from & trouble.to & subnet == 0)
        };
        for cut in &cuts {
            let Fault::Net([Some(there), Some(back)]) = cut.fault else { panic!("{cut:?}") };
            assert!(crosses(there) && crosses(back), "{cut:?}");
        }
        assert!(!cuts.is_empty());
        assert!(!classes(Mode::Swarm).contains("freeze") && !classes(Mode::Swarm).contains("router"));
        assert!(classes(Mode::Freeze).contains("freeze"));
    }
}
