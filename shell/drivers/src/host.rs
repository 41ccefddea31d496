//! What outlives an operation: where things are kept on this host, who runs, what is being announced.

use crate::contest::Contest;
use crate::record::Records;
use crate::watch::Watches;
use phalanx_exec::{Cgroup, Identity, Permits};
use phalanx_model::Cluster;
use phalanx_netlink::Announcement;
use phalanx_types::{GroupName, OperationId, OperationResult, OwnershipEpoch, ResourceName, Span};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How the drivers work on this host.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This node's name, for the environment of commands.
    pub node: String,
    /// A directory that a reboot empties.
    pub run_dir: PathBuf,
    /// The cgroup that all resources' cgroups lie in.
    pub cgroup: Cgroup,
    /// How long the network is asked who else has an address, while it may not be started yet; zero does not ask.
    pub address_probe: Span,
}

/// What the drivers tell, unasked and asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// An operation ended; each gets exactly one of these.
    Operated {
        /// Which.
        id: OperationId,
        /// How.
        result: OperationResult,
    },
    /// The main process of an application with a process monitor ended, unasked.
    Ended {
        /// Its group.
        group: GroupName,
        /// The application.
        resource: ResourceName,
        /// How, for people.
        how: String,
    },
    /// Another host has a service address.
    Contested {
        /// Which.
        key: Key,
        /// Who.
        contest: Contest,
    },
}

/// Takes reports; called on the drivers' threads.
pub type Reporter = Arc<dyn Fn(Report) + Send + Sync>;

/// One resource of one group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The group.
    pub group: GroupName,
    /// The resource.
    pub resource: ResourceName,
}

/// The drivers' surroundings.
pub struct Host {
    pub(crate) settings: Settings,
    pub(crate) permits: Arc<Permits>,
    pub(crate) report: Reporter,
    pub(crate) records: Arc<Records>,
    pub(crate) watches: Watches,
    announcements: Mutex<BTreeMap<Key, Announcement>>,
}

impl Host {
    pub(crate) fn new(settings: Settings, permits: Arc<Permits>, report: Reporter) -> Host {
        let records = Arc::new(Records::new(settings.run_dir.join("resources")));
        let announcements = Mutex::default();
        Host { settings, permits, report, records, watches: Watches::default(), announcements }
    }

    /// Where the processes of a resource live.
    pub(crate) fn cgroup(&self, key: &Key) -> Cgroup {
        self.settings.cgroup.child(key.group.as_str()).child(key.resource.as_str())
    }

    /// On whose behalf the commands of a resource run.
    pub(crate) fn identity(&self, cluster: &Cluster, key: &Key, epoch: OwnershipEpoch) -> Identity {
        Identity {
            cluster: cluster.name.as_str().into(),
            node: self.settings.node.clone(),
            group: key.group.as_str().into(),
            resource: key.resource.as_str().into(),
            epoch,
            view: self.permits.standing().0,
        }
    }

    /// Keeps an announcement going until another one, or [`Host::fall_silent`].
    pub(crate) fn keep_announcing(&self, key: &Key, announcement: Announcement) {
        lock(&self.announcements).insert(key.clone(), announcement);
    }

    /// Ends the announcement of a resource: no frame of it is sent after this.
    pub(crate) fn fall_silent(&self, key: &Key) {
        lock(&self.announcements).remove(key);
    }
}

/// Locks `mutex`; a thread that died holding it left nothing half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group.as_str(), self.resource.as_str())
    }
}
