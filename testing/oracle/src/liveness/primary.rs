//! L4: if the healthy nodes are a majority, then in time each is in a primary view.

use super::Deadline;
use super::current::CurrentViews;
use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime};
use phalanx_types::NodeId;

/// Who is in a primary view.
pub(crate) struct Primary {
    deadline: Deadline,
    majority: usize,
    views: CurrentViews,
}

impl Primary {
    /// Within the time that this cluster may take.
    pub fn new(terms: &Terms) -> Primary {
        let deadline = Deadline::after(terms.settle());
        Primary { deadline, majority: terms.majority(), views: CurrentViews::default() }
    }

    fn judge(&mut self, at: GlobalTime) -> Result<(), String> {
        let Some(core) = self.deadline.due(at).filter(|core| core.len() >= self.majority) else {
            return Ok(());
        };
        let in_primary = |node: &NodeId| self.views.of(*node).is_some_and(|view| view.primary);
        demand(core.iter().all(in_primary), || {
            let primary: Vec<_> = core.iter().filter(|node| in_primary(node)).collect();
            format!("{core:?} are a majority, but in a primary view are only {primary:?}")
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
        self.views.see(event);
        Ok(())
    }

    fn finish(&mut self, at: GlobalTime) -> Result<(), String> {
        self.judge(at)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::{Story, terms};
    use crate::trial::Trial;
    use phalanx_types::Span;

    const LONG: Span = Span::from_secs(30);

    pub(crate) fn trial() -> Trial {
        let both = || Story::of(&[1, 2]);
        let quarantined = || Story::new().start(&[1, 2]).quarantine(2).install(&[1, 2], 1, &[1, 2], 0);
        Trial::of(|| Primary::new(&terms()))
            .good("a majority acts", both().heal(&[1, 2]).later(LONG))
            .good("few are not asked to", both().install(&[1], 2, &[1], 1).crash(2).heal(&[1]).later(LONG))
            .good(
                "it comes to it at last",
                both()
                    .install(&[1], 2, &[1], 1)
                    .install(&[2], 2, &[2], 1)
                    .heal(&[1, 2])
                    .later(Span::from_secs(6))
                    .install(&[1, 2], 3, &[1, 2], 2)
                    .later(LONG),
            )
            .bad(
                "a majority has no view",
                Story::new().start(&[1, 2]).heal(&[1, 2]).later(LONG),
                "are a majority",
            )
            .bad("a quarantine never ends", quarantined().heal(&[1, 2]).later(LONG), "only []")
            .bad(
                "one of them is elsewhere",
                both().install(&[2], 2, &[2], 1).heal(&[1, 2]).later(LONG),
                "only [NodeId(1)]",
            )
            .bad(
                "one of them has forgotten it",
                both().heal(&[1, 2]).crash_daemon(1).start(&[1]).later(LONG),
                "only [NodeId(2)]",
            )
    }
}
