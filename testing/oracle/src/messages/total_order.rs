//! G7 (TOTAL-ORDER): in each view everybody delivers places 1, 2, 3 … without a gap, and the same message at each.

use super::reached::Reached;
use crate::checker::{Checker, demand};
use crate::event::Event;
use crate::horizon::PerView;
use phalanx_events::MessageId;
use phalanx_types::Digest;

#[derive(Default)]
struct Order {
    places: Vec<(MessageId, Digest)>,
    reached: Reached,
}

/// The order of each view.
#[derive(Default)]
pub(crate) struct TotalOrder {
    views: PerView<Order>,
}

impl Checker for TotalOrder {
    fn property(&self) -> &'static str {
        "G7 total order"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some(delivery) = event.delivery() {
            let order = self.views.of(delivery.view);
            let reached = order.reached.advance(event.life.node, &delivery);
            demand(delivery.sequence == reached + 1, || {
                let (view, place) = (delivery.view, delivery.sequence);
                format!("{} delivered place {place} of view {view} after {reached}", event.life)
            })?;
            let body = (delivery.message, delivery.digest);
            let index = delivery.sequence as usize - 1;
            if index == order.places.len() {
                order.places.push(body);
            }
            let first = order.places.get(index);
            demand(first == Some(&body), || {
                let (view, place) = (delivery.view, delivery.sequence);
                format!(
                    "place {place} of view {view} is {first:?} to one node and {body:?} to {}",
                    event.life
                )
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
        let first = || Story::of(&[1, 2]).deliver_agreed(&[1, 2], (1, 1), 1, 1);
        let restarted = first().crash(1).start(&[1]);
        Trial::of(TotalOrder::default)
            .good(
                "one order, one of them behind",
                first().deliver_agreed(&[2], (2, 1), 1, 2).deliver_agreed(&[2], (1, 2), 1, 3).deliver_agreed(
                    &[1],
                    (2, 1),
                    1,
                    2,
                ),
            )
            .good(
                "a new view begins anew",
                first().install(&[1], 2, &[1], 1).deliver_agreed(&[1], (1, 2), 2, 1),
            )
            .good("one leaves before the end", first().crash(1).deliver_late(&[2], (2, 1), 1, 2, Agreed))
            .bad("a hole", first().deliver_agreed(&[2], (2, 1), 1, 3), "place 3 of view 1/1 after 1")
            .bad(
                "two messages at one place",
                first().deliver_agreed(&[1], (1, 2), 1, 2).deliver_agreed(&[2], (2, 1), 1, 2),
                "place 2 of view 1/1 is",
            )
            .bad(
                "a place is filled twice",
                first().deliver_agreed(&[2], (2, 1), 1, 1),
                "place 1 of view 1/1 after 1",
            )
            .bad(
                "the message of a later life stands in its place",
                restarted.deliver_agreed(&[2], (2, 1), 1, 2).start(&[2]).deliver_agreed(&[1], (1, 1), 1, 1),
                "place 1 of view 1/1",
            )
    }
}
