//! Whether this node and each other member of a ring reach each other directly, though neither watches the other.
//!
//! Members of a view talk to each other and not along the ring. So each asks each of the others in turn whether its news
//! came, one at each beat, and is answered. What is lost is noticed by the answer that does not come: a pair that has
//! had none for the detection time, and to which a question has been open for half of it, does not reach each other.

use super::formation::Moment;
use phalanx_types::{Incarnation, NodeId, NodeSet, Tick};
use std::collections::BTreeMap;

/// A question that is open for so many beats is asked again: the answer waits for the other's beat, and then for ours.
const AGAIN_BEATS: u64 = 3;

/// What is known of the other members of one ring.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    pairs: BTreeMap<NodeId, Pair>,
}

/// What is to be said to a member at a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// It lacks the news.
    News,
    /// It has not answered, or it is its turn to be asked.
    Question,
}

#[derive(Clone, Debug)]
struct Pair {
    life: Incarnation,
    /// Since when a question has been open.
    asked: Option<Tick>,
    answered: Option<Tick>,
    /// When the other's kernel last answered an echo.
    echoed: Tick,
    /// The newest beat of ours that it has.
    noted: u64,
}

impl Reach {
    /// The other members of the ring are these. Who was none before, in this life, is to be asked first.
    pub fn follow(&mut self, others: impl Iterator<Item = Incarnation>) {
        let mut old = std::mem::take(&mut self.pairs);
        let fresh = |life| Pair { life, asked: None, answered: None, echoed: Tick::ZERO, noted: 0 };
        let pair = |life: Incarnation| {
            let known = old.remove(&life.node).filter(|pair| pair.life == life);
            (life.node, known.unwrap_or_else(|| fresh(life)))
        };
        self.pairs = others.map(pair).collect();
    }

    /// Whether `life` and this node reach each other.
    pub fn works(&self, life: Incarnation, moment: Moment) -> bool {
        let pair = self.pairs.get(&life.node).filter(|pair| pair.life == life);
        pair.is_some_and(|pair| pair.lost_at(moment).is_some_and(|at| moment.now < at))
    }

    /// Those about to be lost.
    pub fn doubted(&self, moment: Moment) -> NodeSet {
        let doubted =
            |pair: &Pair| pair.due_at(moment).is_some_and(|due| moment.now + moment.timings.doubt() >= due);
        self.pairs.iter().filter(|(_, pair)| doubted(pair)).map(|(node, _)| *node).collect()
    }

    /// The kernel of `node` answered an echo.
    pub fn echo(&mut self, now: Tick, node: NodeId) {
        self.pairs.entry(node).and_modify(|pair| pair.echoed = now);
    }

    /// When [`Reach::works`] next says something else of somebody if nothing arrives.
    pub fn changes_at(&self, moment: Moment) -> Tick {
        let lost = self.pairs.values().filter_map(|pair| pair.lost_at(moment));
        lost.filter(|at| *at > moment.now).min().unwrap_or(Tick::NEVER)
    }

    /// What each member is to be told by `me` at the beat number `turn`, the news being in beat `news` or later. Each begins
    /// with another one, so that nobody is asked by all at once.
    pub fn due(&self, moment: Moment, me: NodeId, turn: u64, news: u64) -> Vec<(NodeId, Due)> {
        let count = (self.pairs.len() as u64).max(1);
        let first = self.pairs.range(..me).count() as u64;
        let asked = (first + turn % count) % count;
        let due = |(place, (node, pair)): (u64, (&NodeId, &Pair))| match () {
            () if pair.noted < news => Some((*node, Due::News)),
            () if pair.is_overdue(moment) || place == asked => Some((*node, Due::Question)),
            () => None,
        };
        (0..).zip(&self.pairs).filter_map(due).collect()
    }

    /// A question, or news, goes to `node`.
    pub fn ask(&mut self, now: Tick, node: NodeId) {
        if let Some(pair) = self.pairs.get_mut(&node) {
            pair.asked.get_or_insert(now);
        }
    }

    /// `life` has our beat number `noted`.
    pub fn answer(&mut self, now: Tick, life: Incarnation, noted: u64) {
        if let Some(pair) = self.pairs.get_mut(&life.node).filter(|pair| pair.life == life) {
            (pair.asked, pair.answered) = (None, Some(now));
            pair.noted = pair.noted.max(noted);
        }
    }
}

impl Pair {
    fn is_overdue(&self, moment: Moment) -> bool {
        self.asked.is_some_and(|asked| moment.now.since(asked) >= moment.timings.beat() * AGAIN_BEATS)
    }

    /// When the pair no longer reaches each other if no answer comes; `None` if it never did.
    fn lost_at(&self, moment: Moment) -> Option<Tick> {
        self.due_at(moment).map(|due| moment.timings.given_up_at(due, self.echoed))
    }

    /// The same but for a grace period.
    fn due_at(&self, moment: Moment) -> Option<Tick> {
        let answered = self.answered.filter(|_| self.noted > 0)?;
        let Some(asked) = self.asked else { return Some(Tick::NEVER) };
        let detect = moment.timings.detect();
        Some((answered.max(moment.resumed) + detect).max(asked.max(moment.resumed) + moment.timings.doubt()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::group::tests::life;
    use phalanx_types::{Span, TimingProfile, Timings};

    const ME: NodeId = NodeId(1);

    fn at(ms: u64) -> Moment {
        let timings = Timings::of(TimingProfile::Auto);
        Moment { now: Tick::ZERO + Span::from_millis(ms), resumed: Tick::ZERO, timings }
    }

    fn pair() -> Reach {
        let mut reach = Reach::default();
        reach.follow([life(2), life(3)].into_iter());
        reach
    }

    #[test]
    fn a_pair_reaches_each_other_once_the_first_news_is_noted() {
        let mut reach = pair();
        assert_eq!(reach.due(at(0), ME, 0, 1), [(NodeId(2), Due::News), (NodeId(3), Due::News)]);
        assert!(!reach.works(life(2), at(1)));
        reach.answer(at(1).now, life(2), 1);
        assert!(reach.works(life(2), at(9_999)), "nothing was asked since");
        assert!(!reach.works(life(3), at(1)));
        assert_eq!(reach.due(at(1), ME, 0, 1), [(NodeId(2), Due::Question), (NodeId(3), Due::News)]);
    }

    #[test]
    fn without_an_answer_for_the_detection_time_it_does_not_any_more() {
        let mut reach = pair();
        reach.answer(at(100).now, life(2), 1);
        reach.ask(at(260).now, NodeId(2));
        assert!(reach.works(life(2), at(499)));
        assert_eq!(reach.changes_at(at(499)), at(500).now);
        assert!(!reach.works(life(2), at(500)));
        reach.answer(at(600).now, life(2), 1);
        assert!(reach.works(life(2), at(600)));
        reach.ask(at(2_000).now, NodeId(2));
        assert!(
            reach.works(life(2), at(2_199)) && !reach.works(life(2), at(2_200)),
            "half of it since asked"
        );
    }

    #[test]
    fn a_question_is_asked_in_turn_and_again_when_its_answer_is_overdue() {
        let mut reach = pair();
        [2, 3].into_iter().for_each(|node| reach.answer(at(0).now, life(node), 1));
        assert_eq!(reach.due(at(40), ME, 0, 1), [(NodeId(2), Due::Question)]);
        reach.ask(at(40).now, NodeId(2));
        assert_eq!(reach.due(at(80), ME, 1, 1), [(NodeId(3), Due::Question)]);
        assert_eq!(reach.due(at(160), ME, 3, 1), [(NodeId(2), Due::Question), (NodeId(3), Due::Question)]);
    }

    #[test]
    fn in_a_full_ring_each_is_asked_by_one_at_each_beat() {
        let nodes = || (1..=64).map(life);
        let asked_by = |me: Incarnation, turn| {
            let mut reach = Reach::default();
            reach.follow(nodes().filter(|life| *life != me));
            nodes().for_each(|life| reach.answer(at(0).now, life, 1));
            reach.due(at(40), me.node, turn, 1)
        };
        for turn in [0, 1, 62, 63, 1_000] {
            let asked: Vec<_> = nodes().flat_map(|me| asked_by(me, turn)).map(|(node, _)| node).collect();
            let different: std::collections::BTreeSet<_> = asked.iter().collect();
            assert_eq!((asked.len(), different.len()), (64, 64), "turn {turn}");
        }
    }

    #[test]
    fn who_comes_back_in_another_life_is_asked_anew() {
        let mut reach = pair();
        reach.answer(at(1).now, life(2), 1);
        let reborn = Incarnation { start: 2, ..life(2) };
        reach.follow([reborn, life(3)].into_iter());
        assert!(!reach.works(reborn, at(2)) && !reach.works(life(2), at(2)));
    }
}
