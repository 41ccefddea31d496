//! A frame on its way up: its bytes, and what the layer below vouches for. Never looks into the bytes.

use phalanx_types::{Incarnation, PathId, Shared};

/// A frame that arrived, authenticated as sent by that life to this life in this session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The path it came by.
    pub path: PathId,
    /// The life that sent it.
    pub from: Incarnation,
    /// What was sent. What came together with it may keep its memory: it is for who drops it soon.
    pub bytes: Shared,
}
