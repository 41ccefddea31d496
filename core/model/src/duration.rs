//! Durations as people write them: a whole number and its unit, such as `"300ms"`, `"10s"`, `"2m"`, `"1h"`.
//! Never a fraction and never a bare number.

use phalanx_types::Span;
use phalanx_types::limits::DURATION_MAX;

/// The units, longest first, each with its milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Why a text is not a duration that a cluster file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DurationError {
    /// It is not a whole number followed by a unit.
    Malformed,
    /// It is zero, negative or beyond [`DURATION_MAX`].
    OutOfRange,
}

/// Reads a duration.
pub(crate) fn parse(text: &str) -> Result<Span, DurationError> {
    let (sign, unsigned) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let unit_at = unsigned.find(|c: char| !c.is_ascii_digit()).ok_or(DurationError::Malformed)?;
    let (digits, unit) = unsigned.split_at(unit_at);
    let millis = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, millis)| *millis);
    let millis = millis.filter(|_| !digits.is_empty()).ok_or(DurationError::Malformed)?;
    let count = digits.parse::<u64>().ok().filter(|count| sign > 0 && *count > 0);
    let total = count.and_then(|count| count.checked_mul(millis)).ok_or(DurationError::OutOfRange)?;
    if total > DURATION_MAX.as_millis() {
        return Err(DurationError::OutOfRange);
    }
    Ok(Span::from_millis(total))
}

/// Writes a span of whole milliseconds in the longest unit that keeps it a whole number.
pub(crate) fn print(span: Span) -> String {
    let total = span.as_millis();
    let whole = |(_, millis): &&(&str, u64)| total.is_multiple_of(*millis);
    let (unit, millis) = UNITS.iter().find(whole).expect("every whole number of milliseconds has a unit");
    format!("{}{unit}", total / millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_a_unit() {
        let check = |text, millis| assert_eq!(parse(text), Ok(Span::from_millis(millis)), "{text}");
        check("300ms", 300);
        check("10s", 10_000);
        check("2m", 120_000);
        check("24h", 86_400_000);
        check("007s", 7_000);
    }

    #[test]
    fn everything_else_is_refused() {
        let check = |text, error| assert_eq!(parse(text), Err(error), "{text}");
        for text in ["", "s", "10", "1.5s", "10 s", "10S", "ten s", "--1s", "10s ", "1d", "\u{661}s", "+1s"] {
            check(text, DurationError::Malformed);
        }
        for text in ["0s", "0ms", "-5s", "25h", "99999999999999999999h", "18446744073709551615h"] {
            check(text, DurationError::OutOfRange);
        }
    }

    #[test]
    fn what_is_printed_reads_back() {
        for (millis, text) in
            [(1, "1ms"), (1_500, "1500ms"), (60_000, "1m"), (90_000, "90s"), (3_600_000, "1h")]
        {
            assert_eq!(print(Span::from_millis(millis)), text);
            assert_eq!(parse(text), Ok(Span::from_millis(millis)));
        }
    }
}
