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
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};
    use phalanx_events::Service::Agreed;
    use phalanx_types::Span;

    #[test]
    fn views_come_first() {
        let story = || Story::new().start(&[1]).install(&[1], 1, &[1], 0);
        good(InitialView::default(), story().send(1, 1, 1, Agreed).deliver(&[1], (1, 1), 1, 1, Agreed));
        good(InitialView::default(), story().acquire(1, "shop", 1, Span::from_millis(9)));
    }

    #[test]
    fn a_message_without_a_view() {
        bad(InitialView::default(), Story::new().start(&[1]).send(1, 1, 1, Agreed), "before it had a view");
    }

    #[test]
    fn a_start_in_a_new_life_that_has_no_view_yet() {
        let story = Story::new().start(&[1]).install(&[1], 1, &[1], 0).crash(1).start(&[1]);
        bad(InitialView::default(), story.acquire(1, "shop", 1, Span::from_millis(9)), "1.2 acted");
    }
}
