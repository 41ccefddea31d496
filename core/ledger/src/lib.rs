//! The chain of configuration versions: which is active, which is staged, and what it looks like on disk.
//!
//! A change is agreed in two phases. When all have checked it, each *stages* it: makes it durable beside the active one.
//! When all have staged it, it is active. So whatever dies in between, either nobody has staged it and the old version
//! stands, or somebody has and the next primary adopts it. Never opens a file, never reads what a version says.
#![forbid(unsafe_code)]

mod image;
mod version;

pub use image::{Damage, IMAGE_BYTES_MAX};
pub use version::{Stamp, Version};

use phalanx_types::{Charter, Digest, Origin, StretchRecord, ViewId};

/// What one node knows of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    active: Version,
    staged: Option<Version>,
    charter: Charter,
    stretch: StretchRecord,
}

/// Why a version was not staged. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageError {
    /// It does not follow the active version: somebody else changed the configuration meanwhile.
    NotNext {
        /// The digest that it names as its parent.
        parent: Digest,
    },
    /// It is older than one that is staged already.
    Older,
}

impl Ledger {
    /// A chain that begins with `text`, in generation 1.
    pub fn begin(text: String) -> Ledger {
        let (charter, stretch) = (Charter::FIRST, StretchRecord::FIRST);
        Ledger { active: Version::first(text), staged: None, charter, stretch }
    }

    /// The version in force.
    pub fn active(&self) -> &Version {
        &self.active
    }

    /// The version that is durable here but not known to be durable everywhere.
    pub fn staged(&self) -> Option<&Version> {
        self.staged.as_ref()
    }

    /// The newest version known here: what a new primary compares.
    pub fn head(&self) -> &Version {
        self.staged.as_ref().unwrap_or(&self.active)
    }

    /// Whose agreement makes a primary view, as last known here.
    pub fn charter(&self) -> Charter {
        self.charter
    }

    /// Takes over what is known of the charter elsewhere, or what became of it.
    pub fn set_charter(&mut self, charter: Charter) {
        self.charter = charter;
    }

    /// How far the timings are stretched, as last known here, and what of that must not be forgotten.
    pub fn stretch(&self) -> StretchRecord {
        self.stretch
    }

    /// Takes over what became of the timings.
    pub fn set_stretch(&mut self, stretch: StretchRecord) {
        self.stretch = stretch;
    }

    /// A new generation begins, with this charter of it: the newest version known here, staged or not, is its first.
    /// Where an operator forms the cluster, whatever the others agreed on after that is not in it; where a tie was broken there
    /// can be nothing.
    pub fn begin_generation(&mut self, origin: Origin, view: ViewId) {
        let base = self.head().clone();
        self.charter = match origin {
            Origin::Operator { few, others } => self.charter.formed_by(few, others, base.index()),
            Origin::Tie { half } => self.charter.won_by(half, base.index()),
        };
        self.active = base.first_of(self.charter.generation, view);
        self.staged = None;
    }

    /// Whether adopting `version` loses something: what is active here is of an older generation, and that generation
    /// had no part in it.
    pub fn would_lose(&self, version: &Version, base: u64) -> bool {
        let (ours, theirs) = (self.active.stamp(), version.stamp());
        ours.generation < theirs.generation && ours.index > base
    }

    /// The version that `text` would be if it were agreed in `view`.
    pub fn next(&self, text: String, view: ViewId) -> Version {
        self.active.next(text, view)
    }

    /// Whether `version` could be staged.
    pub fn check(&self, version: &Version) -> Result<(), StageError> {
        if version.parent() != self.active.digest() {
            return Err(StageError::NotNext { parent: version.parent() });
        }
        match self.staged.as_ref().is_some_and(|staged| staged.stamp() > version.stamp()) {
            true => Err(StageError::Older),
            false => Ok(()),
        }
    }

    /// Stages a version; it is to be made durable before anybody is told.
    pub fn stage(&mut self, version: Version) -> Result<(), StageError> {
        self.check(&version)?;
        self.staged = Some(version);
        Ok(())
    }

    /// The staged version with this digest was not agreed after all, as everybody in the view knows.
    pub fn unstage(&mut self, digest: Digest) {
        self.staged.take_if(|staged| staged.digest() == digest);
    }

    /// The staged version with this digest is durable everywhere: it is active. False if it is not staged here.
    pub fn commit(&mut self, digest: Digest) -> bool {
        match self.staged.take_if(|staged| staged.digest() == digest) {
            Some(version) => {
                self.active = version;
                true
            }
            None => self.active.digest() == digest,
        }
    }

    /// Takes over a newer version from the primary, whatever is staged here: a node that was away catches up. False if
    /// what is active here is as new.
    pub fn adopt(&mut self, version: Version) -> bool {
        if version.stamp() <= self.active.stamp() {
            return false;
        }
        self.staged = None;
        self.active = version;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::{NodeId, NodeSet};

    fn set(nodes: &[u16]) -> NodeSet {
        nodes.iter().map(|node| NodeId(*node)).collect()
    }

    fn view(counter: u64) -> ViewId {
        ViewId { counter, coordinator: NodeId(1) }
    }

    #[test]
    fn a_change_is_staged_and_then_active() {
        let mut ledger = Ledger::begin("one".into());
        let second = ledger.next("two".into(), view(5));
        ledger.stage(second.clone()).unwrap();
        assert_eq!((ledger.active().text(), ledger.head().text()), ("one", "two"));
        assert!(ledger.commit(second.digest()));
        assert_eq!((ledger.active().text(), ledger.staged()), ("two", None));
        assert_eq!(ledger.active().index(), 2);
    }

    #[test]
    fn two_changes_of_one_version_do_not_both_follow_it() {
        let mut ledger = Ledger::begin("one".into());
        let (mine, theirs) = (ledger.next("mine".into(), view(5)), ledger.next("theirs".into(), view(5)));
        ledger.stage(theirs.clone()).unwrap();
        ledger.commit(theirs.digest());
        assert_eq!(
            ledger.stage(mine),
            Err(StageError::NotNext { parent: Version::first("one".into()).digest() })
        );
    }

    #[test]
    fn a_version_staged_in_a_later_view_wins_over_an_older_attempt() {
        let mut ledger = Ledger::begin("one".into());
        let (old, new) = (ledger.next("old".into(), view(5)), ledger.next("new".into(), view(7)));
        ledger.stage(old.clone()).unwrap();
        ledger.stage(new.clone()).unwrap();
        assert_eq!(ledger.stage(old.clone()), Err(StageError::Older));
        assert!(!ledger.commit(old.digest()));
        assert_eq!(ledger.head().text(), "new");
    }

    #[test]
    fn a_version_that_was_not_agreed_makes_way_for_another_of_its_view() {
        let mut ledger = Ledger::begin("one".into());
        let texts = ["mine", "theirs"].map(|text| ledger.next(text.into(), view(5)));
        let [low, high] =
            if texts[0].stamp() < texts[1].stamp() { texts } else { [texts[1].clone(), texts[0].clone()] };
        ledger.stage(high.clone()).unwrap();
        assert_eq!(ledger.check(&low), Err(StageError::Older));
        ledger.unstage(high.digest());
        ledger.stage(low).unwrap();
    }

    #[test]
    fn a_generation_begins_with_the_newest_version_known_and_beats_what_others_agreed_on() {
        let mut alone = Ledger::begin("one".into());
        let (two, three) = (alone.next("two".into(), view(5)), alone.next("three".into(), view(9)));
        alone.stage(two.clone()).unwrap();
        let mut others = alone.clone();
        others.commit(two.digest());
        let three = others.next(three.text().into(), view(9));
        others.stage(three.clone()).unwrap();
        others.commit(three.digest());
        alone.begin_generation(Origin::Operator { few: set(&[1]), others: set(&[2, 3]) }, view(6));
        assert_eq!((alone.active().text(), alone.active().index(), alone.staged()), ("two", 3, None));
        assert_eq!(alone.charter().generation, 2);
        let base = alone.charter().base;
        assert!(others.would_lose(alone.active(), base), "they had gone on to version three");
        assert!(others.adopt(alone.active().clone()));
        assert!(!Ledger::begin("one".into()).would_lose(alone.active(), base), "that one was only behind");
    }

    #[test]
    fn a_node_that_was_away_catches_up_and_never_goes_back() {
        let mut away = Ledger::begin("one".into());
        let second = away.next("two".into(), view(3));
        let third = second.next("three".into(), view(4));
        assert!(away.adopt(third));
        assert!(!away.adopt(second));
        assert_eq!(away.active().text(), "three");
    }
}
