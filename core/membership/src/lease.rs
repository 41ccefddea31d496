//! This node's lease: until when it may hold what it holds.
//!
//! Every beat that a member answers is a grant, and says for how long: for so long after it received the beat that member
//! takes no part in taking over from us. What it gives ends so long after the *sending* of that beat, so whatever timings
//! grantor and holder go by, nothing is counted here that was not promised there. The lease ends with the k-th latest of
//! these ends, k being the quorum and this node granting itself `now`. No end is used before the deadman has accepted it.

use phalanx_types::{Bug, Charter, Electorate, NodeId, NodeSet, Plot, Span, Tick, Timings};
use std::collections::BTreeMap;

/// The lease.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    me: NodeId,
    all: Electorate,
    charter: Charter,
    /// The latest end that each member granted.
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

    /// `by` granted our beat sent at `sent` for `lease`. A time that lies ahead is nobody's beat and is ignored.
    pub fn grant(&mut self, now: Tick, by: NodeId, sent: Tick, lease: Span) {
        let sent = if self.plot.has(Bug::LeaseFromReceipt) { now } else { sent };
        if sent <= now {
            let latest = self.granted.entry(by).or_insert(Tick::ZERO);
            self.news |= sent + lease > *latest;
            *latest = (*latest).max(sent + lease);
        }
    }

    /// The end to ask the deadman for, if it is worth asking.
    pub fn ask(&mut self, now: Tick, timings: &Timings) -> Option<Tick> {
        // Who decides alone grants itself `now`; every other lease ends later only by a new grant.
        let alone = self.charter.is_met(NodeSet::EMPTY.with(self.me), self.all);
        if !std::mem::take(&mut self.news) && !alone {
            return None;
        }
        let end = self.earned(now + timings.lease())?;
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

    /// The latest end that enough to decide have granted, this node granting itself `own`.
    fn earned(&self, own: Tick) -> Option<Tick> {
        let granted = self.granted.iter().map(|(node, end)| (*end, *node));
        let mut ends: Vec<(Tick, NodeId)> = granted.chain([(own, self.me)]).collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        let mut by = NodeSet::EMPTY;
        let enough = |(_, node): &(Tick, NodeId)| {
            by = by.with(*node);
            self.charter.is_met(by, self.all)
        };
        ends.into_iter().find(enough).map(|(end, _)| end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::{Majority, Step, TimingProfile, ViewId};

    fn lease(nodes: u16, charter: Charter) -> Lease {
        let all: NodeSet = (1..=nodes).map(NodeId).collect();
        let all = Electorate { nodes: all, quorum: all.len() / 2 + 1 };
        Lease::new(NodeId(1), all, charter, Plot::NONE)
    }

    /// For as long as is configured.
    fn grant(lease: &mut Lease, now: u64, by: u16, sent: u64) {
        lease.grant(ms(now), NodeId(by), ms(sent), Timings::of(TimingProfile::Auto).lease());
    }

    fn ms(ms: u64) -> Tick {
        Tick::ZERO + Span::from_millis(ms)
    }

    #[test]
    fn the_kth_newest_sending_time_counts_and_not_the_receipt() {
        let timings = Timings::of(TimingProfile::Auto);
        let mut lease = lease(5, Charter::FIRST);
        grant(&mut lease, 1_000, 2, 990);
        assert_eq!(lease.ask(ms(1_000), &timings), None, "two of three");
        grant(&mut lease, 1_000, 3, 700);
        assert_eq!(lease.ask(ms(1_000), &timings), Some(ms(700) + timings.lease()));
        grant(&mut lease, 1_100, 4, 980);
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
        [3, 4, 5].into_iter().for_each(|node| grant(&mut lease, 1_000, node, 990));
        assert_eq!(lease.ask(ms(1_000), &timings), None, "2 formed the cluster, and it says nothing");
        grant(&mut lease, 1_000, 2, 900);
        assert_eq!(lease.ask(ms(1_000), &timings), Some(ms(900) + timings.lease()));
        lease.set_charter(formed.passing(ViewId::NONE, Majority::OfAll));
        grant(&mut lease, 1_100, 2, 1_050);
        assert_eq!(lease.ask(ms(1_100), &timings), Some(ms(990) + timings.lease()), "a majority of all, too");
    }

    #[test]
    fn a_longer_lease_is_had_when_enough_have_granted_that_long() {
        let configured = Timings::of(TimingProfile::Auto);
        let longer = configured.stretched(Step(2));
        let mut lease = lease(5, Charter::FIRST);
        [2, 3].into_iter().for_each(|node| grant(&mut lease, 1_000, node, 990));
        lease.ask(ms(1_000), &longer);
        lease.grant(ms(1_100), NodeId(2), ms(1_090), longer.lease());
        let stays = ms(990) + configured.lease();
        assert_eq!((lease.ask(ms(1_100), &longer), lease.asked), (None, stays), "3 has not promised more");
        lease.grant(ms(1_100), NodeId(3), ms(1_090), longer.lease());
        assert_eq!(lease.ask(ms(1_100), &longer), Some(ms(1_090) + longer.lease()));
    }

    #[test]
    fn a_shorter_grant_takes_nothing_back() {
        let configured = Timings::of(TimingProfile::Auto);
        let longer = configured.stretched(Step(2));
        let mut lease = lease(3, Charter::FIRST);
        lease.grant(ms(1_000), NodeId(2), ms(990), longer.lease());
        assert_eq!(lease.ask(ms(1_000), &longer), Some(ms(990) + longer.lease()));
        grant(&mut lease, 1_100, 2, 1_090);
        assert_eq!(lease.ask(ms(1_100), &configured), None);
        grant(&mut lease, 1_700, 2, 1_690);
        assert_eq!(lease.ask(ms(1_700), &configured), Some(ms(1_690) + configured.lease()));
    }

    #[test]
    fn a_grant_of_a_beat_from_the_future_is_ignored() {
        let mut lease = lease(3, Charter::FIRST);
        grant(&mut lease, 10, 2, 11);
        assert_eq!(lease.ask(ms(10), &Timings::of(TimingProfile::Auto)), None);
    }
}
