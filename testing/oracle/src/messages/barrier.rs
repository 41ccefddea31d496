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
        if let Some(delivery) = event.delivered() {
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
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;
    use phalanx_events::Service::Agreed;

    pub(crate) fn trial() -> Trial {
        let both = || Story::of(&[1, 2]);
        let left = || both().install(&[1], 2, &[1], 1);
        Trial::of(Barrier::default)
            .good("within the view", both().deliver_agreed(&[1, 2], (1, 1), 1, 1))
            .good("at its end", both().deliver_late(&[1], (1, 1), 1, 1, Agreed).install(&[1], 2, &[1], 1))
            .good("one is still there when the other has left", left().deliver_agreed(&[2], (1, 1), 1, 1))
            .good(
                "the view is frozen, not over",
                both().accept(1, 2, &[1]).deliver_late(&[1], (1, 1), 1, 1, Agreed),
            )
            .bad("after the next view", left().deliver_late(&[1], (1, 1), 1, 1, Agreed), "while in 2/1")
            .bad("before the view", both().deliver_agreed(&[2], (1, 1), 2, 1), "of view 2/1 while in 1/1")
            .bad(
                "in a new life",
                both().crash(2).start(&[2]).deliver_agreed(&[2], (1, 1), 1, 1),
                "2.2 delivered",
            )
    }
}
