//! The contract that every kind of resource fulfils.

use crate::address::ServiceAddressDriver;
use crate::application::ApplicationDriver;
use crate::file_system::FileSystemDriver;
use crate::host::{Host, Key};
use phalanx_exec::{Cgroup, Clearance, Identity, SpawnError, Stale};
use phalanx_model::{Cluster, Resource, ResourceKind};
use phalanx_types::{OperationId, OperationResult, OwnershipEpoch, Tick};

/// One operation, as its driver sees it.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// Which operation; names what is made for it alone.
    pub id: OperationId,
    /// Which resource.
    pub key: &'a Key,
    /// The acquisition on whose behalf.
    pub epoch: OwnershipEpoch,
    /// When it should have ended.
    pub deadline: Tick,
    /// On whose behalf commands run.
    pub identity: &'a Identity,
    /// Where all processes of the resource live.
    pub cgroup: &'a Cgroup,
    /// What outlives an operation.
    pub host: &'a Host,
}

/// Why an operation did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The permit no longer held; nothing was acquired.
    Stale,
    /// It failed; why.
    Failed(String),
    /// Its time was up.
    TimedOut,
}

/// Whether a resource is active here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Something of it is.
    Active,
    /// Nothing of it is.
    Inactive,
}

/// What a resource can be asked. Each method may take its time, up to the task's deadline; one that takes longer is
/// abandoned, and must not harm when it wakes.
pub trait Driver {
    /// What would keep it from starting here, as far as can be told without starting it.
    fn verify(&self) -> Vec<String>;
    /// Looks whether anything outside this host would keep it from being started here, while it may not be yet.
    fn scout(&self, _: &Task<'_>) -> Result<(), Trouble> {
        Ok(())
    }
    /// Makes it active; it may be active already. Checks the clearance right before each act that acquires. Says what is
    /// answered: done, or where it is.
    fn start(&self, task: &Task<'_>, clearance: &Clearance) -> Result<OperationResult, Trouble>;
    /// Makes it inactive in order; it may be inactive already.
    fn stop(&self, task: &Task<'_>) -> Result<(), Trouble>;
    /// Makes it inactive at any price; it may be inactive already.
    fn kill(&self, task: &Task<'_>) -> Result<(), Trouble>;
    /// Looks whether anything of it is active.
    fn probe(&self, task: &Task<'_>) -> Result<Activity, Trouble>;
    /// Looks whether it is well.
    fn monitor(&self, task: &Task<'_>) -> Result<(), Trouble>;
}

/// The driver of `resource`.
pub(crate) fn driver_of<'a>(resource: &'a Resource, cluster: &'a Cluster) -> Box<dyn Driver + 'a> {
    match &resource.kind {
        ResourceKind::ServiceAddress(service) => Box::new(ServiceAddressDriver::new(service, cluster)),
        ResourceKind::FileSystem(file_system) => Box::new(FileSystemDriver::new(file_system.clone())),
        ResourceKind::Application(application) => Box::new(ApplicationDriver::new((**application).clone())),
    }
}

impl Trouble {
    /// A failure that `error` describes.
    pub(crate) fn failed(error: impl std::fmt::Display) -> Trouble {
        Trouble::Failed(error.to_string())
    }
}

impl From<Stale> for Trouble {
    fn from(Stale: Stale) -> Trouble {
        Trouble::Stale
    }
}

impl From<SpawnError> for Trouble {
    fn from(error: SpawnError) -> Trouble {
        match error {
            SpawnError::Stale => Trouble::Stale,
            SpawnError::Cgroup(_) | SpawnError::Program { .. } => Trouble::failed(error),
        }
    }
}

impl From<Trouble> for OperationResult {
    fn from(trouble: Trouble) -> OperationResult {
        match trouble {
            Trouble::Stale => OperationResult::Stale,
            Trouble::Failed(why) => OperationResult::Failed(why),
            Trouble::TimedOut => OperationResult::TimedOut,
        }
    }
}
