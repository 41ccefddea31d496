//! G6: a message stands behind everything its sender had delivered when it sent it.
//!
//! With one order for each view (G7) and no order between views but theirs (G11), this is all of causality.

use super::reached::Reached;
use crate::checker::{Checker, demand};
use crate::event::Event;
use crate::horizon::PerView;
use phalanx_events::MessageId;
use std::collections::BTreeMap;

#[derive(Default)]
struct Past {
    reached: Reached,
    behind: BTreeMap<MessageId, u64>,
}

/// How far each sender was when it sent.
#[derive(Default)]
pub(crate) struct Causal {
    views: PerView<Past>,
}

impl Checker for Causal {
    fn property(&self) -> &'static str {
        "G6 causal order"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some(sending) = event.sending() {
            let past = self.views.of(sending.view);
            let reached = past.reached.by(event.life.node);
            past.behind.insert(sending.message, reached);
        }
        if let Some(delivery) = event.delivery() {
            let past = self.views.of(delivery.view);
            past.reached.advance(event.life.node, &delivery);
            let behind = past.behind.get(&delivery.message).copied().unwrap_or(0);
            demand(delivery.sequence > behind, || {
                let (message, place) = (delivery.message, delivery.sequence);
                format!("{message:?} stands at {place}, but its sender had seen {behind} when it sent it")
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
        // Node 1 asks and node 2, which has heard it, answers.
        let asked = || Story::of(&[1, 2]).send(1, 1, 1, Agreed);
        let answered = || asked().deliver_agreed(&[1, 2], (1, 1), 1, 1).send(2, 1, 1, Agreed);
        Trial::of(Causal::default)
            .good("an answer comes after its question", answered().deliver_agreed(&[1, 2], (2, 1), 1, 2))
            .good(
                "who had not heard the question may come first",
                asked().send(2, 1, 1, Agreed).deliver_agreed(&[2, 1], (2, 1), 1, 1).deliver_agreed(
                    &[1, 2],
                    (1, 1),
                    1,
                    2,
                ),
            )
            .good(
                "a new view begins at its first place",
                answered().install(&[2], 2, &[2], 1).send(2, 2, 2, Agreed).deliver_agreed(&[2], (2, 2), 2, 1),
            )
            .bad(
                "an answer stands before its question",
                answered().deliver_agreed(&[1], (2, 1), 1, 1),
                "had seen 1",
            )
            .bad(
                "its own earlier answer stands behind it",
                answered().deliver_agreed(&[1, 2], (2, 1), 1, 2).send(1, 2, 1, Agreed).deliver_agreed(
                    &[2],
                    (1, 2),
                    1,
                    2,
                ),
                "had seen 2",
            )
            .bad(
                "a bystander hears the answer only",
                Story::of(&[1, 2, 3])
                    .send(1, 1, 1, Agreed)
                    .deliver_agreed(&[2], (1, 1), 1, 1)
                    .send(2, 1, 1, Agreed)
                    .deliver_agreed(&[3], (2, 1), 1, 1),
                "stands at 1",
            )
    }
}
