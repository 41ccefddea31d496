//! Stories of the real core in which just these things happen, told with other luck again and again.

use phalanx_oracle::Oracle;
use phalanx_sim::core::Cores;
use phalanx_sim::disk::DiskHealth;
use phalanx_sim::fault::{Class, Fault, Strike};
use phalanx_sim::run::{Course, Judge, run_seed};
use phalanx_sim::trace::Trace;
use phalanx_sim::{Lite, Mode, Setting, World};
use phalanx_types::{Monitoring, Plot, Span, TimingProfile};

const LUCKS: u64 = 6;

fn at(millis: u64, fault: Fault, span: Span) -> Strike {
    let at = Span::from_millis(millis).0;
    Strike { at, class: Class::Operations, fault, span, counts: true }
}

/// Runs three nodes through these strikes before every safety property.
fn check(strikes: &[Strike]) {
    for luck in 0..LUCKS {
        let setting = Setting::plain(3, 1);
        let oracle = Oracle::safety(&setting.terms());
        let cores = Cores(Plot::NONE);
        let mut world = World::with(cores, luck, setting, strikes.to_vec(), oracle, Trace::default());
        assert_eq!(world.run(), Ok(()), "luck {luck}");
    }
}

/// Nobody else is left to end the groups of a daemon that halts (F3).
#[test]
fn a_journal_that_fails_while_the_deadman_is_gone_ends_the_groups_before_the_daemon() {
    let (short, change) = (Span::from_secs(2), |at_millis| at(at_millis, Fault::Change, Span::ZERO));
    let blow = |millis| {
        let broken = at(millis, Fault::Disk(DiskHealth::Failing), short);
        let alone = at(millis + 1, Fault::Deadman, short);
        [broken, alone, change(millis + 1), change(millis + 2), change(millis + 3)]
    };
    let strikes: Vec<Strike> = (2..8).flat_map(|blows| blow(blows * 5_000)).collect();
    check(&strikes);
}

/// Seeds along rings that once were broken.
#[test]
fn seeds_along_rings_that_found_something_are_well() {
    for (seed, timing, mode) in
        [(700_019, TimingProfile::Auto, Mode::Stress), (700_270, TimingProfile::Relaxed, Mode::Swarm)]
    {
        let lite = Lite { timing, monitoring: Monitoring::Ring, ..Lite::DEFAULT };
        let course = Course { lite, mode, judge: Judge::All };
        let outcome = run_seed(&Cores(Plot::NONE), seed, course, Trace::default());
        assert!(outcome.violation.is_none(), "{seed}: {:?}", outcome.violation);
    }
}
