//! What providers of this node are asked and have not answered: who must be spoken for, and when.

use crate::domain::{Name, PhaseId};
use phalanx_types::Tick;
use std::collections::BTreeMap;

/// A provider of this node: its group, and its instance number there.
pub(crate) type Seat = (Name, i16);

/// The open questions, one for each provider at most.
#[derive(Clone, Debug, Default)]
pub(crate) struct Questions {
    open: BTreeMap<Seat, Question>,
}

#[derive(Clone, Debug)]
struct Question {
    phase: PhaseId,
    /// When the phase has lasted its time here.
    end: Tick,
}

impl Questions {
    /// A provider is asked in a phase.
    pub fn ask(&mut self, seat: Seat, phase: PhaseId, end: Tick) {
        self.open.insert(seat, Question { phase, end });
    }

    /// The provider answers; false if it is not asked in that phase, or has answered.
    pub fn answer(&mut self, seat: &Seat, phase: &PhaseId) -> bool {
        let asked = self.open.get(seat).is_some_and(|question| question.phase == *phase);
        if asked {
            self.open.remove(seat);
        }
        asked
    }

    /// What a provider is asked, which somebody else answers.
    pub fn take(&mut self, seat: &Seat) -> Option<PhaseId> {
        self.open.remove(seat).map(|question| question.phase)
    }

    /// The protocol of a group is over, and so are its questions.
    pub fn close(&mut self, group: &Name) {
        self.open.retain(|(of, _), _| of != group);
    }

    /// All are: nobody is here any more.
    pub fn clear(&mut self) {
        self.open.clear();
    }

    /// Who has not answered in time.
    pub fn overdue(&mut self, now: Tick) -> Vec<(Seat, PhaseId)> {
        let late = self.open.extract_if(.., |_, question| question.end <= now);
        late.map(|(seat, question)| (seat, question.phase)).collect()
    }

    /// When the first of them will be.
    pub fn first_end(&self) -> Tick {
        self.open.values().map(|question| question.end).min().unwrap_or(Tick::NEVER)
    }
}
