//! M1: whoever installs a view is a member of it, in the very life that installs it.

use crate::checker::{Checker, demand};
use crate::event::Event;

/// M1 needs no memory.
pub(crate) struct SelfInclusion;

impl Checker for SelfInclusion {
    fn property(&self) -> &'static str {
        "M1 self-inclusion"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        let Some(install) = event.install() else { return Ok(()) };
        demand(install.view.has_life(event.life), || {
            format!("{} installed view {} without being in it", event.life, install.view.id)
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;

    pub(crate) fn trial() -> Trial {
        let restarted = || Story::of(&[1, 2]).crash(1).start(&[1]);
        let both = Story::new().start(&[1, 2]);
        let view = both.view(1, &[2]);
        Trial::of(|| SelfInclusion)
            .good("a node is alone", Story::of(&[1]))
            .good(
                "a view has more members than have installed it",
                Story::new().start(&[1, 2, 3]).install(&[1], 1, &[1, 2, 3], 0),
            )
            .good("a new life is in its own right", restarted().install(&[1], 2, &[1, 2], 0))
            .bad(
                "a stranger installs a view",
                both.install_as(1, view, 0, &[1]),
                "1.1 installed view 1/1 without being in it",
            )
            .bad(
                "a new life installs a view of the old one",
                restarted().install(&[1], 1, &[1, 2], 0),
                "1.2 installed view 1/1",
            )
            .bad(
                "who is left out hears of it too",
                Story::of(&[1, 2, 3]).install(&[1, 2, 3], 2, &[1, 2], 1),
                "3.1 installed view 2/1",
            )
    }
}
