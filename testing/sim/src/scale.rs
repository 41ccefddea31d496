//! What monitoring costs a node, how soon a crash makes a new view, and how many message delays a vote takes, in clusters of
//! several sizes.
//!
//! Nothing goes wrong here but one crash. The member whose frames are counted has the lowest address: it leads no ring, and
//! would only number messages, of which there are none meanwhile.

use crate::core::Cores;
use crate::setting::Setting;
use crate::trace::Trace;
use crate::world::World;
use phalanx_oracle::{Census, Oracle, Violation};
use phalanx_types::{Monitoring, Plot, Span, TimingProfile, ViewId};

/// From power on to where all is quiet.
const WARM: Span = Span::from_secs(5);
/// Over so many beats frames are counted.
const BEATS: u64 = 100;
/// A new view that takes longer than this is none.
const PATIENCE: Span = Span::from_secs(20);
/// A daemon that is killed is started again after so long.
const AWAY: Span = Span::from_millis(50);
/// How finely the time of a new view is told.
const STEP: Span = Span::from_millis(1);
/// The member whose frames are counted, from 0.
const ORDINARY: usize = 0;
/// How long every frame takes while a vote is measured: much longer than anything on a host.
const HOP: Span = Span::from_millis(1);
/// Time enough for all clients to have joined, and for a vote to end.
const VOTED: Span = Span::from_secs(1);
/// Phases of the vote that is measured.
const PHASES: u32 = 5;

/// What was measured in one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Frames that an ordinary member sent and received in [`BEATS`] intervals.
    pub frames: u64,
    /// From the crash of a member until all others have a view without it; `None` if that took too long.
    pub view: Option<Span>,
}

impl Measured {
    /// Frames in one interval, in hundredths.
    pub fn frames_per_interval_centis(&self) -> u64 {
        self.frames * 100 / BEATS
    }
}

/// What came of a daemon that was killed and started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarted {
    /// From its start until all have one view again, it among them; `None` if that took too long.
    pub view: Option<Span>,
    /// Whether the group that ran beside it went on there.
    pub kept: bool,
}

fn world(monitoring: Monitoring, timing: TimingProfile, nodes: usize, seed: u64) -> World<Cores> {
    world_of(Setting { monitoring, timing, ..Setting::plain(nodes, 2) }, seed)
}

fn world_of(setting: Setting, seed: u64) -> World<Cores> {
    let oracle = Oracle::safety(&setting.terms());
    World::with(Cores(Plot::NONE), seed, setting, Vec::new(), oracle, Trace::default())
}

/// Runs a cluster of `nodes` nodes on two networks, crashes one in the middle, and watches.
pub fn measure(
    monitoring: Monitoring,
    timing: TimingProfile,
    nodes: usize,
    seed: u64,
) -> Result<Measured, Violation> {
    let mut world = world(monitoring, timing, nodes, seed);
    let beat = world.timings.beat();
    world.run_until(WARM)?;
    let before = world.traffic(ORDINARY);
    world.run_until(WARM + beat * BEATS)?;
    let frames = world.traffic(ORDINARY) - before;
    let old = world.common_view();
    world.crash(nodes / 2);
    Ok(Measured { frames, view: until_view(&mut world, old)? })
}

/// How long it takes from now until all daemons have one view that is not `old`.
fn until_view(world: &mut World<Cores>, old: Option<ViewId>) -> Result<Option<Span>, Violation> {
    let (began, mut view) = (world.elapsed(), None);
    while view.is_none() && world.elapsed() < began + PATIENCE {
        world.run_until(world.elapsed() + STEP)?;
        let now = world.common_view();
        view = (now.is_some() && now != old).then(|| world.elapsed() - began);
    }
    Ok(view)
}

/// Kills the daemon of one host of three, counted from 0, while its group runs there; it starts again after [`AWAY`].
pub fn restart(
    monitoring: Monitoring,
    timing: TimingProfile,
    host: usize,
    seed: u64,
) -> Result<Restarted, Violation> {
    let mut setting = Setting { monitoring, timing, ..Setting::plain(SIZES[0], 2) };
    setting.groups.iter_mut().for_each(|group| group.nodes.rotate_left(host));
    let mut world = world_of(setting, seed);
    world.run_until(WARM)?;
    let (old, before) = (world.common_view(), world.census.clone());
    world.crash_daemon(host, AWAY);
    world.run_until(WARM + AWAY)?;
    let view = until_view(&mut world, old)?;
    world.run_until(world.elapsed() + WARM)?;
    let kept = |census: &Census| (census.moves, census.deadman_kills);
    Ok(Restarted { view, kept: kept(&before) == kept(&world.census) })
}

/// How many message delays pass, in hundredths, from a proposal until every member has heard that its five phases are over,
/// where one frame takes as long as any other. `None` if some member never heard.
pub fn delays_of_vote(monitoring: Monitoring, nodes: usize) -> Result<Option<u64>, Violation> {
    let mut world = world(monitoring, TimingProfile::Auto, nodes, 0);
    world.run_until(WARM)?;
    world.drill_begins();
    world.run_until(WARM + VOTED)?;
    world.net.pace(HOP.0);
    world.run_until(WARM + VOTED * 2)?;
    let proposed = world.elapsed();
    // The last one numbers no messages.
    world.drill_proposes(nodes - 1, PHASES);
    world.run_until(proposed + VOTED)?;
    Ok(world.drill_ended().map(|ended| (ended - proposed).0 * 100 / HOP.0))
}

/// The sizes of which figures are told.
const SIZES: [usize; 3] = [3, 16, 64];
/// How many message delays five phases may take at each size.
const DELAYS_MAX: [u64; 3] = [7, 8, 12];
/// Crashes of which the median is told; of a large cluster one.
const CRASHES: u64 = 3;
const LARGE: usize = 32;
/// A large ring may take so many percent of what a small one takes: frames of a member, and time of a new view.
const PERCENT_MAX: [u64; 2] = [105, 150];
/// Crashes of a small cluster of which the median and the worst are told, and what they may take.
const SMALL_CRASHES: u64 = 15;
const SMALL_MAX: [(TimingProfile, Span); 2] =
    [(TimingProfile::Auto, Span::from_millis(450)), (TimingProfile::Fast, Span::from_millis(150))];

/// A figure of one cluster: its name, its value in hundredths and its unit.
type Figure = (String, u64, &'static str);

/// Tells all figures, one JSON object each. Where a goal depends on the number of nodes it is what the smallest ring takes,
/// and not much more.
pub fn figures(mut tell: impl FnMut(String)) -> Result<(), Violation> {
    for monitoring in [Monitoring::Ring, Monitoring::Mesh] {
        for (timing, goal) in SMALL_MAX {
            for figure in figures_of_small(monitoring, timing)? {
                tell(line(&figure, Some(centis(goal))));
            }
        }
        let mut least: Option<[u64; 2]> = None;
        for (nodes, delays) in SIZES.into_iter().zip(DELAYS_MAX) {
            let figures = figures_of(monitoring, nodes)?;
            let values = [figures[0].1, figures[1].1];
            let least = *least.get_or_insert(values);
            for ((figure, least), percent) in figures.iter().zip(least).zip(PERCENT_MAX) {
                let goal =
                    (monitoring == Monitoring::Ring && nodes > SIZES[0]).then(|| least * percent / 100);
                tell(line(figure, goal));
            }
            let vote = delays_of_vote(monitoring, nodes)?.unwrap_or(u64::MAX);
            tell(line(&(name(monitoring, nodes, "five_phases"), vote, "message delays"), Some(delays * 100)));
        }
    }
    Ok(())
}

fn name(monitoring: Monitoring, nodes: usize, what: &str) -> String {
    format!("scale_{monitoring}_{nodes}_{what}")
}

/// From a crash to the new view of the two others.
fn figures_of_small(monitoring: Monitoring, timing: TimingProfile) -> Result<[Figure; 2], Violation> {
    let nodes = SIZES[0];
    let view = |seed| Ok(measure(monitoring, timing, nodes, seed)?.view.unwrap_or(PATIENCE));
    let views: Vec<Span> = (0..SMALL_CRASHES).map(view).collect::<Result<_, _>>()?;
    let worst = views.iter().copied().max().unwrap_or(PATIENCE);
    let median = median(views.into_iter().map(centis).collect());
    let name = |what: &str| name(monitoring, nodes, &format!("new_view_{timing}_{what}"));
    Ok([(name("median"), median, "ms"), (name("worst"), centis(worst), "ms")])
}

fn figures_of(monitoring: Monitoring, nodes: usize) -> Result<[Figure; 2], Violation> {
    let crashes = if nodes >= LARGE { 1 } else { CRASHES };
    let measured: Vec<Measured> = (0..crashes)
        .map(|seed| measure(monitoring, TimingProfile::Auto, nodes, seed))
        .collect::<Result<_, _>>()?;
    let frames = median(measured.iter().map(Measured::frames_per_interval_centis).collect());
    let view = median(measured.iter().map(|one| centis(one.view.unwrap_or(PATIENCE))).collect());
    let name = |what: &str| name(monitoring, nodes, what);
    Ok([(name("frames_per_interval"), frames, "frames"), (name("new_view"), view, "ms")])
}

/// Hundredths of a millisecond.
fn centis(span: Span) -> u64 {
    span.0 / 10_000
}

/// Values are in hundredths.
fn line((figure, value, unit): &Figure, goal: Option<u64>) -> String {
    let number = |centis: u64| format!("{}.{:02}", centis / 100, centis % 100);
    let null = || "null".to_owned();
    let met = goal.map_or_else(null, |goal| (*value <= goal).to_string());
    let (value, goal) = (number(*value), goal.map_or_else(null, number));
    format!(
        "{{\"figure\": \"{figure}\", \"value\": {value}, \"unit\": \"{unit}\", \"goal\": {goal}, \"met\": {met}}}"
    )
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_costs_an_ordinary_member_the_same_whatever_the_number_of_nodes() {
        let auto = TimingProfile::Auto;
        let of = |nodes| measure(Monitoring::Ring, auto, nodes, 1).expect("no property is broken");
        let (small, large) = (of(4), of(10));
        assert!(large.frames <= small.frames * 11 / 10, "{small:?} {large:?}");
        assert!(large.view.is_some_and(|view| view < Span::from_millis(600)), "{large:?}");
        let mesh = |nodes| measure(Monitoring::Mesh, auto, nodes, 1).expect("no property is broken").frames;
        assert!(mesh(10) > mesh(4) * 2);
    }

    #[test]
    fn a_daemon_that_starts_again_is_taken_in_before_its_lease_ends_and_adopts_what_runs() {
        for monitoring in [Monitoring::Mesh, Monitoring::Ring] {
            for (host, seed) in (0..SIZES[0]).flat_map(|host| (0..4).map(move |seed| (host, seed))) {
                let restarted =
                    restart(monitoring, TimingProfile::Auto, host, seed).expect("no property is broken");
                let soon = restarted.view.is_some_and(|view| view < Span::from_millis(350));
                assert!(soon && restarted.kept, "{monitoring} host {host} seed {seed}: {restarted:?}");
            }
        }
    }

    #[test]
    fn five_phases_take_two_message_delays_and_five() {
        for monitoring in [Monitoring::Mesh, Monitoring::Ring] {
            let delays = delays_of_vote(monitoring, 5).expect("no property is broken").expect("it ends");
            assert!((695..=705).contains(&delays), "{monitoring}: {delays} hundredths");
        }
    }
}
