//! The last lease of a lost owner and the first moment of a takeover: R1, F1, F3.
//!
//! Three nodes: 0 owns a group, 1 would take it over, 2 grants like 1; two of them decide. Each has a clock of its own that counts
//! ticks, and one of them may be a tick off. What stands for what:
//!
//! - [`Deed::Beat`], [`Deed::Grant`], [`Deed::Granted`]: a beat, its answer, and what that is worth
//!   (`membership/lease.rs`, `promise.rs`, `machine/leasing.rs`);
//! - [`Deed::Feed`], [`Deed::Accepted`], [`Deed::Reset`]: the deadman (`shell/lifeline`, `apps/deadman`);
//! - [`Deed::Exclude`], [`Deed::Install`]: a view without the owner is accepted, and installed at the taker (`machine/forming.rs`);
//! - [`Deed::Restart`]: a grantor forgets its promises (`Promises::new`, quarantine).

use stateright::{Model, Property};

/// How long a lease is, in ticks of the owner's clock.
const LEASE: u8 = 2;
/// How far clocks may have run apart meanwhile.
const DRIFT: u8 = 1;
/// The deadman has acted so late at the latest.
const DEADMAN: u8 = 1;

/// The owner beats so often.
const BEATS: u8 = 2;

const OWNER: usize = 0;
const TAKER: usize = 1;

/// Which of the rules is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// None.
    Whole,
    /// The lease counts from when the grant came, not from when the beat was sent.
    FromReceipt,
    /// A promise is no longer than a lease.
    NoDrift,
    /// The taker does not wait for the deadman.
    NoMargin,
    /// A grantor that restarts grants and counts at once.
    NoQuarantine,
    /// A lease is used before the deadman has accepted its end.
    BeforeDeadman,
    /// A grantor goes on granting after it has accepted a view without the owner.
    GrantsGoOn,
    /// The taker waits for its own promise only.
    OwnPromise,
}

/// What may happen.
#[derive(Clone, Debug)]
pub struct Takeover {
    /// Which rule is left out.
    pub rule: Rule,
    /// How long it goes on, in ticks.
    pub ticks: u8,
    /// The owner's daemon stands still so often.
    pub pauses: u8,
    /// Node 2 restarts so often.
    pub restarts: u8,
}

/// One that grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grantor {
    /// Until when it takes no part in taking over, by its clock.
    promise: u8,
    /// When it may grant and counts.
    ready: u8,
    /// It is in a view with the owner.
    beside: bool,
    excluded: bool,
    beat: Option<u8>,
    grant: Option<u8>,
}

/// All nodes, and what is between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    clocks: [u8; 3],
    drifted: bool,
    grantors: [Grantor; 2],
    /// The newest sending time that each grantor granted.
    granted: [Option<u8>; 2],
    /// The end that the deadman knows; none before it is armed.
    fed: Option<u8>,
    until: u8,
    holds: bool,
    acquired: bool,
    paused: bool,
    beats: u8,
    pauses: u8,
    restarts: u8,
    reset_paused: bool,
    /// When the taker may begin, by its clock.
    expiry: Option<u8>,
    waited_for_other: bool,
    taken: bool,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Time passes.
    Tick,
    /// Time passes, and the owner's clock does not show it.
    Slow,
    /// Time passes, and this clock shows twice as much.
    Fast(usize),
    /// The owner beats.
    Beat,
    /// A beat comes to a grantor, and is granted if it may be.
    Grant(usize),
    /// A grant comes to the owner.
    Granted(usize),
    /// The owner asks the deadman for the end that it has earned.
    Feed,
    /// The deadman has said yes.
    Accepted,
    /// The owner acquires the group.
    Acquire,
    /// The owner's daemon stands still.
    Pause,
    /// It goes on.
    Resume,
    /// The deadman resets the owner's host.
    Reset,
    /// A grantor accepts a view without the owner.
    Exclude(usize),
    /// Node 2 restarts.
    Restart,
    /// The taker installs that view.
    Install,
    /// The taker acquires the group.
    Take,
}

impl Takeover {
    fn promise(&self) -> u8 {
        if self.rule == Rule::NoDrift { LEASE } else { LEASE + DRIFT }
    }

    fn margin(&self) -> u8 {
        if self.rule == Rule::NoMargin { 0 } else { DEADMAN }
    }

    /// The end that enough have granted: the owner itself, and whoever granted the newest beat.
    fn earned(&self, world: &World) -> Option<u8> {
        world.granted.iter().flatten().max().map(|sent| sent + LEASE)
    }

    fn owner_deeds(&self, world: &World, deeds: &mut Vec<Deed>) {
        if world.paused {
            return deeds.push(Deed::Resume);
        }
        if world.pauses < self.pauses {
            deeds.push(Deed::Pause);
        }
        let quiet = world.grantors.iter().all(|grantor| grantor.beat != Some(world.clocks[OWNER]));
        deeds.extend((world.beats < BEATS && quiet).then_some(Deed::Beat));
        let feed = if self.rule == Rule::BeforeDeadman { Some(world.until) } else { world.fed };
        if self.earned(world).is_some_and(|end| end > world.clocks[OWNER] && Some(end) > feed) {
            deeds.push(Deed::Feed);
        }
        if world.fed.is_some_and(|fed| fed > world.until) {
            deeds.push(Deed::Accepted);
        }
        if !world.acquired && world.clocks[OWNER] < world.until {
            deeds.push(Deed::Acquire);
        }
    }

    fn grantor_deeds(&self, world: &World, deeds: &mut Vec<Deed>) {
        for (at, grantor) in world.grantors.iter().enumerate() {
            deeds.extend(grantor.beat.map(|_| Deed::Grant(at)));
            deeds.extend(grantor.grant.filter(|_| !world.paused).map(|_| Deed::Granted(at)));
            deeds.extend((!grantor.excluded).then_some(Deed::Exclude(at)));
        }
        if world.restarts < self.restarts {
            deeds.push(Deed::Restart);
        }
        let counts = |at: usize| world.grantors[at].excluded && world.is_ready(at);
        if world.expiry.is_none() && counts(0) && counts(1) {
            deeds.push(Deed::Install);
        }
        if !world.taken && world.expiry.is_some_and(|expiry| world.clocks[TAKER] >= expiry) {
            deeds.push(Deed::Take);
        }
    }

    fn time(&self, world: &World, deeds: &mut Vec<Deed>) {
        if world.clocks.iter().any(|clock| *clock >= self.ticks) {
            return;
        }
        deeds.push(Deed::Tick);
        if !world.drifted {
            deeds.push(Deed::Slow);
            deeds.extend([1, 2].map(Deed::Fast));
        }
    }

    fn grant(&self, world: &mut World, at: usize) {
        let (clock, ready) = (world.clocks[at + 1], world.is_ready(at));
        let grantor = &mut world.grantors[at];
        let beat = grantor.beat.take();
        if ready && grantor.beside && (!grantor.excluded || self.rule == Rule::GrantsGoOn) {
            grantor.promise = grantor.promise.max(clock + self.promise());
            grantor.grant = beat.or(grantor.grant);
        }
    }

    fn feed(&self, world: &mut World) {
        let Some(end) = self.earned(world) else { return };
        match self.rule == Rule::BeforeDeadman {
            true => world.until = end,
            false => world.fed = Some(end),
        }
    }

    /// A restarted grantor promises the longest lease there ever was, and grants nothing until that is over.
    fn restart(&self, world: &mut World) {
        world.restarts += 1;
        let until = world.clocks[2] + self.promise();
        let (promise, ready) = if self.rule == Rule::NoQuarantine { (0, 0) } else { (until, until) };
        world.grantors[1] = Grantor {
            promise,
            ready,
            beside: false,
            excluded: false,
            beat: None,
            grant: world.grantors[1].grant,
        };
    }

    fn install(&self, world: &mut World) {
        let left = |at: usize| world.grantors[at].promise.saturating_sub(world.clocks[at + 1]);
        let longest = if self.rule == Rule::OwnPromise { left(0) } else { left(0).max(left(1)) };
        world.waited_for_other = left(1) > left(0);
        world.expiry = Some(world.clocks[TAKER] + longest + self.margin());
    }

    fn do_deed(&self, world: &mut World, deed: Deed) {
        match deed {
            Deed::Tick => world.pass([1, 1, 1]),
            Deed::Slow => world.pass([0, 1, 1]),
            Deed::Fast(at) => world.pass(std::array::from_fn(|clock| 1 + u8::from(clock == at))),
            Deed::Beat => {
                world.beats += 1;
                world.grantors.iter_mut().for_each(|grantor| grantor.beat = Some(world.clocks[OWNER]));
            }
            Deed::Grant(at) => self.grant(world, at),
            Deed::Granted(at) => {
                let sent = world.grantors[at].grant.take();
                let since = if self.rule == Rule::FromReceipt { Some(world.clocks[OWNER]) } else { sent };
                world.granted[at] = world.granted[at].max(since);
            }
            Deed::Feed => self.feed(world),
            Deed::Accepted => world.until = world.fed.unwrap_or(world.until),
            Deed::Acquire => (world.holds, world.acquired) = (true, true),
            Deed::Pause => (world.paused, world.pauses) = (true, world.pauses + 1),
            Deed::Resume => world.paused = false,
            Deed::Reset => world.reset(),
            Deed::Exclude(at) => world.grantors[at].excluded = true,
            Deed::Restart => self.restart(world),
            Deed::Install => self.install(world),
            Deed::Take => world.taken = true,
        }
    }
}

impl World {
    fn new() -> World {
        let grantor =
            Grantor { promise: 0, ready: 0, beside: true, excluded: false, beat: None, grant: None };
        World {
            clocks: [0; 3],
            drifted: false,
            grantors: [grantor; 2],
            granted: [None; 2],
            fed: None,
            until: 0,
            holds: false,
            acquired: false,
            paused: false,
            beats: 0,
            pauses: 0,
            restarts: 0,
            reset_paused: false,
            expiry: None,
            waited_for_other: false,
            taken: false,
        }
    }

    fn is_ready(&self, at: usize) -> bool {
        self.clocks[at + 1] >= self.grantors[at].ready
    }

    fn may_reset(&self) -> bool {
        self.holds && self.fed.is_some_and(|end| self.clocks[OWNER] >= end)
    }

    fn pass(&mut self, ticks: [u8; 3]) {
        self.drifted |= ticks != [1, 1, 1];
        self.clocks.iter_mut().zip(ticks).for_each(|(clock, ticks)| *clock += ticks);
        // The deadman is never later than this.
        if self.holds && self.fed.is_some_and(|end| self.clocks[OWNER] >= end + DEADMAN) {
            self.reset();
        }
    }

    fn reset(&mut self) {
        self.reset_paused |= self.paused;
        self.holds = false;
    }
}

impl Model for Takeover {
    type State = World;
    type Action = Deed;

    fn init_states(&self) -> Vec<World> {
        vec![World::new()]
    }

    fn actions(&self, world: &World, deeds: &mut Vec<Deed>) {
        self.owner_deeds(world, deeds);
        self.grantor_deeds(world, deeds);
        self.time(world, deeds);
        deeds.extend(world.may_reset().then_some(Deed::Reset));
    }

    fn next_state(&self, last: &World, deed: Deed) -> Option<World> {
        let mut world = last.clone();
        self.do_deed(&mut world, deed);
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = vec![
            Property::always("R1 one owner", |_: &Takeover, world: &World| !(world.holds && world.taken)),
            Property::always("F3 the deadman is in time", |_, world: &World| {
                !world.holds || world.fed.is_some_and(|end| world.clocks[OWNER] < end + DEADMAN)
            }),
            Property::sometimes("taken over", |_, world: &World| world.acquired && world.taken),
            Property::sometimes("the other's promise was longer", |_, world: &World| world.waited_for_other),
        ];
        all.extend((self.pauses > 0).then(|| {
            Property::sometimes("reset while it stood still", |_, world: &World| {
                world.reset_paused && world.taken
            })
        }));
        all
    }

    fn within_boundary(&self, world: &World) -> bool {
        world.clocks.iter().all(|clock| *clock <= self.ticks)
    }
}
