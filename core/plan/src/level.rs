//! Which planner a build has, so that nodes of different builds plan alike while they are members of one view.

use minicbor::{Decode, Encode};
use serde::Serialize;

/// A planner: from the same inputs two of one level make the same plan, byte for byte. Whatever would change a plan, or how
/// that is written which a plan depends on, is a new level.
///
/// A build plans at every level up to its own, so that it can be a member beside older ones. A planner may go when nobody
/// upgrades any more from a build that has no later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct PlannerLevel(#[n(0)] pub u16);

impl PlannerLevel {
    /// The first one. Who does not say which it has has this one.
    pub const FIRST: PlannerLevel = PlannerLevel(1);
    /// The latest of this build.
    pub const LATEST: PlannerLevel = PlannerLevel::FIRST;

    /// The one that members go by who have these as their latest: what all of them have.
    pub fn common(latest: impl IntoIterator<Item = Option<PlannerLevel>>) -> PlannerLevel {
        let said = latest.into_iter().map(|level| level.unwrap_or(PlannerLevel::FIRST));
        said.min().unwrap_or(PlannerLevel::FIRST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_go_by_what_all_of_them_have() {
        let common =
            |said: &[Option<u16>]| PlannerLevel::common(said.iter().map(|level| level.map(PlannerLevel))).0;
        assert_eq!(common(&[Some(3), Some(2), Some(4)]), 2);
        assert_eq!(common(&[Some(3), None]), 1, "who says nothing");
        assert_eq!(common(&[]), 1);
    }
}
