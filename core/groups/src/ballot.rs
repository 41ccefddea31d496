//! The votes of one phase, and what they decide: a function of who voted what, never of when (RSCT Group Services, A3).

use crate::group::Vote;
use minicbor::{Decode, Encode};
use std::collections::BTreeMap;

/// The votes of one phase. `V` names a voter, `W` is what it said with its vote.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Ballot<V: Ord, W> {
    #[n(0)]
    votes: BTreeMap<V, (Vote, W)>,
}

/// What the votes of a phase decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody rejects.
    Rejected,
    /// Nobody rejects, and somebody asks for another phase.
    GoesOn,
    /// Everybody approves.
    Approved,
}

impl<V: Ord, W> Default for Ballot<V, W> {
    fn default() -> Ballot<V, W> {
        Ballot { votes: BTreeMap::new() }
    }
}

impl<V: Ord + Copy, W> Ballot<V, W> {
    /// Takes a vote. The first of each voter counts; false if this was not the first.
    pub fn cast(&mut self, voter: V, vote: Vote, words: W) -> bool {
        let first = !self.votes.contains_key(&voter);
        self.votes.entry(voter).or_insert((vote, words));
        first
    }

    /// Those of `voters` who have not voted.
    pub fn missing<'a>(&'a self, voters: impl Iterator<Item = V> + 'a) -> impl Iterator<Item = V> + 'a {
        voters.filter(|voter| !self.votes.contains_key(voter))
    }

    /// Whether all of `voters` have voted.
    pub fn has_all(&self, mut voters: impl Iterator<Item = V>) -> bool {
        voters.all(|voter| self.votes.contains_key(&voter))
    }

    /// What the votes decide if no more come.
    pub fn verdict(&self) -> Verdict {
        let any = |wanted| self.votes.values().any(|(vote, _)| *vote == wanted);
        match () {
            () if any(Vote::Reject) => Verdict::Rejected,
            () if any(Vote::Continue) => Verdict::GoesOn,
            () => Verdict::Approved,
        }
    }

    /// Who rejects, and what they say to that.
    pub fn rejecting(&self) -> impl Iterator<Item = (V, &W)> {
        let rejecting = self.votes.iter().filter(|(_, (vote, _))| *vote == Vote::Reject);
        rejecting.map(|(voter, (_, words))| (*voter, words))
    }

    /// What the voters said, lowest voter first.
    pub fn all(&self) -> impl Iterator<Item = (V, &W)> {
        self.votes.iter().map(|(voter, (_, words))| (*voter, words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Vote::{Approve, Continue, Reject};

    #[test]
    fn one_rejection_outweighs_all_and_one_wish_to_go_on_outweighs_approval() {
        let verdict = |votes: &[Vote]| {
            let mut ballot = Ballot::default();
            for (voter, vote) in votes.iter().enumerate() {
                ballot.cast(voter, *vote, ());
            }
            ballot.verdict()
        };
        assert_eq!(verdict(&[]), Verdict::Approved);
        assert_eq!(verdict(&[Approve, Approve]), Verdict::Approved);
        assert_eq!(verdict(&[Approve, Continue, Approve]), Verdict::GoesOn);
        assert_eq!(verdict(&[Continue, Reject, Approve]), Verdict::Rejected);
    }

    #[test]
    fn the_first_vote_of_each_counts() {
        let mut ballot = Ballot::default();
        assert!(ballot.cast(1, Approve, "yes"));
        assert!(!ballot.cast(1, Reject, "no, after all"));
        assert_eq!(ballot.verdict(), Verdict::Approved);
        assert_eq!(ballot.missing([1, 2, 3].into_iter()).collect::<Vec<_>>(), [2, 3]);
    }
}
