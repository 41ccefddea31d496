//! G3, the strong form: a message is delivered in the view in which it was sent, and in no other.

use crate::checker::{Checker, demand};
use crate::event::{Event, Kind};
use crate::horizon::Horizon;
use phalanx_events::MessageId;
use phalanx_types::ViewId;
use std::collections::BTreeMap;

/// The view of each message that can still be delivered.
#[derive(Default)]
pub(crate) struct SameView {
    horizon: Horizon,
    sent: BTreeMap<(Kind, MessageId), ViewId>,
}

impl Checker for SameView {
    fn property(&self) -> &'static str {
        "G3 same view"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some(sending) = event.sent() {
            self.sent.insert(sending.message, sending.view);
        }
        if let Some(delivery) = event.delivered()
            && let Some(sent) = self.sent.get(&delivery.message)
        {
            demand(*sent == delivery.view, || {
                let (life, message, view) = (event.life, delivery.message, delivery.view);
                format!("{life} delivered {message:?} in view {view}; it was sent in {sent}")
            })?;
        }
        if self.horizon.see(event) {
            let floor = self.horizon.floor();
            self.sent.retain(|_, view| *view >= floor);
        }
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
        let sent = || Story::of(&[1, 2]).send(1, 1, 1, Agreed);
        let next = || sent().install(&[1, 2], 2, &[1, 2], 1);
        Trial::of(SameView::default)
            .good("where it was sent", sent().deliver_agreed(&[1, 2], (1, 1), 1, 1))
            .good(
                "with the end of that view",
                sent().install(&[1], 2, &[1], 1).deliver_late(&[2], (1, 1), 1, 1, Agreed),
            )
            .good(
                "given back and sent anew, under a new number",
                next().returned(1, 1).send(1, 2, 2, Agreed).deliver_agreed(&[1, 2], (1, 2), 2, 1),
            )
            .bad(
                "in the next view",
                sent().install(&[1], 2, &[1], 1).deliver_agreed(&[1], (1, 1), 2, 1),
                "it was sent in 1/1",
            )
            .bad(
                "in two views",
                sent().deliver_agreed(&[1], (1, 1), 1, 1).install(&[2], 2, &[2], 1).deliver_agreed(
                    &[2],
                    (1, 1),
                    2,
                    1,
                ),
                "2.1 delivered",
            )
            .bad(
                "before its view is",
                Story::of(&[1, 2]).install(&[1], 2, &[1, 2], 1).send(1, 1, 2, Agreed).deliver_agreed(
                    &[2],
                    (1, 1),
                    1,
                    1,
                ),
                "it was sent in 2/1",
            )
    }
}
