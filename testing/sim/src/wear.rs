//! What a cluster has behind it when its seed begins: lives, views and days, each just before a number that is a step of
//! some encoding, or where an arithmetic of fewer bits would wrap.

use crate::random::Random;
use phalanx_types::Span;

/// Steps of what counts one by one: of CBOR, of numbers in as few bytes as they need, and the ends of narrower types.
const STEPS: [u64; 8] = [1 << 7, 1 << 8, 1 << 14, 1 << 16, 1 << 31, 1 << 32, 1 << 47, 1 << 63];
/// An ownership epoch has the view's counter in its upper 48 bits: of that counter no step beyond this is possible.
const VIEWS_MAX: u64 = 1 << 47;
/// Boot clocks that wrapped somewhere once: 2^32 microseconds, milliseconds (49.7 days) and hundredths of a second (497 days),
/// and 2^53 nanoseconds (104 days), beyond which a float loses single ones.
const UPTIMES: [Span; 4] =
    [Span::from_micros(1 << 32), Span::from_millis(1 << 32), Span::from_millis(10 << 32), Span(1 << 53)];
/// So many lives before its step a node begins.
const LIVES_LEFT_MAX: u64 = 3;
/// So many views before its step a cluster begins: within what its nodes reserve at once, or a little more.
const VIEWS_LEFT_MAX: u64 = 200;

/// What a cluster has behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wear {
    /// Lives of each node.
    pub lives: u64,
    /// View counters that each node has used.
    pub views: u64,
    /// What the hosts' clocks come to in the seed's first minute, if they have run for long.
    pub uptime: Option<Span>,
}

impl Wear {
    /// A third of the seeds have one of the three; each has its own.
    pub fn draw(random: &mut Random) -> Wear {
        let mut step = |left_max: u64, highest: u64| {
            let worn = random.below(3) == 0;
            let step = random.pick(&STEPS).copied().expect("there are some").min(highest);
            let left = random.between(1, left_max);
            if worn { step.saturating_sub(left) } else { 0 }
        };
        let (lives, views) = (step(LIVES_LEFT_MAX, u64::MAX), step(VIEWS_LEFT_MAX, VIEWS_MAX));
        let uptime = random.pick(&UPTIMES).copied();
        Wear { lives, views, uptime: uptime.filter(|_| random.below(3) == 0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;
    use std::collections::BTreeSet;

    #[test]
    fn every_step_is_stood_before_in_some_seed_and_most_clusters_are_new() {
        let wears = (0..2_000).map(|seed| Wear::draw(&mut Random::new(seed, Stream::Breadth)));
        let wears: Vec<Wear> = wears.collect();
        let new = wears.iter().filter(|wear| **wear == Wear::default()).count();
        assert!((400..800).contains(&new), "{new}");
        let before =
            |worn: u64| STEPS.iter().find(|step| (1..=VIEWS_LEFT_MAX).contains(&step.saturating_sub(worn)));
        let lives: BTreeSet<_> = wears.iter().filter_map(|wear| before(wear.lives)).collect();
        assert_eq!(lives.len(), STEPS.len());
        assert!(wears.iter().all(|wear| wear.views < VIEWS_MAX));
        let uptimes: BTreeSet<_> = wears.iter().filter_map(|wear| wear.uptime).collect();
        assert_eq!(uptimes.len(), UPTIMES.len());
    }
}
