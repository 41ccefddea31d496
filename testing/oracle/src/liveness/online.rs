//! L7: in time every group that has an eligible healthy node is all active on exactly one, or is excused, or the cluster
//! says in words that it failed on every node there is (ERROR is never silent).

use super::Deadline;
use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime, What};
use phalanx_events::{ManagerNote, Note};
use phalanx_types::{GroupName, NodeId, Span};
use std::collections::{BTreeMap, BTreeSet};

/// Beyond a settled view and a takeover's wait: planning, starting, and one try elsewhere.
pub(super) const STARTS: Span = Span::from_secs(5);

/// How the cluster says that a group is in ERROR.
const ERRORS: [&str; 2] = ["failed on every node that is there", "is down on every node that could have it"];

/// Where each group is all active.
pub(crate) struct Online {
    deadline: Deadline,
    eligible: BTreeMap<GroupName, Vec<NodeId>>,
    up: BTreeSet<(GroupName, NodeId)>,
    excused: BTreeSet<GroupName>,
    /// Groups of which the last word was that they are in ERROR.
    in_error: BTreeSet<GroupName>,
}

impl Online {
    /// Within the time that this cluster may take.
    pub fn new(terms: &Terms) -> Online {
        let deadline =
            Deadline::after(terms, |terms| terms.settle() + terms.slowest().takeover_wait() + STARTS);
        Online {
            deadline,
            eligible: terms.groups.clone(),
            up: BTreeSet::new(),
            excused: BTreeSet::new(),
            in_error: BTreeSet::new(),
        }
    }

    fn judge(&mut self, at: GlobalTime) -> Result<(), String> {
        let Some(core) = self.deadline.due(at) else { return Ok(()) };
        let wanted = self.eligible.iter().filter(|(group, nodes)| {
            !self.excused.contains(*group) && nodes.iter().any(|node| core.contains(node))
        });
        wanted.into_iter().try_for_each(|(group, _)| {
            let places: Vec<_> = self.up.iter().filter(|(up, _)| up == group).map(|(_, node)| node).collect();
            let explained = places.is_empty() && self.in_error.contains(group);
            demand(explained || places.len() == 1, || {
                format!("{group} should be online once; it is online on {places:?}")
            })
        })
    }
}

impl Checker for Online {
    fn property(&self) -> &'static str {
        "L7 online"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.deadline.see(event);
        self.judge(event.at)?;
        let node = event.life.node;
        if let What::GroupUp { group } = &event.what {
            self.up.insert((group.clone(), node));
        }
        if let What::GroupDown { group } = &event.what {
            self.up.remove(&(group.clone(), node));
        }
        if let What::Note(Note::Manager(ManagerNote::StandingStill { group, reason })) = &event.what {
            match ERRORS.iter().any(|error| reason.ends_with(error)) {
                true => self.in_error.insert(group.clone()),
                false => self.in_error.remove(group),
            };
        }
        if let What::Excused { group } = &event.what {
            self.excused.insert(group.clone());
        }
        if let What::Expected { group } = &event.what {
            self.excused.remove(group);
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

    const LONG: Span = Span::from_secs(60);

    fn checker() -> Online {
        Online::new(&terms())
    }

    fn story() -> Story {
        Story::new().start(&[1, 2]).up(1, "shop").heal(&[1, 2])
    }

    #[test]
    fn every_group_is_somewhere() {
        good(checker(), story().up(2, "mail").later(LONG));
        good(checker(), story().down(1, "shop").up(2, "shop").up(2, "mail").later(LONG));
        good(checker(), story().tell(1, What::Excused { group: group("mail") }).later(LONG));
    }

    #[test]
    fn a_group_is_nowhere() {
        bad(checker(), story().later(LONG), "mail should be online");
        bad(checker(), story().up(1, "mail").down(1, "shop").later(LONG), "shop should be online");
    }

    fn stands_still(reason: &str) -> What {
        What::Note(Note::Manager(ManagerNote::StandingStill {
            group: group("mail"),
            reason: reason.to_owned(),
        }))
    }

    #[test]
    fn an_error_is_told_and_is_the_last_word() {
        let error = || stands_still("mail failed on every node that is there");
        good(checker(), story().tell(1, error()).later(LONG));
        let later = stands_still("a plan for mail is under way");
        bad(checker(), story().tell(1, error()).tell(1, later).later(LONG), "mail should be online");
        bad(
            checker(),
            story().tell(1, error()).up(1, "mail").up(2, "mail").later(LONG),
            "[NodeId(1), NodeId(2)]",
        );
    }

    #[test]
    fn a_group_is_in_two_places() {
        bad(checker(), story().up(1, "mail").up(2, "mail").later(LONG), "[NodeId(1), NodeId(2)]");
    }
}
