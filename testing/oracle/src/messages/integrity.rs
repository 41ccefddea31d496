//! G1: what is delivered was sent, by that sender, with that body and that promise.

use crate::checker::{Checker, demand};
use crate::event::{Event, Kind};
use crate::horizon::PerView;
use phalanx_events::{MessageId, Service};
use phalanx_types::Digest;
use std::collections::BTreeMap;

/// A body, and what is promised of its place if it has one.
type Content = (Digest, Option<Service>);

/// What was sent in each view.
#[derive(Default)]
pub(crate) struct Integrity {
    sent: PerView<BTreeMap<(Kind, MessageId), Content>>,
}

impl Checker for Integrity {
    fn property(&self) -> &'static str {
        "G1 integrity"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some(sending) = event.sent() {
            demand(sending.message.1.life == event.life, || {
                format!("{} sent in the name of {}", event.life, sending.message.1.life)
            })?;
            self.sent.of(sending.view).insert(sending.message, (sending.digest, sending.service));
        }
        if let Some(delivery) = event.delivered() {
            let sent = self.sent.get(delivery.view).and_then(|sent| sent.get(&delivery.message));
            demand(sent == Some(&(delivery.digest, delivery.service)), || {
                format!("{} delivered {:?}; sent was {sent:?}", event.life, delivery)
            })?;
        }
        self.sent.see(event);
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;
    use phalanx_events::Service::{Agreed, Safe};

    pub(crate) fn trial() -> Trial {
        let sent = || Story::of(&[1, 2]).send(1, 1, 1, Agreed);
        let next = || sent().install(&[1, 2], 2, &[1, 2], 1);
        Trial::of(Integrity::default)
            .good("delivered as sent", sent().deliver_agreed(&[1, 2], (1, 1), 1, 1))
            .good("the sender is dead by then", sent().crash(1).deliver_agreed(&[2], (1, 1), 1, 1))
            .good(
                "it comes with the end of its view",
                sent().install(&[1], 2, &[1], 1).deliver_late(&[2], (1, 1), 1, 1, Agreed),
            )
            .bad("nobody sent it", sent().deliver_agreed(&[2], (1, 2), 1, 1), "sent was None")
            .bad(
                "it is delivered before it is sent",
                Story::of(&[1, 2]).deliver_agreed(&[2], (1, 1), 1, 1).send(1, 1, 1, Agreed),
                "sent was None",
            )
            .bad("more is promised than was asked", sent().deliver(&[2], (1, 1), 1, 1, Safe), "sent was Some")
            .bad(
                "a later life's message passes for the first one's",
                sent().crash(1).start(&[1]).deliver_agreed(&[2], (1, 1), 1, 1),
                "sent was None",
            )
            .bad("it was sent in another view", next().deliver_agreed(&[2], (1, 1), 2, 1), "sent was None")
    }
}
