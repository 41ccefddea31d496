//! V2: a phase is over only when everybody who was asked has voted, or the default vote was counted for who has not.

use super::asked::Questions;
use super::{Seat, heard};
use crate::checker::{Checker, demand};
use crate::event::Event;
use phalanx_groups::domain::Notice;
use phalanx_types::{NodeId, ViewId};
use std::collections::BTreeMap;

/// Who still has to vote.
#[derive(Default)]
pub(crate) struct PhaseBarrier {
    questions: Questions,
    /// Each part of a divided cluster votes for itself.
    installed: BTreeMap<NodeId, ViewId>,
}

impl PhaseBarrier {
    fn judge(&self, event: &Event, seat: &Seat, notice: &Notice) -> Result<(), String> {
        let (protocol, over, summary) = match notice {
            Notice::Phase { protocol, phase, summary, .. } => (*protocol, *phase, *summary),
            Notice::Approved { protocol, summary, .. } | Notice::Rejected { protocol, summary, .. } => {
                (*protocol, u32::MAX, *summary)
            }
            Notice::Silent { .. }
            | Notice::Refused(_)
            | Notice::Changed { .. }
            | Notice::Deactivate(_)
            | Notice::Responsiveness { .. }
            | Notice::Dissolved => return Ok(()),
        };
        let here = self.installed.get(&event.life.node);
        let waits = self.questions.all().find(|(other, asked)| {
            let same = other.group == seat.group && asked.protocol == protocol && asked.phase < over;
            same && asked.vote.is_none() && self.installed.get(&other.provider.life.node) == here
        });
        demand(waits.is_none() || summary.default_vote, || {
            let silent = waits.map(|(other, _)| other.to_string()).unwrap_or_default();
            format!("{seat} goes on with protocol {protocol}, and {silent} has not voted")
        })
    }
}

impl Checker for PhaseBarrier {
    fn property(&self) -> &'static str {
        "V2 phase barrier"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some(install) = event.install() {
            self.installed.insert(event.life.node, install.view.id);
        }
        let verdict = heard(event).map_or(Ok(()), |(seat, notice)| self.judge(event, &seat, notice));
        self.questions.see(event);
        verdict
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;
    use phalanx_groups::Vote::{Approve, Continue};

    pub(crate) fn trial() -> Trial {
        let together = || Story::new().start(&[1, 2]).install(&[1, 2], 1, &[1, 2], 0);
        let asked = || together().phase(1, 7, 1).phase(2, 7, 1);
        let voted = || asked().votes(1, 7, 1, Continue).votes(2, 7, 1, Approve);
        let parted = asked().install(&[1], 2, &[1], 1).install(&[2], 3, &[2], 1);
        Trial::of(PhaseBarrier::default)
            .good("all have voted", voted().phase(1, 7, 2).phase(2, 7, 2))
            .good("the default vote was counted", asked().votes(1, 7, 1, Approve).by_default(1, 7))
            .good("each part for itself", parted.votes(1, 7, 1, Approve).approved(1, 7))
            .good(
                "it had ended in a part of before",
                together()
                    .phase(2, 7, 1)
                    .votes(2, 7, 1, Approve)
                    .rejected(2, 7)
                    .phase(1, 7, 1)
                    .votes(1, 7, 1, Approve)
                    .approved(1, 7),
            )
            .good("who was asked is gone", asked().votes(1, 7, 1, Approve).crash(2).approved(1, 7))
            .good(
                "who was asked is none any more",
                asked().votes(1, 7, 1, Approve).group_dissolved(2).approved(1, 7),
            )
            .bad("somebody has not voted", asked().votes(1, 7, 1, Approve).approved(1, 7), "has not voted")
            .bad("a phase begins too early", asked().votes(1, 7, 1, Continue).phase(1, 7, 2), "has not voted")
            .bad(
                "a vote of the phase before does not count",
                voted()
                    .phase(1, 7, 2)
                    .phase(2, 7, 2)
                    .votes(2, 7, 1, Approve)
                    .votes(1, 7, 2, Approve)
                    .approved(1, 7),
                "1/node 2 of web has not voted",
            )
    }
}
