//! The wall clock as people read it. Nothing is decided by it but where lives are counted from.

use rustix::time::{ClockId, clock_gettime};
use std::fmt;

const DAY_SECS: i64 = 86_400;

/// A moment, in UTC, to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    millis: i64,
}

impl Stamp {
    /// Now.
    pub fn now() -> Stamp {
        let time = clock_gettime(ClockId::Realtime);
        Stamp { millis: time.tv_sec * 1_000 + time.tv_nsec / 1_000_000 }
    }

    /// Seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.millis.div_euclid(1_000)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.seconds(), self.millis.rem_euclid(1_000));
        let (year, month, day) = date(seconds.div_euclid(DAY_SECS));
        let rest = seconds.rem_euclid(DAY_SECS);
        let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Lives are counted on from the seconds since 2020 at least: a node whose state directory was lost, or put back from a copy,
/// never lives a life twice. A clock that is wrong does no harm, for lives are counted up as well.
pub fn life_floor() -> u64 {
    const COUNTED_FROM: i64 = 1_577_836_800;
    u64::try_from(Stamp::now().seconds() - COUNTED_FROM).unwrap_or(0)
}

/// The date of a day counted from 1970-01-01, in years that begin with March so that leap days come last.
fn date(days: i64) -> (i64, i64, i64) {
    const ERA_DAYS: i64 = 146_097;
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(ERA_DAYS), shifted.rem_euclid(ERA_DAYS));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        let check = |millis: i64, expected: &str| assert_eq!(Stamp { millis }.to_string(), expected);
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(1_709_251_199_999, "2024-02-29T23:59:59.999Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
    }
}
