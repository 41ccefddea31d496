//! The listening socket: where it is, who can reach it, and who may do what.

use rustix::net::sockopt::socket_peercred;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The socket's name in the run directory.
const NAME: &str = "phalanxd.sock";
/// Members of this group may read.
const READERS: &str = "phalanx";

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// See everything, change nothing.
    Read,
    /// Everything.
    Change,
}

/// Why the socket could not be opened.
#[derive(Debug)]
pub enum SocketError {
    /// A daemon answers on it.
    InUse(PathBuf),
    /// It could not be made.
    Io(PathBuf, io::Error),
}

/// Where the socket is in a run directory.
pub fn path(run_dir: &Path) -> PathBuf {
    run_dir.join(NAME)
}

/// Opens the socket. The kernel lets connect whom its file mode lets write: root, the daemon's user, the group.
pub fn listen(run_dir: &Path) -> Result<UnixListener, SocketError> {
    let path = path(run_dir);
    if UnixStream::connect(&path).is_ok() {
        return Err(SocketError::InUse(path));
    }
    open(run_dir, &path).map_err(|error| SocketError::Io(path, error))
}

fn open(run_dir: &Path, path: &Path) -> io::Result<UnixListener> {
    fs::create_dir_all(run_dir)?;
    if path.exists() {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    let shared = group_id(READERS).is_some_and(|group| chown(path, None, Some(group)).is_ok());
    fs::set_permissions(path, fs::Permissions::from_mode(if shared { 0o660 } else { 0o600 }))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// What the other end may do, and who it is.
pub fn rights(stream: &UnixStream) -> io::Result<(Rights, String)> {
    let peer = socket_peercred(stream)?;
    let trusted = peer.uid.is_root() || peer.uid == rustix::process::geteuid();
    let who = who(peer.uid.as_raw(), peer.pid.as_raw_nonzero().get());
    Ok((if trusted { Rights::Change } else { Rights::Read }, who))
}

/// A user for the record, with the one who logged in where that is another: `root (uid 0, logged in as ann)`.
fn who(uid: u32, pid: i32) -> String {
    let login = fs::read_to_string(format!("/proc/{pid}/loginuid")).ok();
    let login =
        login.and_then(|text| text.trim().parse().ok()).filter(|login| ![uid, u32::MAX].contains(login));
    let login = login.map(|login| format!(", logged in as {}", user_name(login))).unwrap_or_default();
    format!("{} (uid {uid}{login})", user_name(uid))
}

fn user_name(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = |line: &&str| line.split(':').nth(2).is_some_and(|number| number.parse() == Ok(uid));
    let name = users.lines().find(named).and_then(|line| line.split(':').next());
    name.map_or_else(|| format!("user {uid}"), str::to_owned)
}

fn group_id(name: &str) -> Option<u32> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    let line = groups.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
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
