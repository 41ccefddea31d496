//! F4: a generation is won by one half at most, and nobody begins the next one as a half that has not won it: silence is lost.

use crate::checker::{Checker, demand};
use crate::event::{Event, What};
use phalanx_events::{ManagerNote, Note};
use phalanx_types::{Charter, CharterStage, Claim, Majority, NodeSet};
use std::collections::BTreeMap;

/// What the tie-breaker has decided.
#[derive(Default)]
pub(crate) struct OneWinner {
    won: BTreeMap<u64, NodeSet>,
}

impl OneWinner {
    fn decided(&mut self, claim: Claim) -> Result<(), String> {
        let Claim { generation, half } = claim;
        let winner = *self.won.entry(generation).or_insert(half);
        demand(winner == half, || format!("generation {generation} is won by {winner:?} and by {half:?}"))
    }

    fn begun(&self, charter: Charter) -> Result<(), String> {
        let CharterStage::Settled(Majority::AllOf(half)) = charter.stage else { return Ok(()) };
        let winner = self.won.get(&(charter.generation - 1));
        demand(winner == Some(&half), || {
            format!(
                "{half:?} begins generation {} and the one before is won by {winner:?}",
                charter.generation
            )
        })
    }
}

impl Checker for OneWinner {
    fn property(&self) -> &'static str {
        "F4 one winner of a tie"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let What::TieDecided { claim } = &event.what {
            self.decided(*claim)?;
        }
        if let What::Note(Note::Manager(ManagerNote::CharterChanged { charter })) = &event.what {
            self.begun(*charter)?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;
    use phalanx_types::{NodeId, ViewId};

    fn half(nodes: &[u16]) -> NodeSet {
        nodes.iter().map(|node| NodeId(*node)).collect()
    }

    fn decided(story: Story, generation: u64, nodes: &[u16]) -> Story {
        story.tell(nodes[0], What::TieDecided { claim: Claim { generation, half: half(nodes) } })
    }

    fn told(story: Story, node: u16, charter: Charter) -> Story {
        story.tell(node, What::Note(Note::Manager(ManagerNote::CharterChanged { charter })))
    }

    fn won(story: Story, node: u16, nodes: &[u16]) -> Story {
        told(story, node, Charter::FIRST.won_by(half(nodes), 1))
    }

    fn start() -> Story {
        Story::of(&[1, 2]).start(&[1, 2])
    }

    pub(crate) fn trial() -> Trial {
        let joint = Charter::FIRST.won_by(half(&[1]), 1).passing(ViewId::NONE, Majority::OfAll);
        let again = joint.settled(ViewId::NONE).won_by(half(&[2]), 1);
        Trial::of(OneWinner::default)
            .good("who has won goes on", won(decided(start(), 1, &[1]), 1, &[1]))
            .good("the same half claims again", won(decided(decided(start(), 1, &[1]), 1, &[1]), 1, &[1]))
            .good(
                "the other half wins the generation after, once all were together",
                told(decided(told(won(decided(start(), 1, &[1]), 1, &[1]), 2, joint), 2, &[2]), 2, again),
            )
            .good("an operator needs nobody's verdict", start().form(&[1], &[2]))
            .bad("nothing was decided", won(start(), 1, &[1]), "is won by None")
            .bad("the other half has won", won(decided(start(), 1, &[2]), 1, &[1]), "begins generation 2")
            .bad(
                "a verdict on the generation before counts for this one",
                told(decided(won(decided(start(), 1, &[1]), 1, &[1]), 1, &[2]), 2, again),
                "is won by",
            )
            .bad("both have won", decided(decided(start(), 1, &[1]), 1, &[2]), "and by")
    }
}
