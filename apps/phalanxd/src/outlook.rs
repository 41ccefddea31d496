//! The state of things as `phalanx status` gets it: the manager's word, and what the daemon knows beside it.

use phalanx_api::SCHEMA;
use phalanx_conduct::Status;
use phalanx_groups::outlook::DomainOutlook;
use phalanx_membership::Standing;
use phalanx_model::Cluster;
use phalanx_types::{NodeId, ProofClass, Span, Tick, TimingProfile};
use phalanx_udp::Drops;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The whole.
#[derive(Serialize)]
pub struct Outlook<'a> {
    schema: u32,
    cluster: &'a str,
    timing: TimingProfile,
    /// Whether the view may run resources.
    primary: bool,
    /// Whether a quorum is known to have installed it.
    confirmed: bool,
    /// What a takeover by lease rests on, and what that does not cover.
    class: Class,
    /// How long after the last beat of a lost node its groups may be taken over.
    takeover_wait: Span,
    daemon: DaemonStatus,
    #[serde(flatten)]
    status: Status,
}

#[derive(Serialize)]
struct Class {
    name: ProofClass,
    does_not_cover: &'static str,
}

/// The daemon itself.
#[derive(Clone, Serialize)]
pub struct DaemonStatus {
    /// Its version.
    pub version: &'static str,
    /// Its process.
    pub pid: i32,
    /// Whether its main thread is real-time.
    pub realtime: bool,
    /// Whether the deadman guards it: `guarded`, or why not.
    pub deadman: String,
    /// The timeout in seconds of the watchdog device that is armed while something is held here, if there is one. It
    /// ends a host that a class does not cover, but no takeover waits for it: it is no proof.
    pub watchdog: Option<u32>,
    /// Its port.
    pub port: u16,
    /// Datagrams dropped, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
}

/// What is said of a deadman that hangs.
pub fn hanging(silence: Span) -> String {
    format!("the deadman has not answered for {silence}")
}

/// What was dropped, by name.
pub fn dropped(drops: &Drops) -> BTreeMap<&'static str, u64> {
    drops.iter().map(|(reason, count)| (reason.word(), count)).collect()
}

/// What a proof of this class does not cover.
fn uncovered(class: ProofClass) -> &'static str {
    match class {
        ProofClass::Process | ProofClass::Kernel => "a host that is frozen as a whole and thawed",
        ProofClass::Hardware => "a watchdog device that fails",
        ProofClass::Fenced => "a device that confirms what it has not done",
    }
}

/// All of it as JSON.
pub fn outlook(
    cluster: &Cluster,
    standing: &Standing,
    class: ProofClass,
    daemon: DaemonStatus,
    status: Status,
) -> Value {
    let outlook = Outlook {
        schema: SCHEMA,
        cluster: cluster.name.as_str(),
        timing: cluster.timing,
        primary: standing.primary,
        confirmed: standing.confirmed,
        class: Class { name: class, does_not_cover: uncovered(class) },
        takeover_wait: status.timings.in_force.takeover_wait(),
        daemon,
        status,
    };
    serde_json::to_value(outlook).expect("a status is plain data")
}

/// Group Services as JSON.
#[derive(Serialize)]
struct Domain<'a> {
    schema: u32,
    cluster: &'a str,
    pid: i32,
    /// How long the daemon has been running.
    running_for: Span,
    /// The nodes' names, by their numbers.
    nodes: BTreeMap<NodeId, &'a str>,
    #[serde(flatten)]
    domain: &'a DomainOutlook,
}

/// Group Services, its nodes by name, and the daemon that answers.
pub fn domain_outlook(cluster: &Cluster, domain: &DomainOutlook, started: Tick, now: Tick) -> Value {
    let nodes = cluster.nodes.iter().map(|(node, known)| (*node, known.name.as_str())).collect();
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    let running_for = now.since(started);
    let cluster = cluster.name.as_str();
    let domain = Domain { schema: SCHEMA, cluster, pid, running_for, nodes, domain };
    serde_json::to_value(domain).expect("a domain is plain data")
}
