//! G11: a life delivers a message only while it is in the message's view.

use crate::checker::{Checker, demand};
use crate::event::Event;
use crate::horizon::Horizon;

/// Where each life is.
#[derive(Default)]
pub(crate) struct Barrier {
    lives: Horizon,
}

impl Checker for Barrier {
    fn property(&self) -> &'static str {
        "G11 barrier"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some(delivery) = event.delivery() {
            let current = self.lives.current(event.life);
            demand(current == delivery.view, || {
                let (life, message, view) = (event.life, delivery.message, delivery.view);
                format!("{life} delivered {message:?} of view {view} while in {current}")
            })?;
        }
        self.lives.see(event);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};
    use phalanx_events::Service::Agreed;

    fn story() -> Story {
        Story::new().start(&[1, 2]).install(&[1, 2], 1, &[1, 2], 0)
    }

    #[test]
    fn within_the_view_and_at_its_end() {
        good(Barrier::default(), story().deliver(&[1, 2], (1, 1), 1, 1, Agreed));
        good(Barrier::default(), story().deliver_late(&[1], (1, 1), 1, 1, Agreed).install(&[1], 2, &[1], 1));
    }

    #[test]
    fn after_the_next_view() {
        let story = story().install(&[1], 2, &[1], 1);
        bad(Barrier::default(), story.deliver(&[1], (1, 1), 1, 1, Agreed), "while in 2/1");
    }

    #[test]
    fn before_the_view() {
        bad(Barrier::default(), story().deliver(&[2], (1, 1), 2, 1, Agreed), "of view 2/1 while in 1/1");
    }
}
