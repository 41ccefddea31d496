//! One resource of a group as this node drives it.

use crate::desk::Pending;
use phalanx_types::Tick;

/// What a resource is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Not begun, or known to be gone; a probe has the last word.
    Down,
    /// A start is under way.
    Starting(Pending),
    /// A start said that it is done, and a probe looks whether that is so.
    Checking {
        /// The probe.
        probe: Pending,
        /// Probes before this one that did not say.
        tries: u32,
    },
    /// Active.
    Up,
    /// An address that is not on a good adapter any more; put on one as soon as there is one.
    Astray,
    /// A start failed: something of it may be left.
    Broken,
    /// What is left of a failed application is killed before it is started again.
    Clearing(Pending),
    /// Failed for good; the group goes on without it (`then = "notify"`).
    Lame,
    /// An orderly stop is under way.
    Stopping(Pending),
    /// A start was under way when it had to end: it is being killed, but what it still does is awaited first.
    Aborting(Pending),
    /// A kill is under way.
    Killing(Pending),
}

impl Slot {
    /// The operation under way.
    pub fn pending(&self) -> Option<&Pending> {
        match self {
            Slot::Starting(pending)
            | Slot::Checking { probe: pending, .. }
            | Slot::Clearing(pending)
            | Slot::Stopping(pending)
            | Slot::Aborting(pending)
            | Slot::Killing(pending) => Some(pending),
            Slot::Down | Slot::Up | Slot::Astray | Slot::Broken | Slot::Lame => None,
        }
    }

    /// When its operation is overdue.
    pub fn deadline(&self) -> Tick {
        self.pending().map_or(Tick::NEVER, |pending| pending.deadline)
    }

    /// Whether what comes after it may be started: it is up, says that it is, or is done without.
    pub fn carries(&self) -> bool {
        matches!(self, Slot::Up | Slot::Checking { .. } | Slot::Astray | Slot::Lame)
    }

    /// Whether it is to be started once it may be.
    pub fn waits(&self) -> bool {
        matches!(self, Slot::Down | Slot::Astray)
    }

    /// Whether nothing of it was begun or left.
    pub fn is_down(&self) -> bool {
        matches!(self, Slot::Down)
    }
}
