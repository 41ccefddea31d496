//! Time as the core sees it: points and distances on one node's boot clock, in nanoseconds.
//!
//! A [`Tick`] means nothing on another node; only a [`Span`] may cross the wire.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Div, Mul, Sub};

/// A point on this node's boot clock (it runs on during suspend), nanoseconds since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Tick(#[n(0)] pub u64);

/// A length of time in nanoseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Span(#[n(0)] pub u64);

impl Tick {
    /// Before every other tick: "never heard", "long over".
    pub const ZERO: Tick = Tick(0);
    /// After every other tick: "no timer set".
    pub const NEVER: Tick = Tick(u64::MAX);

    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Tick) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// How long until `later`; zero if it is past.
    pub fn until(self, later: Tick) -> Span {
        later.since(self)
    }

    /// The tick `span` before this one, not before boot.
    pub fn before(self, span: Span) -> Tick {
        Tick(self.0.saturating_sub(span.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// `count` microseconds.
    pub const fn from_micros(count: u64) -> Span {
        Span(count * 1_000)
    }

    /// `count` milliseconds.
    pub const fn from_millis(count: u64) -> Span {
        Span(count * 1_000_000)
    }

    /// `count` seconds.
    pub const fn from_secs(count: u64) -> Span {
        Span(count * 1_000_000_000)
    }

    /// Whole milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole microseconds, rounded down.
    pub const fn as_micros(self) -> u64 {
        self.0 / 1_000
    }

    /// This span as measured by the slowest clock we allow against the fastest one, rounded up.
    ///
    /// A promise made for `span` on another node's clock is over here after `span.stretched()`.
    pub const fn stretched(self) -> Span {
        Span(self.0 + self.0 / 1_000_000 * crate::limits::DRIFT_PPM_MAX + crate::limits::DRIFT_PPM_MAX)
    }

    /// The shorter of the two.
    pub fn at_most(self, limit: Span) -> Span {
        self.min(limit)
    }
}

impl Add<Span> for Tick {
    type Output = Tick;
    fn add(self, span: Span) -> Tick {
        Tick(self.0.saturating_add(span.0))
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Span;
    fn sub(self, other: Span) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

impl Mul<u64> for Span {
    type Output = Span;
    fn mul(self, factor: u64) -> Span {
        Span(self.0.saturating_mul(factor))
    }
}

impl Div<u64> for Span {
    type Output = Span;
    fn div(self, divisor: u64) -> Span {
        Span(self.0 / divisor)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..=9_999_999 => write!(f, "{}.{} ms", self.0 / 1_000_000, self.0 / 100_000 % 10),
            10_000_000..=9_999_999_999 => write!(f, "{} ms", self.as_millis()),
            _ => write!(f, "{} s", self.0 / 1_000_000_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretched_span_is_never_shorter_than_drift_makes_it() {
        for nanos in [0, 1, 999, 1_000_000, 500_000_000, 60_000_000_000] {
            let exact = nanos as u128 * (1_000_000 + crate::limits::DRIFT_PPM_MAX as u128) / 1_000_000;
            assert!(u128::from(Span(nanos).stretched().0) >= exact, "{nanos}");
        }
    }

    #[test]
    fn differences_stop_at_zero() {
        assert_eq!(Tick(5).since(Tick(9)), Span::ZERO);
        assert_eq!(Tick(9).until(Tick(5)), Span::ZERO);
        assert_eq!(Tick(3).before(Span(7)), Tick::ZERO);
    }
}
