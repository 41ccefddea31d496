//! The hands: operations go out to the drivers, what they report comes back to the inbox.
//!
//! Nothing is started before the deadman guards its group.

use crate::error::StartError;
use crate::guard::Guard;
use crate::inbox::{Post, Word};
use crate::remark::Remark;
use crate::settings::Settings;
use phalanx_drivers::{Drivers, Report, Settings as DriverSettings};
use phalanx_exec::{Cgroup, Permits};
use phalanx_lifeline::{HeldAddress, HeldFileSystem, Hold};
use phalanx_model::{Cluster, FileSystem, Format, ResourceKind};
use phalanx_node::Input;
use phalanx_types::{GroupName, Operation, OperationResult, Span, Verb};
use std::sync::Arc;

/// Where a cgroup for resources is made unless one is named.
const CGROUP: &str = "phalanx";
/// How long the network is asked who else has an address, while proofs are awaited.
const ADDRESS_PROBE: Span = Span::from_millis(20);

/// What carries out operations.
pub struct Hands {
    drivers: Arc<Drivers>,
    cgroup: Cgroup,
    guard: Guard,
    post: Post,
}

/// Where the processes of resources live.
pub fn cgroup(settings: &Settings) -> Result<Cgroup, StartError> {
    let failed = |error: phalanx_exec::CgroupError| StartError::Cgroup(error.to_string());
    match &settings.cgroup_root {
        Some(path) => {
            let cgroup = Cgroup::at(path);
            cgroup.create().map(|()| cgroup).map_err(failed)
        }
        None => Cgroup::root(CGROUP).map_err(failed),
    }
}

impl Hands {
    /// Hands that act as `node`, under `permits`.
    pub fn new(
        settings: &Settings,
        cgroup: Cgroup,
        node: String,
        permits: Arc<Permits>,
        guard: Guard,
        post: Post,
    ) -> Result<Hands, StartError> {
        let told = post.clone();
        let report = move |report| told.send(word(report));
        let run_dir = settings.run_dir.clone();
        let settings = DriverSettings { node, run_dir, cgroup: cgroup.clone(), address_probe: ADDRESS_PROBE };
        let drivers = Arc::new(Drivers::new(settings, permits, report)?);
        Ok(Hands { drivers, cgroup, guard, post })
    }

    /// Carries out an operation; its one answer comes to the inbox.
    pub fn run(&self, operation: Operation, cluster: &Arc<Cluster>) {
        match operation.verb {
            Verb::Start(_) => self.start(operation, cluster),
            Verb::Probe | Verb::Scout | Verb::Stop | Verb::Kill | Verb::Monitor => {
                self.drivers.run(operation, Arc::clone(cluster));
            }
        }
    }

    /// Has the deadman guard a group that runs already.
    pub fn guard(&self, group: &GroupName, cluster: &Cluster) {
        // Without a deadman there is no lease, and the group is let go.
        self.guard.hold(self.hold(group, cluster), Box::new(|_| {}));
    }

    fn start(&self, operation: Operation, cluster: &Arc<Cluster>) {
        let (drivers, post, cluster) = (Arc::clone(&self.drivers), self.post.clone(), Arc::clone(cluster));
        let id = operation.id;
        let hold = self.hold(&operation.group, &cluster);
        let then = move |guarded: Result<(), String>| match guarded {
            Ok(()) => drivers.run(operation, cluster),
            Err(why) => {
                post.input(Input::Operated {
                    id,
                    result: OperationResult::Failed(format!("not started: {why}")),
                });
            }
        };
        self.guard.hold(hold, Box::new(then));
    }

    /// All that letting go of a group takes.
    fn hold(&self, group: &GroupName, cluster: &Cluster) -> Hold {
        let cgroup = self.cgroup.child(group.as_str()).path().display().to_string();
        let mut hold = Hold { group: group.clone(), cgroup, file_systems: Vec::new(), addresses: Vec::new() };
        let resources = cluster.groups.get(group).into_iter().flat_map(|group| &group.resources);
        for resource in resources {
            match &resource.kind {
                ResourceKind::ServiceAddress(service) => {
                    hold.addresses.push(HeldAddress { address: service.address.address });
                }
                ResourceKind::FileSystem(file_system) => hold.file_systems.push(held(file_system)),
                ResourceKind::Application(_) => {}
            }
        }
        hold
    }
}

fn held(file_system: &FileSystem) -> HeldFileSystem {
    let format = match file_system.format {
        Format::Ext4 => "ext4",
        Format::Xfs => "xfs",
        Format::Btrfs => "btrfs",
    };
    let FileSystem { device, mount, .. } = file_system;
    HeldFileSystem { device: device.clone(), mount: mount.clone(), format: format.to_owned() }
}

fn word(report: Report) -> Word {
    match report {
        Report::Operated { id, result } => Word::Input(Input::Operated { id, result }),
        Report::Ended { group, resource, how } => Word::Input(Input::Ended { group, resource, how }),
        Report::Contested { key, contest } => Word::Remark(Remark::contested(key, contest)),
    }
}
