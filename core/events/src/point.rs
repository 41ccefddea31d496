//! Rare branches of the core that leave no note of their own, by name.
//!
//! Whoever runs many clusters counts them to know that each was reached. Nobody acts on them, and no log shows them.

use serde::Serialize;

/// Declares the points, each with its caption, and the list of them all.
macro_rules! points {
    ($($(#[$caption:meta])+ $point:ident = $name:literal,)+) => {
        /// A branch that few runs take.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Point {
            $($(#[$caption])+ $point,)+
        }

        impl Point {
            /// Every point, in the order of the layers.
            pub const ALL: &[Point] = &[$(Point::$point),+];

            /// Its name, as counted.
            pub fn name(self) -> &'static str {
                match self {
                    $(Point::$point => $name,)+
                }
            }
        }
    };
}

points! {
    /// Topology: a peer that was heard before beats in a new life.
    PeerReborn = "peer-reborn",
    /// Topology: a life from another boot beats while the one before may still hold something; it has to wait.
    NewcomerWaits = "newcomer-waits",
    /// Topology: who is in no group with others asks to come in on the word of a mayor.
    MayorHeeded = "mayor-heeded",
    /// Membership: a view is proposed that leaves out somebody who is heard.
    HeardLeftOut = "heard-left-out",
    /// Membership: a round that made no progress is given up for another.
    RoundGivenUp = "round-given-up",
    /// Membership: a proposal older than one accepted before is refused.
    OldProposalRefused = "old-proposal-refused",
    /// Membership: a proposal waits until all its members are heard here.
    ProposalParked = "proposal-parked",
    /// Membership: a proposal waits for the disk, because its counter is not reserved here.
    CountersAwaited = "counters-awaited",
    /// Membership: an ordered message comes before the view it belongs to is installed here.
    MessageBeforeView = "message-before-view",
    /// Membership: the end of a view brings a message that this member lacked.
    EndingBringsMessage = "ending-brings-message",
    /// Membership: every node is there and holds nothing, so all count at once although promises may be out.
    AllBlankCount = "all-blank-count",
    /// Membership: a member that some view had left out is back, and is granted nothing for a while.
    GrantsWithheld = "grants-withheld",
    /// Membership: a view acts that is no majority of all, since by quorum `dynamic` it need not be.
    FewAct = "few-act",
    /// Deadman: a lease end is accepted after it has passed.
    AcceptedTooLate = "accepted-too-late",
    /// Deadman: it accepts no lease end any more.
    DeadmanLost = "deadman-lost",
    /// Groups: two proposals met, and this one was second.
    ProposalCollided = "proposal-collided",
    /// Groups: the view changed during a vote.
    VoteCutByView = "vote-cut-by-view",
    /// Groups: this member waits for another's state.
    StateAwaited = "state-awaited",
    /// Manager: some member has an older planner than this one, and all go by that.
    OlderPlanner = "older-planner",
    /// Ledger: the members of a view came with different versions.
    VersionsDiffer = "versions-differ",
    /// Ledger: this member tells the others the newest version.
    NewestTold = "newest-told",
    /// Ledger: after a cold start with different versions all begin anew.
    BegunAnew = "begun-anew",
    /// Ledger: the view changed during a vote on a version, and the asker cannot be told yet what became of it.
    ChangeUnsure = "change-unsure",
    /// Ledger: such a version is found in force after all.
    UnsureTookEffect = "unsure-took-effect",
    /// Ledger: two changes met, and this one is proposed again.
    ChangeCollided = "change-collided",
    /// Ledger: somebody else changed the configuration before this change was proposed.
    ChangeOvertaken = "change-overtaken",
    /// Ledger: a version is asked to be staged after this node's words for the next view were written.
    StageAfterPassport = "stage-after-passport",
    /// Ledger: a plan is not voted for, because the configuration it rests on is not on disk here.
    VoteBeforeDisk = "vote-before-disk",
    /// Conduct: news overtook a plan before the vote on it.
    PlanOvertaken = "plan-overtaken",
    /// Conduct: a plan is agreed after this node's words for the next view were written.
    PlanAfterPassport = "plan-after-passport",
    /// Conduct: a request found no place in the order of its view and is handed in again.
    RequestHandedInAgain = "request-handed-in-again",
    /// Conduct: the quorum was lost while a request was under way.
    RequestUnknown = "request-unknown",
    /// Conduct: a node that leaves waits for the others no longer.
    LeavesUnaided = "leaves-unaided",
    /// Agent: an acquisition that began nothing is given up with its view.
    UnbegunSealed = "unbegun-sealed",
    /// Agent: an acquisition that began nothing is given up because the lease lapsed.
    UnbegunLapsed = "unbegun-lapsed",
    /// Agent: a probe at daemon start did not say, and is repeated.
    BootProbeRepeated = "boot-probe-repeated",
    /// Agent: what an earlier life left running is looked at again under the first lease of this one.
    InheritedLookedAt = "inherited-looked-at",
    /// Agent: a start found its permit stale.
    PermitStale = "permit-stale",
    /// Agent: something was left after a stop, and is killed in another round.
    SecondRound = "second-round",
    /// Agent: restarts of an earlier life are remembered by the cluster.
    RestartsRecalled = "restarts-recalled",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_written_as_it_is_named() {
        for point in Point::ALL {
            let written = serde_json::to_string(point).expect("a name is written");
            assert_eq!(written, format!("\"{}\"", point.name()));
        }
    }
}
