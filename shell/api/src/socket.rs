//! The listening socket: where it is, who can reach it, and who may do what.

use phalanx_local::Peer;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

pub use phalanx_local::SocketError;

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

/// Where the socket is in a run directory.
pub fn path(run_dir: &Path) -> PathBuf {
    run_dir.join(NAME)
}

/// Opens the socket, which the kernel lets root, the daemon's user and the group connect to.
pub fn listen(run_dir: &Path) -> Result<UnixListener, SocketError> {
    phalanx_local::listen(&path(run_dir), READERS)
}

/// What the other end may do, and who it is.
pub fn rights(stream: &UnixStream) -> io::Result<(Rights, String)> {
    let peer = Peer::of(stream)?;
    Ok((if peer.is_trusted() { Rights::Change } else { Rights::Read }, peer.to_string()))
}
