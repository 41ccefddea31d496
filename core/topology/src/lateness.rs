//! How late a node is for what is due: its own stalls, by its own clock.
//!
//! Counted whenever the node does something, so it costs no wakening. Nothing is decided by it.

use phalanx_types::{Span, Tick};

/// A step that came so much too late is counted in the first class that it does not exceed.
pub const LATE_CLASSES: [Span; 5] = [
    Span::from_millis(1),
    Span::from_millis(10),
    Span::from_millis(100),
    Span::from_secs(1),
    Span::from_secs(10),
];

/// How often this life was late, and by how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lateness {
    /// Steps that were not later than each of [`LATE_CLASSES`] and later than the one before it; then those beyond.
    pub counts: [u64; LATE_CLASSES.len() + 1],
    /// By how much the worst was.
    pub worst: Span,
    /// When that was over.
    pub worst_at: Tick,
}

impl Lateness {
    /// A step came so long after it was due.
    pub fn count(&mut self, now: Tick, late: Span) {
        let class = LATE_CLASSES.iter().position(|class| late <= *class).unwrap_or(LATE_CLASSES.len());
        self.counts[class] += 1;
        if late > self.worst {
            (self.worst, self.worst_at) = (late, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_in_one_class_and_the_worst_is_kept() {
        let mut lateness = Lateness::default();
        for (at, late) in [0, 1, 2, 520, 30_000, 90].into_iter().enumerate() {
            lateness.count(Tick(at as u64), Span::from_millis(late));
        }
        assert_eq!(lateness.counts, [2, 1, 1, 1, 0, 1]);
        assert_eq!((lateness.worst, lateness.worst_at), (Span::from_secs(30), Tick(4)));
    }
}
