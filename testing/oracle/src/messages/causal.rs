//! G6: a message stands behind everything its sender had delivered when it sent it.
//!
//! With one order for each view (G7) and no order between views but theirs (G11), this is all of causality.

use crate::checker::{Checker, demand};
use crate::event::Event;
use crate::horizon::PerView;
use phalanx_events::MessageId;
use phalanx_types::NodeId;
use std::collections::BTreeMap;

#[derive(Default)]
struct Past {
    reached: BTreeMap<NodeId, u64>,
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
            let reached = past.reached.get(&event.life.node).copied().unwrap_or(0);
            past.behind.insert(sending.message, reached);
        }
        if let Some(delivery) = event.delivery() {
            let past = self.views.of(delivery.view);
            past.reached.insert(event.life.node, delivery.sequence);
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
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};
    use phalanx_events::Service::Agreed;

    fn story() -> Story {
        let story = Story::new().start(&[1, 2]).install(&[1, 2], 1, &[1, 2], 0).send(1, 1, 1, Agreed);
        story.deliver(&[1, 2], (1, 1), 1, 1, Agreed).send(2, 1, 1, Agreed)
    }

    #[test]
    fn answers_come_after_questions() {
        good(Causal::default(), story().deliver(&[1, 2], (2, 1), 1, 2, Agreed));
        good(
            Causal::default(),
            story().install(&[2], 2, &[2], 1).send(2, 2, 2, Agreed).deliver(&[2], (2, 2), 2, 1, Agreed),
        );
    }

    #[test]
    fn an_answer_stands_before_its_question() {
        bad(Causal::default(), story().deliver(&[1], (2, 1), 1, 1, Agreed), "had seen 1");
    }

    #[test]
    fn a_later_answer_does_too() {
        let story = story().deliver(&[1, 2], (2, 1), 1, 2, Agreed).send(1, 2, 1, Agreed);
        bad(Causal::default(), story.deliver(&[2], (1, 2), 1, 2, Agreed), "had seen 2");
    }
}
