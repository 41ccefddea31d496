//! What each provider was asked to vote on last, and what it answered.

use super::{Seat, heard, leaves};
use crate::event::{Event, What};
use phalanx_groups::Vote;
use phalanx_groups::domain::Notice;
use phalanx_groups::services::ClientAct;
use std::collections::BTreeMap;

/// One provider's last question.
pub(crate) struct Asked {
    pub protocol: u64,
    pub phase: u32,
    /// The first vote counts.
    pub vote: Option<Vote>,
}

/// The questions of all providers.
#[derive(Default)]
pub(crate) struct Questions {
    of: BTreeMap<Seat, Asked>,
}

impl Questions {
    /// Takes in an event, once it is judged. Gives who answers which question with it, if somebody does.
    pub fn see(&mut self, event: &Event) -> Option<(Seat, u64, Vote)> {
        let answered = self.answer(event);
        self.of.retain(|seat, _| !leaves(event, seat));
        if let Some((seat, notice)) = heard(event) {
            self.ask(seat, notice);
        }
        answered
    }

    /// The end of a protocol is the end of its questions: another domain may have one of the same number.
    fn ask(&mut self, seat: Seat, notice: &Notice) {
        match notice {
            Notice::Phase { protocol, phase, .. } => {
                self.of.insert(seat, Asked { protocol: *protocol, phase: *phase, vote: None });
            }
            Notice::Approved { .. } | Notice::Rejected { .. } => {
                self.of.remove(&seat);
            }
            Notice::Silent { .. }
            | Notice::Refused(_)
            | Notice::Changed { .. }
            | Notice::Deactivate(_)
            | Notice::Responsiveness { .. }
            | Notice::Dissolved => {}
        }
    }

    /// What this provider was asked last.
    pub fn of(&self, seat: &Seat) -> Option<&Asked> {
        self.of.get(seat)
    }

    /// Everybody's last question.
    pub fn all(&self) -> impl Iterator<Item = (&Seat, &Asked)> {
        self.of.iter()
    }

    /// Whose first answer to its last question this is, if it is one. It is not taken in.
    pub fn would_answer(&self, event: &Event) -> Option<&Seat> {
        let What::ClientActed { client, act } = &event.what else { return None };
        let ClientAct::Vote { group, instance, protocol, phase, .. } = act else { return None };
        let is_voter = |seat: &Seat| {
            (seat.provider.life, &seat.client, &seat.group, seat.provider.instance)
                == (event.life, client, group, *instance)
        };
        let (seat, asked) = self.of.iter().find(|(seat, _)| is_voter(seat))?;
        let first = (asked.protocol, asked.phase) == (*protocol, *phase) && asked.vote.is_none();
        first.then_some(seat)
    }

    fn answer(&mut self, event: &Event) -> Option<(Seat, u64, Vote)> {
        let seat = self.would_answer(event)?.clone();
        let What::ClientActed { act: ClientAct::Vote { protocol, vote, .. }, .. } = &event.what else {
            return None;
        };
        self.of.get_mut(&seat)?.vote = Some(*vote);
        Some((seat, *protocol, *vote))
    }
}
