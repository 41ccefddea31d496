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
    /// A primary view may act before a quorum is known to have installed it.
    ConfirmedAtOnce,
    /// A passport calls free what is being acquired and was begun.
    BegunCalledUnbegun,
    /// What is said of clients' groups is lost to a node that waits for its copy of them.
    HeardWhileWaitingLost,
    /// What a manager would hear is lost to it while it waits for the donor's state.
    NoticesNotHeld,
    /// A member that waits for the donor's state counts as having it.
    WaitingIsInStep,
    /// A client's provider that does not vote in time is waited for.
    SilenceWaitedFor,
    /// Nobody votes for a provider whose client is gone.
    VacatedNotVotedFor,
    /// The providers of a node that is lost stay in their groups.
    DeparturesIgnored,
    /// A passport tells of the active version only, not of one that is staged.
    StagedNotBrought,
    /// Only what a node hears itself counts, not what nodes are said to hear that it does not.
    RumoursIgnored,
    /// View counters are used before they are reserved on disk.
    ReservationNotAwaited,
    /// A lease that is granted along a ring is no promise.
    RingPromiseUnwritten,
    /// Half of the nodes takes the silence of the tie-breaker for its word.
    SilenceWins,
    /// What comes of a view before its installation does is lost.
    EarlyMessagesLost,
    /// The donor keeps the state to itself.
    StateNotSent,
    /// Nobody tells members that came with different versions which is the newest.
    NewestNotTold,
    /// The link to a peer outlives the life that it leads to.
    LinkOutlivesLife,
}

/// Which bug is planted, if any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plot {
    #[cfg(feature = "planted")]
    bug: Option<Bug>,
}

impl Bug {
    /// Every bug, with its name.
    pub const ALL: [(&'static str, Bug); 41] = [
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
        ("returned-lost", Bug::ReturnedLost),
        ("acknowledged-when-proposed", Bug::AcknowledgedWhenProposed),
        ("old-version-kept", Bug::OldVersionKept),
        ("proof-not-awaited", Bug::ProofNotAwaited),
        ("releasing-is-released", Bug::ReleasingIsReleased),
        ("votes-not-flushed", Bug::VotesNotFlushed),
        ("charter-not-brought", Bug::CharterNotBrought),
        ("stretch-forgotten", Bug::StretchForgotten),
        ("stamp-without-votes", Bug::StampWithoutVotes),
        ("confirmed-at-once", Bug::ConfirmedAtOnce),
        ("begun-called-unbegun", Bug::BegunCalledUnbegun),
        ("heard-while-waiting-lost", Bug::HeardWhileWaitingLost),
        ("notices-not-held", Bug::NoticesNotHeld),
        ("waiting-is-in-step", Bug::WaitingIsInStep),
        ("silence-waited-for", Bug::SilenceWaitedFor),
        ("vacated-not-voted-for", Bug::VacatedNotVotedFor),
        ("departures-ignored", Bug::DeparturesIgnored),
        ("staged-not-brought", Bug::StagedNotBrought),
        ("rumours-ignored", Bug::RumoursIgnored),
        ("reservation-not-awaited", Bug::ReservationNotAwaited),
        ("ring-promise-unwritten", Bug::RingPromiseUnwritten),
        ("silence-wins", Bug::SilenceWins),
        ("early-messages-lost", Bug::EarlyMessagesLost),
        ("state-not-sent", Bug::StateNotSent),
        ("newest-not-told", Bug::NewestNotTold),
        ("link-outlives-life", Bug::LinkOutlivesLife),
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

    /// Whether this bug is planted: here, or everywhere by `PHALANX_PLANT=bug`, which shows whether a unit test catches it.
    #[cfg(feature = "planted")]
    pub fn has(self, bug: Bug) -> bool {
        self.bug == Some(bug) || everywhere() == Some(bug)
    }

    /// Never, in a product.
    #[cfg(not(feature = "planted"))]
    pub const fn has(self, _: Bug) -> bool {
        false
    }
}

/// The bug that is planted in every core of this process, tests' among them. Read when it runs, so that the tests are built
/// once for all bugs.
#[cfg(feature = "planted")]
#[expect(clippy::disallowed_methods, reason = "a switch of tests, in no product")]
fn everywhere() -> Option<Bug> {
    static PLANTED: std::sync::OnceLock<Option<Bug>> = std::sync::OnceLock::new();
    *PLANTED.get_or_init(|| {
        let name = std::env::var("PHALANX_PLANT").ok()?;
        let found = Bug::ALL.iter().find(|(known, _)| *known == name);
        Some(found.unwrap_or_else(|| panic!("PHALANX_PLANT={name}: no such bug")).1)
    })
}
