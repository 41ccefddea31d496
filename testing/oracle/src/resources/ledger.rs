//! LEDGER: an acknowledged change of the configuration is never lost and never forks.
//!
//! Members in step with a view go by one version. A version follows one other, and only one version follows it. What an
//! operator was told to be active is, or is followed by, what every later view goes by.
//!
//! Where an operator forms the cluster of few, what they do not know of is lost: that is in the bargain. Half of the nodes that
//! won the tie-breaker may begin anew what it began and had not on disk when it died; but nothing is lost by that.

use crate::checker::{Checker, demand};
use crate::event::{Event, What};
use phalanx_events::{ManagerNote, Note};
use phalanx_types::{CharterStage, Digest, Incarnation, Majority, ViewId};
use std::collections::{BTreeMap, BTreeSet};

/// The chain as it became active, and what was acknowledged.
#[derive(Default)]
pub(crate) struct LedgerKept {
    parents: BTreeMap<Digest, Digest>,
    children: BTreeMap<Digest, Digest>,
    /// What the members in step with each view go by.
    views: BTreeMap<ViewId, Digest>,
    /// Each acknowledged version, and the newest view that anybody was in step with then.
    acknowledged: BTreeMap<Digest, ViewId>,
    /// Who has just formed the cluster: the next version that becomes active there begins a generation.
    forming: Option<Incarnation>,
    /// The same where that is the half that has just won the tie-breaker.
    winning: Option<Incarnation>,
}

impl LedgerKept {
    /// A generation begins: nothing else that follows the same version counts any more.
    fn begin_generation(&mut self, config: Digest, parent: Digest) {
        self.forming = None;
        self.children.insert(parent, config);
        self.parents.insert(config, parent);
        let kept = self.acknowledged.keys().copied().filter(|version| self.leads_to(*version, config));
        let kept: BTreeSet<Digest> = kept.collect();
        self.acknowledged.retain(|version, _| kept.contains(version));
    }

    /// A generation begins with all that is acknowledged.
    fn go_on_alone(&mut self, config: Digest, parent: Digest) {
        self.winning = None;
        self.children.insert(parent, config);
        self.parents.insert(config, parent);
    }

    fn activate(&mut self, config: Digest, parent: Digest) -> Result<(), String> {
        let child = *self.children.entry(parent).or_insert(config);
        demand(child == config, || format!("{child} and {config} both follow {parent}"))?;
        let known = *self.parents.entry(config).or_insert(parent);
        demand(known == parent, || format!("{config} follows {known} and {parent}"))
    }

    fn be_in_step(&mut self, view: ViewId, config: Digest) -> Result<(), String> {
        let theirs = *self.views.entry(view).or_insert(config);
        demand(theirs == config, || format!("members in step with {view} go by {theirs} and by {config}"))?;
        let lost = self
            .acknowledged
            .iter()
            .find(|(digest, told_in)| **told_in < view && !self.leads_to(**digest, config));
        demand(lost.is_none(), || format!("{view} goes by {config}, which has lost {lost:?}"))
    }

    /// Whether `later` is `earlier` or follows it.
    fn leads_to(&self, earlier: Digest, later: Digest) -> bool {
        let mut chain = std::iter::successors(Some(later), |version| self.parents.get(version).copied());
        chain.any(|version| version == earlier)
    }
}

impl Checker for LedgerKept {
    fn property(&self) -> &'static str {
        "LEDGER"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        let What::Note(Note::Manager(note)) = &event.what else { return Ok(()) };
        if let ManagerNote::Formed { .. } = note {
            self.forming = Some(event.life);
        }
        if let ManagerNote::CharterChanged { charter } = note
            && let CharterStage::Settled(Majority::AllOf(half)) = charter.stage
            && half.has(event.life.node)
        {
            self.winning = Some(event.life);
        }
        if let ManagerNote::Activated { config, parent, .. } = note {
            match Some(event.life) {
                life if self.forming == life => self.begin_generation(*config, *parent),
                life if self.winning == life => self.go_on_alone(*config, *parent),
                _ => self.activate(*config, *parent)?,
            }
        }
        if let ManagerNote::InStep { view, config, .. } = note {
            self.be_in_step(*view, *config)?;
        }
        if let ManagerNote::ChangeAcknowledged { config } = note {
            let newest = self.views.keys().next_back().copied().unwrap_or(ViewId::NONE);
            self.acknowledged.entry(*config).or_insert(newest);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good, view_id};
    use phalanx_types::{Charter, NodeId, NodeSet};

    fn digest(version: &str) -> Digest {
        Digest::of(version.as_bytes())
    }

    fn note(story: Story, node: u16, note: ManagerNote) -> Story {
        story.tell(node, What::Note(Note::Manager(note)))
    }

    fn active(story: Story, node: u16, version: &str, parent: &str) -> Story {
        let (config, parent) = (digest(version), digest(parent));
        note(story, node, ManagerNote::Activated { config, parent, version: 2 })
    }

    fn in_step(story: Story, node: u16, view: u64, version: &str) -> Story {
        let (config, state) = (digest(version), digest("state"));
        note(story, node, ManagerNote::InStep { view: view_id(view), config, state })
    }

    fn told(story: Story, node: u16, version: &str) -> Story {
        note(story, node, ManagerNote::ChangeAcknowledged { config: digest(version) })
    }

    fn changed_in_view_5() -> Story {
        let story = in_step(in_step(Story::new(), 1, 5, "one"), 2, 5, "one");
        told(active(active(story, 1, "two", "one"), 2, "two", "one"), 1, "two")
    }

    #[test]
    fn a_change_is_kept_and_followed() {
        let story = in_step(in_step(changed_in_view_5(), 1, 6, "two"), 3, 6, "two");
        good(LedgerKept::default(), in_step(active(story, 3, "three", "two"), 3, 7, "three"));
    }

    #[test]
    fn a_view_may_begin_late_on_a_node_that_was_slow() {
        good(LedgerKept::default(), in_step(changed_in_view_5(), 3, 5, "one"));
    }

    #[test]
    fn an_acknowledged_change_is_lost() {
        bad(LedgerKept::default(), in_step(changed_in_view_5(), 3, 6, "one"), "lost");
    }

    #[test]
    fn two_versions_follow_one() {
        bad(LedgerKept::default(), active(changed_in_view_5(), 3, "other", "one"), "both follow");
    }

    #[test]
    fn half_that_won_begins_anew_what_died_with_it_and_loses_nothing() {
        let half = NodeSet::EMPTY.with(NodeId(1));
        let won = || ManagerNote::CharterChanged { charter: Charter::FIRST.won_by(half, 1) };
        let begun = |story, version| active(note(story, 1, won()), 1, version, "two");
        let story = begun(begun(changed_in_view_5(), "died with it"), "three");
        good(LedgerKept::default(), in_step(story, 1, 7, "three"));
        let story = active(note(changed_in_view_5(), 1, won()), 1, "without it", "one");
        bad(LedgerKept::default(), in_step(story, 1, 7, "without it"), "lost");
    }

    #[test]
    fn what_the_few_did_not_know_is_lost_only_where_an_operator_formed_the_cluster() {
        let formed = ManagerNote::Formed {
            generation: 2,
            few: NodeSet::EMPTY,
            without: NodeSet::EMPTY,
            by: "root".into(),
            why: "off".into(),
        };
        let story = active(note(changed_in_view_5(), 3, formed), 3, "anew", "one");
        good(LedgerKept::default(), in_step(story, 3, 9, "anew"));
    }

    #[test]
    fn members_in_step_differ() {
        let story = in_step(changed_in_view_5(), 1, 6, "two");
        bad(LedgerKept::default(), in_step(story, 2, 6, "one"), "go by");
    }
}
