//! Who is at the other end of a local socket, by the kernel's word.

use rustix::io::Errno;
use std::os::fd::{AsRawFd, OwnedFd};

/// The user that may do anything.
pub(crate) const ROOT: u32 = 0;

/// The user under which the other end connected, or listens.
///
/// Not asked for by way of rustix: it takes the process number for one that cannot be zero, and the kernel gives zero
/// for a process of another PID namespace.
pub(crate) fn peer_user(socket: &OwnedFd) -> Result<u32, Errno> {
    let mut credentials = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    let (level, option) = (libc::SOL_SOCKET, libc::SO_PEERCRED);
    let value = (&raw mut credentials).cast();
    // SAFETY: the socket is open; value and length are a ucred and its size, and both outlive the call.
    let outcome = unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, value, &mut length) };
    if outcome == 0 { Ok(credentials.uid) } else { Err(last_error()) }
}

fn last_error() -> Errno {
    let number = std::io::Error::last_os_error().raw_os_error();
    number.map_or(Errno::IO, Errno::from_raw_os_error)
}
