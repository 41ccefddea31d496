//! Who can connect, and who is seen at the other end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use phalanx_local::{Peer, SocketError, listen};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        Place(std::env::temp_dir().join(format!("phalanx-local-{}-{name}", std::process::id())))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_living_daemons_socket_is_refused_and_a_dead_ones_taken_over() {
    let place = Place::new("living");
    let path = place.0.join("run/some.sock");
    let living = listen(&path, "no-such-group").unwrap();
    assert!(matches!(listen(&path, "no-such-group"), Err(SocketError::InUse(_))));
    drop(living);
    listen(&path, "no-such-group").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "nobody else");
}

#[test]
fn a_group_that_there_is_may_connect() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only root gives files away");
    }
    let place = Place::new("group");
    let path = place.0.join("some.sock");
    let _living = listen(&path, "daemon").unwrap();
    let made = fs::metadata(&path).unwrap();
    assert_eq!((made.permissions().mode() & 0o777, made.gid() == 0), (0o660, false));
}

#[test]
fn the_kernel_tells_who_is_there() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let peer = Peer::of(&ours).unwrap();
    assert_eq!(peer.pid, std::process::id() as i32);
    assert_eq!(peer.uid, rustix::process::getuid().as_raw());
    assert!(peer.is_trusted(), "this process trusts itself");
    assert!(!peer.is_in("no-such-group"));
    let own = fs::read_to_string("/etc/group").unwrap();
    let own = own.lines().find(|line| line.split(':').nth(2) == Some(&peer.gid.to_string())).unwrap();
    assert!(peer.is_in(own.split(':').next().unwrap()));
    assert!(peer.to_string().contains(&format!("uid {}", peer.uid)), "{peer}");
}
