//! L11: in time no service address is on a node whose adapter is dead, if another node that is well could have its group.
//!
//! A node that told of a failure of the group in this life is no such place; an adapter that died in silence is found out
//! only by comparison with two others.

use super::Deadline;
use super::online::STARTS;
use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime, What};
use phalanx_events::{ManagerNote, Note};
use phalanx_types::{GroupName, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// So many nodes tell a silent adapter from a dead switch.
const WITNESSES_MIN: usize = 2;

/// Where addresses are, and whose adapters are dead.
pub(crate) struct Attached {
    deadline: Deadline,
    eligible: BTreeMap<GroupName, Vec<NodeId>>,
    /// Nodes with a dead adapter, and whether it died in silence.
    dead: BTreeMap<NodeId, bool>,
    at: BTreeSet<(GroupName, NodeId)>,
    failed: BTreeSet<(GroupName, NodeId)>,
}

impl Attached {
    /// Within the time that this cluster may take.
    pub fn new(terms: &Terms) -> Attached {
        Attached {
            deadline: Deadline::after(terms, |terms| {
                terms.settle() + terms.slowest().takeover_wait() + STARTS
            }),
            eligible: terms.groups.clone(),
            dead: BTreeMap::new(),
            at: BTreeSet::new(),
            failed: BTreeSet::new(),
        }
    }

    fn judge(&mut self, at: GlobalTime) -> Result<(), String> {
        let Some(core) = self.deadline.due(at) else { return Ok(()) };
        let left = self.at.iter().find(|(group, node)| {
            let dead = self.dead.get(node);
            let noticed = dead.is_some_and(|silent| !silent || core.len() > WITNESSES_MIN);
            noticed && self.has_place(group, &core)
        });
        demand(left.is_none(), || format!("an address is left where its adapter is dead: {left:?}"))
    }

    fn has_place(&self, group: &GroupName, core: &BTreeSet<NodeId>) -> bool {
        let fits = |node: &&NodeId| {
            core.contains(*node)
                && !self.dead.contains_key(*node)
                && !self.failed.contains(&(group.clone(), **node))
        };
        self.eligible.get(group).is_some_and(|nodes| nodes.iter().any(|node| fits(&node)))
    }

    fn hear(&mut self, node: NodeId, note: &ManagerNote) {
        if let ManagerNote::StepFailed { group, .. }
        | ManagerNote::RestartsExhausted { group, .. }
        | ManagerNote::SwapAdapter { group, .. } = note
        {
            self.failed.insert((group.clone(), node));
        }
    }
}

impl Checker for Attached {
    fn property(&self) -> &'static str {
        "L11 attached"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.deadline.see(event);
        self.judge(event.at)?;
        let node = event.life.node;
        if let What::AdapterDead { silent } = event.what {
            self.dead.insert(node, silent);
        }
        if let What::Started { .. } = event.what {
            self.failed.retain(|(_, failed)| *failed != node);
        }
        if let What::AddressUp { group, .. } = &event.what {
            self.at.insert((group.clone(), node));
        }
        if let What::AddressDown { group, .. } = &event.what {
            self.at.remove(&(group.clone(), node));
        }
        if let What::Note(Note::Manager(note)) = &event.what {
            self.hear(node, note);
        }
        Ok(())
    }

    fn finish(&mut self, at: GlobalTime) -> Result<(), String> {
        self.judge(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good, group, terms};
    use phalanx_types::{OwnershipEpoch, Span, Verb};

    const LONG: Span = Span::from_secs(60);

    fn story(silent: bool, core: &[u16]) -> Story {
        let up = What::AddressUp { group: group("shop"), resource: "ip".parse().unwrap() };
        Story::new().start(&[1, 2, 3]).tell(1, up).tell(1, What::AdapterDead { silent }).heal(core)
    }

    fn moves(story: Story) -> Story {
        story.tell(1, What::AddressDown { group: group("shop"), resource: "ip".parse().unwrap() })
    }

    fn fails(story: Story, node: u16) -> Story {
        let note = ManagerNote::StepFailed {
            group: group("shop"),
            resource: "ip".parse().unwrap(),
            verb: Verb::Stop,
            epoch: OwnershipEpoch(1),
            took: Span::ZERO,
            why: "an error".into(),
        };
        story.tell(node, What::Note(Note::Manager(note)))
    }

    #[test]
    fn an_address_leaves_a_dead_adapter() {
        let checker = || Attached::new(&terms());
        for silent in [false, true] {
            good(checker(), moves(story(silent, &[1, 2, 3])).later(LONG));
            bad(checker(), story(silent, &[1, 2, 3]).later(LONG), "adapter is dead");
        }
    }

    #[test]
    fn it_stays_where_no_other_place_is_better() {
        let checker = || Attached::new(&terms());
        good(checker(), story(false, &[1]).later(LONG));
        good(checker(), story(true, &[1, 2]).later(LONG));
        good(checker(), fails(fails(story(false, &[1, 2, 3]), 2), 3).later(LONG));
        bad(checker(), fails(story(false, &[1, 2, 3]), 2).later(LONG), "adapter is dead");
    }
}
