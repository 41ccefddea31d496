//! M6 (ONE-PRIMARY): primaries act one after the other, in the order of their ids.
//!
//! A node *acts* for a primary while all of this is so: its daemon lives; that primary is the last view it installed, and
//! it has frozen it for no later one; it says that enough have installed it to decide (and they have); the lease that its
//! deadman accepted runs. What a primary does with that is acquire groups.
//!
//! A new primary is formed, is confirmed and plans while members of the old one still act, and who holds a group goes on with
//! it: no lease is waited for before it must be. What must never be is that two act on *one group*. So whoever begins to
//! acquire what it does not hold finds no older primary acting on any node that may have the group; and once a primary
//! has acquired anything of it, no older one does.

use super::deciders::Deciders;
use crate::checker::{Checker, Terms, demand};
use crate::event::{Event, GlobalTime, What};
use crate::horizon::PerView;
use phalanx_events::MembershipNote;
use phalanx_types::{GroupName, Incarnation, NodeId, NodeSet, ViewId};
use std::collections::{BTreeMap, BTreeSet};

/// One node, as far as it may act.
#[derive(Default)]
struct Actor {
    /// The view that it may decide in and has not frozen.
    decides_in: Option<ViewId>,
    lease_end: GlobalTime,
}

impl Actor {
    /// The primary before `view` that it acts for.
    fn older_than(&self, view: ViewId, at: GlobalTime) -> Option<ViewId> {
        self.decides_in.filter(|own| *own < view && at < self.lease_end)
    }
}

/// Who acts for which primary, and which acted last on each group.
pub(crate) struct PrimaryOrder {
    deciders: Deciders,
    may_have: BTreeMap<GroupName, Vec<NodeId>>,
    actors: BTreeMap<NodeId, Actor>,
    /// The members that count in each view and have installed it.
    installed: PerView<NodeSet>,
    newest: BTreeMap<GroupName, ViewId>,
    /// Who holds what: its own is nobody else's to take.
    held: BTreeSet<(GroupName, NodeId)>,
}

impl PrimaryOrder {
    /// In this cluster.
    pub fn new(terms: &Terms) -> PrimaryOrder {
        PrimaryOrder {
            deciders: Deciders::new(terms),
            may_have: terms.groups.clone(),
            actors: BTreeMap::new(),
            installed: PerView::default(),
            newest: BTreeMap::new(),
            held: BTreeSet::new(),
        }
    }

    fn actor(&mut self, node: NodeId) -> &mut Actor {
        self.actors.entry(node).or_default()
    }

    fn follow_view(&mut self, event: &Event) -> Result<(), String> {
        let node = event.life.node;
        if let Some(install) = event.install() {
            let counting = install.view.counting();
            let installed = self.installed.of(install.view.id);
            *installed = installed.iter().chain([node]).filter(|node| counting.has(*node)).collect();
            self.actor(node).decides_in = None;
        }
        let freezes = matches!(event.membership(), Some(MembershipNote::ViewAccepted { .. }));
        if freezes || event.ends_life() {
            self.actor(node).decides_in = None;
        }
        if let Some(MembershipNote::ViewConfirmed { id }) = event.membership() {
            self.confirm(event.life, *id)?;
        }
        Ok(())
    }

    fn follow_host(&mut self, event: &Event) {
        let node = event.life.node;
        if let What::HoldBegan { group, .. } = &event.what {
            self.held.insert((group.clone(), node));
        }
        if let What::HoldEnded { group, .. } = &event.what {
            self.held.remove(&(group.clone(), node));
        }
        if let What::Fed { until_global, .. } = event.what {
            self.actor(node).lease_end = until_global;
        }
    }

    fn confirm(&mut self, life: Incarnation, id: ViewId) -> Result<(), String> {
        let installed = self.installed.get(id).copied().unwrap_or(NodeSet::EMPTY);
        let enough = self.deciders.are_met_by(installed) || self.deciders.is_majority(installed);
        demand(enough, || {
            format!(
                "{life} acts in view {id}, installed by just {installed:?}, with {}",
                self.deciders.words()
            )
        })?;
        self.actor(life.node).decides_in = Some(id);
        Ok(())
    }

    fn begin(
        &mut self,
        life: Incarnation,
        group: &GroupName,
        view: ViewId,
        at: GlobalTime,
    ) -> Result<(), String> {
        let newest = self.newest.entry(group.clone()).or_insert(view);
        demand(*newest <= view, || {
            format!("{life} acquires {group} for primary {view} after primary {newest} acted on it")
        })?;
        *newest = view;
        if self.held.contains(&(group.clone(), life.node)) {
            return Ok(());
        }
        let mut others = self.may_have.get(group).into_iter().flatten().filter(|node| **node != life.node);
        let rival = others.find_map(|node| {
            let actor = self.actors.get(node)?;
            Some((node, actor.older_than(view, at)?, actor.lease_end - at))
        });
        let Some((node, older, left)) = rival else { return Ok(()) };
        Err(format!(
            "{life} acquires {group} for primary {view} while {node} acts for {older}, with {left} left"
        ))
    }
}

impl Checker for PrimaryOrder {
    fn property(&self) -> &'static str {
        "M6 primary order"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.deciders.see(event);
        self.follow_view(event)?;
        self.follow_host(event);
        if let Some((operation, permit, _)) = event.acquisition() {
            self.begin(event.life, &operation.group, permit.view, event.at)?;
        }
        self.installed.see(event);
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::{Story, terms};
    use crate::trial::Trial;
    use phalanx_types::Span;

    const LEASE: Span = Span::from_millis(500);

    /// All three decide in view 1, and node 3 has a lease.
    fn story() -> Story {
        Story::of(&[1, 2, 3]).confirm(&[1, 2, 3], 1).feed(3, LEASE)
    }

    /// Nodes 1 and 2 go on without node 3.
    fn split() -> Story {
        story().install(&[1, 2], 2, &[1, 2], 1).confirm(&[1, 2], 2)
    }

    pub(crate) fn trial() -> Trial {
        let shop = |story: Story, node, view| story.acquire(node, "shop", view, LEASE);
        let back = || split().install(&[1, 2, 3], 3, &[1, 2, 3], 2);
        Trial::of(|| PrimaryOrder::new(&terms()))
            .good("the new primary waits for the old one's lease", shop(split().later(LEASE), 1, 2))
            .good("the old one starts something while the new one confers", shop(split(), 3, 1))
            .good(
                "who has frozen the old view acts no more",
                shop(
                    story().accept(3, 2, &[1, 2, 3]).install(&[1, 2], 2, &[1, 2, 3], 1).confirm(&[1], 2),
                    1,
                    2,
                ),
            )
            .good("who crashed acts no more, whatever its lease", shop(split().crash_daemon(3), 1, 2))
            .good(
                "a formed cluster needs few, and the others are off",
                shop(
                    story().crash(2).crash(3).form(&[1], &[2, 3]).install(&[1], 2, &[1], 1).confirm(&[1], 2),
                    1,
                    2,
                ),
            )
            .good("one group for each primary's node, in order", shop(shop(story(), 3, 1).later(LEASE), 3, 1))
            .good("who holds a group starts a part of it anew", shop(split().hold(1, "shop", 1), 1, 2))
            .bad(
                "the new one takes a group that the old one may yet start",
                shop(split(), 1, 2),
                "while node 3 acts for 1/1",
            )
            .bad("a paused node is an acting node", shop(split().tell(3, What::Paused), 2, 2), "while node 3")
            .bad(
                "the old one starts it again after its lease, and the new one was first",
                shop(shop(split().later(LEASE), 1, 2), 3, 1),
                "for primary 1/1 after primary 2/1",
            )
            .bad(
                "a confirmation on hearsay",
                story().install(&[1], 2, &[1, 2], 1).confirm(&[1], 2),
                "installed by just",
            )
            .bad(
                "a lease renewed a moment before",
                shop(
                    back()
                        .later(LEASE)
                        .feed(3, LEASE)
                        .confirm(&[3], 3)
                        .install(&[1, 2], 4, &[1, 2], 3)
                        .confirm(&[1], 4),
                    1,
                    4,
                ),
                "acts for 3/1",
            )
    }
}
