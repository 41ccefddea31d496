//! L6: a vote that a healthy node has called ends in time: agreed, refused, or overtaken by a new view.
//!
//! Looked at are votes on plans. A vote on a version of the configuration ends with the answer to its operator (L8).

use super::Deadline;
use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime, What};
use phalanx_events::{ManagerNote, Note};
use phalanx_types::NodeId;
use phalanx_types::limits::PLAN_VOTE_LIMIT;
use std::collections::BTreeMap;

/// Since when each node has had a vote running.
pub(crate) struct Decided {
    deadline: Deadline,
    running: BTreeMap<NodeId, GlobalTime>,
}

impl Decided {
    /// Within the one phase of the vote, and the time that this cluster may take.
    pub fn new(terms: &Terms) -> Decided {
        let deadline = Deadline::after(terms, |terms| PLAN_VOTE_LIMIT + terms.settle());
        Decided { deadline, running: BTreeMap::new() }
    }

    fn judge(&self, at: GlobalTime) -> Result<(), String> {
        let Some(core) = self.deadline.core().filter(|_| self.deadline.over(at)) else { return Ok(()) };
        let within = self.deadline.span();
        let late = |(node, since): &(&NodeId, &GlobalTime)| core.contains(node) && **since + within < at;
        let late = self.running.iter().find(late);
        demand(late.is_none(), || format!("a vote has not ended within {within}: called by {late:?}"))
    }

    fn take(&mut self, event: &Event) {
        let node = event.life.node;
        if event.install().is_some() || event.ends_life() || ends_vote(event) {
            self.running.remove(&node);
        }
        if let What::Note(Note::Manager(ManagerNote::PlanProposed { .. })) = event.what {
            self.running.insert(node, event.at);
        }
    }
}

fn ends_vote(event: &Event) -> bool {
    let What::Note(Note::Manager(note)) = &event.what else { return false };
    matches!(
        note,
        ManagerNote::PlanAgreed { .. } | ManagerNote::PlanRefused { .. } | ManagerNote::StateDiverged { .. }
    )
}

impl Checker for Decided {
    fn property(&self) -> &'static str {
        "L6 decided"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.deadline.see(event);
        self.judge(event.at)?;
        self.take(event);
        Ok(())
    }

    fn finish(&mut self, at: GlobalTime) -> Result<(), String> {
        self.judge(at)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::{Story, group, terms};
    use crate::trial::Trial;
    use phalanx_types::{Digest, Span};

    const LONG: Span = Span::from_secs(30);

    fn note(story: Story, node: u16, note: ManagerNote) -> Story {
        story.tell(node, What::Note(Note::Manager(note)))
    }

    fn propose(story: Story, node: u16) -> Story {
        note(
            story,
            node,
            ManagerNote::PlanProposed { plan: Digest::of(&[1]), groups: [group("shop")].into() },
        )
    }

    fn refuse(story: Story, node: u16) -> Story {
        note(story, node, ManagerNote::PlanRefused { cause: "overtaken".into() })
    }

    pub(crate) fn trial() -> Trial {
        let healed = || Story::of(&[1, 2, 3]).heal(&[1, 2]);
        let last = PLAN_VOTE_LIMIT + terms().settle() - Span::from_millis(4);
        Trial::of(|| Decided::new(&terms()))
            .good("a vote ends", refuse(propose(healed(), 1), 1).later(LONG))
            .good(
                "a vote ends at the last moment",
                refuse(propose(healed().later(LONG), 1).later(last), 1).later(LONG),
            )
            .good("a new view ends it", propose(healed(), 1).install(&[1], 2, &[1, 2], 1).later(LONG))
            .good("who is not well may wait", propose(healed(), 3).later(LONG))
            .good(
                "it took long while nothing was well",
                refuse(propose(Story::of(&[1, 2]), 1).later(LONG).heal(&[1, 2]), 1).later(LONG),
            )
            .bad("a vote never ends", propose(healed(), 1).later(LONG), "called by Some((NodeId(1)")
            .bad("another's vote ends", refuse(propose(propose(healed(), 1), 2), 2).later(LONG), "NodeId(1)")
            .bad(
                "a vote from before the healing never ends",
                propose(Story::of(&[1, 2]), 2).heal(&[1, 2]).later(LONG),
                "NodeId(2)",
            )
            .bad("the next one hangs", propose(refuse(propose(healed(), 1), 1), 1).later(LONG), "NodeId(1)")
    }
}
