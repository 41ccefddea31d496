//! Bugs that the simulator plants to prove that its oracle bites.
//!
//! Without the feature `planted` a [`Plot`] is empty and [`Plot::has`] is `false` at compile time: nothing of this is in
//! a product. Each bug removes one protection that the design names.

/// A bug to plant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// A lease is counted from the receipt of a grant instead of from the sending of the beat granted.
    LeaseFromReceipt,
    /// A restarted node grants and counts at once.
    GrantAfterRestart,
    /// A lost node's resources are taken when it is suspected, without waiting for its lease.
    TakeoverOnSuspicion,
    /// Members go on granting to a node after they accepted a view without it.
    GrantAfterAcceptance,
    /// Only a coordinator's own promises are minded, not those that the flushes carry.
    ForgottenPromises,
    /// A lease is used before the deadman has accepted it.
    LeaseBeforeDeadman,
    /// Half of the nodes make a quorum.
    HalfIsQuorum,
    /// Safe messages are delivered like agreed ones.
    SafeLikeAgreed,
    /// What one survivor lacks at the end of a view is not brought to it.
    HoleInEnding,
    /// A proposed view is accepted although a later one was accepted before.
    OldProposalAccepted,
    /// View counters of earlier lives are used again.
    ReusedCounters,
    /// A promise ends with half a lease.
    PromiseTooShort,
    /// A peer that falls silent is never taken for down.
    SilenceForgiven,
    /// A peer that stalled once is never heard again.
    ShunnedForGood,
    /// A member that lacks the donor's state goes on with its own.
    StateNotTransferred,
    /// A member acknowledges one message more than it has.
    EarlyAcknowledgement,
    /// A message that found no place in its view is not given back.
    ReturnedLost,
    /// An operator is told that a change is active when it is proposed.
    AcknowledgedWhenProposed,
    /// A member keeps its version although the primary has a newer one.
    OldVersionKept,
    /// A group is acquired without waiting for the end of a lost node's lease.
    ProofNotAwaited,
    /// A member that is still letting a group go counts as having let it go.
    ReleasingIsReleased,
    /// Votes and other messages without an order that a survivor lacks at the end of a view are not brought to it.
    VotesNotFlushed,
    /// Who decides is not brought into a new view by those who know it.
    CharterNotBrought,
    /// A restarted node has forgotten how far the timings were stretched, and what it promised by them.
    StretchForgotten,
    /// How recent a manager's state is counts the messages that it has taken in, not the votes.
    StampWithoutVotes,
}

/// Which bug is planted, if any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plot {
    #[cfg(feature = "planted")]
    bug: Option<Bug>,
}

impl Bug {
    /// Every bug, with its name.
    pub const ALL: [(&'static str, Bug); 25] = [
        ("lease-from-receipt", Bug::LeaseFromReceipt),
        ("grant-after-restart", Bug::GrantAfterRestart),
        ("takeover-on-suspicion", Bug::TakeoverOnSuspicion),
        ("grant-after-acceptance", Bug::GrantAfterAcceptance),
        ("forgotten-promises", Bug::ForgottenPromises),
        ("lease-before-deadman", Bug::LeaseBeforeDeadman),
        ("half-is-quorum", Bug::HalfIsQuorum),
        ("safe-like-agreed", Bug::SafeLikeAgreed),
        ("hole-in-ending", Bug::HoleInEnding),
        ("old-proposal-accepted", Bug::OldProposalAccepted),
        ("reused-counters", Bug::ReusedCounters),
        ("promise-too-short", Bug::PromiseTooShort),
        ("silence-forgiven", Bug::SilenceForgiven),
        ("shunned-for-good", Bug::ShunnedForGood),
        ("state-not-transferred", Bug::StateNotTransferred),
        ("early-acknowledgement", Bug::EarlyAcknowledgement),
        ("returned-lost", Bug::ReturnedLost),
        ("acknowledged-when-proposed", Bug::AcknowledgedWhenProposed),
        ("old-version-kept", Bug::OldVersionKept),
        ("proof-not-awaited", Bug::ProofNotAwaited),
        ("releasing-is-released", Bug::ReleasingIsReleased),
        ("votes-not-flushed", Bug::VotesNotFlushed),
        ("charter-not-brought", Bug::CharterNotBrought),
        ("stretch-forgotten", Bug::StretchForgotten),
        ("stamp-without-votes", Bug::StampWithoutVotes),
    ];
}

impl Plot {
    /// Nothing is planted.
    pub const NONE: Plot = Plot {
        #[cfg(feature = "planted")]
        bug: None,
    };

    /// This bug is planted.
    #[cfg(feature = "planted")]
    pub fn of(bug: Bug) -> Plot {
        Plot { bug: Some(bug) }
    }

    /// Whether this bug is planted: here, or everywhere by `PHALANX_PLANT=bug cargo test --features planted`, which shows
    /// whether a unit test catches it.
    #[cfg(feature = "planted")]
    pub fn has(self, bug: Bug) -> bool {
        let everywhere = option_env!("PHALANX_PLANT");
        self.bug == Some(bug)
            || everywhere
                .is_some_and(|name| Bug::ALL.iter().any(|(known, one)| *known == name && *one == bug))
    }

    /// Never, in a product.
    #[cfg(not(feature = "planted"))]
    pub const fn has(self, _: Bug) -> bool {
        false
    }
}
