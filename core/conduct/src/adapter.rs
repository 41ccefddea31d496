//! What this node believes of its own adapters on one network: quick to believe a loss that lasts, slow to trust again.
//!
//! The carrier says that a cable is gone; beats say that nobody is reached although it is not. What the others see is not
//! known here, so silence is only told, in two steps: by the second everybody who hears nothing either has said so. Meanwhile
//! targets outside the cluster are asked, if there are any: who reaches one is not at fault.

use phalanx_membership::Hearing;
use phalanx_plan::Reach;
use phalanx_types::limits::{
    ADAPTER_CALM, ADAPTER_DOUBLINGS_MAX, ADAPTER_DOWN_AFTER, ADAPTER_UP_AFTER, DEAF_DETECTS, SILENT_DETECTS,
    TARGETS_ASKED_DETECTS, TARGETS_TRUSTED_DETECTS,
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
    /// When targets were asked last, and when one answered last.
    asked: Option<Tick>,
    answered: Option<Tick>,
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
    Vouched,
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
    /// It reaches nobody of the cluster, but a target.
    Vouched,
}

impl Adapter {
    pub fn new(now: Tick) -> Adapter {
        Adapter {
            plugged: true,
            plugged_since: now,
            hearing: Hearing::NobodyAnywhere,
            hearing_since: now,
            asked: None,
            answered: None,
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

    /// A target answered by it.
    pub fn vouch(&mut self, now: Tick) {
        self.answered = Some(now);
    }

    /// Whether its targets are to be asked now; then they are.
    pub fn asks(&mut self, now: Tick, detect: Span) -> bool {
        let asks = self.asks_at(detect) <= now;
        if asks {
            self.asked = Some(now);
        }
        asks
    }

    /// When targets are to be asked next: once nobody has been reached for a while, and then again and again.
    fn asks_at(&self, detect: Span) -> Tick {
        let Some(alone) = self.alone() else { return Tick::NEVER };
        let asked = self.asked.filter(|asked| *asked >= alone);
        asked.map_or(alone + detect * DEAF_DETECTS, |asked| asked + detect * TARGETS_ASKED_DETECTS)
    }

    /// Until when the last answer of a target shows that it works.
    fn vouched_until(&self, detect: Span) -> Tick {
        let answered = self.answered.filter(|answered| *answered >= self.alone_since());
        answered.map_or(Tick::ZERO, |answered| answered + detect * TARGETS_TRUSTED_DETECTS)
    }

    /// Judges it anew; says if it went down or came up.
    pub fn judge(&mut self, now: Tick, detect: Span) -> Option<Turned> {
        let before = self.reach;
        match self.sight(now, detect) {
            Sight::Well => self.recover(now, Reach::Well),
            Sight::Vouched => self.recover(now, Reach::Alone),
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
            Some(Reach::Well | Reach::Alone | Reach::Settling) if was_down => {
                Some(Turned::Up(self.convalescence()))
            }
            Some(Reach::Alone) if before != self.reach => Some(Turned::Vouched),
            Some(
                Reach::Well | Reach::Alone | Reach::Settling | Reach::Deaf | Reach::Silent | Reach::Lost,
            )
            | None => None,
        }
    }

    /// When judging may come out otherwise; if it `aims` at targets, also when they are to be asked.
    pub fn wake_at(&self, now: Tick, detect: Span, aims: bool) -> Tick {
        let silences = [DEAF_DETECTS, SILENT_DETECTS]
            .map(|detects| self.alone().map_or(Tick::NEVER, |alone| alone + detect * detects));
        let lost = if self.plugged { Tick::NEVER } else { self.plugged_since + ADAPTER_DOWN_AFTER };
        let trusted = self.well_since.filter(|_| self.convalescent).map(|since| since + self.convalescence());
        let asks = if aims { self.asks_at(detect) } else { Tick::NEVER };
        let times = silences.into_iter().chain([lost, asks, self.vouched_until(detect)]).chain(trusted);
        times.filter(|at| *at > now).min().unwrap_or(Tick::NEVER)
    }

    fn sight(&self, now: Tick, detect: Span) -> Sight {
        let alone = now.since(self.alone_since());
        match (self.plugged, self.hearing) {
            (false, _) if now >= self.plugged_since + ADAPTER_DOWN_AFTER => Sight::Lost,
            (false, _) | (true, Hearing::NobodyAnywhere) => Sight::Open,
            (true, Hearing::Somebody) => Sight::Well,
            (true, Hearing::NobodyHere) if now < self.vouched_until(detect) => Sight::Vouched,
            (true, Hearing::NobodyHere) if alone >= detect * SILENT_DETECTS => Sight::Silent,
            (true, Hearing::NobodyHere) if alone >= detect * DEAF_DETECTS => Sight::Deaf,
            (true, Hearing::NobodyHere) => Sight::Open,
        }
    }

    /// Since when it has a carrier and reaches nobody, though others are reached elsewhere.
    fn alone(&self) -> Option<Tick> {
        match (self.plugged, self.hearing) {
            (true, Hearing::NobodyHere) => Some(self.alone_since()),
            (true, Hearing::Somebody | Hearing::NobodyAnywhere) | (false, _) => None,
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

    fn recover(&mut self, now: Tick, to: Reach) {
        let since = *self.well_since.get_or_insert(now);
        match self.convalescent && now.since(since) < self.convalescence() {
            true => self.reach = Some(Reach::Settling),
            false => {
                if std::mem::take(&mut self.convalescent) {
                    self.firm_since = Some(now);
                }
                self.reach = Some(to);
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

        fn wake_at(&self) -> Tick {
            self.adapter.wake_at(self.now, DETECT, false)
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
            while self.wake_at() <= before {
                self.now = self.wake_at();
                self.adapter.judge(self.now, DETECT);
            }
            self.now = before;
            self.expect(until);
            assert_eq!(self.wake_at(), end, "it wants to be judged then");
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

    #[test]
    fn an_adapter_by_which_a_target_answers_is_not_at_fault() {
        let mut story = Story::well();
        story.hear(Hearing::NobodyHere);
        assert!(!story.adapter.asks(story.now, DETECT));
        story.then_after(400, Reach::Well, Reach::Deaf);
        assert!(story.adapter.asks(story.now, DETECT) && !story.adapter.asks(story.now, DETECT));
        story.adapter.vouch(story.now);
        story.expect(Reach::Alone);
        // Asked again in time, and if nobody answers any more it is silent after all.
        assert_eq!(story.adapter.wake_at(story.now, DETECT, true), story.now + DETECT);
        story.then_after(1_200, Reach::Alone, Reach::Silent);
        story.adapter.vouch(story.now);
        story.expect(Reach::Settling);
    }

    #[test]
    fn an_answer_of_another_time_vouches_for_nothing() {
        let mut story = Story::well();
        story.adapter.vouch(story.now);
        story.now = story.now + Span::from_millis(1);
        story.hear(Hearing::NobodyHere);
        story.then_after(400, Reach::Well, Reach::Deaf);
    }
}
