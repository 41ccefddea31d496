//! File systems on shared disks.

use crate::driver::{Activity, Driver, Task, Trouble};
use crate::drivers::command_name;
use phalanx_exec::Clearance;
use phalanx_model::FileSystem;
use phalanx_storage::{Manner, MountError, Mounting, State, mount, state, unmount};
use phalanx_types::OperationResult;
use std::path::Path;

/// The driver of one file system.
pub(crate) struct FileSystemDriver {
    file_system: FileSystem,
}

impl FileSystemDriver {
    pub(crate) fn new(file_system: FileSystem) -> FileSystemDriver {
        FileSystemDriver { file_system }
    }

    fn release(&self, task: &Task<'_>, manner: Manner) -> Result<(), Trouble> {
        // A check of the disk that is still running holds it too.
        task.cgroup.end(task.deadline).map_err(Trouble::failed)?;
        unmount(&self.file_system, manner, task.deadline).map_err(Trouble::failed)
    }
}

impl Driver for FileSystemDriver {
    fn verify(&self) -> Vec<String> {
        match Path::new(&self.file_system.device).exists() {
            true => Vec::new(),
            false => vec![format!("there is no device {}", self.file_system.device)],
        }
    }

    fn start(&self, task: &Task<'_>, clearance: &Clearance) -> Result<OperationResult, Trouble> {
        let cgroup = &task.cgroup.child(&command_name("check", task.id));
        let mounting = Mounting { clearance, cgroup, identity: task.identity, deadline: task.deadline };
        let mounted = mount(&self.file_system, mounting).map(|()| OperationResult::Done);
        mounted.map_err(|error| match error {
            MountError::Stale => Trouble::Stale,
            MountError::InUse { .. }
            | MountError::Occupied { .. }
            | MountError::Unfit(_)
            | MountError::Failed { .. } => Trouble::failed(error),
        })
    }

    fn stop(&self, task: &Task<'_>) -> Result<(), Trouble> {
        self.release(task, Manner::Orderly)
    }

    fn kill(&self, task: &Task<'_>) -> Result<(), Trouble> {
        self.release(task, Manner::Kill)
    }

    fn probe(&self, task: &Task<'_>) -> Result<Activity, Trouble> {
        let checking = task.cgroup.is_populated().map_err(Trouble::failed)?;
        match state(&self.file_system).map_err(Trouble::failed)? {
            State::Unmounted if !checking => Ok(Activity::Inactive),
            State::Unmounted | State::Mounted | State::Elsewhere(_) | State::Claimed => Ok(Activity::Active),
        }
    }

    fn monitor(&self, _: &Task<'_>) -> Result<(), Trouble> {
        match state(&self.file_system).map_err(Trouble::failed)? {
            State::Mounted => Ok(()),
            State::Unmounted | State::Elsewhere(_) | State::Claimed => {
                Err(Trouble::Failed(format!("{} is not mounted", self.file_system.mount)))
            }
        }
    }
}
