//! V1: protocols of a group do not overlap at a provider, and their numbers only rise.

use super::{Seat, heard, leaves};
use crate::checker::{Checker, demand};
use crate::event::Event;
use phalanx_groups::domain::Notice;
use std::collections::BTreeMap;

/// Where each provider is in its group's protocols.
#[derive(Default)]
pub(crate) struct Serial {
    last: BTreeMap<Seat, Place>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    protocol: u64,
    phase: u32,
    over: bool,
}

impl Serial {
    fn moves(&mut self, seat: Seat, next: Place) -> Result<(), String> {
        let last = self.last.insert(seat.clone(), next);
        let follows = last.is_none_or(|last| match (last.over, next.over) {
            (true, _) => next.protocol > last.protocol,
            (false, true) => next.protocol == last.protocol,
            (false, false) => next.protocol == last.protocol && next.phase == last.phase + 1,
        });
        demand(follows, || {
            let last = last.map_or((0, 0, true), |last| (last.protocol, last.phase, last.over));
            format!("{seat} hears of protocol {} after (protocol, phase, over) {last:?}", next.protocol)
        })
    }
}

impl Checker for Serial {
    fn property(&self) -> &'static str {
        "V1 serial"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.last.retain(|seat, _| !leaves(event, seat));
        let Some((seat, notice)) = heard(event) else { return Ok(()) };
        match notice {
            Notice::Phase { protocol, phase, .. } => {
                self.moves(seat, Place { protocol: *protocol, phase: *phase, over: false })
            }
            Notice::Approved { protocol, standing, .. } | Notice::Rejected { protocol, standing, .. } => {
                let moved = self.moves(seat.clone(), Place { protocol: *protocol, phase: 0, over: true });
                if !standing.members.contains(&seat.provider) {
                    self.last.remove(&seat);
                }
                moved
            }
            Notice::Silent { .. }
            | Notice::Refused(_)
            | Notice::Changed { .. }
            | Notice::Deactivate(_)
            | Notice::Responsiveness { .. }
            | Notice::Dissolved => Ok(()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;

    pub(crate) fn trial() -> Trial {
        let new = Story::new;
        Trial::of(Serial::default)
            .good("one after the other", new().phase(1, 7, 1).approved(1, 7).phase(1, 8, 1).rejected(1, 8))
            .good("many phases", new().phase(1, 7, 1).phase(1, 7, 2).phase(1, 7, 3).approved(1, 7))
            .good("one phase, and a gap between numbers", new().approved(1, 7).approved(1, 9).phase(2, 8, 1))
            .good("its domain was dissolved", new().phase(1, 7, 1).dissolved(1).phase(1, 3, 1))
            .good(
                "its group was dissolved",
                new().phase(1, 7, 1).group_dissolved(1).phase(1, 9, 1).approved(1, 9),
            )
            .bad(
                "another's group was",
                new().phase(1, 7, 1).group_dissolved(2).phase(1, 9, 1),
                "protocol 9 after",
            )
            .bad("two at once", new().phase(1, 7, 1).phase(1, 8, 1), "protocol 8 after")
            .bad("another ends than began", new().phase(1, 7, 1).approved(1, 8), "protocol 8 after")
            .bad("one ends twice", new().approved(1, 7).approved(1, 7), "protocol 7 after")
            .bad("a phase is missing", new().phase(1, 7, 1).phase(1, 7, 3), "protocol 7 after")
    }
}
