//! The status as the daemon tells it, as far as people are shown it.

use phalanx_types::Span;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The whole.
#[derive(Clone, Debug, Deserialize)]
pub struct StatusView {
    /// The cluster's name.
    pub cluster: String,
    /// The timing profile.
    pub timing: String,
    /// The node that answers.
    pub node: String,
    /// Its view, once there is one.
    pub view: Option<String>,
    /// Whether that may run resources.
    pub primary: bool,
    /// Whether the node takes part in decisions.
    pub in_step: bool,
    /// The quorum in words.
    pub quorum: String,
    /// How long the lease holds.
    pub lease_left: Span,
    /// How far the timings are stretched.
    pub timings: TimingsView,
    /// From a lost node's last beat to a takeover.
    pub takeover_wait: Span,
    /// What a takeover rests on.
    pub class: ClassView,
    /// The active configuration.
    pub config_version: u64,
    /// Whether the node shuts down.
    pub leaving: bool,
    /// The daemon itself.
    pub daemon: DaemonView,
    /// Every node.
    pub nodes: BTreeMap<String, NodeView>,
    /// Every group.
    pub groups: BTreeMap<String, GroupView>,
}

/// The timings.
#[derive(Clone, Debug, Deserialize)]
pub struct TimingsView {
    /// What the cluster file says.
    pub configured: DetectView,
    /// What the node that answers goes by.
    pub in_force: DetectView,
    /// The stall for which they were stretched.
    pub stall: Option<StallView>,
}

/// Of timings, what people are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct DetectView {
    /// Silence after which a node is declared down.
    pub detect: Span,
    /// For how long leases are granted.
    pub lease: Span,
}

/// A node that stood still.
#[derive(Clone, Debug, Deserialize)]
pub struct StallView {
    /// Which.
    pub node: String,
    /// For how long.
    pub length: Span,
}

/// A class of proof.
#[derive(Clone, Debug, Deserialize)]
pub struct ClassView {
    /// Its name.
    pub name: String,
    /// What it does not cover.
    pub does_not_cover: String,
}

/// The daemon.
#[derive(Clone, Debug, Deserialize)]
pub struct DaemonView {
    /// `guarded`, or why not.
    pub deadman: String,
    /// The timeout in seconds of its watchdog device, if it has one.
    #[serde(default)]
    pub watchdog: Option<u32>,
    /// Whether its main thread is real-time.
    pub realtime: bool,
}

/// A node.
#[derive(Clone, Debug, Deserialize)]
pub struct NodeView {
    /// Whether it is in the view.
    pub member: bool,
    /// Whether it counts toward the quorum.
    pub counts: bool,
}

/// A group.
#[derive(Clone, Debug, Deserialize)]
pub struct GroupView {
    /// Its state in one word.
    pub state: String,
    /// Where it is.
    pub node: Option<String>,
    /// Its last acquisition.
    pub epoch: u64,
    /// The node it was moved to.
    pub placed: Option<String>,
    /// Why it is as it is.
    pub reason: String,
    /// Nodes whose proof is waited for.
    pub awaiting: Vec<String>,
}
