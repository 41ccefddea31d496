//! The configuration on this node: the ledger, what its active version declares, and what of it is on disk.
//!
//! Every change of the ledger leaves as one image to be stored; nothing here touches a disk or decides what is agreed.

use crate::manager::{ManagerEffect, Turn};
use phalanx_ledger::{Ledger, StageError, Version};
use phalanx_model::Cluster;
use phalanx_types::{Charter, Digest, Origin, StretchRecord, ViewId};
use std::sync::Arc;

/// The configuration.
pub(crate) struct Config {
    pub ledger: Ledger,
    pub cluster: Arc<Cluster>,
    /// Images handed out so far.
    written: u64,
    /// Images known to be durable.
    durable: u64,
    /// The image that makes an adopted version durable.
    needed: u64,
    /// The image that makes the charter durable, and the charter before.
    pending: Option<(u64, Charter)>,
    /// The image that makes what is known of the timings durable, and what was before.
    stretching: Option<(u64, StretchRecord)>,
}

impl Config {
    pub fn new(ledger: Ledger, cluster: Arc<Cluster>) -> Config {
        Config { ledger, cluster, written: 0, durable: 0, needed: 0, pending: None, stretching: None }
    }

    /// The digest of the active version.
    pub fn active(&self) -> Digest {
        self.ledger.active().digest()
    }

    /// Whether the active version survives a crash of this node.
    pub fn is_durable(&self) -> bool {
        self.is_stored(self.needed)
    }

    /// Whether this image is durable.
    pub fn is_stored(&self, number: u64) -> bool {
        self.durable >= number
    }

    /// An image is durable.
    pub fn stored(&mut self, number: u64) {
        self.durable = self.durable.max(number);
    }

    /// The version with this digest, if it is active or staged here.
    pub fn version(&self, digest: Digest) -> Option<&Version> {
        [self.ledger.head(), self.ledger.active()].into_iter().find(|version| version.digest() == digest)
    }

    /// The active version, if adopting this one loses it.
    pub fn lost_by(&self, version: &Version) -> Option<(u64, Digest)> {
        let (base, active) = (self.ledger.charter().base, self.ledger.active());
        self.ledger.would_lose(version, base).then(|| (active.index(), active.digest()))
    }

    /// Stages a version; gives the image that makes it durable.
    pub fn stage(&mut self, turn: &mut Turn<'_>, version: Version) -> Result<u64, StageError> {
        self.ledger.stage(version)?;
        Ok(self.store(turn))
    }

    /// A staged version was not agreed.
    pub fn unstage(&mut self, turn: &mut Turn<'_>, digest: Digest) {
        if self.ledger.staged().is_some_and(|staged| staged.digest() == digest) {
            self.ledger.unstage(digest);
            self.store(turn);
        }
    }

    /// Makes an agreed version the active one; false if what is active is as new.
    pub fn take(&mut self, turn: &mut Turn<'_>, version: Version) -> bool {
        if self.active() == version.digest() {
            return false;
        }
        if self.ledger.commit(version.digest()) {
            self.store(turn);
            return true;
        }
        let adopted = self.ledger.adopt(version);
        if adopted {
            self.needed = self.store(turn);
        }
        adopted
    }

    /// The charter as this node has it on disk.
    pub fn charter(&self) -> Charter {
        match self.pending {
            Some((number, before)) if !self.is_stored(number) => before,
            Some(_) | None => self.ledger.charter(),
        }
    }

    /// Takes what became of the charter; gives the image that makes it durable.
    pub fn set_charter(&mut self, turn: &mut Turn<'_>, charter: Charter) -> u64 {
        let before = self.charter();
        self.ledger.set_charter(charter);
        let number = self.store(turn);
        (self.pending, self.needed) = (Some((number, before)), number);
        number
    }

    /// What this node has on disk of the timings.
    pub fn stretch(&self) -> StretchRecord {
        match self.stretching {
            Some((number, before)) if !self.is_stored(number) => before,
            Some(_) | None => self.ledger.stretch(),
        }
    }

    /// Takes what became of the timings, and makes it durable.
    pub fn set_stretch(&mut self, turn: &mut Turn<'_>, stretch: StretchRecord) {
        let before = self.stretch();
        self.ledger.set_stretch(stretch);
        self.stretching = Some((self.store(turn), before));
    }

    /// Begins a generation; gives the image that makes it durable.
    pub fn begin_generation(&mut self, turn: &mut Turn<'_>, origin: Origin, view: ViewId) -> u64 {
        let before = self.charter();
        self.ledger.begin_generation(origin, view);
        let number = self.store(turn);
        (self.pending, self.needed) = (Some((number, before)), number);
        number
    }

    fn store(&mut self, turn: &mut Turn<'_>) -> u64 {
        self.written += 1;
        turn.out.push(ManagerEffect::Store { number: self.written, image: self.ledger.to_image() });
        self.written
    }
}
