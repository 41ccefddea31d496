//! QUARANTINE (part of M6): a life counts only once every promise of the life before it has run out, unless all
//! configured nodes begin anew together while nothing is held anywhere. A node that never had a view promised nothing.

use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime, What};
use phalanx_events::MembershipNote;
use phalanx_types::limits::DRIFT_PPM_MAX;
use phalanx_types::{GroupName, Incarnation, NodeId, Span, ViewId};
use std::collections::{BTreeMap, BTreeSet};

/// When each life began, and what is held.
pub(crate) struct Quarantine {
    nodes: usize,
    /// As configured.
    lease: Span,
    /// For how long each node grants leases, as it said in this life.
    grants: BTreeMap<NodeId, Span>,
    /// When what each node granted by other timings is over, at the earliest.
    granted: BTreeMap<NodeId, GlobalTime>,
    /// The same of all that it granted in earlier lives.
    promised: BTreeMap<NodeId, GlobalTime>,
    started: BTreeMap<NodeId, (Incarnation, GlobalTime)>,
    /// The first life of each node that had a view.
    first: BTreeMap<NodeId, Incarnation>,
    held: BTreeSet<(NodeId, GroupName)>,
    /// Lives that began anew with all others: since then nobody holds anything by an older promise.
    anew: BTreeSet<Incarnation>,
    judged: ViewId,
}

impl Quarantine {
    /// With the leases of this cluster.
    pub fn new(terms: &Terms) -> Quarantine {
        let (lease, grants) = (terms.timings.lease(), BTreeMap::new());
        let (granted, promised) = (BTreeMap::new(), BTreeMap::new());
        let (started, first, held) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let (nodes, anew) = (terms.nodes.len(), BTreeSet::new());
        Quarantine {
            nodes,
            lease,
            grants,
            granted,
            promised,
            started,
            first,
            held,
            anew,
            judged: ViewId::NONE,
        }
    }

    fn young(&self, life: Incarnation, at: GlobalTime) -> bool {
        let promised = self.first.get(&life.node).is_some_and(|first| first.start < life.start);
        let started = self.started.get(&life.node).filter(|(known, _)| *known == life);
        promised && started.is_some() && self.promised.get(&life.node).is_some_and(|until| at < *until)
    }

    /// Until now the node granted leases of this length.
    fn grant(&mut self, node: NodeId, at: GlobalTime, lease: Span) {
        // By the clock of a node that runs as fast as is allowed.
        let until = at + (lease - Span(lease.0 / 1_000_000 * DRIFT_PPM_MAX));
        let known = self.granted.entry(node).or_default();
        *known = until.max(*known);
    }

    fn note_truth(&mut self, event: &Event) {
        let node = event.life.node;
        if let What::Started { .. } = event.what {
            self.started.insert(node, (event.life, event.at));
            let lease = self.grants.remove(&node).unwrap_or(self.lease);
            self.grant(node, event.at, lease);
            self.promised.insert(node, self.granted[&node]);
        }
        if let Some(MembershipNote::TimingsInForce { timings }) = event.membership()
            && let Some(before) = self.grants.insert(node, timings.lease())
        {
            self.grant(node, event.at, before);
        }
        if event.install().is_some() {
            self.first.entry(node).or_insert(event.life);
        }
        if let What::HoldBegan { group, .. } = &event.what {
            self.held.insert((node, group.clone()));
        }
        if let What::HoldEnded { group, .. } = &event.what {
            self.held.remove(&(node, group.clone()));
        }
    }
}

impl Checker for Quarantine {
    fn property(&self) -> &'static str {
        "QUARANTINE"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.note_truth(event);
        // Only the first to install a view is judged: later ones hold what that view let them acquire.
        let Some(install) = event.install().filter(|install| install.view.id > self.judged) else {
            return Ok(());
        };
        self.judged = install.view.id;
        let view = install.view;
        if view.members.len() == self.nodes && self.held.is_empty() {
            let counts = view.members.values().filter(|member| member.counts);
            self.anew = counts.map(|member| member.incarnation).collect();
        }
        view.members.values().try_for_each(|member| {
            let life = member.incarnation;
            let young = self.young(life, event.at) && !self.anew.contains(&life);
            demand(!member.counts || !young, || {
                format!("{life} counts in view {} although its last life's promises may still run", view.id)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good, terms};
    use phalanx_types::Step;

    fn checker() -> Quarantine {
        Quarantine::new(&terms())
    }

    #[test]
    fn a_quarantine_that_is_over_or_not_needed() {
        let old = Story::new().start(&[1, 2]).later(Span::from_secs(1)).install(&[1, 2], 1, &[1, 2], 0);
        good(checker(), old.start(&[3]).quarantine(3).install(&[1, 2, 3], 2, &[1, 2, 3], 1));
        good(checker(), Story::new().start(&[1, 2, 3]).install(&[1, 2], 1, &[1, 2], 0));
        let all = Story::new().start(&[1, 2, 3]).install(&[1, 2, 3], 1, &[1, 2, 3], 0).start(&[1, 2, 3]);
        let anew = all.install(&[1, 2, 3], 2, &[1, 2, 3], 0);
        good(checker(), anew.hold(1, "shop", 7).install(&[1, 2], 3, &[1, 2], 2));
    }

    #[test]
    fn a_grant_after_a_restart() {
        let story = Story::new().start(&[1, 2]).later(Span::from_secs(1)).install(&[1, 2], 1, &[1, 2], 0);
        bad(checker(), story.crash(2).start(&[2]).install(&[1, 2], 2, &[1, 2], 1), "2.2 counts");
    }

    #[test]
    fn what_was_promised_by_longer_timings_lasts_as_long() {
        let longer = terms().timings.stretched(Step(2));
        let story = || Story::new().start(&[1, 2]).later(Span::from_secs(1)).install(&[1, 2], 1, &[1, 2], 0);
        let stretched = || story().go_by(2, terms().timings).go_by(2, longer);
        let back = |story: Story| story.crash(2).start(&[2]).later(Span::from_millis(700));
        let counts = |story: Story| story.install(&[1, 2], 2, &[1, 2], 1);
        good(checker(), counts(back(story())));
        bad(checker(), counts(back(stretched())), "2.2 counts");
        bad(checker(), counts(back(stretched().go_by(2, terms().timings))), "2.2 counts");
        good(checker(), counts(stretched()));
        let calm = stretched().go_by(2, terms().timings).later(Span::from_secs(1));
        good(checker(), counts(back(calm)));
    }

    #[test]
    fn all_begin_anew_while_one_still_holds_something() {
        let story = Story::new().start(&[1, 2, 3]).install(&[1], 1, &[1], 0).hold(1, "shop", 7);
        let story = story.tell(1, What::DaemonCrashed).start(&[1]);
        bad(checker(), story.install(&[1], 2, &[1, 2, 3], 0), "1.2 counts");
    }
}
