//! How clients of Group Services behave in a story: each votes as it was told to, or not at all.

use phalanx_groups::Vote;
use phalanx_groups::domain::Name;
use std::collections::BTreeMap;

/// How a provider votes when it is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Habit {
    /// It approves.
    #[default]
    Approve,
    /// It rejects.
    Reject,
    /// It wants another phase so often, and approves then.
    Continue(u32),
    /// It says nothing until it is told to.
    Silent,
}

/// What a provider was asked last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// In which group.
    pub group: Name,
    /// On which protocol.
    pub protocol: u64,
    /// In which phase.
    pub phase: u32,
}

/// A provider: its host, from 0, and its instance number.
pub type Seat = (usize, i16);

/// How all of them behave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// How everybody votes that was told nothing else.
    pub usual: Habit,
    /// How those vote that were told.
    pub habits: BTreeMap<Seat, Habit>,
    /// What each was asked last.
    pub asked: BTreeMap<Seat, Asked>,
}

impl Manners {
    /// All vote like this from now on.
    pub(crate) fn all(&mut self, habit: Habit) {
        (self.usual, self.habits) = (habit, BTreeMap::new());
    }

    /// A provider is asked: its vote, if it gives one by itself.
    pub(crate) fn asked(&mut self, seat: Seat, asked: Asked) -> Option<Vote> {
        let phase = asked.phase;
        self.asked.insert(seat, asked);
        match self.habits.get(&seat).copied().unwrap_or(self.usual) {
            Habit::Approve => Some(Vote::Approve),
            Habit::Reject => Some(Vote::Reject),
            Habit::Continue(times) if phase <= times => Some(Vote::Continue),
            Habit::Continue(_) => Some(Vote::Approve),
            Habit::Silent => None,
        }
    }
}
