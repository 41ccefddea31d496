//! This node's lease: until when it may hold what it holds.
//!
//! Every beat that a member answers is a grant: that member takes no part in taking over from us until a lease's length
//! after it received the beat. The lease ends a lease's length after the newest *sending* time that enough members to
//! decide have granted, this node granting itself `now`: the k-th newest, k being the quorum. No end is used before the
//! deadman has accepted it.

use phalanx_types::{Bug, Charter, Electorate, NodeId, NodeSet, Plot, Tick, Timings};
use std::collections::BTreeMap;

/// The lease.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    me: NodeId,
    all: Electorate,
    charter: Charter,
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
    pub fn new(me: NodeId, all: Electorate, charter: Charter, plot: Plot) -> Lease {
        let (granted, asked, fed) = (BTreeMap::new(), Tick::ZERO, Tick::ZERO);
        Lease { me, all, charter, granted, asked, fed, news: true, plot }
    }

    /// From now on this charter says whose grants are needed. What was granted before runs out as it was.
    pub fn set_charter(&mut self, charter: Charter) {
        (self.charter, self.news) = (charter, true);
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
        // Who decides alone grants itself `now`; every other lease ends later only by a new grant.
        let alone = self.charter.is_met(NodeSet::EMPTY.with(self.me), self.all);
        if !std::mem::take(&mut self.news) && !alone {
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

    /// The newest time that enough to decide have granted.
    fn earned(&self, now: Tick) -> Option<Tick> {
        let granted = self.granted.iter().map(|(node, sent)| (*sent, *node));
        let mut times: Vec<(Tick, NodeId)> = granted.chain([(now, self.me)]).collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        let mut by = NodeSet::EMPTY;
        let enough = |(_, node): &(Tick, NodeId)| {
            by = by.with(*node);
            self.charter.is_met(by, self.all)
        };
        times.into_iter().find(enough).map(|(sent, _)| sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::{Majority, Span, TimingProfile, ViewId};

    fn lease(nodes: u16, charter: Charter) -> Lease {
        let all: NodeSet = (1..=nodes).map(NodeId).collect();
        let all = Electorate { nodes: all, quorum: all.len() / 2 + 1 };
        Lease::new(NodeId(1), all, charter, Plot::NONE)
    }

    fn ms(ms: u64) -> Tick {
        Tick::ZERO + Span::from_millis(ms)
    }

    #[test]
    fn the_kth_newest_sending_time_counts_and_not_the_receipt() {
        let timings = Timings::of(TimingProfile::Auto);
        let mut lease = lease(5, Charter::FIRST);
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
        let mut lease = lease(1, Charter::FIRST);
        let asked = lease.ask(ms(10), &timings).unwrap();
        assert_eq!(lease.until(), Tick::ZERO);
        lease.accept(asked);
        assert_eq!(lease.until(), asked);
        lease.accept(asked + Span::from_secs(9));
        assert_eq!(lease.until(), asked, "an end nobody asked for");
    }

    #[test]
    fn under_the_charter_of_few_their_grants_count_and_while_it_closes_those_of_both() {
        let timings = Timings::of(TimingProfile::Auto);
        let (few, rest) = (NodeSet::EMPTY.with(NodeId(2)), NodeSet::EMPTY.with(NodeId(3)));
        let formed = Charter::FIRST.formed_by(few, rest, 1);
        let mut lease = lease(5, formed);
        [3, 4, 5].into_iter().for_each(|node| lease.grant(ms(1_000), NodeId(node), ms(990)));
        assert_eq!(lease.ask(ms(1_000), &timings), None, "2 formed the cluster, and it says nothing");
        lease.grant(ms(1_000), NodeId(2), ms(900));
        assert_eq!(lease.ask(ms(1_000), &timings), Some(ms(900) + timings.lease()));
        lease.set_charter(formed.passing(ViewId::NONE, Majority::OfAll));
        lease.grant(ms(1_100), NodeId(2), ms(1_050));
        assert_eq!(lease.ask(ms(1_100), &timings), Some(ms(990) + timings.lease()), "a majority of all, too");
    }

    #[test]
    fn a_grant_of_a_beat_from_the_future_is_ignored() {
        let mut lease = lease(3, Charter::FIRST);
        lease.grant(ms(10), NodeId(2), ms(11));
        assert_eq!(lease.ask(ms(10), &Timings::of(TimingProfile::Auto)), None);
    }
}
