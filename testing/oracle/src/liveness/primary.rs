//! L4: if the healthy nodes are a majority, then in time each is in a primary view.

use super::Deadline;
use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime};
use phalanx_types::NodeId;
use std::collections::BTreeSet;

/// Who is in a primary view.
pub(crate) struct Primary {
    deadline: Deadline,
    majority: usize,
    primary: BTreeSet<NodeId>,
}

impl Primary {
    /// Within the time that this cluster may take.
    pub fn new(terms: &Terms) -> Primary {
        let deadline = Deadline::after(terms.settle());
        Primary { deadline, majority: terms.majority(), primary: BTreeSet::new() }
    }

    fn judge(&mut self, at: GlobalTime) -> Result<(), String> {
        let Some(core) = self.deadline.due(at).filter(|core| core.len() >= self.majority) else {
            return Ok(());
        };
        demand(core.is_subset(&self.primary), || {
            format!("{core:?} are a majority, but in a primary view are only {:?}", self.primary)
        })
    }
}

impl Checker for Primary {
    fn property(&self) -> &'static str {
        "L4 primary"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.deadline.see(event);
        self.judge(event.at)?;
        if let Some(install) = event.install() {
            match install.view.primary {
                true => self.primary.insert(event.life.node),
                false => self.primary.remove(&event.life.node),
            };
        }
        if event.ends_life() {
            self.primary.remove(&event.life.node);
        }
        Ok(())
    }

    fn finish(&mut self, at: GlobalTime) -> Result<(), String> {
        self.judge(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good, terms};
    use phalanx_types::Span;

    const LONG: Span = Span::from_secs(30);

    fn checker() -> Primary {
        Primary::new(&terms())
    }

    #[test]
    fn a_majority_acts() {
        let story = || Story::new().start(&[1, 2]).install(&[1, 2], 1, &[1, 2], 0);
        good(checker(), story().heal(&[1, 2]).later(LONG));
        good(checker(), story().install(&[1], 2, &[1], 1).crash(2).heal(&[1]).later(LONG));
    }

    #[test]
    fn a_majority_never_acts() {
        bad(checker(), Story::new().start(&[1, 2]).heal(&[1, 2]).later(LONG), "are a majority");
        let story = Story::new().start(&[1, 2]).quarantine(2).install(&[1, 2], 1, &[1, 2], 0);
        bad(checker(), story.heal(&[1, 2]).later(LONG), "only {}");
    }
}
