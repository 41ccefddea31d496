//! G5 (reliable FIFO): what one sender sends in one view is delivered in that order and without a gap.

use crate::checker::{Checker, demand};
use crate::event::{Event, Kind};
use crate::horizon::PerView;
use phalanx_types::{Incarnation, NodeId};
use std::collections::BTreeMap;

#[derive(Default)]
struct Numbers {
    /// The first number that each sender used in this view, and the last.
    sent: BTreeMap<(Kind, Incarnation), (u64, u64)>,
    /// The last that each receiver delivered of each sender.
    delivered: BTreeMap<(NodeId, (Kind, Incarnation)), u64>,
}

/// Senders' numbers in each view.
#[derive(Default)]
pub(crate) struct Fifo {
    views: PerView<Numbers>,
}

impl Checker for Fifo {
    fn property(&self) -> &'static str {
        "G5 reliable FIFO"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some(sending) = event.sent() {
            let (kind, message) = sending.message;
            let number = message.number;
            let numbers = self.views.of(sending.view);
            let (_, last) =
                numbers.sent.entry((kind, event.life)).or_insert((number, number.saturating_sub(1)));
            demand(number == *last + 1, || format!("{} sent its number {number} after {last}", event.life))?;
            *last = number;
        }
        if let Some(delivery) = event.delivered() {
            let numbers = self.views.of(delivery.view);
            let (kind, message) = delivery.message;
            let (sender, number) = ((kind, message.life), message.number);
            let first = numbers.sent.get(&sender).map_or(number, |(first, _)| *first);
            let last = numbers
                .delivered
                .insert((event.life.node, sender), number)
                .unwrap_or(first.saturating_sub(1));
            demand(number == last + 1, || {
                format!("{} delivered number {number} of {} after {last}", event.life, message.life)
            })?;
        }
        self.views.see(event);
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
        let sent = || Story::of(&[1, 2]).send(1, 1, 1, Agreed).send(1, 2, 1, Agreed);
        let first = || sent().deliver_agreed(&[1, 2], (1, 1), 1, 1);
        let next = || first().install(&[1, 2], 2, &[1, 2], 1).returned(1, 2);
        let crossed = sent().send(2, 1, 1, Agreed).deliver_agreed(&[2], (2, 1), 1, 1);
        Trial::of(Fifo::default)
            .good("in order", first().deliver_agreed(&[1, 2], (1, 2), 1, 2))
            .good(
                "two senders cross",
                crossed.deliver_agreed(&[2], (1, 1), 1, 2).deliver_agreed(&[2], (1, 2), 1, 3),
            )
            .good("the two kinds are counted apart", first().tell_all(1, 1, 1).hear(&[2], (1, 1), 1))
            .bad(
                "one without an order is missing",
                sent().tell_all(1, 1, 1).tell_all(1, 2, 1).hear(&[2], (1, 2), 1),
                "number 2 of 1.1 after 0",
            )
            .good(
                "one that came back leaves a gap between two views",
                next().send(1, 3, 2, Agreed).deliver_agreed(&[1, 2], (1, 3), 2, 1),
            )
            .bad("the first is missing", sent().deliver_agreed(&[2], (1, 2), 1, 1), "number 2 of 1.1 after 0")
            .bad(
                "one in between is missing",
                first().send(1, 3, 1, Agreed).deliver_agreed(&[2], (1, 3), 1, 2),
                "number 3 of 1.1 after 1",
            )
            .bad(
                "the second comes before the first",
                sent().deliver_agreed(&[2], (1, 2), 1, 1).deliver_agreed(&[2], (1, 1), 1, 2),
                "after 0",
            )
            .bad("a sender skips a number", first().send(1, 4, 1, Agreed), "sent its number 4 after 2")
    }
}
