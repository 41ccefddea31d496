//! Deactivate commands: what a client named for the case that it is expelled, run as the client's own user.
//!
//! Arguments: the client's process number, the limit in seconds, the flag, the instance numbers that are expelled. Each runs on a
//! thread of its own that is not real-time, in a cgroup of its own that is killed at the limit.

use phalanx_exec::{Cgroup, Identity, Job, User};
use phalanx_groups::domain::{Deactivation, Name};
use phalanx_host::now;
use phalanx_local::Peer;
use phalanx_session::Executable;
use phalanx_types::limits::{GS_DEACTIVATE_LIMIT_MAX, GS_DEACTIVATES_MAX};
use phalanx_types::{OwnershipEpoch, Span, ViewId};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const STACK_BYTES: usize = 256 * 1024;
const SECOND: u64 = Span::from_secs(1).0;

/// How a deactivate command ended, or that there was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deactivated {
    /// The group that expelled.
    pub group: Name,
    /// The client.
    pub client: String,
    /// Whether its command exited with 0 in time.
    pub well: bool,
    /// How it went, in words.
    pub how: String,
}

/// What runs deactivate commands.
pub struct Deactivator {
    cgroup: Cgroup,
    cluster: String,
    node: String,
    report: Arc<dyn Fn(Deactivated) + Send + Sync>,
    running: Arc<AtomicUsize>,
    started: u64,
}

/// Providers of one client that are expelled together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub group: Name,
    pub instances: Vec<i16>,
    pub how: Deactivation,
}

impl Deactivator {
    /// Runs commands on this node of this cluster in cgroups below `cgroup`; how each ends is handed to `report`.
    pub fn new(
        cgroup: Cgroup,
        cluster: String,
        node: String,
        report: impl Fn(Deactivated) + Send + Sync + 'static,
    ) -> Deactivator {
        Deactivator { cgroup, cluster, node, report: Arc::new(report), running: Arc::default(), started: 0 }
    }

    /// Runs the command of a client.
    pub(crate) fn run(&mut self, client: &str, peer: &Peer, executable: Option<&Executable>, order: Order) {
        let report = Arc::clone(&self.report);
        let (group, client) = (order.group.clone(), client.to_owned());
        let fail = |how: &str| {
            report(Deactivated {
                group: group.clone(),
                client: client.clone(),
                well: false,
                how: how.to_owned(),
            })
        };
        let Some(executable) = executable else { return fail("it named no deactivate command") };
        if self.running.fetch_add(1, Ordering::Relaxed) >= GS_DEACTIVATES_MAX {
            self.running.fetch_sub(1, Ordering::Relaxed);
            return fail("too many deactivate commands are running");
        }
        self.started += 1;
        let cgroup = self.cgroup.child(&self.started.to_string());
        let limit = order.how.limit.min(GS_DEACTIVATE_LIMIT_MAX);
        let command = command(executable, peer.pid, limit, &order);
        let identity = self.identity(&order.group, &client);
        let user = Some(User { uid: peer.uid, gid: peer.gid });
        let (running, done) = (Arc::clone(&self.running), Arc::clone(&self.report));
        let (group, who) = (group.clone(), client.clone());
        let work = move || {
            let job = Job { command: &command, cgroup: &cgroup, identity: &identity, clearance: None, user };
            let (well, how) = match job.run(now() + limit) {
                Ok(finished) => (finished.is_success(), finished.to_string()),
                Err(error) => (false, error.to_string()),
            };
            running.fetch_sub(1, Ordering::Relaxed);
            done(Deactivated { group, client: who, well, how: format!("{} {how}", command[0]) });
        };
        let thread = thread::Builder::new().name("deactivate".into()).stack_size(STACK_BYTES).spawn(work);
        if let Err(error) = thread {
            self.running.fetch_sub(1, Ordering::Relaxed);
            fail(&error.to_string());
        }
    }

    fn identity(&self, group: &Name, client: &str) -> Identity {
        Identity {
            cluster: self.cluster.clone(),
            node: self.node.clone(),
            group: group.to_string(),
            resource: client.to_owned(),
            epoch: OwnershipEpoch::NONE,
            view: ViewId::NONE,
        }
    }
}

fn command(executable: &Executable, pid: i32, limit: Span, order: &Order) -> Vec<String> {
    let instances: Vec<String> = order.instances.iter().map(i16::to_string).collect();
    vec![
        executable.as_str().to_owned(),
        pid.to_string(),
        limit.0.div_ceil(SECOND).to_string(),
        order.how.flag.as_str().to_owned(),
        instances.join(","),
    ]
}
