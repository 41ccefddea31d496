//! V3: an outcome follows from the votes. Nothing is rejected that nobody rejected, by its own vote or the default vote; and
//! where no default vote was counted, a provider's own vote in the last phase was: nothing that it rejects is approved,
//! nothing that it wants another phase of.

use super::asked::{Asked, Questions};
use super::{Seat, heard};
use crate::checker::{Checker, demand};
use crate::event::Event;
use phalanx_groups::Vote;
use phalanx_groups::domain::{Name, Notice, Summary};
use std::collections::BTreeSet;

/// What was voted on what.
#[derive(Default)]
pub(crate) struct FromVotes {
    questions: Questions,
    /// Protocols that somebody rejects.
    rejected: BTreeSet<(Name, u64)>,
}

impl FromVotes {
    fn judge(&self, seat: &Seat, notice: &Notice) -> Result<(), String> {
        match notice {
            Notice::Approved { protocol, summary, .. } => self.approved(seat, *protocol, *summary),
            Notice::Rejected { protocol, summary, .. } => {
                let known = self.rejected.contains(&(seat.group.clone(), *protocol));
                demand(summary.default_vote || known, || {
                    format!("{seat} hears that protocol {protocol} is rejected, and nobody rejected it")
                })
            }
            Notice::Phase { .. }
            | Notice::Silent { .. }
            | Notice::Refused(_)
            | Notice::Changed { .. }
            | Notice::Deactivate(_)
            | Notice::Responsiveness { .. }
            | Notice::Dissolved => Ok(()),
        }
    }

    fn approved(&self, seat: &Seat, protocol: u64, summary: Summary) -> Result<(), String> {
        let of_this = |asked: &&Asked| asked.protocol == protocol && !summary.default_vote;
        let asked = self.questions.of(seat).filter(of_this);
        let vote = asked.and_then(|asked| asked.vote);
        demand(matches!(vote, None | Some(Vote::Approve)), || {
            format!("{seat} hears that protocol {protocol} is approved; its own last vote was {vote:?}")
        })
    }
}

impl Checker for FromVotes {
    fn property(&self) -> &'static str {
        "V3 outcome"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        let verdict = heard(event).map_or(Ok(()), |(seat, notice)| self.judge(&seat, notice));
        if let Some((seat, protocol, Vote::Reject)) = self.questions.see(event) {
            self.rejected.insert((seat.group, protocol));
        }
        verdict
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;
    use Vote::{Approve, Continue, Reject};

    pub(crate) fn trial() -> Trial {
        let asked = || Story::new().phase(1, 7, 1).phase(2, 7, 1);
        Trial::of(FromVotes::default)
            .good("all approve", asked().votes(1, 7, 1, Approve).votes(2, 7, 1, Approve).approved(1, 7))
            .good("another rejects", asked().votes(1, 7, 1, Approve).votes(2, 7, 1, Reject).rejected(1, 7))
            .good(
                "a second vote is nothing",
                asked().votes(1, 7, 1, Approve).votes(1, 7, 1, Reject).approved(1, 7),
            )
            .good(
                "it went on",
                asked().votes(1, 7, 1, Continue).phase(1, 7, 2).votes(1, 7, 2, Approve).approved(1, 7),
            )
            .good(
                "not a word of it counts before it is asked",
                asked().votes(1, 8, 1, Reject).phase(1, 8, 1).approved(1, 8),
            )
            .bad("nobody rejects", asked().votes(1, 7, 1, Approve).rejected(1, 7), "nobody rejected it")
            .bad(
                "only a second vote does",
                asked().votes(1, 7, 1, Approve).votes(1, 7, 1, Reject).rejected(1, 7),
                "nobody",
            )
            .bad(
                "it is approved over a rejection",
                asked().votes(1, 7, 1, Reject).approved(1, 7),
                "Some(Reject)",
            )
            .bad("it ends too soon", asked().votes(2, 7, 1, Continue).approved(2, 7), "Some(Continue)")
    }
}
