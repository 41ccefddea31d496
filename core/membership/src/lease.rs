//! This node's lease: until when it may hold what it holds.
//!
//! Every beat that a member answers is a grant: that member takes no part in taking over from us until a lease's length
//! after it received the beat. The lease ends a lease's length after the k-th newest *sending* time granted, k being the
//! quorum and this node granting itself `now`. No end is used before the deadman has accepted it.

use phalanx_types::{Bug, NodeId, Plot, Tick, Timings};
use std::collections::BTreeMap;

/// The lease.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    quorum: usize,
    /// The newest sending time that each member granted.
    granted: BTreeMap<NodeId, Tick>,
    /// The end that the deadman was last asked to accept.
    asked: Tick,
    /// The end that the deadman accepted last.
    fed: Tick,
    /// Something was granted since the deadman was last asked.
    news: bool,
    plot: Plot,
}

impl Lease {
    pub fn new(quorum: usize, plot: Plot) -> Lease {
        Lease { quorum, granted: BTreeMap::new(), asked: Tick::ZERO, fed: Tick::ZERO, news: true, plot }
    }

    /// `by` granted our beat sent at `sent`. A time that lies ahead is nobody's beat and is ignored.
    pub fn grant(&mut self, now: Tick, by: NodeId, sent: Tick) {
        let sent = if self.plot.has(Bug::LeaseFromReceipt) { now } else { sent };
        if sent <= now {
            let newest = self.granted.entry(by).or_insert(Tick::ZERO);
            self.news |= sent > *newest;
            *newest = sent.max(*newest);
        }
    }

    /// The end to ask the deadman for, if it is worth asking.
    pub fn ask(&mut self, now: Tick, timings: &Timings) -> Option<Tick> {
        // A quorum of one grants itself `now`; every other lease ends later only by a new grant.
        if !std::mem::take(&mut self.news) && self.quorum > 1 {
            return None;
        }
        let end = self.earned(now)? + timings.lease();
        // Once for each beat granted, not for each member that grants it. It is written down, and wakes nobody.
        if end <= now || end < self.asked + timings.beat() / 2 {
            return None;
        }
        self.asked = end;
        if self.plot.has(Bug::LeaseBeforeDeadman) {
            self.fed = end;
        }
        Some(end)
    }

    /// The deadman accepted `until`; an end that it was not asked for counts for nothing.
    pub fn accept(&mut self, until: Tick) {
        self.fed = self.fed.max(until.min(self.asked));
    }

    /// The deadman is gone: the lease is not renewed until it accepts again.
    pub fn lose_deadman(&mut self) {
        (self.asked, self.news) = (self.fed, true);
    }

    /// Until when anything may be held.
    pub fn until(&self) -> Tick {
        self.fed
    }

    /// The k-th newest time granted.
    fn earned(&self, now: Tick) -> Option<Tick> {
        let mut times: Vec<Tick> = self.granted.values().copied().chain([now]).collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        times.get(self.quorum - 1).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::{Span, TimingProfile};

    fn ms(ms: u64) -> Tick {
        Tick::ZERO + Span::from_millis(ms)
    }

    #[test]
    fn the_kth_newest_sending_time_counts_and_not_the_receipt() {
        let timings = Timings::of(TimingProfile::Auto);
        let mut lease = Lease::new(3, Plot::NONE);
        lease.grant(ms(1_000), NodeId(2), ms(990));
        assert_eq!(lease.ask(ms(1_000), &timings), None, "two of three");
        lease.grant(ms(1_000), NodeId(3), ms(700));
        assert_eq!(lease.ask(ms(1_000), &timings), Some(ms(700) + timings.lease()));
        lease.grant(ms(1_100), NodeId(4), ms(980));
        assert_eq!(lease.ask(ms(1_100), &timings), Some(ms(980) + timings.lease()));
    }

    #[test]
    fn nothing_is_leased_before_the_deadman_knows() {
        let timings = Timings::of(TimingProfile::Auto);
        let mut lease = Lease::new(1, Plot::NONE);
        let asked = lease.ask(ms(10), &timings).unwrap();
        assert_eq!(lease.until(), Tick::ZERO);
        lease.accept(asked);
        assert_eq!(lease.until(), asked);
        lease.accept(asked + Span::from_secs(9));
        assert_eq!(lease.until(), asked, "an end nobody asked for");
    }

    #[test]
    fn a_grant_of_a_beat_from_the_future_is_ignored() {
        let mut lease = Lease::new(2, Plot::NONE);
        lease.grant(ms(10), NodeId(2), ms(11));
        assert_eq!(lease.ask(ms(10), &Timings::of(TimingProfile::Auto)), None);
    }
}
