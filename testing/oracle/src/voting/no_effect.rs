//! V8: votes of nobody, of old phases and of old lives have no effect. What a protocol is led to, another phase or another
//! value, some provider that was asked said with the first vote that it gave then.

use super::asked::Questions;
use super::{Seat, heard};
use crate::checker::{Checker, demand};
use crate::event::{Event, What};
use phalanx_groups::Vote;
use phalanx_groups::domain::{Name, Notice, Said, StateValue};
use phalanx_groups::services::ClientAct;
use std::collections::{BTreeMap, BTreeSet};

/// What was asked, and what was said to it.
#[derive(Default)]
pub(crate) struct NoEffect {
    questions: Questions,
    /// Phases that somebody wanted another one after.
    continued: BTreeSet<(Name, u64, u32)>,
    /// Values that were proposed or said, for each protocol; those of protocols that nobody votes on are not asked after.
    values: BTreeMap<(Name, u64), BTreeSet<StateValue>>,
}

impl NoEffect {
    /// The vote that counts, if this is one.
    fn counts<'a>(&self, event: &'a Event) -> Option<(Seat, u64, u32, Vote, &'a Said)> {
        let What::ClientActed { act: ClientAct::Vote { protocol, phase, vote, said, .. }, .. } = &event.what
        else {
            return None;
        };
        let seat = self.questions.would_answer(event)?;
        Some((seat.clone(), *protocol, *phase, *vote, said))
    }

    fn judge(&self, seat: &Seat, notice: &Notice) -> Result<(), String> {
        match notice {
            Notice::Phase { protocol, phase, .. } if *phase > 1 => {
                let known = self.continued.contains(&(seat.group.clone(), *protocol, phase - 1));
                demand(known, || {
                    format!(
                        "{seat} hears phase {phase} of protocol {protocol}, and nobody who was asked wanted it"
                    )
                })
            }
            Notice::Approved { protocol, proposal, .. } => {
                // Who was not asked may be in another part, where the number means another protocol.
                let was_asked = self.questions.of(seat).is_some_and(|asked| asked.protocol == *protocol);
                let known = self.values.get(&(seat.group.clone(), *protocol)).filter(|_| was_asked);
                let (Some(known), Some(value)) = (known, &proposal.state) else { return Ok(()) };
                demand(known.contains(value), || {
                    format!(
                        "{seat} hears that {value:?} is approved by protocol {protocol}, and nobody who was asked said it"
                    )
                })
            }
            Notice::Phase { .. }
            | Notice::Rejected { .. }
            | Notice::Silent { .. }
            | Notice::Refused(_)
            | Notice::Changed { .. }
            | Notice::Deactivate(_)
            | Notice::Responsiveness { .. }
            | Notice::Dissolved => Ok(()),
        }
    }
}

impl Checker for NoEffect {
    fn property(&self) -> &'static str {
        "V8 no effect"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some((seat, protocol, phase, vote, said)) = self.counts(event) {
            if vote == Vote::Continue {
                self.continued.insert((seat.group.clone(), protocol, phase));
            }
            self.values.entry((seat.group, protocol)).or_default().extend(said.state.clone());
        }
        if let Some((seat, notice)) = heard(event) {
            if let Notice::Phase { protocol, phase: 1, proposal, .. } = notice {
                let values = self.values.entry((seat.group.clone(), *protocol)).or_default();
                values.extend(proposal.state.clone());
            }
            self.judge(&seat, notice)?;
        }
        self.questions.see(event);
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;
    use Vote::{Approve, Continue};

    pub(crate) fn trial() -> Trial {
        let asked = || Story::new().start(&[1, 2]).phase(1, 7, 1).phase(2, 7, 1);
        Trial::of(NoEffect::default)
            .good("somebody wants another phase", asked().votes(2, 7, 1, Continue).phase(1, 7, 2))
            .good("a value is said with a vote", asked().says(1, 7, 1, "b").valued(2, 7, "b"))
            .good("a value without votes", Story::new().start(&[1]).valued(1, 7, "b"))
            .good("without votes in another part", asked().proposed(1, 8, "a").valued(2, 8, "b"))
            .good("it was proposed", Story::new().start(&[1]).proposed(1, 7, "a").valued(1, 7, "a"))
            .bad("nobody wants it", asked().votes(2, 7, 1, Approve).phase(1, 7, 2), "nobody who was asked")
            .bad(
                "only a second vote does",
                asked().votes(2, 7, 1, Approve).votes(2, 7, 1, Continue).phase(1, 7, 2),
                "nobody who was asked",
            )
            .bad(
                "only a vote of an old phase does",
                asked()
                    .votes(2, 7, 1, Continue)
                    .phase(2, 7, 2)
                    .phase(1, 7, 2)
                    .votes(2, 7, 1, Continue)
                    .phase(1, 7, 3),
                "nobody who was asked",
            )
            .bad(
                "only who was in the life before",
                asked().crash(2).start(&[2]).votes(2, 7, 1, Continue).phase(1, 7, 2),
                "nobody who was asked",
            )
            .bad(
                "a value that nobody said",
                asked().says(1, 6, 1, "b").valued(2, 7, "b"),
                "is approved by protocol 7",
            )
    }
}
