//! Two equal halves of those that decide: one of them goes on, which the tie-breaker says.
//!
//! A half is in a view of its own that is not primary. The lowest that counts in it claims the present generation of the
//! charter, which nobody but the first to claim it can win ([`phalanx_types::tie`]). The half that won begins the next generation, in which
//! its members decide, all together; on disk before it is in force. The claim decides only who goes on: what the others
//! may still hold is free when their leases are over, as ever.
//!
//! Only a settled charter is claimed by. While it passes, somebody who has it on disk further on may act already; one that is
//! settled here had been stored by a majority before, and a half has one of any majority in it.
//!
//! A half that holds nothing gives the other a start: it has to wait for leases anyway before it can take anything over.

use crate::manager::{Manager, ManagerEffect, Phase, Turn};
use crate::shutdown::Shutdown;
use phalanx_events::ManagerNote;
use phalanx_types::limits::CLAIM_RETRY_PAUSE;
use phalanx_types::{Bug, CharterStage, Claim, Origin, Span, Tick, Verdict};

/// A tie, as far as this node speaks for its half.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tie {
    claim: Option<Claim>,
    /// When to claim it, or to claim it again; never if it is lost.
    next_at: Tick,
}

impl Default for Tie {
    fn default() -> Tie {
        Tie { claim: None, next_at: Tick::NEVER }
    }
}

impl Manager {
    /// Has the tie-breaker asked where this node's half needs it.
    pub(crate) fn follow_tie(&mut self, turn: &mut Turn<'_>) {
        let tied = self.tied();
        if self.tie.claim != tied {
            let next_at = if tied.is_some() { turn.now + self.start_given() } else { Tick::NEVER };
            self.tie = Tie { claim: tied, next_at };
        }
        let limit = self.cluster().tie_breaker().map_or(Span::ZERO, |breaker| breaker.limit);
        if let Some(claim) = tied.filter(|_| turn.now >= self.tie.next_at) {
            self.tie.next_at = turn.now + limit + CLAIM_RETRY_PAUSE;
            turn.note(ManagerNote::TieClaimed { claim });
            turn.out.push(ManagerEffect::Claim(claim));
        }
    }

    /// The tie-breaker answered. What the half was when it was asked may be over by now.
    pub(crate) fn claimed(&mut self, turn: &mut Turn<'_>, claim: Claim, verdict: Verdict) {
        let won = match verdict {
            Verdict::Won => true,
            Verdict::Unknown(_) => self.plot.has(Bug::SilenceWins),
            Verdict::Lost(_) => false,
        };
        let retry = matches!(verdict, Verdict::Unknown(_));
        let judged = ManagerNote::TieJudged { claim, verdict };
        if self.tied() != Some(claim) {
            return turn.note(judged);
        }
        self.tie.next_at = if retry { turn.now + CLAIM_RETRY_PAUSE } else { Tick::NEVER };
        if !won {
            return turn.note(judged);
        }
        if let Err(why) = self.begin_generation(turn, Origin::Tie { half: claim.half }, |_| judged) {
            self.tie.next_at = turn.now + CLAIM_RETRY_PAUSE;
            turn.note(ManagerNote::TieJudged { claim, verdict: Verdict::Unknown(why) });
        }
    }

    /// When there is something to claim.
    pub(crate) fn tie_at(&self) -> Tick {
        self.tie.next_at
    }

    /// What this node has to claim: it speaks for exactly half of those that decide.
    fn tied(&self) -> Option<Claim> {
        self.cluster().tie_breaker()?;
        let Phase::Apart(membership) = &self.phase else { return None };
        let charter = self.config.charter();
        let CharterStage::Settled(majority) = charter.stage else { return None };
        let half = majority.half_in(membership.view.counting(), self.electorate())?;
        let speaks = half.iter().next() == Some(self.me.node) && self.shutdown == Shutdown::No;
        let stored = charter == self.config.ledger.charter();
        (speaks && stored).then_some(Claim { generation: charter.generation, half })
    }

    fn start_given(&self) -> Span {
        if self.holds_anything() { Span::ZERO } else { self.pace().timings.stop_budget() }
    }
}
