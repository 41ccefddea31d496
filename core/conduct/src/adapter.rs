//! What this node believes of its own adapters on one network: quick to believe a loss that lasts, slow to trust again.
//!
//! The carrier says that a cable is gone; beats say that nobody is reached although it is not. What the others see is not
//! known here, so silence is only told, in two steps: by the second everybody who hears nothing either has said so.

use phalanx_membership::Hearing;
use phalanx_plan::Reach;
use phalanx_types::limits::{
    ADAPTER_CALM, ADAPTER_DOUBLINGS_MAX, ADAPTER_DOWN_AFTER, ADAPTER_UP_AFTER, DEAF_DETECTS, SILENT_DETECTS,
};
use phalanx_types::{Span, Tick};

/// The adapters of this node on one network, taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Adapter {
    plugged: bool,
    /// Since when it has been as it is.
    plugged_since: Tick,
    hearing: Hearing,
    /// Since when it has been as it is.
    hearing_since: Tick,
    reach: Option<Reach>,
    /// Since when it has been well without a break.
    well_since: Option<Tick>,
    /// When it was last relied on without doubt, after it had been down.
    firm_since: Option<Tick>,
    /// It was down and is not relied on yet.
    convalescent: bool,
    /// How often it went down again soon.
    relapses: u32,
}

/// What is seen of it right now.
enum Sight {
    Well,
    Deaf,
    Silent,
    Lost,
    /// Too early to say.
    Open,
}

/// A change for the log.
pub(crate) enum Turned {
    /// It is down, and why.
    Down(&'static str),
    /// It is up, and relied on after this.
    Up(Span),
}

impl Adapter {
    pub fn new(now: Tick) -> Adapter {
        Adapter {
            plugged: true,
            plugged_since: now,
            hearing: Hearing::NobodyAnywhere,
            hearing_since: now,
            reach: None,
            well_since: None,
            firm_since: None,
            convalescent: false,
            relapses: 0,
        }
    }

    /// What it reaches, as far as is known.
    pub fn reach(&self) -> Option<Reach> {
        self.reach
    }

    /// The kernel says whether there is an adapter with a carrier.
    pub fn carrier(&mut self, now: Tick, up: bool) {
        if self.plugged != up {
            (self.plugged, self.plugged_since) = (up, now);
        }
    }

    /// Beats say whether anybody is reached.
    pub fn hear(&mut self, now: Tick, hearing: Hearing) {
        if self.hearing != hearing {
            (self.hearing, self.hearing_since) = (hearing, now);
        }
    }

    /// Judges it anew; says if it went down or came up.
    pub fn judge(&mut self, now: Tick, detect: Span) -> Option<Turned> {
        let before = self.reach;
        match self.sight(now, detect) {
            Sight::Well => self.recover(now),
            Sight::Open => self.well_since = None,
            Sight::Deaf => self.fall(now, Reach::Deaf),
            Sight::Silent => self.fall(now, Reach::Silent),
            Sight::Lost => self.fall(now, Reach::Lost),
        }
        let was_down = before.is_some_and(|reach| reach.is_down());
        match self.reach {
            Some(Reach::Lost) if !was_down => {
                Some(Turned::Down("no adapter with an address there has a carrier"))
            }
            Some(Reach::Silent) if !was_down => Some(Turned::Down("it has a carrier and reaches nobody")),
            Some(Reach::Well | Reach::Settling) if was_down => Some(Turned::Up(self.convalescence())),
            Some(Reach::Well | Reach::Settling | Reach::Deaf | Reach::Silent | Reach::Lost) | None => None,
        }
    }

    /// When judging may come out otherwise.
    pub fn wake_at(&self, now: Tick, detect: Span) -> Tick {
        let alone = self.alone_since();
        let silences = [DEAF_DETECTS, SILENT_DETECTS].map(|detects| match (self.plugged, self.hearing) {
            (true, Hearing::NobodyHere) => alone + detect * detects,
            (true, Hearing::Somebody | Hearing::NobodyAnywhere) | (false, _) => Tick::NEVER,
        });
        let lost = if self.plugged { Tick::NEVER } else { self.plugged_since + ADAPTER_DOWN_AFTER };
        let trusted = self.well_since.filter(|_| self.convalescent).map(|since| since + self.convalescence());
        let times = silences.into_iter().chain([lost]).chain(trusted);
        times.filter(|at| *at > now).min().unwrap_or(Tick::NEVER)
    }

    fn sight(&self, now: Tick, detect: Span) -> Sight {
        let alone = now.since(self.alone_since());
        match (self.plugged, self.hearing) {
            (false, _) if now >= self.plugged_since + ADAPTER_DOWN_AFTER => Sight::Lost,
            (false, _) | (true, Hearing::NobodyAnywhere) => Sight::Open,
            (true, Hearing::Somebody) => Sight::Well,
            (true, Hearing::NobodyHere) if alone >= detect * SILENT_DETECTS => Sight::Silent,
            (true, Hearing::NobodyHere) if alone >= detect * DEAF_DETECTS => Sight::Deaf,
            (true, Hearing::NobodyHere) => Sight::Open,
        }
    }

    /// Silence counts from when there could have been sound.
    fn alone_since(&self) -> Tick {
        self.hearing_since.max(self.plugged_since)
    }

    fn fall(&mut self, now: Tick, reach: Reach) {
        if reach.is_down() && !self.convalescent {
            let soon = self.firm_since.is_some_and(|since| now.since(since) < ADAPTER_CALM);
            self.relapses = if soon { (self.relapses + 1).min(ADAPTER_DOUBLINGS_MAX) } else { 0 };
            self.convalescent = true;
        }
        (self.reach, self.well_since) = (Some(reach), None);
    }

    fn recover(&mut self, now: Tick) {
        let since = *self.well_since.get_or_insert(now);
        match self.convalescent && now.since(since) < self.convalescence() {
            true => self.reach = Some(Reach::Settling),
            false => {
                if std::mem::take(&mut self.convalescent) {
                    self.firm_since = Some(now);
                }
                self.reach = Some(Reach::Well);
            }
        }
    }

    fn convalescence(&self) -> Span {
        ADAPTER_UP_AFTER * (1 << self.relapses)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    const DETECT: Span = Span::from_millis(400);

    struct Story {
        adapter: Adapter,
        now: Tick,
    }

    impl Story {
        fn well() -> Story {
            let now = Tick::ZERO + Span::from_secs(100);
            let mut adapter = Adapter::new(now);
            adapter.hear(now, Hearing::Somebody);
            let mut story = Story { adapter, now };
            story.expect(Reach::Well);
            story
        }

        fn plug(&mut self, up: bool) {
            self.adapter.carrier(self.now, up);
        }

        fn hear(&mut self, hearing: Hearing) {
            self.adapter.hear(self.now, hearing);
        }

        /// Judges it now.
        fn expect(&mut self, reach: Reach) {
            self.adapter.judge(self.now, DETECT);
            assert_eq!(self.adapter.reach(), Some(reach), "at {:?}", self.now);
        }

        /// Judges it whenever it wants to be, and a moment before and at the end of `millis`.
        fn then_after(&mut self, millis: u64, until: Reach, then: Reach) {
            let end = self.now + Span::from_millis(millis);
            let before = Tick(end.0 - 1);
            while self.adapter.wake_at(self.now, DETECT) <= before {
                self.now = self.adapter.wake_at(self.now, DETECT);
                self.adapter.judge(self.now, DETECT);
            }
            self.now = before;
            self.expect(until);
            assert_eq!(self.adapter.wake_at(self.now, DETECT), end, "it wants to be judged then");
            self.now = end;
            self.expect(then);
        }

        fn fail_and_recover(&mut self, settles: u64) {
            self.plug(false);
            self.then_after(100, Reach::Well, Reach::Lost);
            self.plug(true);
            self.expect(Reach::Settling);
            self.then_after(settles, Reach::Settling, Reach::Well);
        }
    }

    #[test]
    fn a_carrier_that_blinks_costs_nothing_and_one_that_is_lost_is_told() {
        let mut story = Story::well();
        story.plug(false);
        story.now = story.now + Span::from_millis(99);
        story.plug(true);
        story.expect(Reach::Well);
        story.fail_and_recover(2_000);
    }

    #[test]
    fn an_adapter_that_fails_again_and_again_is_trusted_later_each_time() {
        let mut story = Story::well();
        for settles in [2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 64_000] {
            story.fail_and_recover(settles);
        }
        story.now = story.now + ADAPTER_CALM;
        story.fail_and_recover(2_000);
    }

    #[test]
    fn silence_is_told_in_two_steps() {
        let mut story = Story::well();
        story.hear(Hearing::NobodyHere);
        story.then_after(400, Reach::Well, Reach::Deaf);
        story.then_after(800, Reach::Deaf, Reach::Silent);
        story.hear(Hearing::Somebody);
        story.expect(Reach::Settling);
    }

    #[test]
    fn a_moment_of_silence_is_forgiven_and_silence_everywhere_says_nothing_of_the_adapter() {
        let mut story = Story::well();
        story.hear(Hearing::NobodyHere);
        story.then_after(400, Reach::Well, Reach::Deaf);
        story.hear(Hearing::Somebody);
        story.expect(Reach::Well);
        story.hear(Hearing::NobodyAnywhere);
        story.now = story.now + Span::from_secs(60);
        story.expect(Reach::Well);
    }

    #[test]
    fn a_cable_that_is_back_is_listened_to_before_it_is_called_silent() {
        let mut story = Story::well();
        story.plug(false);
        story.hear(Hearing::NobodyHere);
        story.then_after(100, Reach::Well, Reach::Lost);
        story.now = story.now + Span::from_secs(60);
        story.plug(true);
        story.then_after(400, Reach::Lost, Reach::Deaf);
        story.then_after(800, Reach::Deaf, Reach::Silent);
    }
}
