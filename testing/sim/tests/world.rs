//! Stories of the simulator itself, with toy cores: it is the same each time, its faults bite, its deadman acts.

use phalanx_oracle::{Census, Oracle, Violation};
use phalanx_sim::fault::{Class, Fault, Planner, Strike};
use phalanx_sim::random::MILLION;
use phalanx_sim::resource::{Ailing, Ailment, How};
use phalanx_sim::run::{Course, Judge, first_violation, run_many, run_seed};
use phalanx_sim::toy::{Manner, Toys};
use phalanx_sim::trace::Trace;
use phalanx_sim::{Factory, Lite, Mode, Setting, World};
use phalanx_types::Span;

const LITE: Lite = Lite { nodes: Some(3), networks: Some(1), ..Lite::DEFAULT };
const COURSE: Course = Course { lite: LITE, mode: Mode::Swarm, judge: Judge::All };

/// Runs toys through these strikes, before just these properties.
fn check(
    manner: Manner,
    seed: u64,
    strikes: Vec<Strike>,
    properties: &[&str],
) -> (Result<(), Violation>, Census) {
    let setting = Setting::plain(3, 1);
    let terms = setting.terms();
    let oracle = Oracle::safety(&terms).only(properties);
    assert_eq!(oracle.properties().len(), properties.len(), "{properties:?} are known by these names");
    let mut world = World::with(Toys(manner), seed, setting, strikes, oracle, Trace::default());
    let verdict = world.run();
    (verdict, world.census)
}

fn drawn(seed: u64) -> Vec<Strike> {
    let minute = Span::from_secs(60);
    Planner::new(seed, &Setting::plain(3, 1)).draw(Mode::Swarm, Span::from_secs(5).0, minute.0)
}

fn strike(fault: Fault, at: Span, span: Span) -> Strike {
    Strike { at: at.0, class: Class::Operations, fault, span, counts: true }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let run = |seed| run_seed(&Toys(Manner::Quiet), seed, COURSE, Trace::default());
    assert_eq!(run(4), run(4));
    assert_ne!(run(4).digest, run(5).digest);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let run = |jobs| run_many(&Toys(Manner::Quiet), 0..6, COURSE, jobs, &|_| ());
    assert_eq!(run(1), run(2));
}

#[test]
fn every_seed_is_a_minute_or_more_with_five_faults_or_more() {
    let report = run_many(&Toys(Manner::Quiet), 0..8, COURSE, 2, &|_| ());
    assert!(report.elapsed >= 8 * 60_000_000_000, "{}", report.elapsed);
    assert!(report.fewest_faults >= Some(5), "{:?}", report.fewest_faults);
    assert_eq!(report.violation_count(), 0, "{}", report.failures_in_words());
}

#[test]
fn the_deadman_keeps_a_lonely_owner_honest_through_all_faults() {
    const PROPERTIES: [&str; 5] = ["F3 self-stop", "PERMIT", "R2 data plane", "ONE-OWNER", "R9 one address"];
    let mut sum = Census::default();
    for seed in 0..60 {
        let (verdict, census) = check(Manner::Diligent, seed, drawn(seed), &PROPERTIES);
        assert_eq!(verdict, Ok(()), "seed {seed}");
        sum.acquisitions += census.acquisitions;
        sum.deadman_kills += census.deadman_kills;
        sum.deadman_resets += census.deadman_resets;
    }
    assert!(sum.acquisitions > 180 && sum.deadman_kills > 10, "{sum:?}");
}

#[test]
fn heartbeats_alone_make_two_owners() {
    let found = (0..20).find_map(|seed| check(Manner::Naive, seed, drawn(seed), &["ONE-OWNER"]).0.err());
    assert_eq!(found.expect("twenty seeds have a partition").property, "ONE-OWNER");
}

#[test]
fn a_node_without_a_lease_may_start_nothing() {
    let (verdict, _) = check(Manner::Naive, 1, Vec::new(), &["PERMIT"]);
    assert!(verdict.unwrap_err().words.contains("not primary"));
}

#[test]
fn the_deadman_ends_what_nobody_lets_go() {
    let (verdict, census) = check(Manner::Stubborn, 1, Vec::new(), &["F3 self-stop"]);
    assert_eq!(verdict, Ok(()));
    assert_eq!((census.deadman_kills, census.deadman_resets), (1, 0));
}

#[test]
fn the_deadman_resets_a_host_where_even_kills_hang() {
    let ailment = Ailment { verb: Ailing::Kill, how: How::Hang, millionths: MILLION };
    let everywhere = |_| strike(Fault::Operations(ailment), Span::from_millis(900), Span::from_secs(30));
    let strikes: Vec<_> = (0..30).map(everywhere).collect();
    let (verdict, census) = check(Manner::Stubborn, 1, strikes, &["F3 self-stop"]);
    assert_eq!(verdict, Ok(()));
    assert!(census.deadman_resets >= 1, "{census:?}");
}

#[test]
fn a_frozen_host_holds_on_beyond_its_lease() {
    let freezes = (0..30).map(|_| strike(Fault::Freeze, Span::from_millis(1_500), Span::from_secs(5)));
    let (verdict, _) = check(Manner::Stubborn, 1, freezes.collect(), &["F3 self-stop"]);
    assert!(verdict.is_err(), "class `process` does not cover this");
}

#[test]
fn a_planted_bug_is_found_by_the_same_seed_on_any_number_of_threads() {
    for (name, bugged) in Toys(Manner::Quiet).planted() {
        let find = |jobs| first_violation(&bugged, 0..50, COURSE, jobs);
        assert!(find(1).is_some(), "{name}");
        assert_eq!(find(1), find(3), "{name}");
    }
}
