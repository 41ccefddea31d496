//! G10: a sender delivers its own message, or gets it returned, before its second next view; never both.

use crate::checker::{Checker, demand};
use crate::event::{Event, Kind};
use phalanx_events::MessageId;
use phalanx_types::NodeId;
use std::collections::BTreeMap;

/// How many views a message may be under way for.
const VIEWS_MAX: u32 = 2;

/// Each sender's messages under way, with the views installed since.
#[derive(Default)]
pub(crate) struct SelfDelivery {
    waiting: BTreeMap<NodeId, BTreeMap<(Kind, MessageId), u32>>,
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
        if let Some(sending) = event.sent() {
            waiting.insert(sending.message, 0);
        }
        if let Some(message) =
            event.delivered().map(|delivery| delivery.message).filter(|(_, m)| m.life == event.life)
        {
            demand(waiting.remove(&message).is_some(), || {
                format!("{message:?} was delivered after its return")
            })?;
        }
        if let Some(message) = event.returned() {
            demand(waiting.remove(&(Kind::Ordered, message)).is_some(), || {
                format!("{message:?} was returned after its delivery")
            })?;
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
        Trial::of(SelfDelivery::default)
            .good(
                "delivered in its view",
                sent().deliver_agreed(&[1], (1, 1), 1, 1).install(&[1], 2, &[1], 1),
            )
            .good("given back at the last moment", next().returned(1, 1).install(&[1], 3, &[1], 2))
            .good(
                "its sender dies",
                sent().crash(1).start(&[1]).install(&[1], 2, &[1], 0).install(&[1], 3, &[1], 2),
            )
            .good(
                "others go on without it",
                next().returned(1, 1).install(&[2], 3, &[2], 2).install(&[2], 4, &[2], 3),
            )
            .bad("lost", next().install(&[1], 3, &[1], 2), "came neither back nor to its sender")
            .bad(
                "delivered and given back",
                sent().deliver_agreed(&[1], (1, 1), 1, 1).returned(1, 1),
                "returned after its delivery",
            )
            .bad(
                "given back and delivered",
                next().returned(1, 1).deliver_agreed(&[1], (1, 1), 1, 1),
                "delivered after its return",
            )
            .bad(
                "everybody delivers it but its sender",
                sent().deliver_agreed(&[2], (1, 1), 1, 1).install(&[1, 2], 2, &[1, 2], 1).install(
                    &[1, 2],
                    3,
                    &[1, 2],
                    2,
                ),
                "came neither",
            )
    }
}
