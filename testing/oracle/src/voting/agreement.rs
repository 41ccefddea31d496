//! V4: whoever is in one view hears the same of a protocol: the same phases, the same outcome, the same group afterwards.

use super::heard;
use crate::checker::{Checker, demand};
use crate::event::Event;
use crate::horizon::PerView;
use phalanx_groups::domain::{Name, Notice};
use phalanx_types::{NodeId, ViewId};
use std::collections::BTreeMap;

/// What was first heard of each phase and each end, in each view.
#[derive(Default)]
pub(crate) struct Agreement {
    views: PerView<BTreeMap<(Name, u64, u32), Notice>>,
    installed: BTreeMap<NodeId, ViewId>,
}

impl Checker for Agreement {
    fn property(&self) -> &'static str {
        "V4 agreement"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.views.see(event);
        if let Some(install) = event.install() {
            self.installed.insert(event.life.node, install.view.id);
        }
        let Some((seat, notice)) = heard(event) else { return Ok(()) };
        let place = match notice {
            Notice::Phase { protocol, phase, .. } => (seat.group.clone(), *protocol, *phase),
            // The end of a protocol stands where no phase does.
            Notice::Approved { protocol, .. } | Notice::Rejected { protocol, .. } => {
                (seat.group.clone(), *protocol, 0)
            }
            Notice::Silent { .. }
            | Notice::Refused(_)
            | Notice::Changed { .. }
            | Notice::Deactivate(_)
            | Notice::Responsiveness { .. }
            | Notice::Dissolved => return Ok(()),
        };
        let view = self.installed.get(&event.life.node).copied().unwrap_or(ViewId::NONE);
        let first = self.views.of(view).entry(place).or_insert_with(|| notice.clone());
        demand(first == notice, || {
            format!("{seat} hears {notice:?} in view {view}, and somebody else {first:?}")
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;

    fn story() -> Story {
        Story::new().start(&[1, 2]).install(&[1, 2], 1, &[1, 2], 0)
    }

    pub(crate) fn trial() -> Trial {
        let parted = story().install(&[1], 2, &[1], 1).install(&[2], 3, &[2], 1);
        let together = story().install(&[1, 2], 2, &[1, 2], 1);
        Trial::of(Agreement::default)
            .good("all hear it", story().phase(1, 7, 1).phase(2, 7, 1).approved(1, 7).approved(2, 7))
            .good("one was not asked", story().phase(1, 7, 1).approved(2, 7))
            .good("each part for itself", parted.approved(1, 7).rejected(2, 7))
            .bad("two outcomes", story().approved(1, 7).rejected(2, 7), "somebody else Approved")
            .bad("two values", story().valued(1, 7, "a").valued(2, 7, "b"), "somebody else Approved")
            .bad("in a later view", together.rejected(1, 8).approved(2, 8), "somebody else Rejected")
    }
}
