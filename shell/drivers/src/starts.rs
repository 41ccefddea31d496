//! Starts under way, the abandoned ones too: as long as one is, its resource may become active at any moment.

use crate::host::{Key, lock};
use phalanx_exec::Clearance;
use phalanx_types::OperationId;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// The starts under way.
#[derive(Default)]
pub(crate) struct Starts {
    running: Mutex<BTreeMap<OperationId, (Key, Clearance)>>,
}

impl Starts {
    pub(crate) fn begin(&self, id: OperationId, key: &Key, clearance: &Clearance) {
        lock(&self.running).insert(id, (key.clone(), clearance.clone()));
    }

    pub(crate) fn end(&self, id: OperationId) {
        lock(&self.running).remove(&id);
    }

    /// Whether a start of `key` is under way.
    pub(crate) fn has(&self, key: &Key) -> bool {
        lock(&self.running).values().any(|(running, _)| running == key)
    }

    /// Keeps the starts of `key` from acquiring anything more.
    pub(crate) fn revoke(&self, key: &Key) {
        lock(&self.running)
            .values()
            .filter(|(running, _)| running == key)
            .for_each(|(_, clearance)| clearance.revoke());
    }
}
