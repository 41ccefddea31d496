//! What the cluster manager has to say: plans, groups, resources.

use serde::Serialize;

/// A note from the cluster manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
pub enum ManagerNote {}
