//! What a group is doing on this node, with all that belongs to doing it. Decides nothing.

use crate::active::Active;
use crate::sweep::Sweep;
use crate::teardown::Teardown;
use phalanx_types::Tick;

/// What the group is doing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is being looked at whether something of it is active here.
    Probing {
        /// The probes under way.
        sweep: Sweep,
        /// How many rounds failed.
        tries: u32,
    },
    /// Nothing of it is here.
    Idle {
        /// Why the last acquisition ended, if it failed.
        failed: Option<String>,
    },
    /// It is being acquired.
    Starting(Active),
    /// It runs here.
    Running(Active),
    /// It is being brought down.
    Stopping {
        /// How far that is.
        teardown: Teardown,
        /// What failed, if that is why.
        failed: Option<String>,
    },
    /// It cannot be brought down, or nobody can tell.
    Stuck {
        /// What is in the way.
        why: String,
        /// The next attempt.
        retry: Retry,
    },
}

/// The next attempt to free a stuck group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Begins then.
    At(Tick),
    /// Is under way.
    Under(Teardown),
}

impl Phase {
    /// What it is called, for people.
    pub fn label(&self) -> &'static str {
        match self {
            Phase::Probing { .. } => "probing",
            Phase::Idle { .. } => "free",
            Phase::Starting(_) => "acquiring",
            Phase::Running(_) => "online",
            Phase::Stopping { .. } => "releasing",
            Phase::Stuck { .. } => "stuck",
        }
    }

    /// The resources that are being acquired or run here.
    pub fn active(&self) -> Option<&Active> {
        match self {
            Phase::Starting(active) | Phase::Running(active) => Some(active),
            Phase::Probing { .. } | Phase::Idle { .. } | Phase::Stopping { .. } | Phase::Stuck { .. } => None,
        }
    }

    /// The same, to be told something.
    pub fn active_mut(&mut self) -> Option<&mut Active> {
        match self {
            Phase::Starting(active) | Phase::Running(active) => Some(active),
            Phase::Probing { .. } | Phase::Idle { .. } | Phase::Stopping { .. } | Phase::Stuck { .. } => None,
        }
    }
}
