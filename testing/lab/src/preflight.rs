//! Whether this is a place for the laboratory at all. What exactly is missing and how to get it is told by
//! `testing/lab/preflight.sh`, which the demo runs before anything is built.

use std::path::Path;

/// What a host without them lacks; programs that every Debian has are not looked for.
const NEEDED: [&str; 4] = ["/dev/fuse", "/dev/loop-control", "/usr/bin/nbdkit", "/usr/bin/nbdfuse"];

/// One of these is where control groups of version 2 are.
const CGROUPS: [&str; 2] = ["/sys/fs/cgroup/cgroup.controllers", "/sys/fs/cgroup/unified/cgroup.controllers"];

/// Why the laboratory cannot run here, in one sentence with what to do.
pub fn obstacle() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("the laboratory makes namespaces: run it as root".into());
    }
    if !CGROUPS.into_iter().any(|path| Path::new(path).exists()) {
        return Some(
            "no control groups of version 2 are mounted: mount -t cgroup2 none /sys/fs/cgroup/unified".into(),
        );
    }
    let missing = NEEDED.into_iter().find(|path| !Path::new(path).exists());
    missing.map(|path| format!("{path} is missing: testing/lab/preflight.sh says what to do, or does it"))
}
