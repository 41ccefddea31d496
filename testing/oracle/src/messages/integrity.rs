//! G1: what is delivered was sent, by that sender, with that body and that promise.

use crate::checker::{Checker, demand};
use crate::event::Event;
use crate::horizon::PerView;
use phalanx_events::{MessageId, Service};
use phalanx_types::Digest;
use std::collections::BTreeMap;

/// What was sent in each view.
#[derive(Default)]
pub(crate) struct Integrity {
    sent: PerView<BTreeMap<MessageId, (Digest, Service)>>,
}

impl Checker for Integrity {
    fn property(&self) -> &'static str {
        "G1 integrity"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some(sending) = event.sending() {
            demand(sending.message.life == event.life, || {
                format!("{} sent in the name of {}", event.life, sending.message.life)
            })?;
            self.sent.of(sending.view).insert(sending.message, (sending.digest, sending.service));
        }
        if let Some(delivery) = event.delivery() {
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
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};
    use phalanx_events::Service::{Agreed, Safe};

    fn sent() -> Story {
        Story::new().start(&[1, 2]).install(&[1, 2], 1, &[1, 2], 0).send(1, 1, 1, Agreed)
    }

    #[test]
    fn delivered_as_sent() {
        good(Integrity::default(), sent().deliver(&[1, 2], (1, 1), 1, 1, Agreed));
        good(Integrity::default(), sent().deliver(&[1], (1, 1), 1, 1, Agreed).crash(2));
    }

    #[test]
    fn never_sent() {
        bad(Integrity::default(), sent().deliver(&[2], (1, 2), 1, 1, Agreed), "sent was None");
    }

    #[test]
    fn sent_otherwise() {
        bad(Integrity::default(), sent().deliver(&[2], (1, 1), 1, 1, Safe), "sent was Some");
    }
}
