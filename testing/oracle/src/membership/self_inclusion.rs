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
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};

    #[test]
    fn members_install_their_view() {
        good(SelfInclusion, Story::new().start(&[1]).install(&[1], 1, &[1], 0));
        good(SelfInclusion, Story::new().start(&[1, 2]).install(&[1, 2], 1, &[1, 2], 0));
    }

    #[test]
    fn a_stranger_installs_a_view() {
        bad(SelfInclusion, Story::new().start(&[1, 2]).install(&[1], 1, &[2], 0), "without being in it");
    }

    #[test]
    fn a_new_life_installs_a_view_of_the_old_one() {
        let story = Story::new().start(&[1]).install(&[1], 1, &[1], 0).crash(1).start(&[1]);
        bad(SelfInclusion, story.install(&[1], 1, &[1], 0), "1.2 installed view 1/1");
    }
}
