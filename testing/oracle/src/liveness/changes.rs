//! What befell the cluster, as far as it bears on who hears whom: faults, their ends, boots, and quarantines that end.

use crate::event::{Event, What};
use phalanx_events::{ManagerNote, MembershipNote, Note};

/// Whether the world stands still, and whether anything can be said of it at all.
#[derive(Default)]
pub(super) struct Changes {
    noisy: bool,
}

impl Changes {
    /// Takes in an event; `true` if it is a change that may make views.
    pub fn see(&mut self, event: &Event) -> bool {
        if let What::LinksChanged { noisy } = event.what {
            self.noisy = noisy;
        }
        befalls_a_host(&event.what) || changes_who_decides(&event.what)
    }

    /// Whether chance decides what the networks carry: then each lost beat is a change that nobody tells of.
    pub fn noisy(&self) -> bool {
        self.noisy
    }
}

fn befalls_a_host(what: &What) -> bool {
    matches!(
        what,
        What::LinksChanged { .. }
            | What::Started { .. }
            | What::DaemonCrashed
            | What::HostCrashed
            | What::Halted { .. }
            | What::Paused
            | What::Resumed
            | What::Frozen
            | What::Thawed
    )
}

/// What nodes say that makes a view of the same members another one.
fn changes_who_decides(what: &What) -> bool {
    matches!(
        what,
        What::Note(
            Note::Membership(MembershipNote::QuarantineOver)
                | Note::Manager(ManagerNote::CharterChanged { .. })
        )
    )
}
