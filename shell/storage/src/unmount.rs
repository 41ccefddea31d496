//! Letting go of a file system: unmount it, and end those that keep it from that.

use crate::claim::is_claimed;
use crate::state::carriers;
use crate::users::{User, users};
use phalanx_host::clock::{poll_until, remaining};
use phalanx_host::{Mount, mounts, now};
use phalanx_model::FileSystem;
use phalanx_types::Tick;
use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, io};

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(2);
/// Users named in an error.
const NAMED_MAX: usize = 8;

/// How those that use the file system are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// SIGTERM; SIGKILL at half the time.
    Orderly,
    /// SIGKILL.
    Kill,
}

/// Why a file system could not be let go of in time.
#[derive(Debug)]
pub enum UnmountError {
    /// It was detached as a last resort: it is out of sight, but lives on as long as somebody uses it.
    Detached {
        /// Where it was.
        point: PathBuf,
        /// What keeps it alive.
        why: String,
    },
    /// It is unmounted here, but the kernel still has its device in use.
    StillClaimed {
        /// The device.
        device: String,
    },
    /// A step failed.
    Failed {
        /// What was tried.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Makes `file_system` inactive here by `deadline`. It may be already.
pub fn unmount(file_system: &FileSystem, manner: Manner, deadline: Tick) -> Result<(), UnmountError> {
    // Those made last lie over the others.
    for mount in carriers(file_system).map_err(|error| failed("look at the mounts", error))?.iter().rev() {
        detach(mount, manner, deadline)?;
    }
    let device = Path::new(&file_system.device);
    match poll_until(deadline, PAUSE, || !is_claimed(device)) {
        true => Ok(()),
        false => Err(UnmountError::StillClaimed { device: file_system.device.clone() }),
    }
}

fn detach(mount: &Mount, manner: Manner, deadline: Tick) -> Result<(), UnmountError> {
    let half = now() + remaining(deadline) / 2;
    let mut terminated = Vec::new();
    let mut attempt = || match rustix::mount::unmount(&mount.point, UnmountFlags::NOFOLLOW) {
        // Somebody else has unmounted it.
        Ok(()) | Err(Errno::INVAL | Errno::NOENT) => Some(Ok(())),
        Err(Errno::BUSY) => {
            end_users(&users(mount.device), manner, now() >= half, &mut terminated);
            None
        }
        Err(errno) => Some(Err(failed(&format!("unmount {}", mount.point.display()), errno.into()))),
    };
    let mut outcome = None;
    poll_until(deadline, PAUSE, || {
        outcome = attempt();
        outcome.is_some()
    });
    outcome.unwrap_or_else(|| give_up(mount))
}

/// Ends `users`; each is asked once, and killed as often as it takes.
fn end_users(users: &[User], manner: Manner, late: bool, terminated: &mut Vec<i32>) {
    for user in users {
        if manner == Manner::Kill || late {
            user.signal(Signal::KILL);
        } else if !terminated.contains(&user.pid) {
            user.signal(Signal::TERM);
            terminated.push(user.pid);
        }
    }
}

/// The last resort, which is a failure.
fn give_up(mount: &Mount) -> Result<(), UnmountError> {
    let why = obstacle(mount);
    let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
    match rustix::mount::unmount(&mount.point, flags) {
        Ok(()) => Err(UnmountError::Detached { point: mount.point.clone(), why }),
        Err(errno) => Err(failed(&format!("unmount {} ({why})", mount.point.display()), errno.into())),
    }
}

fn obstacle(mount: &Mount) -> String {
    let below = |other: &Mount| other.point != mount.point && other.point.starts_with(&mount.point);
    if let Some(other) = mounts().unwrap_or_default().into_iter().find(below) {
        return format!("{} is mounted below it", other.point.display());
    }
    let pids: Vec<String> =
        users(mount.device).iter().take(NAMED_MAX).map(|user| user.pid.to_string()).collect();
    match pids.is_empty() {
        true => "the kernel itself uses it: a loop device, a swap file, an export".into(),
        false => format!("processes that use it outlive SIGKILL: {}", pids.join(", ")),
    }
}

fn failed(what: &str, source: io::Error) -> UnmountError {
    UnmountError::Failed { what: what.into(), source }
}

impl fmt::Display for UnmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnmountError::Detached { point, why } => {
                write!(f, "{} could only be detached, and lives on: {why}", point.display())
            }
            UnmountError::StillClaimed { device } => write!(
                f,
                "{device} is unmounted but still in use: by a mount in another mount namespace, one that was detached, or a driver"
            ),
            UnmountError::Failed { what, source } => write!(f, "cannot {what}: {source}"),
        }
    }
}

impl std::error::Error for UnmountError {}
