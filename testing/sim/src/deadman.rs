//! The deadman of one host: knows the lease end, kills what is held shortly before it, resets the host at it.
//!
//! Outlives the daemon, not the host. It looks by the host's clock and no oftener than it must: its owner asks
//! [`Deadman::look_at`] when to look, and [`Deadman::look`] what to do.

use phalanx_types::{Span, Tick, Timings};

/// What a look leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing, until then.
    WaitUntil(Tick),
    /// Nothing, until something is held.
    Rest,
    /// Everything held is killed; look again then.
    Kill(Tick),
    /// The host is reset.
    Reset,
}

/// One host's deadman.
#[derive(Clone, Debug)]
pub struct Deadman {
    until: Tick,
    killed: bool,
    /// Kept before the lease end for killing.
    reserve: Span,
    /// How late it may be.
    lateness: Span,
    gone: bool,
}

impl Deadman {
    /// A deadman that knows no lease yet and is `lateness` late whenever it acts.
    pub fn new(timings: &Timings, lateness: Span) -> Deadman {
        assert!(lateness < timings.deadman_bound(), "later than this it is of no use");
        // A quarter of the stop budget: the daemon has had the rest.
        let reserve = timings.stop_budget() / 4;
        Deadman { until: Tick::ZERO, killed: false, reserve, lateness, gone: false }
    }

    /// Takes a lease end; `false` if it is not there to take it.
    pub fn feed(&mut self, until: Tick) -> bool {
        if !self.gone {
            (self.until, self.killed) = (until, false);
        }
        !self.gone
    }

    /// It dies, or is started again; then it holds on to the lease end it finds.
    pub fn set_gone(&mut self, gone: bool) {
        self.gone = gone;
    }

    /// Whether it is there.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// When it has to look next if something is held.
    pub fn look_at(&self) -> Tick {
        match (self.gone, self.killed) {
            (true, _) => Tick::NEVER,
            (false, false) => self.until.before(self.reserve),
            (false, true) => self.until + self.lateness,
        }
    }

    /// It looks.
    pub fn look(&mut self, now: Tick, holding: bool) -> Act {
        let due = self.look_at();
        match (holding, self.killed) {
            _ if due == Tick::NEVER => Act::Rest,
            (false, _) => Act::Rest,
            _ if now < due => Act::WaitUntil(due),
            (true, true) => Act::Reset,
            (true, false) => {
                self.killed = true;
                Act::Kill(self.look_at())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::TimingProfile;

    const MS: u64 = 1_000_000;

    fn fed() -> Deadman {
        let mut deadman = Deadman::new(&Timings::of(TimingProfile::Auto), Span::from_millis(3));
        assert!(deadman.feed(Tick(500 * MS)));
        deadman
    }

    #[test]
    fn it_kills_before_the_end_and_resets_at_it() {
        let mut deadman = fed();
        assert_eq!(deadman.look(Tick(100 * MS), true), Act::WaitUntil(Tick(470 * MS)));
        assert_eq!(deadman.look(Tick(470 * MS), true), Act::Kill(Tick(503 * MS)));
        assert_eq!(deadman.look(Tick(502 * MS), true), Act::WaitUntil(Tick(503 * MS)));
        assert_eq!(deadman.look(Tick(503 * MS), true), Act::Reset);
    }

    #[test]
    fn it_does_nothing_to_a_host_that_holds_nothing() {
        assert_eq!(fed().look(Tick(9_999 * MS), false), Act::Rest);
    }

    #[test]
    fn a_renewed_lease_calls_it_off() {
        let mut deadman = fed();
        deadman.look(Tick(470 * MS), true);
        deadman.feed(Tick(900 * MS));
        assert_eq!(deadman.look(Tick(503 * MS), true), Act::WaitUntil(Tick(870 * MS)));
    }

    #[test]
    fn without_any_lease_nothing_may_be_held() {
        let mut deadman = Deadman::new(&Timings::of(TimingProfile::Auto), Span::ZERO);
        assert!(matches!(deadman.look(Tick(MS), true), Act::Kill(_)));
        assert_eq!(deadman.look(Tick(MS), true), Act::Reset);
    }

    #[test]
    fn a_dead_deadman_takes_nothing_and_does_nothing() {
        let mut deadman = fed();
        deadman.set_gone(true);
        assert!(!deadman.feed(Tick(900 * MS)));
        assert_eq!(deadman.look(Tick(9_999 * MS), true), Act::Rest);
    }
}
