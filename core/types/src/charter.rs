//! Whose agreement makes a primary view: a majority of the configured nodes, or of some of them. Those are the nodes an
//! operator formed the cluster of, or, with quorum `dynamic`, the members of the last view that was steady. Or it is all of
//! the half that won a tie-breaker ([`crate::tie`]).
//!
//! A charter changes in two steps, *passing* and *settled*, and each is on disk before it holds. While it passes, a majority
//! of those that decided and a majority of those that will is needed: so any two views that are primary under neighbouring
//! steps share a node, and nobody acts any more on the word of the ones alone before anybody acts without them. A step
//! that broke off, and nobody knows whether others went on from it, is one that passes: it holds until a later one is known.
//!
//! Of two charters the one of the later generation holds, of one generation the one that is further, and of two equally far
//! the one of the later view. Two of the same step in different views cannot both be gone on from: both views were primary,
//! so they share a node, which brought the step of the first into the second or can never agree to it any more.

use crate::id::ViewId;
use crate::node_set::NodeSet;
use minicbor::{Decode, Encode};
use serde::Serialize;

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Charter {
    /// Begins anew, one higher, each time an operator forms the cluster or half of those that decide wins the tie-breaker.
    #[n(0)]
    pub generation: u64,
    /// How far it is.
    #[n(1)]
    pub stage: CharterStage,
    /// Nodes that are down by the operator's word and were no member since.
    #[n(2)]
    pub confirmed_down: NodeSet,
    /// Place in the ledger of the last version that this generation knows of the one before.
    #[n(3)]
    pub base: u64,
    /// How many steps it has made in this generation.
    #[n(4)]
    pub steps: u64,
    /// The view in which it made the last; [`ViewId::NONE`] before the first.
    #[n(5)]
    pub view: ViewId,
}

/// What a generation of the charter begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// An operator formed the cluster of `few`, and says that `others` are down.
    Operator {
        /// Who decides.
        few: NodeSet,
        /// Who is down.
        others: NodeSet,
    },
    /// Half of those that decided won the tie-breaker.
    Tie {
        /// Who decides, all of them together.
        half: NodeSet,
    },
}

/// How far a charter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CharterStage {
    /// This majority decides, whoever else is there.
    #[n(0)]
    Settled(#[n(0)] Majority),
    /// Both majorities decide together.
    #[n(1)]
    Passing {
        /// That which decided before.
        #[n(0)]
        from: Majority,
        /// That which will.
        #[n(1)]
        to: Majority,
    },
}

/// More than half of some nodes, or all of some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Majority {
    /// Of all configured nodes.
    #[n(0)]
    OfAll,
    /// Of these.
    #[n(1)]
    Of(#[n(0)] NodeSet),
    /// All of these.
    #[n(2)]
    AllOf(#[n(0)] NodeSet),
}

/// The nodes of a cluster and how many of them are a majority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Electorate {
    /// All configured nodes.
    pub nodes: NodeSet,
    /// How many of them decide.
    pub quorum: usize,
}

impl Charter {
    /// The charter of a cluster that formed by itself.
    pub const FIRST: Charter = Charter {
        generation: 1,
        stage: CharterStage::Settled(Majority::OfAll),
        confirmed_down: NodeSet::EMPTY,
        base: 0,
        steps: 0,
        view: ViewId::NONE,
    };

    /// The charter of `few`, formed by an operator who says that `others` are down; `base` is the newest version they
    /// know.
    #[must_use]
    pub fn formed_by(self, few: NodeSet, others: NodeSet, base: u64) -> Charter {
        Charter { confirmed_down: others, base, ..self.begun_anew(Majority::Of(few)) }
    }

    /// The charter of the `half` that won the tie-breaker; `base` is the newest version it knows. Nobody is down by anybody's
    /// word.
    #[must_use]
    pub fn won_by(self, half: NodeSet, base: u64) -> Charter {
        Charter { base, ..self.begun_anew(Majority::AllOf(half)) }
    }

    fn begun_anew(self, decides: Majority) -> Charter {
        let (generation, stage) = (self.generation + 1, CharterStage::Settled(decides));
        Charter { generation, stage, ..Charter::FIRST }
    }

    /// The next step, made in `view`: from where it is settled it passes to `to`.
    #[must_use]
    pub fn passing(self, view: ViewId, to: Majority) -> Charter {
        self.step(view, CharterStage::Passing { from: self.stage.goal(), to })
    }

    /// The next step, made in `view`: it is settled where it passed to.
    #[must_use]
    pub fn settled(self, view: ViewId) -> Charter {
        self.step(view, CharterStage::Settled(self.stage.goal()))
    }

    fn step(self, view: ViewId, stage: CharterStage) -> Charter {
        Charter { stage, view, steps: self.steps + 1, ..self }
    }

    /// The one of the two that holds. What either has seen alive again is no longer down by anybody's word.
    #[must_use]
    pub fn merged(self, other: Charter) -> Charter {
        let later = if self.rank() >= other.rank() { self } else { other };
        match self.generation == other.generation {
            true => Charter { confirmed_down: self.confirmed_down.and(other.confirmed_down), ..later },
            false => later,
        }
    }

    /// Of two the higher holds.
    pub fn rank(&self) -> (u64, u64, ViewId) {
        (self.generation, self.steps, self.view)
    }

    /// This charter once `seen` were members.
    #[must_use]
    pub fn having_seen(self, seen: NodeSet) -> Charter {
        Charter { confirmed_down: self.confirmed_down.minus(seen), ..self }
    }

    /// The few that an operator formed the cluster of, or that won the tie-breaker, while their word is needed.
    pub fn few(&self) -> Option<NodeSet> {
        let formed = self.generation > Charter::FIRST.generation && self.steps < 2;
        let few = match self.stage {
            CharterStage::Settled(few) | CharterStage::Passing { from: few, .. } => few,
        };
        few.only().filter(|_| formed)
    }

    /// Whether `by` can decide.
    pub fn is_met(&self, by: NodeSet, all: Electorate) -> bool {
        self.stage.needed().all(|majority| majority.is_in(by, all))
    }
}

impl CharterStage {
    /// The majority that decides, or will.
    pub fn goal(self) -> Majority {
        match self {
            CharterStage::Settled(goal) | CharterStage::Passing { to: goal, .. } => goal,
        }
    }

    /// The majorities that it takes, one or both.
    pub fn needed(self) -> impl Iterator<Item = Majority> {
        let (one, other) = match self {
            CharterStage::Settled(now) => (now, None),
            CharterStage::Passing { from, to } => (from, Some(to)),
        };
        [one].into_iter().chain(other)
    }
}

impl Majority {
    /// More than half of `nodes`, in a cluster of `all`.
    pub fn of(nodes: NodeSet, all: NodeSet) -> Majority {
        if nodes == all { Majority::OfAll } else { Majority::Of(nodes) }
    }

    /// The nodes, where they are not simply all.
    pub fn only(self) -> Option<NodeSet> {
        match self {
            Majority::OfAll => None,
            Majority::Of(nodes) | Majority::AllOf(nodes) => Some(nodes),
        }
    }

    /// How many of `there` can be lost while it is still among them, in a cluster of `all`.
    pub fn spare(self, there: NodeSet, all: Electorate) -> usize {
        let (of, needed) = match self {
            Majority::OfAll => (all.nodes, all.quorum),
            Majority::Of(nodes) => (nodes, nodes.len() / 2 + 1),
            Majority::AllOf(nodes) => (nodes, nodes.len()),
        };
        of.and(there).len().saturating_sub(needed)
    }

    /// Whether it is among `by`, in a cluster of `all`.
    pub fn is_in(self, by: NodeSet, all: Electorate) -> bool {
        match self {
            Majority::OfAll => all.has_quorum(by),
            Majority::Of(nodes) => nodes.and(by).len() > nodes.len() / 2,
            Majority::AllOf(nodes) => nodes.is_within(by),
        }
    }

    /// Of two nodes whose majority it is, in a cluster of `all`, the one that is among `by`, if only one is.
    ///
    /// Larger halves are not told: some of such a half could go on with the other one, in ignorance of what the rest has won.
    pub fn half_in(self, by: NodeSet, all: Electorate) -> Option<NodeSet> {
        let of = match self {
            Majority::OfAll => all.nodes,
            Majority::Of(nodes) => nodes,
            Majority::AllOf(_) => return None,
        };
        let half = of.and(by);
        (of.len() == 2 && half.len() == 1).then_some(half)
    }
}

impl Electorate {
    /// Whether `by` are a majority of all.
    pub fn has_quorum(&self, by: NodeSet) -> bool {
        self.nodes.and(by).len() >= self.quorum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;
    use CharterStage::{Passing, Settled};
    use Majority::{Of, OfAll};

    fn set(nodes: &[u16]) -> NodeSet {
        nodes.iter().map(|node| NodeId(*node)).collect()
    }

    fn at(stage: CharterStage) -> Charter {
        Charter { stage, ..Charter::FIRST }
    }

    fn view(counter: u64) -> ViewId {
        ViewId { counter, coordinator: NodeId(1) }
    }

    fn check(stage: CharterStage, deciding: &[&[u16]], powerless: &[&[u16]]) {
        let charter = at(stage);
        let all = Electorate { nodes: set(&[1, 2, 3, 4, 5]), quorum: 3 };
        deciding.iter().for_each(|by| assert!(charter.is_met(set(by), all), "{stage:?} {by:?}"));
        powerless.iter().for_each(|by| assert!(!charter.is_met(set(by), all), "{stage:?} {by:?}"));
    }

    #[test]
    fn who_decides() {
        check(Settled(OfAll), &[&[3, 4, 5], &[1, 2, 3, 4]], &[&[1, 2], &[]]);
        check(Settled(Of(set(&[1]))), &[&[1], &[1, 5]], &[&[2, 3, 4, 5]]);
        check(Settled(Of(set(&[1, 2]))), &[&[1, 2]], &[&[1, 3, 4, 5]]);
        let closing = Passing { from: Of(set(&[1])), to: OfAll };
        check(closing, &[&[1, 2, 3]], &[&[1, 2], &[2, 3, 4, 5]]);
        let shrinking = Passing { from: OfAll, to: Of(set(&[1, 2, 3])) };
        check(shrinking, &[&[1, 2, 3], &[1, 2, 5]], &[&[1, 2], &[1, 4, 5]]);
    }

    #[test]
    fn two_that_can_decide_under_neighbouring_steps_share_a_node() {
        let all = Electorate { nodes: set(&[1, 2, 3, 4, 5]), quorum: 3 };
        let majorities = || (1..32).map(|bits| Majority::of(NodeSet::from_bits(bits), all.nodes));
        let deciding =
            |charter: Charter| (1..32).map(NodeSet::from_bits).filter(move |by| charter.is_met(*by, all));
        for from in majorities() {
            for to in majorities() {
                let settled = at(Settled(from));
                let passing = settled.passing(view(1), to);
                for (one, other) in
                    [(settled, passing), (passing, passing), (passing, passing.settled(view(1)))]
                {
                    assert!(
                        deciding(one).all(|a| deciding(other).all(|b| !a.and(b).is_empty())),
                        "{passing:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn three_of_five_are_better_off_alone_and_four_are_not() {
        let all = Electorate { nodes: set(&[1, 2, 3, 4, 5]), quorum: 3 };
        let spare = |majority: Majority, there: &[u16]| majority.spare(set(there), all);
        let (three, four) = (&[1, 2, 3][..], &[1, 2, 3, 4][..]);
        assert_eq!((spare(OfAll, three), spare(Of(set(three)), three)), (0, 1));
        assert_eq!((spare(OfAll, four), spare(Of(set(four)), four)), (1, 1));
        assert_eq!((spare(Of(set(three)), four), spare(Of(set(three)), &[4, 5])), (1, 0));
    }

    #[test]
    fn of_two_either_is_half_and_the_one_that_won_decides_without_the_other() {
        let two = Electorate { nodes: set(&[1, 2]), quorum: 2 };
        for (one, other) in [(set(&[1]), set(&[2])), (set(&[2]), set(&[1]))] {
            assert_eq!(OfAll.half_in(one, two), Some(one));
            let won = Charter::FIRST.won_by(one, 1);
            assert_eq!((won.generation, won.few(), won.confirmed_down), (2, Some(one), NodeSet::EMPTY));
            assert!(won.is_met(one, two) && !won.is_met(other, two));
        }
        let all = Electorate { nodes: set(&[1, 2, 3, 4]), quorum: 3 };
        assert_eq!(OfAll.half_in(set(&[1, 2]), all), None, "some of these could go on with the others");
        assert_eq!(Of(set(&[1, 2])).half_in(set(&[2, 3]), all), Some(set(&[2])));
        assert_eq!(Of(set(&[1, 2])).half_in(set(&[1, 2, 3]), all), None, "both are there");
        assert_eq!(Majority::AllOf(set(&[1])).half_in(set(&[1]), all), None, "it has been decided");
    }

    #[test]
    fn the_later_generation_holds_then_the_later_step_then_the_later_view() {
        let second = Charter::FIRST.formed_by(set(&[1]), set(&[2, 3]), 7);
        assert_eq!(Charter::FIRST.merged(second), second);
        let closing = second.passing(view(4), OfAll).having_seen(set(&[2]));
        assert_eq!(closing.merged(second), closing);
        assert_eq!(second.merged(closing).confirmed_down, set(&[3]), "2 was seen alive");
        let later = second.passing(view(5), Of(set(&[1, 2])));
        assert_eq!(closing.merged(later).stage, later.stage);
    }

    #[test]
    fn the_few_are_needed_until_the_charter_that_passed_from_them_is_settled() {
        let formed = Charter::FIRST.formed_by(set(&[1]), set(&[2, 3]), 7);
        let passing = formed.passing(view(4), OfAll);
        assert_eq!((formed.few(), passing.few()), (Some(set(&[1])), Some(set(&[1]))));
        assert_eq!((passing.settled(view(4)).few(), Charter::FIRST.few()), (None, None));
        let shrunk = Charter::FIRST.passing(view(2), Of(set(&[1, 2]))).settled(view(2));
        assert_eq!((shrunk.few(), shrunk.stage), (None, Settled(Of(set(&[1, 2])))));
    }
}
