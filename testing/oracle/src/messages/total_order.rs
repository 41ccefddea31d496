//! G7 (TOTAL-ORDER): in each view everybody delivers places 1, 2, 3 … without a gap, and the same message at each.

use crate::checker::{Checker, demand};
use crate::event::Event;
use crate::horizon::PerView;
use phalanx_events::MessageId;
use phalanx_types::{Digest, NodeId};
use std::collections::BTreeMap;

#[derive(Default)]
struct Order {
    places: Vec<(MessageId, Digest)>,
    reached: BTreeMap<NodeId, u64>,
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
            let reached = order.reached.entry(event.life.node).or_insert(0);
            demand(delivery.sequence == *reached + 1, || {
                let (view, place) = (delivery.view, delivery.sequence);
                format!("{} delivered place {place} of view {view} after {reached}", event.life)
            })?;
            *reached += 1;
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
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};
    use phalanx_events::Service::Agreed;

    fn story() -> Story {
        Story::new().start(&[1, 2]).install(&[1, 2], 1, &[1, 2], 0).deliver(&[1, 2], (1, 1), 1, 1, Agreed)
    }

    #[test]
    fn one_order() {
        good(TotalOrder::default(), story().deliver(&[2, 1], (2, 1), 1, 2, Agreed));
        good(TotalOrder::default(), story().install(&[1], 2, &[1], 1).deliver(&[1], (1, 2), 2, 1, Agreed));
    }

    #[test]
    fn a_hole() {
        bad(
            TotalOrder::default(),
            story().deliver(&[2], (2, 1), 1, 3, Agreed),
            "place 3 of view 1/1 after 1",
        );
    }

    #[test]
    fn two_messages_at_one_place() {
        let story = story().deliver(&[1], (1, 2), 1, 2, Agreed).deliver(&[2], (2, 1), 1, 2, Agreed);
        bad(TotalOrder::default(), story, "place 2 of view 1/1 is");
    }
}
