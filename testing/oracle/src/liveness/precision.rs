//! L1: in time all healthy nodes have installed one view of just themselves, and install no other after.

use super::Deadline;
use super::current::{CurrentViews, nodes};
use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime};
use phalanx_types::View;

/// The view of each node.
pub(crate) struct Precision {
    deadline: Deadline,
    views: CurrentViews,
}

impl Precision {
    /// Within the time that this cluster may take.
    pub fn new(terms: &Terms) -> Precision {
        Precision { deadline: Deadline::after(terms, Terms::settle), views: CurrentViews::default() }
    }

    fn judge(&mut self, at: GlobalTime) -> Result<(), String> {
        let Some(core) = self.deadline.due(at) else { return Ok(()) };
        let views: Vec<_> = core.iter().map(|node| self.views.of(*node)).collect();
        let right =
            views[0].is_some_and(|first| nodes(first) == core) && views.iter().all(|view| *view == views[0]);
        demand(right, || {
            let view = |view: &View| format!("{} {:?}", view.id, nodes(view));
            let views: Vec<_> = views.iter().map(|known| known.map(view)).collect();
            format!("{core:?} are well and connected, but in {views:?}")
        })
    }
}

impl Checker for Precision {
    fn property(&self) -> &'static str {
        "L1 precision"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.deadline.see(event);
        self.judge(event.at)?;
        self.views.see(event);
        let late = event.install().filter(|_| self.deadline.over(event.at));
        demand(late.is_none(), || {
            let view = late.map(|install| install.view.id.to_string()).unwrap_or_default();
            format!("{} installed view {view} although all is well", event.life)
        })
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
        let healed = || Story::new().start(&[1, 2, 3]).install(&[1, 2], 1, &[1, 2], 0).heal(&[1, 2, 3]);
        let whole = || healed().install(&[1, 2, 3], 2, &[1, 2, 3], 1);
        let last = terms().settle() - Span::from_millis(10);
        Trial::of(|| Precision::new(&terms()))
            .good("all end in one view", whole().later(LONG))
            .good(
                "at the last moment, and by way of another",
                whole().later(last).install(&[1, 2, 3], 3, &[1, 2, 3], 2).later(LONG),
            )
            .good("they were in it all the time", Story::of(&[1, 2]).heal(&[1, 2]).later(LONG))
            .good(
                "who is not well is nobody's concern",
                Story::of(&[1, 2, 3]).install(&[1, 2], 2, &[1, 2], 1).heal(&[1, 2]).later(LONG),
            )
            .bad("one stays outside", healed().later(LONG), "are well and connected")
            .bad("one has not installed it", healed().install(&[1, 2], 2, &[1, 2, 3], 1).later(LONG), "None")
            .bad(
                "they are in views of the same members, but in two",
                whole().install(&[1], 3, &[1, 2, 3], 2).later(LONG),
                "well and connected",
            )
            .bad(
                "they have a dead one among them",
                Story::of(&[1, 2, 3]).crash(3).heal(&[1, 2]).later(LONG),
                "well and connected",
            )
            .bad(
                "there is no rest",
                whole().later(LONG).install(&[1], 3, &[1, 2, 3], 2),
                "although all is well",
            )
    }
}
