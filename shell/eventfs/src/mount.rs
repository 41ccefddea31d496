//! Where the file system is mounted: what a dead daemon left behind is taken away, what a living one serves is not.

use phalanx_host::mounts::{self, Mount};
use rustix::fs::{Mode, OFlags, open, statfs};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;
use std::{fmt, fs, io, thread};

/// What the mount table calls the source; by it a mount is known as ours.
const SOURCE: &str = "phalanx-aha";
/// The type of the file system there.
const FORMAT: &str = "fuse.aha";
/// How long a daemon may take to say that it is there.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// Mounts over one another that are taken away at most.
const STALE_MAX: usize = 64;

/// Why it was not mounted. Nothing is left behind.
#[derive(Debug)]
pub enum MountError {
    /// It is mounted and served already; there is one on a host.
    InUse(PathBuf),
    /// The directory does not exist, or is none.
    Place(PathBuf, io::Error),
    /// The kernel has no FUSE, or does not let us.
    Fuse(io::Error),
}

/// Mounts the file system; gives the connection to the kernel, and where it is.
pub(crate) fn begin(place: &Path) -> Result<(OwnedFd, PathBuf), MountError> {
    let at = |error: io::Error| MountError::Place(place.to_owned(), error);
    clear_stale()?;
    let place = fs::canonicalize(place).map_err(at)?;
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let connection =
        open("/dev/fuse", flags, Mode::empty()).map_err(|errno| MountError::Fuse(errno.into()))?;
    // Without `allow_other` the kernel lets only processes of the mounting user in.
    let user = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    let options = format!(
        "fd={},rootmode=40000,user_id={user},group_id={group},default_permissions",
        connection.as_raw_fd()
    );
    let options = CString::new(options).expect("there is no zero in it");
    mount(SOURCE, &place, FORMAT, MountFlags::NOSUID | MountFlags::NODEV, options.as_c_str()).map_err(
        |errno| match errno {
            Errno::NOTDIR => at(errno.into()),
            _ => MountError::Fuse(errno.into()),
        },
    )?;
    Ok((connection, place))
}

/// Takes the mount away, also while somebody has files open there.
pub(crate) fn end(place: &Path) {
    // Somebody else was faster.
    let _ = unmount(place, UnmountFlags::DETACH);
}

/// Takes away what dead daemons have left mounted.
fn clear_stale() -> Result<(), MountError> {
    for _ in 0..STALE_MAX {
        let ours = |mount: &Mount| mount.format == FORMAT && mount.source == Path::new(SOURCE);
        let mounts = mounts::mounts().map_err(MountError::Fuse)?;
        let Some(left) = mounts.into_iter().rev().find(ours) else { return Ok(()) };
        if is_served(&left.point) {
            return Err(MountError::InUse(left.point));
        }
        unmount(&left.point, UnmountFlags::DETACH).map_err(|errno| MountError::Fuse(errno.into()))?;
    }
    Ok(())
}

/// Whether anybody serves what is mounted there. A daemon that stands still does not answer, and still has it.
fn is_served(place: &Path) -> bool {
    let (tell, told) = channel();
    let place = place.to_owned();
    let ask = move || tell.send(statfs(&place).err());
    let asked = thread::Builder::new().name("aha-stale".into()).spawn(ask);
    let answer = asked.ok().and_then(|_thread| told.recv_timeout(ANSWER_LIMIT).ok());
    !matches!(answer, Some(Some(Errno::NOTCONN | Errno::CONNABORTED)))
}

impl fmt::Display for MountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MountError::InUse(place) => {
                write!(f, "another daemon serves the event file system at {}", place.display())
            }
            MountError::Place(place, error) => write!(f, "{}: {error}", place.display()),
            MountError::Fuse(error) => write!(f, "the kernel does not mount it: {error}"),
        }
    }
}

impl std::error::Error for MountError {}
