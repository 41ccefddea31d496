//! Thresholds: on which side of them a value is, and when that is worth telling.

use std::fmt;

/// One or two thresholds. With both, the high one is above the low one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    high: Option<u64>,
    low: Option<u64>,
}

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// At the low threshold or below it.
    Low,
    /// At neither.
    Within,
    /// At the high threshold or above it.
    High,
}

impl Thresholds {
    /// Those that were given; `None` if there is none, or if the high one is not above the low one.
    pub fn new(high: Option<u64>, low: Option<u64>) -> Option<Thresholds> {
        match (high, low) {
            (None, None) => None,
            (Some(high), Some(low)) if high <= low => None,
            (Some(_), Some(_) | None) | (None, Some(_)) => Some(Thresholds { high, low }),
        }
    }

    /// Where `value` is.
    pub fn side(self, value: u64) -> Side {
        if self.high.is_some_and(|high| value >= high) {
            Side::High
        } else if self.low.is_some_and(|low| value <= low) {
            Side::Low
        } else {
            Side::Within
        }
    }

    /// Whether each is at most `value_max`.
    pub fn fit(self, value_max: u64) -> bool {
        self.high.into_iter().chain(self.low).all(|value| value <= value_max)
    }
}

/// As it is written in a registration.
impl fmt::Display for Thresholds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let high = self.high.map(|high| format!("THRESH_HI={high}"));
        let low = self.low.map(|low| format!("THRESH_LO={low}"));
        write!(f, "{}", high.into_iter().chain(low).collect::<Vec<_>>().join(";"))
    }
}

impl Side {
    /// Whether a threshold was reached by a value that was on side `self` before and is on `now`.
    pub fn reaches(self, now: Side) -> bool {
        now != self && now != Side::Within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_reached_at_its_value_and_again_only_from_the_other_side() {
        let both = Thresholds::new(Some(90), Some(10)).unwrap();
        let values = [50, 89, 90, 99, 90, 89, 91, 11, 10, 0, 11, 10, 100];
        let mut side = Side::Within;
        let mut told = Vec::new();
        for value in values {
            let now = both.side(value);
            if side.reaches(now) {
                told.push(value);
            }
            side = now;
        }
        assert_eq!(told, [90, 91, 10, 10, 100]);
    }

    #[test]
    fn one_is_enough_and_two_must_leave_room() {
        assert_eq!(Thresholds::new(None, None), None);
        assert_eq!(Thresholds::new(Some(5), Some(5)), None);
        assert_eq!(Thresholds::new(Some(4), Some(5)), None);
        assert!(Thresholds::new(Some(6), Some(5)).is_some_and(|both| both.fit(6) && !both.fit(5)));
        assert_eq!(
            Thresholds::new(Some(5), None).map(|high| (high.side(0), high.side(5))),
            Some((Side::Within, Side::High))
        );
        assert_eq!(
            Thresholds::new(None, Some(5)).map(|low| (low.side(6), low.side(5))),
            Some((Side::Within, Side::Low))
        );
    }
}
