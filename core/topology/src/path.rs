//! One path to one peer, judged by its own delay and jitter.
//!
//! A path is late after a few of its beats and eight times its own jitter, and at the latest after the detection time. A
//! late path is told to people and avoided; a node is down only when all its paths have been silent for the whole
//! detection time, so a path may be judged quickly without anybody being declared dead too soon.

use phalanx_types::{PathId, Span, Tick, Timings};

/// Silence of so many beats makes the quietest path late.
const LATE_BEATS_MIN: u64 = 4;
/// How much of the measured jitter a path may be late by.
const JITTER_FACTOR: u64 = 8;
/// Weight of the past against one new measurement.
const JITTER_MEMORY: u64 = 8;

/// What is known of one path.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    pub id: PathId,
    /// Of so many beats, one comes by this path while all is well.
    share: u64,
    /// When the last beat came by it.
    pub heard: Tick,
    /// When that beat was sent, on the peer's clock.
    sent: Tick,
    /// Mean deviation of the delay.
    jitter: Span,
    /// Whether the peer said in that beat that it hears us on this path.
    pub hears_us: bool,
    /// The last verdict, so that changes can be told.
    pub up: bool,
}

impl Path {
    /// A path that nothing came by yet, and by which one of `share` beats is to come.
    pub fn new(id: PathId, share: u64) -> Path {
        Path {
            id,
            share,
            heard: Tick::ZERO,
            sent: Tick::ZERO,
            jitter: Span::ZERO,
            hears_us: false,
            up: false,
        }
    }

    /// Notes a beat that arrived `now` and was sent at `sent` on the peer's clock.
    pub fn hear(&mut self, now: Tick, sent: Tick, hears_us: bool) {
        if self.heard != Tick::ZERO && sent > self.sent {
            let (waited, meant) = (now.since(self.heard), sent.since(self.sent));
            let deviation = (waited - meant) + (meant - waited);
            self.jitter = (self.jitter * (JITTER_MEMORY - 1) + deviation) / JITTER_MEMORY;
        }
        if sent > self.sent {
            self.sent = sent;
        }
        self.heard = now;
        self.hears_us = hears_us;
    }

    /// Forgets what an earlier life of the peer did.
    pub fn reset(&mut self) {
        *self = Path { up: self.up, ..Path::new(self.id, self.share) };
    }

    /// How long the path may be silent before it is late.
    pub fn patience(&self, timings: &Timings) -> Span {
        let floor = timings.beat() * self.share * LATE_BEATS_MIN;
        (floor + self.jitter * JITTER_FACTOR).at_most(timings.detect())
    }

    /// How long ago the last beat came; zero if none has come of this life of the peer.
    pub fn silence(&self, now: Tick) -> Span {
        now.since(if self.heard == Tick::ZERO { now } else { self.heard })
    }

    /// Whether a beat came in time; `resumed` is when this node itself last stood still.
    pub fn is_heard(&self, now: Tick, resumed: Tick, timings: &Timings) -> bool {
        self.heard != Tick::ZERO && now.since(self.heard.max(resumed)) < self.patience(timings)
    }

    /// Whether it works in both directions. If it did not when this node stood still, it has no silence to be forgiven.
    pub fn works(&self, now: Tick, resumed: Tick, timings: &Timings) -> bool {
        let resumed = if self.up { resumed } else { Tick::ZERO };
        self.hears_us && self.is_heard(now, resumed, timings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::{NetworkId, TimingProfile};

    fn path_with_delays(delays_ms: &[u64]) -> (Path, Tick) {
        let mut path = Path::new(PathId { network: NetworkId(0), index: 0 }, 1);
        let mut now = Tick::ZERO;
        for (i, delay) in delays_ms.iter().enumerate() {
            let sent = Tick::ZERO + Span::from_millis(1_000 + 25 * i as u64);
            now = sent + Span::from_millis(*delay);
            path.hear(now, sent, true);
        }
        (path, now)
    }

    #[test]
    fn a_steady_path_is_late_after_four_beats_and_a_jittery_one_later() {
        let timings = Timings::of(TimingProfile::Auto);
        let (steady, _) = path_with_delays(&[1; 50]);
        let (jittery, _) = path_with_delays(&[1, 20, 1, 20, 1, 20, 1, 20, 1, 20, 1, 20, 1, 20, 1, 20]);
        assert_eq!(steady.patience(&timings), timings.beat() * 4);
        assert!(jittery.patience(&timings) > Span::from_millis(200));
        assert!(jittery.patience(&timings) <= timings.detect(), "the hard limit");
    }

    #[test]
    fn a_new_life_is_not_silent_since_this_host_booted() {
        let (mut path, last) = path_with_delays(&[1; 5]);
        assert_eq!(path.silence(last + Span::from_millis(30)), Span::from_millis(30));
        path.reset();
        assert_eq!(path.silence(last), Span::ZERO);
    }

    #[test]
    fn an_observer_that_stood_still_does_not_call_the_path_late() {
        let timings = Timings::of(TimingProfile::Auto);
        let (path, last) = path_with_delays(&[1; 50]);
        let later = last + Span::from_millis(900);
        assert!(!path.is_heard(later, Tick::ZERO, &timings));
        assert!(path.is_heard(later, later, &timings));
    }
}
