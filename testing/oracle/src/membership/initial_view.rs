//! M4: a life sends, delivers and acquires only after it has installed a view.

use crate::checker::{Checker, demand};
use crate::event::Event;
use phalanx_types::Incarnation;
use std::collections::BTreeSet;

/// The lives that have a view.
#[derive(Default)]
pub(crate) struct InitialView {
    installed: BTreeSet<Incarnation>,
}

impl Checker for InitialView {
    fn property(&self) -> &'static str {
        "M4 initial view"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if event.install().is_some() {
            self.installed.insert(event.life);
        }
        if event.ends_life() {
            self.installed.remove(&event.life);
        }
        let acts = event.sending().is_some() || event.delivery().is_some() || event.acquisition().is_some();
        demand(!acts || self.installed.contains(&event.life), || {
            format!("{} acted before it had a view: {}", event.life, event.what)
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;
    use phalanx_events::Service::Agreed;
    use phalanx_types::Span;

    const LEFT: Span = Span::from_millis(9);

    pub(crate) fn trial() -> Trial {
        let restarted = || Story::of(&[1, 2]).crash(1).start(&[1]);
        Trial::of(InitialView::default)
            .good(
                "a view comes first",
                Story::of(&[1]).send(1, 1, 1, Agreed).deliver_agreed(&[1], (1, 1), 1, 1),
            )
            .good("a group is started in it", Story::of(&[1]).acquire(1, "shop", 1, LEFT))
            .good("the other node goes on meanwhile", restarted().send(2, 1, 1, Agreed))
            .bad(
                "a message without a view",
                Story::new().start(&[1]).send(1, 1, 1, Agreed),
                "1.1 acted before it had a view",
            )
            .bad(
                "a start in a new life that has no view yet",
                restarted().acquire(1, "shop", 1, LEFT),
                "1.2 acted",
            )
            .bad(
                "a new life delivers what was meant for the old one",
                restarted().deliver_agreed(&[2, 1], (2, 1), 1, 1),
                "1.2 acted",
            )
            .bad(
                "an accepted view is no view yet",
                Story::new().start(&[1]).accept(1, 1, &[1]).send(1, 1, 1, Agreed),
                "1.1 acted",
            )
    }
}
