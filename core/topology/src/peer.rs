//! One peer: its present life, what its newest beat said, and its paths.

use crate::path::Path;
use phalanx_types::{BootId, Incarnation, NodeSet, PathId, Span, Tick, Timings, ViewId};
use phalanx_wire::{Beat, BeatFlags};

/// While all paths to a peer work, each carries one beat in so many: those of even places, then those of odd ones.
const TURNS: u64 = 2;

/// A configured peer.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub paths: Vec<Path>,
    pub life: Option<Life>,
    /// Another life of this node that beats while `life` does.
    rival: Option<Rival>,
    /// Until when the node is taken for cloned and not heard.
    cloned_until: Tick,
    /// The last verdict on [`Peer::is_heard`] in both directions, so that changes can be told.
    pub up: bool,
}

/// A life of a peer, by its newest beat.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub incarnation: Incarnation,
    pub boot: BootId,
    /// When any beat of it last arrived.
    pub heard: Tick,
    /// When its host's kernel last answered an echo.
    pub echoed: Tick,
    /// When the newest beat arrived.
    pub newest_at: Tick,
    pub number: u64,
    pub sent: Tick,
    pub flags: BeatFlags,
    pub view: ViewId,
    pub received: u64,
    pub counter_max: u64,
    pub hears: NodeSet,
}

/// A life that should be over, or the same life under another boot.
#[derive(Clone, Copy, Debug)]
struct Rival {
    since: Tick,
    number: u64,
}

/// What a beat was to its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The newest of the present life.
    Newest,
    /// A copy by another path, or a late one.
    Older,
    /// The first of a new life; the old one is over.
    NewLife,
    /// From a life that should be over; ignored.
    Stale,
    /// The node exists twice; ignored.
    Cloned,
}

impl Peer {
    pub fn new(paths: Vec<PathId>) -> Peer {
        let share = TURNS.min(paths.len() as u64);
        let paths = paths.into_iter().map(|id| Path::new(id, share)).collect();
        Peer { paths, life: None, rival: None, cloned_until: Tick::ZERO, up: false }
    }

    /// Whether another life of it beats, too, or did a moment ago.
    pub fn has_rival(&self) -> bool {
        self.rival.is_some()
    }

    /// Takes in a beat that arrived by `path` from `from`, at a node that stood still last before `resumed` and whose grants
    /// let a silent life hold anything for `held_for`.
    pub fn hear(
        &mut self,
        (now, resumed, held_for): (Tick, Tick, Span),
        path: PathId,
        from: Incarnation,
        beat: &Beat,
        hears_us: bool,
        timings: &Timings,
    ) -> Verdict {
        let verdict = self.judge((now, resumed, held_for), from, beat, timings);
        match verdict {
            Verdict::Stale | Verdict::Cloned => return verdict,
            Verdict::NewLife => {
                self.paths.iter_mut().for_each(Path::reset);
                self.rival = None;
            }
            Verdict::Newest | Verdict::Older => {}
        }
        if let Some(path) = self.paths.iter_mut().find(|known| known.id == path) {
            path.hear(now, beat.sent, hears_us);
        }
        match (&mut self.life, verdict) {
            (Some(life), Verdict::Older) => life.heard = now,
            (life, _) => *life = Some(Life::of(now, from, beat)),
        }
        verdict
    }

    /// A later life on the same boot follows the one before, whose daemon is gone: its state directory let in no second
    /// one. A later life on another boot is a host that was booted anew, or a copy of one: it comes in only when the life
    /// before has been silent for so long that it holds nothing, whoever has its name.
    fn judge(
        &mut self,
        (now, resumed, held_for): (Tick, Tick, Span),
        from: Incarnation,
        beat: &Beat,
        timings: &Timings,
    ) -> Verdict {
        let Some(life) = &self.life else { return Verdict::NewLife };
        let silent = now.since(life.heard.max(resumed));
        let elsewhere = beat.boot != life.boot;
        if from.start > life.incarnation.start && elsewhere && silent < held_for {
            return self.suspect_newcomer(now, silent, timings);
        }
        if from.start < life.incarnation.start
            || (from.start == life.incarnation.start && beat.boot != life.boot)
        {
            return self.suspect_rival(now, beat.number, timings);
        }
        match () {
            () if from.start > life.incarnation.start => Verdict::NewLife,
            () if beat.number > life.number => Verdict::Newest,
            () => Verdict::Older,
        }
    }

    /// Frames of a life that ended may still be under way for a while; one that goes on beating is a clone.
    fn suspect_rival(&mut self, now: Tick, number: u64, timings: &Timings) -> Verdict {
        let rival = *self.rival.get_or_insert(Rival { since: now, number });
        let goes_on = number > rival.number && now.since(rival.since) > timings.detect();
        match goes_on {
            true => self.take_for_cloned(now, timings),
            false => Verdict::Stale,
        }
    }

    /// A life from another boot while this one beats: when that lasts, two hosts have one identity.
    fn suspect_newcomer(&mut self, now: Tick, silent: Span, timings: &Timings) -> Verdict {
        let rival = *self.rival.get_or_insert(Rival { since: now, number: 0 });
        let both_beat = silent < timings.beat() * 4;
        match both_beat && now.since(rival.since) > timings.detect() {
            true => self.take_for_cloned(now, timings),
            false => Verdict::Stale,
        }
    }

    /// Said once as long as it lasts.
    fn take_for_cloned(&mut self, now: Tick, timings: &Timings) -> Verdict {
        let known = now < self.cloned_until;
        self.cloned_until = now + timings.detect() * 4;
        if known { Verdict::Stale } else { Verdict::Cloned }
    }

    /// Whether some beat of the present life came within the detection time, by whichever path, or it is given grace.
    pub fn is_heard(&self, now: Tick, resumed: Tick, timings: &Timings) -> bool {
        now >= self.cloned_until && self.life.is_some() && now < self.down_at(resumed, timings)
    }

    /// Whether it has been silent for so long that its host's kernel should be asked for an echo.
    pub fn is_doubted(&self, now: Tick, resumed: Tick, timings: &Timings) -> bool {
        let silent = |life: &Life| now.since(life.heard.max(resumed));
        self.life.as_ref().is_some_and(|life| silent(life) >= timings.doubt())
    }

    /// Whether anything came of the present life since `then`.
    pub fn heard_since(&self, then: Tick) -> bool {
        self.life.as_ref().is_some_and(|life| life.heard >= then)
    }

    /// A ring shows that `life` is there, by a frame of its own on this path or by somebody's word.
    pub fn vouch(&mut self, now: Tick, life: Incarnation, path: Option<PathId>) {
        if let Some(known) = self.life.as_mut().filter(|known| known.incarnation == life) {
            known.heard = now;
            let paths = self.paths.iter_mut().filter(|known| Some(known.id) == path);
            paths.for_each(|path| path.heard = now);
        }
    }

    /// Until when it is taken for cloned.
    pub fn cloned_until(&self) -> Tick {
        self.cloned_until
    }

    /// Whether `connects` says so of its present life on any path.
    pub fn is_connected(&self, now: Tick, connects: impl Fn(PathId, Incarnation) -> bool) -> bool {
        let on_any = |life: &Life| self.paths.iter().any(|path| connects(path.id, life.incarnation));
        now >= self.cloned_until && self.life.as_ref().is_some_and(on_any)
    }

    /// The path to use for the attempt number `tries` where rings say which work.
    pub fn connected_route(&self, tries: u32) -> Option<PathId> {
        let up = self.paths.iter().filter(|path| path.up).count();
        let usable = self.paths.iter().filter(|path| path.up || up == 0);
        let count = if up == 0 { self.paths.len() } else { up };
        usable.map(|path| path.id).nth(tries as usize % count.max(1))
    }

    /// When it will be taken for down if nothing more is heard.
    pub fn down_at(&self, resumed: Tick, timings: &Timings) -> Tick {
        let down_at =
            |life: &Life| timings.given_up_at(life.heard.max(resumed) + timings.detect(), life.echoed);
        self.life.as_ref().map_or(Tick::NEVER, down_at)
    }

    /// How long nothing was heard.
    pub fn silence(&self, now: Tick) -> Span {
        self.life.as_ref().map_or(Span(u64::MAX), |life| now.since(life.heard))
    }

    /// The paths that carry the routine beat number `turn`: in turns while all work, and all of them once one does not.
    pub fn routine(&self, turn: u64) -> impl Iterator<Item = PathId> {
        let in_turns = self.paths.len() > 1 && self.paths.iter().all(|path| path.up);
        let carries = move |place: u64| !in_turns || (place + turn).is_multiple_of(TURNS);
        (0..).zip(&self.paths).filter(move |(place, _)| carries(*place)).map(|(_, path)| path.id)
    }

    /// The path to use for the attempt number `tries`: working ones first, then those on which the peer hears us.
    pub fn route(&self, tries: u32, now: Tick, resumed: Tick, timings: &Timings) -> Option<PathId> {
        let pick = |good: &dyn Fn(&&Path) -> bool| {
            let count = self.paths.iter().filter(good).count();
            self.paths.iter().filter(good).nth(tries as usize % count.max(1)).map(|path| path.id)
        };
        pick(&|path| path.works(now, resumed, timings))
            .or_else(|| pick(&|path| path.hears_us))
            .or_else(|| pick(&|_| true))
    }
}

impl Life {
    fn of(now: Tick, incarnation: Incarnation, beat: &Beat) -> Life {
        Life {
            incarnation,
            boot: beat.boot,
            heard: now,
            echoed: Tick::ZERO,
            newest_at: now,
            number: beat.number,
            sent: beat.sent,
            flags: beat.flags,
            view: beat.view,
            received: beat.received,
            counter_max: beat.counter_max,
            hears: beat.hears,
        }
    }
}
