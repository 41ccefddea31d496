//! When to do what. Pure: time and what was seen go in, orders come out.
//!
//! Never arms before a valid feed; never forgets a group before it is seen to be gone.

use phalanx_lifeline::Hold;
use phalanx_types::{GroupName, Span, Tick};

/// A lease further ahead than this is a mistake.
const LEASE_AHEAD_MAX: Span = Span::from_secs(60 * 60);
/// Groups guarded at a time.
const HOLDS_MAX: usize = phalanx_types::limits::GROUPS_MAX;
/// Between two looks while letting go.
const LOOK_PAUSE: Span = Span::from_millis(1);
/// Between two attempts to take the host down.
const ACT_PAUSE: Span = Span::from_millis(500);

/// Whether the daemon is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Daemon {
    /// Its socket is open.
    Connected,
    /// Its socket is closed, or never was open.
    Gone,
}

/// What is left of the groups that are being let go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Processes, and maybe more.
    Processes,
    /// No processes, but an address or a file system that is not seen to be gone.
    Rest,
    /// Nothing.
    Nothing,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing, until [`Rules::wake_at`].
    Wait,
    /// Ask the groups' processes to end.
    Ask,
    /// End the groups at any price, and go on doing so.
    End,
    /// All is gone: say so.
    StandDown,
    /// The lease is over and something is left: take the host down.
    TakeDown,
}

/// The rules, and what they know.
#[derive(Debug)]
pub struct Rules {
    lease: Option<Lease>,
    holds: Vec<Hold>,
    daemon: Daemon,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lease {
    until: Tick,
    stop_budget: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The daemon holds, and feeds.
    Guarding,
    /// The groups' processes have been asked to end.
    Asking,
    /// The groups are being ended.
    Ending,
    /// The host is being taken down; tried again at this time, if it still stands.
    Down { again: Tick },
}

impl Lease {
    /// When the processes of a daemon that is gone are asked to end.
    fn ask_at(self) -> Tick {
        self.until.before(self.stop_budget)
    }

    /// When all is ended at any price.
    fn end_at(self) -> Tick {
        self.until.before(self.stop_budget / 2)
    }
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { lease: None, holds: Vec::new(), daemon: Daemon::Gone, phase: Phase::Guarding }
    }
}

impl Rules {
    /// The groups that are guarded.
    pub fn holds(&self) -> &[Hold] {
        &self.holds
    }

    /// The lease end last fed.
    pub fn until(&self) -> Tick {
        self.lease.map_or(Tick::ZERO, |lease| lease.until)
    }

    /// Whether the daemon is there.
    pub fn see(&mut self, daemon: Daemon) {
        self.daemon = daemon;
    }

    /// Takes a new lease end. One that comes while groups are let go of only moves the time when the host is taken down:
    /// what is being let go of is let go of.
    pub fn feed(&mut self, now: Tick, until: Tick, stop_budget: Span) -> Result<(), &'static str> {
        match () {
            () if until <= now => Err("that lease is over"),
            () if now.until(until) > LEASE_AHEAD_MAX => Err("no lease is that long"),
            () if stop_budget == Span::ZERO || stop_budget > LEASE_AHEAD_MAX => {
                Err("no stop budget is like that")
            }
            () => {
                self.lease = Some(Lease { until, stop_budget });
                Ok(())
            }
        }
    }

    /// Guards a group from now on, or anew.
    pub fn hold(&mut self, now: Tick, hold: Hold) -> Result<(), &'static str> {
        let is_other = |held: &&Hold| held.group != hold.group;
        match () {
            () if self.phase != Phase::Guarding => Err("all groups are being let go of"),
            () if self.until() <= now => Err("no lease was fed that still runs"),
            () if self.holds.iter().filter(is_other).count() >= HOLDS_MAX => Err("too many groups"),
            () => {
                self.holds.retain(|held| held.group != hold.group);
                self.holds.push(hold);
                Ok(())
            }
        }
    }

    /// Guards a group no longer.
    pub fn drop_group(&mut self, group: &GroupName) {
        self.holds.retain(|held| held.group != *group);
    }

    /// What to do now, given what is left; `left` is only looked at while groups are let go of.
    pub fn decide(&mut self, now: Tick, left: Left) -> Order {
        let Some(lease) = self.lease else { return Order::Wait };
        if self.holds.is_empty() {
            return self.relax();
        }
        match self.phase {
            Phase::Guarding if now >= lease.end_at() => self.end(now, lease),
            Phase::Guarding if now >= lease.ask_at() && self.daemon == Daemon::Gone => {
                self.phase = Phase::Asking;
                Order::Ask
            }
            Phase::Guarding => Order::Wait,
            Phase::Asking if now >= lease.end_at() || left != Left::Processes => self.end(now, lease),
            Phase::Asking => Order::Wait,
            Phase::Ending | Phase::Down { .. } if left == Left::Nothing => {
                self.holds.clear();
                self.relax()
            }
            Phase::Ending => self.end(now, lease),
            Phase::Down { again } if now >= again => self.take_down(now),
            Phase::Down { .. } => Order::End,
        }
    }

    /// The action was carried out, and the host still stands: it is for others to take it down.
    pub fn acted(&mut self) {
        self.phase = Phase::Down { again: Tick::NEVER };
    }

    /// Whether groups are being let go of.
    pub fn is_letting_go(&self) -> bool {
        self.phase != Phase::Guarding
    }

    /// When [`Rules::decide`] must be asked again at the latest.
    pub fn wake_at(&self, now: Tick) -> Tick {
        match (self.lease, self.phase) {
            (None, _) => Tick::NEVER,
            (Some(_), _) if self.holds.is_empty() => Tick::NEVER,
            (Some(lease), Phase::Guarding) => match self.daemon {
                Daemon::Gone => lease.ask_at(),
                Daemon::Connected => lease.end_at(),
            },
            (Some(_), Phase::Asking | Phase::Ending | Phase::Down { .. }) => now + LOOK_PAUSE,
        }
    }

    fn end(&mut self, now: Tick, lease: Lease) -> Order {
        if now >= lease.until {
            return self.take_down(now);
        }
        self.phase = Phase::Ending;
        Order::End
    }

    fn take_down(&mut self, now: Tick) -> Order {
        self.phase = Phase::Down { again: now + ACT_PAUSE };
        Order::TakeDown
    }

    /// Nothing is held any more.
    fn relax(&mut self) -> Order {
        match std::mem::replace(&mut self.phase, Phase::Guarding) {
            Phase::Guarding => Order::Wait,
            Phase::Asking | Phase::Ending | Phase::Down { .. } => {
                self.lease = None;
                Order::StandDown
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Span = Span::from_millis(120);

    fn at(millis: u64) -> Tick {
        Tick::ZERO + Span::from_millis(millis)
    }

    fn shop() -> Hold {
        let (file_systems, addresses) = (Vec::new(), Vec::new());
        Hold { group: "shop".parse().unwrap(), cgroup: "/cgroup/shop".into(), file_systems, addresses }
    }

    /// Rules that guard one group, fed at 500 ms with a lease until 1,000 ms.
    fn guarding(daemon: Daemon) -> Rules {
        let mut rules = Rules::default();
        rules.see(daemon);
        rules.feed(at(500), at(1_000), BUDGET).unwrap();
        rules.hold(at(500), shop()).unwrap();
        rules
    }

    fn check(rules: &mut Rules, looks: &[(u64, Left, Order)]) {
        for (millis, left, expected) in looks {
            assert_eq!(rules.decide(at(*millis), *left), *expected, "at {millis} ms with {left:?}");
        }
    }

    #[test]
    fn nothing_is_armed_before_a_valid_feed() {
        let mut rules = Rules::default();
        assert_eq!(rules.hold(at(500), shop()), Err("no lease was fed that still runs"));
        assert_eq!(rules.feed(at(500), at(500), BUDGET), Err("that lease is over"));
        assert_eq!(rules.feed(at(500), Tick::NEVER, BUDGET), Err("no lease is that long"));
        assert_eq!(rules.feed(at(500), at(1_000), Span::ZERO), Err("no stop budget is like that"));
        assert_eq!(rules.hold(at(500), shop()), Err("no lease was fed that still runs"));
        assert_eq!(
            (rules.decide(at(9_000), Left::Processes), rules.wake_at(at(9_000))),
            (Order::Wait, Tick::NEVER)
        );
    }

    #[test]
    fn nothing_held_is_nothing_to_do() {
        let mut rules = Rules::default();
        rules.feed(at(500), at(1_000), BUDGET).unwrap();
        check(&mut rules, &[(999, Left::Processes, Order::Wait), (2_000, Left::Processes, Order::Wait)]);
        assert_eq!(rules.hold(at(2_000), shop()), Err("no lease was fed that still runs"), "it ran out");
    }

    #[test]
    fn a_daemon_that_is_gone_has_its_groups_ended_in_order() {
        let mut rules = guarding(Daemon::Gone);
        assert_eq!(rules.wake_at(at(500)), at(880));
        check(
            &mut rules,
            &[
                (879, Left::Processes, Order::Wait),
                (880, Left::Processes, Order::Ask),
                (900, Left::Processes, Order::Wait),
                (939, Left::Processes, Order::Wait),
                (940, Left::Processes, Order::End),
                (950, Left::Rest, Order::End),
                (960, Left::Nothing, Order::StandDown),
                (1_000, Left::Nothing, Order::Wait),
            ],
        );
        assert!(rules.holds().is_empty() && rules.until() == Tick::ZERO);
    }

    #[test]
    fn groups_that_end_when_asked_are_cleared_at_once() {
        let mut rules = guarding(Daemon::Gone);
        check(&mut rules, &[(880, Left::Processes, Order::Ask), (890, Left::Rest, Order::End)]);
    }

    #[test]
    fn a_daemon_that_is_there_is_trusted_until_half_of_the_budget() {
        let mut rules = guarding(Daemon::Connected);
        assert_eq!(rules.wake_at(at(500)), at(940));
        check(&mut rules, &[(939, Left::Processes, Order::Wait), (940, Left::Processes, Order::End)]);
    }

    #[test]
    fn a_daemon_that_goes_late_leaves_what_time_there_is() {
        let mut rules = guarding(Daemon::Connected);
        check(&mut rules, &[(910, Left::Processes, Order::Wait)]);
        rules.see(Daemon::Gone);
        check(&mut rules, &[(911, Left::Processes, Order::Ask)]);
    }

    #[test]
    fn a_daemon_that_comes_back_in_time_goes_on() {
        let mut rules = guarding(Daemon::Gone);
        check(&mut rules, &[(879, Left::Processes, Order::Wait)]);
        rules.see(Daemon::Connected);
        rules.feed(at(879), at(1_300), BUDGET).unwrap();
        check(&mut rules, &[(1_200, Left::Processes, Order::Wait), (1_240, Left::Processes, Order::End)]);
    }

    #[test]
    fn what_is_left_at_the_lease_end_takes_the_host_down() {
        for left in [Left::Processes, Left::Rest] {
            let mut rules = guarding(Daemon::Gone);
            check(&mut rules, &[(880, left, Order::Ask), (940, left, Order::End), (999, left, Order::End)]);
            check(&mut rules, &[(1_000, left, Order::TakeDown), (1_001, left, Order::End)]);
            check(&mut rules, &[(1_500, left, Order::TakeDown)]);
            rules.acted();
            check(&mut rules, &[(9_000, left, Order::End), (9_001, Left::Nothing, Order::StandDown)]);
        }
    }

    #[test]
    fn one_that_wakes_after_the_lease_end_takes_the_host_down_at_once() {
        check(&mut guarding(Daemon::Connected), &[(1_700, Left::Processes, Order::TakeDown)]);
        check(&mut guarding(Daemon::Gone), &[(1_700, Left::Processes, Order::TakeDown)]);
    }

    #[test]
    fn a_feed_while_letting_go_only_moves_the_end() {
        let mut rules = guarding(Daemon::Gone);
        check(&mut rules, &[(940, Left::Processes, Order::End)]);
        rules.feed(at(950), at(1_400), BUDGET).unwrap();
        assert_eq!(rules.hold(at(950), shop()), Err("all groups are being let go of"));
        check(&mut rules, &[(1_000, Left::Processes, Order::End), (1_400, Left::Processes, Order::TakeDown)]);
    }

    #[test]
    fn dropped_groups_are_nobodys_and_a_group_is_held_once() {
        let mut rules = guarding(Daemon::Gone);
        rules.hold(at(600), shop()).unwrap();
        assert_eq!(rules.holds().len(), 1);
        check(&mut rules, &[(880, Left::Processes, Order::Ask)]);
        rules.drop_group(&shop().group);
        check(&mut rules, &[(1_000, Left::Processes, Order::StandDown)]);
    }
}
