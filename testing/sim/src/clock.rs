//! The boot clock of one host: its own offset, its own speed, and standing still while a frozen host's clock does.

use phalanx_types::Tick;

/// How far a clock may be off, parts per million; two of them differ by at most
/// [`phalanx_types::limits::DRIFT_PPM_MAX`].
pub const DRIFT_PPM: i64 = 500;

/// A clock since the host's last boot.
#[derive(Clone, Copy, Debug)]
pub struct BootClock {
    /// Global time at which it ran from `local`.
    since: u64,
    local: u64,
    ppm: i64,
}

impl BootClock {
    /// A clock that shows `local` at global time `now` and gains `ppm` millionths.
    pub fn new(now: u64, local: Tick, ppm: i64) -> BootClock {
        assert!(ppm.abs() <= DRIFT_PPM, "no host is that far off");
        BootClock { since: now, local: local.0, ppm }
    }

    /// What it shows at global time `now`.
    pub fn local(&self, now: u64) -> Tick {
        let gone = now.saturating_sub(self.since);
        let gained = gone as i64 / 1_000_000 * self.ppm + gone as i64 % 1_000_000 * self.ppm / 1_000_000;
        Tick(self.local.saturating_add(gone).saturating_add_signed(gained))
    }

    /// The first global time at which it shows `tick` or more.
    pub fn global(&self, tick: Tick) -> u64 {
        if tick == Tick::NEVER {
            return u64::MAX;
        }
        let gone = u128::from(tick.0.saturating_sub(self.local));
        let speed = (1_000_000 + self.ppm) as u128;
        let mut global = self.since + (gone * 1_000_000 / speed) as u64;
        while self.local(global) < tick {
            global += 1;
        }
        while global > self.since && self.local(global - 1) >= tick {
            global -= 1;
        }
        global
    }

    /// It stood still from global time `from` to `to`.
    pub fn stood_still(&mut self, from: u64, to: u64) {
        *self = BootClock { since: to, local: self.local(from).0, ppm: self.ppm };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn clocks_drift_apart() {
        let fast = BootClock::new(0, Tick(0), 500);
        let slow = BootClock::new(0, Tick(0), -500);
        let apart = fast.local(1_000 * SECOND).since(slow.local(1_000 * SECOND));
        assert_eq!(apart.as_millis(), 1_000);
    }

    #[test]
    fn global_is_the_first_moment_that_shows_a_tick() {
        for ppm in [-500, -37, 0, 1, 499] {
            let clock = BootClock::new(17 * SECOND, Tick(3 * SECOND), ppm);
            for tick in [3 * SECOND + 1, 4 * SECOND, 100 * SECOND + 123_457] {
                let global = clock.global(Tick(tick));
                assert!(clock.local(global) >= Tick(tick), "{ppm} {tick}");
                assert!(clock.local(global - 1) < Tick(tick), "{ppm} {tick}");
            }
        }
        assert_eq!(BootClock::new(0, Tick(0), 5).global(Tick::NEVER), u64::MAX);
    }

    #[test]
    fn a_clock_that_stood_still_is_behind() {
        let mut clock = BootClock::new(0, Tick(0), 0);
        clock.stood_still(2 * SECOND, 7 * SECOND);
        assert_eq!(clock.local(8 * SECOND), Tick(3 * SECOND));
    }
}
