//! What the hypervisor had to do with a stall of this daemon.
//!
//! Steal time is noted every now and then, when the daemon is awake anyway, and once more after a stall: what was stolen
//! in between is at most what was stolen of the stall.

use crate::remark::Remark;
use phalanx_host::StealClock;
use phalanx_types::{Span, Tick};

/// Between two notes of the steal time.
const NOTED_EVERY: Span = Span::from_secs(10);

/// The steal time as last noted.
#[derive(Debug, Default)]
pub struct Stolen {
    clock: Option<StealClock>,
    noted: Span,
    next: Tick,
}

impl Stolen {
    /// Begins to look. Where the kernel does not say, nothing is said.
    pub fn begin() -> Stolen {
        let clock = StealClock::open().ok();
        let mut stolen = Stolen { clock, ..Stolen::default() };
        stolen.noted = stolen.read();
        stolen
    }

    /// To be called where the daemon does what has no deadline.
    pub fn note(&mut self, now: Tick) {
        if now >= self.next {
            (self.noted, self.next) = (self.read(), now + NOTED_EVERY);
        }
    }

    /// The daemon stood still: what became of that time.
    pub fn explain(&mut self, gap: Span) -> Remark {
        let before = self.noted;
        self.noted = self.read();
        let known = self.clock.is_some();
        Remark::StoodStill { gap, stolen: known.then_some((self.noted - before).at_most(gap)) }
    }

    fn read(&self) -> Span {
        self.clock.as_ref().and_then(|clock| clock.read().ok()).unwrap_or(self.noted)
    }
}
