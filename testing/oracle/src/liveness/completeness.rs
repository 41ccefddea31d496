//! L3: in time no healthy node has a dead one in its view.

use super::Deadline;
use super::current::{CurrentViews, nodes};
use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime};
use phalanx_types::Span;

/// Beyond detection, for agreement.
const AGREEMENT: Span = Span::from_secs(2);

/// The members of each node's view.
pub(crate) struct Completeness {
    deadline: Deadline,
    views: CurrentViews,
}

impl Completeness {
    /// Within the time that this cluster may take.
    pub fn new(terms: &Terms) -> Completeness {
        let deadline = Deadline::after(terms, |terms| terms.slowest().detect_longest() + AGREEMENT);
        Completeness { deadline, views: CurrentViews::default() }
    }

    fn judge(&mut self, at: GlobalTime) -> Result<(), String> {
        let Some(core) = self.deadline.due(at) else { return Ok(()) };
        let views = core.iter().filter_map(|node| Some((node, self.views.of(*node)?)));
        views.into_iter().try_for_each(|(node, view)| {
            let members = nodes(view);
            demand(members.is_subset(&core), || format!("{node} still has {members:?}; well are {core:?}"))
        })
    }
}

impl Checker for Completeness {
    fn property(&self) -> &'static str {
        "L3 completeness"
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

    pub(crate) fn trial() -> Trial {
        let story = || Story::of(&[1, 2, 3]).crash(3).heal(&[1, 2]);
        let left = || story().install(&[1, 2], 2, &[1, 2], 1);
        let (soon, late) = (Span::from_secs(2), Span::from_secs(3));
        Trial::of(|| Completeness::new(&terms()))
            .good("the dead are left out", left().later(late))
            .good("there is still time", story().later(soon))
            .good("the dead one's own view is nobody's", left().tell(3, crate::What::HostCrashed).later(late))
            .good("one has no view yet", left().crash_daemon(2).start(&[2]).later(late))
            .bad("the dead are kept", story().later(late), "node 1 still has")
            .bad("one keeps the dead", story().install(&[1], 2, &[1, 2], 1).later(late), "node 2 still has")
            .bad(
                "the dead come back",
                left().install(&[1, 2], 3, &[1, 2, 3], 2).later(late),
                "node 1 still has",
            )
    }
}
