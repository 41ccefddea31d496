//! What monitoring costs a node, and how soon a crash makes a new view, in clusters of several sizes.
//!
//! Nothing goes wrong here but one crash. The member whose frames are counted has the lowest address: it leads no ring, and
//! would only number messages, of which there are none meanwhile.

use crate::core::Cores;
use crate::setting::Setting;
use crate::trace::Trace;
use crate::world::World;
use phalanx_oracle::{Oracle, Violation};
use phalanx_types::{Monitoring, Plot, Span};

/// From power on to where all is quiet.
const WARM: Span = Span::from_secs(5);
/// Over so many beats frames are counted.
const BEATS: u64 = 100;
/// A new view that takes longer than this is none.
const PATIENCE: Span = Span::from_secs(20);
/// How finely the time of a new view is told.
const STEP: Span = Span::from_millis(1);
/// The member whose frames are counted, from 0.
const ORDINARY: usize = 0;

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

/// Runs a cluster of `nodes` nodes on two networks, crashes one in the middle, and watches.
pub fn measure(monitoring: Monitoring, nodes: usize, seed: u64) -> Result<Measured, Violation> {
    let setting = Setting { monitoring, ..Setting::plain(nodes, 2) };
    let (oracle, beat) = (Oracle::safety(&setting.terms()), setting.timings().beat());
    let mut world = World::with(Cores(Plot::NONE), seed, setting, Vec::new(), oracle, Trace::default());
    world.run_until(WARM)?;
    let before = world.traffic(ORDINARY);
    world.run_until(WARM + beat * BEATS)?;
    let frames = world.traffic(ORDINARY) - before;
    let crashed = world.elapsed();
    let old = world.common_view();
    world.crash(nodes / 2);
    let mut view = None;
    while view.is_none() && world.elapsed() < crashed + PATIENCE {
        world.run_until(world.elapsed() + STEP)?;
        let now = world.common_view();
        view = (now.is_some() && now != old).then(|| world.elapsed() - crashed);
    }
    Ok(Measured { frames, view })
}

/// The sizes of which figures are told.
const SIZES: [usize; 3] = [3, 16, 64];
/// Crashes of which the median is told; of a large cluster one.
const CRASHES: u64 = 3;
const LARGE: usize = 32;
/// A large ring may take so many percent of what a small one takes: frames of a member, and time of a new view.
const PERCENT_MAX: [u64; 2] = [105, 150];

/// A figure of one cluster: its name, its value and its unit.
type Figure = (String, u64, &'static str);

/// Tells all figures, one JSON object each. The goals are those of a ring: what the smallest takes, and not much more.
pub fn figures(mut tell: impl FnMut(String)) -> Result<(), Violation> {
    for monitoring in [Monitoring::Ring, Monitoring::Mesh] {
        let mut least: Option<[u64; 2]> = None;
        for nodes in SIZES {
            let figures = figures_of(monitoring, nodes)?;
            let values = [figures[0].1, figures[1].1];
            let least = *least.get_or_insert(values);
            for ((figure, least), percent) in figures.iter().zip(least).zip(PERCENT_MAX) {
                let goal =
                    (monitoring == Monitoring::Ring && nodes > SIZES[0]).then(|| least * percent / 100);
                tell(line(figure, goal));
            }
        }
    }
    Ok(())
}

fn figures_of(monitoring: Monitoring, nodes: usize) -> Result<[Figure; 2], Violation> {
    let crashes = if nodes >= LARGE { 1 } else { CRASHES };
    let measured: Vec<Measured> =
        (0..crashes).map(|seed| measure(monitoring, nodes, seed)).collect::<Result<_, _>>()?;
    let frames = median(measured.iter().map(Measured::frames_per_interval_centis).collect());
    let view = median(measured.iter().map(|one| one.view.unwrap_or(PATIENCE).0).collect());
    let name = |what: &str| format!("scale_{monitoring}_{nodes}_{what}");
    Ok([(name("frames_per_interval"), frames, "frames"), (name("new_view"), view / 10_000, "ms")])
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
        let of = |nodes| measure(Monitoring::Ring, nodes, 1).expect("no property is broken");
        let (small, large) = (of(4), of(10));
        assert!(large.frames <= small.frames * 11 / 10, "{small:?} {large:?}");
        assert!(large.view.is_some_and(|view| view < Span::from_millis(600)), "{large:?}");
        let mesh = |nodes| measure(Monitoring::Mesh, nodes, 1).expect("no property is broken").frames;
        assert!(mesh(10) > mesh(4) * 2);
    }
}
