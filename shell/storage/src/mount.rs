//! Making a file system active here: look, check it if it needs that, and mount it.

use crate::claim::freshen;
use crate::options;
use crate::state::{State, mount_point, occupant, state};
use crate::superblock::{Health, ext4_health};
use phalanx_exec::{Cgroup, Clearance, Ending, Identity, Job, SpawnError, Stale};
use phalanx_model::{FileSystem, Format};
use phalanx_types::Tick;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

/// Exit codes of e2fsck up to this one leave a file system that can be mounted: 0 is clean, 1 is mended.
const E2FSCK_MENDED: i32 = 1;

/// On whose behalf, under which permit and until when a file system is mounted.
#[derive(Clone, Copy, Debug)]
pub struct Mounting<'a> {
    /// Checked right before each act.
    pub clearance: &'a Clearance,
    /// Where a check runs.
    pub cgroup: &'a Cgroup,
    /// On whose behalf it runs.
    pub identity: &'a Identity,
    /// When a check is ended.
    pub deadline: Tick,
}

/// Why a file system was not mounted. Nothing is mounted after any of these.
#[derive(Debug)]
pub enum MountError {
    /// The permit no longer held.
    Stale,
    /// Its device is in use on this host.
    InUse {
        /// The device.
        device: String,
        /// By what.
        state: State,
    },
    /// Something else is mounted where it belongs.
    Occupied {
        /// Where it belongs.
        point: PathBuf,
        /// What is there.
        source: PathBuf,
    },
    /// The check before mounting did not make it fit.
    Unfit(String),
    /// A step failed.
    Failed {
        /// What was tried.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Makes `file_system` active here; it may be already.
pub fn mount(file_system: &FileSystem, mounting: Mounting<'_>) -> Result<(), MountError> {
    let device = Path::new(&file_system.device);
    match state(file_system).map_err(|error| failed("look at the mounts", error))? {
        State::Mounted => return Ok(()),
        State::Unmounted => {}
        state @ (State::Elsewhere(_) | State::Claimed) => return Err(in_use(file_system, state)),
    }
    fs::create_dir_all(&file_system.mount).map_err(|error| failed("make the mount point", error))?;
    if let Some(other) = occupant(file_system).map_err(|error| failed("look at the mounts", error))? {
        return Err(MountError::Occupied { point: other.point, source: other.source });
    }
    check(file_system, mounting)?;
    freshen(device).map_err(|error| match error.kind() == io::ErrorKind::ResourceBusy {
        true => in_use(file_system, State::Claimed),
        false => failed(&format!("open {}", file_system.device), error),
    })?;
    attach(file_system, mounting.clearance)
}

/// Checks the file system where its superblock asks for more than the mount itself does.
fn check(file_system: &FileSystem, mounting: Mounting<'_>) -> Result<(), MountError> {
    match file_system.format {
        // These replay their logs when mounted, and have no check that mends anything unasked.
        Format::Xfs | Format::Btrfs => Ok(()),
        Format::Ext4 => match ext4_health(Path::new(&file_system.device)) {
            Ok(Health::Mountable) => Ok(()),
            Ok(Health::NeedsCheck(why)) => e2fsck(file_system, mounting, why),
            Err(errno) => Err(failed(&format!("read {}", file_system.device), errno.into())),
        },
    }
}

fn e2fsck(file_system: &FileSystem, mounting: Mounting<'_>, why: &str) -> Result<(), MountError> {
    let command = ["e2fsck", "-p", &file_system.device].map(String::from);
    let (cgroup, identity, clearance) = (mounting.cgroup, mounting.identity, Some(mounting.clearance));
    let finished =
        Job { command: &command, cgroup, identity, clearance, user: None }.run(mounting.deadline)?;
    match finished.ending {
        Some(Ending::Exited(0..=E2FSCK_MENDED)) => Ok(()),
        Some(Ending::Exited(_) | Ending::Signalled(_) | Ending::Unseen) | None => {
            let device = &file_system.device;
            let why = format!("{device} needs a check ({why}), and e2fsck -p {finished}; run e2fsck by hand");
            Err(MountError::Unfit(why))
        }
    }
}

fn attach(file_system: &FileSystem, clearance: &Clearance) -> Result<(), MountError> {
    let (flags, data) = options::parse(&file_system.options);
    let (device, point, format) =
        (&file_system.device, mount_point(file_system), format_name(file_system.format));
    clearance.check()?;
    rustix::mount::mount(device.as_str(), &point, format, flags, data.as_c_str())
        .map_err(|errno| failed(&format!("mount {device} on {}", point.display()), errno.into()))
}

fn format_name(format: Format) -> &'static str {
    match format {
        Format::Ext4 => "ext4",
        Format::Xfs => "xfs",
        Format::Btrfs => "btrfs",
    }
}

fn in_use(file_system: &FileSystem, state: State) -> MountError {
    MountError::InUse { device: file_system.device.clone(), state }
}

fn failed(what: &str, source: io::Error) -> MountError {
    MountError::Failed { what: what.into(), source }
}

impl From<Stale> for MountError {
    fn from(Stale: Stale) -> MountError {
        MountError::Stale
    }
}

impl From<SpawnError> for MountError {
    fn from(error: SpawnError) -> MountError {
        match error {
            SpawnError::Stale => MountError::Stale,
            SpawnError::Cgroup(_) | SpawnError::Program { .. } => MountError::Unfit(error.to_string()),
        }
    }
}

impl fmt::Display for MountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MountError::Stale => Stale.fmt(f),
            MountError::InUse { device, state: State::Elsewhere(point) } => {
                write!(f, "{device} is mounted on {} already", point.display())
            }
            MountError::InUse { device, state: State::Claimed | State::Mounted | State::Unmounted } => {
                write!(
                    f,
                    "{device} is in use on this host: by a mount in another mount namespace, one that was detached, or a driver"
                )
            }
            MountError::Occupied { point, source } => {
                write!(f, "{} is mounted on {} already", source.display(), point.display())
            }
            MountError::Unfit(why) => f.write_str(why),
            MountError::Failed { what, source } => write!(f, "cannot {what}: {source}"),
        }
    }
}

impl std::error::Error for MountError {}
