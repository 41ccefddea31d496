//! L6c: once every fault is over, each vote ends within its time limit and the time to settle.

use super::{Seat, heard, leaves};
use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime, What};
use phalanx_groups::domain::Notice;
use std::collections::BTreeMap;

/// The phases that providers were asked to vote in.
pub(crate) struct Ends {
    terms: Terms,
    healed: Option<GlobalTime>,
    /// Who waits for the end of a phase, and until when that may take.
    waiting: BTreeMap<Seat, GlobalTime>,
}

impl Ends {
    pub fn new(terms: &Terms) -> Ends {
        Ends { terms: terms.clone(), healed: None, waiting: BTreeMap::new() }
    }

    fn on_time(&self, now: GlobalTime) -> Result<(), String> {
        let Some(healed) = self.healed else { return Ok(()) };
        let late = |until: GlobalTime| now > until.max(healed + self.terms.settle());
        let found = self.waiting.iter().find(|(_, until)| late(**until));
        demand(found.is_none(), || {
            let words = found.map(|(seat, until)| format!("{seat} since {until}"));
            format!("a vote has not ended: {}", words.unwrap_or_default())
        })
    }
}

impl Checker for Ends {
    fn property(&self) -> &'static str {
        "L6c votes of clients end"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.terms.see(event);
        self.waiting.retain(|seat, _| !leaves(event, seat));
        if let What::Healed { .. } = event.what {
            self.healed = Some(event.at);
        }
        let Some((seat, notice)) = heard(event) else { return Ok(()) };
        match notice {
            Notice::Phase { limit, .. } => {
                self.waiting.insert(seat, event.at + *limit + self.terms.settle());
            }
            Notice::Approved { .. } | Notice::Rejected { .. } => {
                self.waiting.remove(&seat);
            }
            Notice::Silent { .. }
            | Notice::Refused(_)
            | Notice::Changed { .. }
            | Notice::Deactivate(_)
            | Notice::Responsiveness { .. }
            | Notice::Dissolved => {}
        }
        Ok(())
    }

    fn finish(&mut self, at: GlobalTime) -> Result<(), String> {
        self.on_time(at)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::{Story, terms};
    use crate::trial::Trial;
    use phalanx_types::Span;

    const LONG: Span = Span::from_secs(60);

    pub(crate) fn trial() -> Trial {
        let start = || Story::new().start(&[1]);
        Trial::of(|| Ends::new(&terms()))
            .good("it ends", start().phase(1, 7, 1).heal(&[1]).approved(1, 7).later(LONG))
            .good("it has just begun", start().heal(&[1]).later(LONG).phase(1, 7, 1))
            .good("nobody waits for it", start().phase(1, 7, 1).crash(1).heal(&[1]).later(LONG))
            .good("nothing is healed", start().phase(1, 7, 1).later(LONG))
            .good("its group is dissolved", start().phase(1, 7, 1).heal(&[1]).group_dissolved(1).later(LONG))
            .bad(
                "another's group is",
                start().heal(&[1]).phase(1, 7, 1).phase(2, 7, 1).group_dissolved(1).later(LONG),
                "has not ended",
            )
            .bad("it goes on for ever", start().phase(1, 7, 1).heal(&[1]).later(LONG), "has not ended")
            .bad(
                "its second phase does",
                start().heal(&[1]).phase(1, 7, 1).phase(1, 7, 2).later(LONG),
                "has not ended",
            )
            .bad(
                "one of two hears the end",
                start().heal(&[1]).phase(1, 7, 1).phase(2, 7, 1).approved(1, 7).later(LONG),
                "has not ended",
            )
    }
}
