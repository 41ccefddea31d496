//! G3, the strong form: a message is delivered in the view in which it was sent, and in no other.

use crate::checker::{Checker, demand};
use crate::event::Event;
use crate::horizon::Horizon;
use phalanx_events::MessageId;
use phalanx_types::ViewId;
use std::collections::BTreeMap;

/// The view of each message that can still be delivered.
#[derive(Default)]
pub(crate) struct SameView {
    horizon: Horizon,
    sent: BTreeMap<MessageId, ViewId>,
}

impl Checker for SameView {
    fn property(&self) -> &'static str {
        "G3 same view"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some(sending) = event.sending() {
            self.sent.insert(sending.message, sending.view);
        }
        if let Some(delivery) = event.delivery()
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
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};
    use phalanx_events::Service::Agreed;

    fn story() -> Story {
        Story::new().start(&[1, 2]).install(&[1, 2], 1, &[1, 2], 0).send(1, 1, 1, Agreed)
    }

    #[test]
    fn where_it_was_sent() {
        good(SameView::default(), story().deliver(&[1, 2], (1, 1), 1, 1, Agreed));
        good(SameView::default(), story().deliver_late(&[1], (1, 1), 1, 1, Agreed).install(&[1], 2, &[1], 1));
    }

    #[test]
    fn in_the_next_view() {
        let story = story().install(&[1], 2, &[1], 1);
        bad(SameView::default(), story.deliver(&[1], (1, 1), 2, 1, Agreed), "it was sent in 1/1");
    }

    #[test]
    fn in_two_views() {
        let story = story().deliver(&[1], (1, 1), 1, 1, Agreed).install(&[2], 2, &[2], 1);
        bad(SameView::default(), story.deliver(&[2], (1, 1), 2, 1, Agreed), "2.1 delivered");
    }
}
