//! Chance, from one seed: a stream for each matter, so that taking out a fault does not shift what the network draws.

use phalanx_types::Span;

/// What chance decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The cluster's shape.
    Shape,
    /// Frames.
    Net,
    /// Writes to a journal.
    Disk,
    /// Clocks and boots.
    Clock,
    /// Which fault, and when.
    Faults,
    /// Where a fault strikes.
    Targets,
    /// How long operations take and how they end.
    Workload,
    /// What clients of Group Services do.
    Clients,
    /// What becomes of their groups when parts meet.
    Merges,
    /// Of which build each daemon is.
    Builds,
    /// How large and how old a cluster is, and how it watches itself, where that is not fixed.
    Breadth,
    /// What becomes of claims at the tie-breaker.
    Ties,
}

/// xoshiro256++, seeded by splitmix64.
#[derive(Clone, Debug)]
pub struct Random([u64; 4]);

/// One million: everything.
pub const MILLION: u32 = 1_000_000;

fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    /// The stream of this seed.
    pub fn new(seed: u64, stream: Stream) -> Random {
        let mut state = seed;
        state = splitmix(&mut state).wrapping_add(stream as u64);
        Random([(); 4].map(|()| splitmix(&mut state)))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// From 0 up to, but not including, `bound`; 0 if that is nothing.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// A span from `low` to `high`, both included.
    pub fn span(&mut self, low: Span, high: Span) -> Span {
        Span(self.between(low.0, high.0))
    }

    /// A span from `low` to `high` in which each doubling is as likely as the next.
    pub fn span_by_magnitude(&mut self, low: Span, high: Span) -> Span {
        let doublings = u64::from((high.0 / low.0.max(1)).max(1).ilog2());
        let base = Span(low.0 << self.between(0, doublings));
        self.span(base, (base * 2).min(high)).min(high)
    }

    /// True `millionths` times in a million.
    pub fn chance(&mut self, millionths: u32) -> bool {
        millionths > 0 && self.below(u64::from(MILLION)) < u64::from(millionths)
    }

    /// True half of the time.
    pub fn coin(&mut self) -> bool {
        self.bits() & 1 == 1
    }

    /// One of `choices`; `None` of none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(self.below(choices.len() as u64) as usize)
    }

    /// 16 random bytes.
    pub fn bytes(&mut self) -> [u8; 16] {
        ((u128::from(self.bits()) << 64) | u128::from(self.bits())).to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_one_sequence() {
        let draw = |seed, stream| {
            let mut random = Random::new(seed, stream);
            [(); 8].map(|()| random.bits())
        };
        assert_eq!(draw(7, Stream::Net), draw(7, Stream::Net));
        assert_ne!(draw(7, Stream::Net), draw(8, Stream::Net));
        assert_ne!(draw(7, Stream::Net), draw(7, Stream::Disk));
    }

    #[test]
    fn draws_stay_in_their_range_and_fill_it() {
        let mut random = Random::new(1, Stream::Faults);
        let mut seen = [false; 5];
        (0..200).for_each(|_| seen[random.between(3, 7) as usize - 3] = true);
        assert_eq!(seen, [true; 5]);
        for _ in 0..200 {
            let span = random.span_by_magnitude(Span(10), Span(1_000));
            assert!((10..=1_000).contains(&span.0));
        }
    }

    #[test]
    fn a_chance_comes_as_often_as_it_says() {
        let mut random = Random::new(1, Stream::Net);
        let hits = (0..100_000).filter(|_| random.chance(50_000)).count();
        assert!((4_500..5_500).contains(&hits), "{hits}");
        assert!(!(0..1_000).any(|_| random.chance(0)));
        assert!((0..1_000).all(|_| random.chance(MILLION)));
    }
}
