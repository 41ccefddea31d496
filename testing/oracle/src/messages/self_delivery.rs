//! G10: a sender delivers its own message, or gets it returned, before its second next view; never both.

use crate::checker::{Checker, demand};
use crate::event::Event;
use phalanx_events::MessageId;
use phalanx_types::NodeId;
use std::collections::BTreeMap;

/// How many views a message may be under way for.
const VIEWS_MAX: u32 = 2;

/// Each sender's messages under way, with the views installed since.
#[derive(Default)]
pub(crate) struct SelfDelivery {
    waiting: BTreeMap<NodeId, BTreeMap<MessageId, u32>>,
}

impl SelfDelivery {
    fn age(&mut self, event: &Event) -> Result<(), String> {
        let waiting = self.waiting.entry(event.life.node).or_default();
        waiting.iter_mut().try_for_each(|(message, views)| {
            *views += 1;
            demand(*views < VIEWS_MAX, || format!("{message:?} came neither back nor to its sender"))
        })
    }
}

impl Checker for SelfDelivery {
    fn property(&self) -> &'static str {
        "G10 self-delivery"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if event.ends_life() {
            self.waiting.remove(&event.life.node);
        }
        if event.install().is_some() {
            self.age(event)?;
        }
        let waiting = self.waiting.entry(event.life.node).or_default();
        if let Some(sending) = event.sending() {
            waiting.insert(sending.message, 0);
        }
        if let Some(message) =
            event.delivery().map(|delivery| delivery.message).filter(|m| m.life == event.life)
        {
            demand(waiting.remove(&message).is_some(), || {
                format!("{message:?} was delivered after its return")
            })?;
        }
        if let Some(message) = event.returned() {
            demand(waiting.remove(&message).is_some(), || {
                format!("{message:?} was returned after its delivery")
            })?;
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
        Story::new().start(&[1]).install(&[1], 1, &[1], 0).send(1, 1, 1, Agreed)
    }

    #[test]
    fn delivered_or_returned() {
        good(SelfDelivery::default(), story().deliver(&[1], (1, 1), 1, 1, Agreed).install(&[1], 2, &[1], 1));
        good(
            SelfDelivery::default(),
            story().install(&[1], 2, &[1], 1).returned(1, 1).install(&[1], 3, &[1], 2),
        );
        good(SelfDelivery::default(), story().crash(1).start(&[1]).install(&[1], 2, &[1], 0));
    }

    #[test]
    fn lost() {
        let story = story().install(&[1], 2, &[1], 1).install(&[1], 3, &[1], 2);
        bad(SelfDelivery::default(), story, "came neither");
    }

    #[test]
    fn both() {
        let story = story().deliver(&[1], (1, 1), 1, 1, Agreed).returned(1, 1);
        bad(SelfDelivery::default(), story, "returned after its delivery");
    }
}
