//! G2: a life delivers a message at most once.

use crate::checker::{Checker, demand};
use crate::event::Event;
use crate::horizon::PerView;
use phalanx_events::MessageId;
use phalanx_types::NodeId;
use std::collections::BTreeSet;

/// Who delivered what in each view; G3 sees to messages delivered in two views.
#[derive(Default)]
pub(crate) struct NoDuplication {
    delivered: PerView<BTreeSet<(NodeId, MessageId)>>,
}

impl Checker for NoDuplication {
    fn property(&self) -> &'static str {
        "G2 no duplication"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some(delivery) = event.delivery() {
            let new = self.delivered.of(delivery.view).insert((event.life.node, delivery.message));
            demand(new, || format!("{} delivered {:?} twice", event.life, delivery.message))?;
        }
        self.delivered.see(event);
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
    fn once_each() {
        good(NoDuplication::default(), story());
        good(NoDuplication::default(), story().deliver(&[1, 2], (1, 2), 1, 2, Agreed));
    }

    #[test]
    fn twice_at_one_place() {
        bad(NoDuplication::default(), story().deliver(&[2], (1, 1), 1, 1, Agreed), "twice");
    }

    #[test]
    fn twice_at_two_places() {
        bad(NoDuplication::default(), story().deliver(&[1], (1, 1), 1, 2, Agreed), "1.1 delivered");
    }
}
