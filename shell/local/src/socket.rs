//! The listening socket: a dead daemon's is taken over, a living one's is not.

use crate::users::group_id;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Why the socket could not be opened.
#[derive(Debug)]
pub enum SocketError {
    /// A daemon answers on it.
    InUse(PathBuf),
    /// It could not be made.
    Io(PathBuf, io::Error),
}

/// Opens a socket that does not block. The kernel lets connect whom its file mode lets write: root, the daemon's user, and
/// the members of `group` if the host has such a group.
pub fn listen(path: &Path, group: &str) -> Result<UnixListener, SocketError> {
    if UnixStream::connect(path).is_ok() {
        return Err(SocketError::InUse(path.to_owned()));
    }
    open(path, group).map_err(|error| SocketError::Io(path.to_owned(), error))
}

fn open(path: &Path, group: &str) -> io::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    if path.exists() {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    let shared = group_id(group).is_some_and(|group| chown(path, None, Some(group)).is_ok());
    fs::set_permissions(path, fs::Permissions::from_mode(if shared { 0o660 } else { 0o600 }))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SocketError::InUse(path) => write!(f, "another daemon answers on {}", path.display()),
            SocketError::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for SocketError {}
