//! The listening socket: where it is, and who may be a client.

use phalanx_local::{Peer, SocketError};
use phalanx_session::SOCKET;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// The group whose members may be clients, if no other is named.
pub const USERS: &str = "phalanx-groups";

/// Where the socket is in a run directory.
pub fn path(run_dir: &Path) -> PathBuf {
    run_dir.join(SOCKET)
}

/// Opens the socket for root, the daemon's user and the members of `users`.
pub fn listen(run_dir: &Path, users: &str) -> Result<UnixListener, SocketError> {
    phalanx_local::listen(&path(run_dir), users)
}

/// Whether it may be a client. The socket's mode says so too, to whoever came by its path.
pub(crate) fn may_be_client(peer: &Peer, users: &str) -> bool {
    peer.is_trusted() || peer.is_in(users)
}
