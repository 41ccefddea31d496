//! Whether a client answers: it is asked every so often, and has so long to answer. One question at a time.

use phalanx_session::Responsiveness;
use phalanx_types::limits::GS_PING_INTERVAL_MIN;
use phalanx_types::{Span, Tick};

/// The checks of one client.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    interval: Span,
    limit: Span,
    /// The number of the last question.
    asked: u64,
    wait: Wait,
    responsive: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// For the next question.
    Until(Tick),
    /// For the answer.
    Answer { until: Tick },
    /// For the answer, which is late already.
    Late,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Ask this.
    Ask(u64),
    /// It does not answer any more, and that is news.
    Lost,
}

impl Pulse {
    /// Checks as the client wants them, from now on.
    pub fn new(now: Tick, how: Responsiveness) -> Pulse {
        let interval = how.interval.max(GS_PING_INTERVAL_MIN);
        Pulse { interval, limit: how.limit, asked: 0, wait: Wait::Until(now + interval), responsive: true }
    }

    /// When there is something to do.
    pub fn wake_at(&self) -> Tick {
        match self.wait {
            Wait::Until(at) | Wait::Answer { until: at } => at,
            Wait::Late => Tick::NEVER,
        }
    }

    /// What is to be done now.
    pub fn beat(&mut self, now: Tick) -> Option<Beat> {
        match self.wait {
            Wait::Until(at) if at <= now => {
                self.asked += 1;
                self.wait = Wait::Answer { until: now + self.limit };
                Some(Beat::Ask(self.asked))
            }
            Wait::Answer { until } if until <= now => {
                self.wait = Wait::Late;
                std::mem::replace(&mut self.responsive, false).then_some(Beat::Lost)
            }
            Wait::Until(_) | Wait::Answer { .. } | Wait::Late => None,
        }
    }

    /// It answers a question; whether it is responsive, if that is news. What was not asked is no answer.
    pub fn pong(&mut self, now: Tick, number: u64, well: bool) -> Option<bool> {
        if number != self.asked || matches!(self.wait, Wait::Until(_)) {
            return None;
        }
        self.wait = Wait::Until(now + self.interval);
        let before = std::mem::replace(&mut self.responsive, well);
        (before != well).then_some(well)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Span = Span::from_secs(2);
    const LIMIT: Span = Span::from_secs(1);

    fn at(millis: u64) -> Tick {
        Tick::ZERO + Span::from_millis(millis)
    }

    fn pulse() -> Pulse {
        Pulse::new(at(0), Responsiveness { interval: INTERVAL, limit: LIMIT })
    }

    #[test]
    fn who_answers_in_time_is_asked_again_and_nothing_is_said() {
        let mut pulse = pulse();
        for round in 0..3 {
            let asked = at(round * 2_500 + 2_000);
            assert_eq!((pulse.wake_at(), pulse.beat(Tick(asked.0 - 1))), (asked, None));
            assert_eq!(pulse.beat(asked), Some(Beat::Ask(round + 1)));
            assert_eq!(pulse.pong(asked + Span::from_millis(500), round + 1, true), None);
        }
    }

    #[test]
    fn who_is_late_is_lost_once_and_back_when_it_answers_after_all() {
        let mut pulse = pulse();
        assert_eq!(pulse.beat(at(2_000)), Some(Beat::Ask(1)));
        assert_eq!((pulse.wake_at(), pulse.beat(at(2_999))), (at(3_000), None));
        assert_eq!(pulse.beat(at(3_000)), Some(Beat::Lost));
        assert_eq!((pulse.wake_at(), pulse.beat(at(9_000))), (Tick::NEVER, None), "it is not asked more");
        assert_eq!(pulse.pong(at(9_000), 1, true), Some(true));
        assert_eq!(pulse.wake_at(), at(11_000));
    }

    #[test]
    fn who_says_that_it_is_not_well_is_believed() {
        let mut pulse = pulse();
        assert_eq!(pulse.beat(at(2_000)), Some(Beat::Ask(1)));
        assert_eq!(pulse.pong(at(2_100), 1, false), Some(false));
        assert_eq!(pulse.beat(at(4_100)), Some(Beat::Ask(2)));
        assert_eq!(pulse.pong(at(4_200), 1, true), None, "an answer to an earlier question");
        assert_eq!(pulse.beat(at(5_100)), None, "it is lost already");
        assert_eq!(pulse.pong(at(5_200), 2, true), Some(true));
        assert_eq!(pulse.pong(at(5_300), 2, false), None, "nothing was asked");
    }

    #[test]
    fn nobody_is_asked_without_pause() {
        let none = Responsiveness { interval: Span::ZERO, limit: Span::ZERO };
        assert_eq!(Pulse::new(at(0), none).wake_at(), at(100));
    }
}
