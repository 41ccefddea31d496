//! Who is at the other end of a connection, as the kernel recorded it when that was made.

use crate::users::{group_id, user_name};
use rustix::net::sockopt::socket_peercred;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::{fmt, fs, io};

/// Groups of one user that are looked at.
const GROUPS_MAX: usize = 1_024;

/// The process at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its number.
    pub pid: i32,
    /// The other groups of its user.
    groups: Vec<u32>,
}

impl Peer {
    /// Who is at the other end of `stream`.
    pub fn of(stream: &UnixStream) -> io::Result<Peer> {
        let peer = socket_peercred(stream)?;
        let (uid, gid) = (peer.uid.as_raw(), peer.gid.as_raw());
        Ok(Peer { uid, gid, pid: peer.pid.as_raw_nonzero().get(), groups: peer_groups(stream)? })
    }

    /// Whether it is root's, or this process's own user's.
    pub fn is_trusted(&self) -> bool {
        self.uid == 0 || self.uid == rustix::process::geteuid().as_raw()
    }

    /// Whether it is a member of the group of that name.
    pub fn is_in(&self, group: &str) -> bool {
        group_id(group).is_some_and(|group| group == self.gid || self.groups.contains(&group))
    }
}

/// A user for the record, with the one who logged in where that is another: `root (uid 0, logged in as ann)`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Peer { uid, pid, .. } = self;
        let login = fs::read_to_string(format!("/proc/{pid}/loginuid")).ok();
        let login =
            login.and_then(|text| text.trim().parse().ok()).filter(|login| ![*uid, u32::MAX].contains(login));
        let login = login.map(|login| format!(", logged in as {}", user_name(login))).unwrap_or_default();
        write!(f, "{} (uid {uid}{login})", user_name(*uid))
    }
}

fn peer_groups(stream: &UnixStream) -> io::Result<Vec<u32>> {
    let mut groups = [0; GROUPS_MAX];
    let mut length = size_of_val(&groups) as libc::socklen_t;
    let place = groups.as_mut_ptr().cast();
    // SAFETY: the descriptor is open, the place has as many bytes as the length says, and both outlive the call.
    let outcome = unsafe {
        libc::getsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERGROUPS, place, &raw mut length)
    };
    match outcome {
        0 => Ok(groups[..length as usize / size_of::<libc::gid_t>()].to_vec()),
        _ => Err(io::Error::last_os_error()),
    }
}
