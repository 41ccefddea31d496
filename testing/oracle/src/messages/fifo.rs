//! G5 (reliable FIFO): what one sender sends in one view is delivered in that order and without a gap.

use crate::checker::{Checker, demand};
use crate::event::Event;
use crate::horizon::PerView;
use phalanx_types::{Incarnation, NodeId};
use std::collections::BTreeMap;

#[derive(Default)]
struct Numbers {
    /// The first number that each sender used in this view, and the last.
    sent: BTreeMap<Incarnation, (u64, u64)>,
    /// The last that each receiver delivered of each sender.
    delivered: BTreeMap<(NodeId, Incarnation), u64>,
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
        if let Some(sending) = event.sending() {
            let number = sending.message.number;
            let numbers = self.views.of(sending.view);
            let (_, last) = numbers.sent.entry(event.life).or_insert((number, number.saturating_sub(1)));
            demand(number == *last + 1, || format!("{} sent its number {number} after {last}", event.life))?;
            *last = number;
        }
        if let Some(delivery) = event.delivery() {
            let numbers = self.views.of(delivery.view);
            let (sender, number) = (delivery.message.life, delivery.message.number);
            let first = numbers.sent.get(&sender).map_or(number, |(first, _)| *first);
            let last = numbers
                .delivered
                .insert((event.life.node, sender), number)
                .unwrap_or(first.saturating_sub(1));
            demand(number == last + 1, || {
                format!("{} delivered number {number} of {sender} after {last}", event.life)
            })?;
        }
        self.views.see(event);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};
    use phalanx_events::Service::Agreed;

    fn story() -> Story {
        let story = Story::new().start(&[1, 2]).install(&[1, 2], 1, &[1, 2], 0);
        story.send(1, 1, 1, Agreed).send(1, 2, 1, Agreed)
    }

    #[test]
    fn in_order() {
        let both = story().deliver(&[1, 2], (1, 1), 1, 1, Agreed).deliver(&[1, 2], (1, 2), 1, 2, Agreed);
        good(Fifo::default(), both);
        let next = story().deliver_late(&[1], (1, 1), 1, 1, Agreed).install(&[1], 2, &[1], 1);
        good(Fifo::default(), next.send(1, 3, 2, Agreed).deliver(&[1], (1, 3), 2, 1, Agreed));
    }

    #[test]
    fn a_gap() {
        bad(Fifo::default(), story().deliver(&[2], (1, 2), 1, 1, Agreed), "number 2 of 1.1 after 0");
    }

    #[test]
    fn out_of_order() {
        let story = story().send(1, 3, 1, Agreed).deliver(&[2], (1, 1), 1, 1, Agreed);
        bad(Fifo::default(), story.deliver(&[2], (1, 3), 1, 2, Agreed), "number 3 of 1.1 after 1");
    }
}
