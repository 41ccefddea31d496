//! G2: a life delivers a message at most once.

use crate::checker::{Checker, demand};
use crate::event::{Event, Kind};
use crate::horizon::PerView;
use phalanx_events::MessageId;
use phalanx_types::NodeId;
use std::collections::BTreeSet;

/// Who delivered what in each view; G3 sees to messages delivered in two views.
#[derive(Default)]
pub(crate) struct NoDuplication {
    delivered: PerView<BTreeSet<(NodeId, (Kind, MessageId))>>,
}

impl Checker for NoDuplication {
    fn property(&self) -> &'static str {
        "G2 no duplication"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some(delivery) = event.delivered() {
            let new = self.delivered.of(delivery.view).insert((event.life.node, delivery.message));
            demand(new, || format!("{} delivered {:?} twice", event.life, delivery.message))?;
        }
        self.delivered.see(event);
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;

    pub(crate) fn trial() -> Trial {
        let once = || Story::of(&[1, 2]).deliver_agreed(&[1, 2], (1, 1), 1, 1);
        let other_life = once().crash(1).start(&[1]).install(&[1, 2], 2, &[1, 2], 1);
        Trial::of(NoDuplication::default)
            .good("once at each node", once())
            .good("the next of the same sender", once().deliver_agreed(&[1, 2], (1, 2), 1, 2))
            .good(
                "the first of its next life bears the same number",
                other_life.deliver_agreed(&[1, 2], (1, 1), 2, 1),
            )
            .bad("twice at one place", once().deliver_agreed(&[2], (1, 1), 1, 1), "2.1 delivered")
            .bad("twice at two places", once().deliver_agreed(&[1], (1, 1), 1, 2), "1.1 delivered")
            .bad(
                "again with the end of the view",
                once().deliver_late(&[2], (1, 1), 1, 2, phalanx_events::Service::Agreed),
                "twice",
            )
    }
}
