//! Cgroups: where the processes of a resource are kept together, so that all of them can be found and ended.
//!
//! Uses cgroup v2 wherever it is mounted, and a v1 hierarchy where it is not. Sets no resource limits.

use phalanx_host::clock::poll_until;
use phalanx_host::process::parse_pid;
use phalanx_host::{Mount, mounts, now};
use phalanx_types::{Span, Tick};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, fs, io};

/// Cgroups within a cgroup are followed this deep; applications make few.
const DEPTH_MAX: usize = 16;
/// Between two looks whether a cgroup is empty.
const LOOK_PAUSE: Duration = Duration::from_millis(1);
/// How long the removal of a cgroup is tried.
const REMOVE_PATIENCE: Span = Span::from_millis(50);
/// Hierarchies of version 1 in the order they are taken; each keeps processes together.
const V1_PREFERENCE: &[&str] = &["pids", "freezer", "name=systemd"];

/// A cgroup, which may or may not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    path: PathBuf,
}

/// Why something could not be done with a cgroup.
#[derive(Debug)]
pub enum CgroupError {
    /// No cgroup hierarchy is mounted.
    NoHierarchy,
    /// The kernel refused.
    Refused {
        /// What was tried.
        what: &'static str,
        /// With which cgroup.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Processes were still in it at the deadline; SIGKILL was sent to each.
    StillRunning {
        /// In which cgroup.
        path: PathBuf,
        /// Some of them.
        pids: Vec<i32>,
    },
}

impl Cgroup {
    /// The cgroup `name` at the top of the hierarchy: where a host keeps all that it runs.
    pub fn root(name: &str) -> Result<Cgroup, CgroupError> {
        let mounts = mounts().map_err(|source| refused("list the mounts", Path::new("/"), source))?;
        let hierarchy = hierarchy(&mounts).ok_or(CgroupError::NoHierarchy)?;
        let root = Cgroup { path: hierarchy.point.join(name) };
        root.create().map(|()| root)
    }

    /// The cgroup whose directory is `path`.
    pub fn at(path: impl Into<PathBuf>) -> Cgroup {
        Cgroup { path: path.into() }
    }

    /// The cgroup `name` within this one.
    pub fn child(&self, name: &str) -> Cgroup {
        Cgroup { path: self.path.join(name) }
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it, and those above it; it may be there already.
    pub fn create(&self) -> Result<(), CgroupError> {
        fs::create_dir_all(&self.path).map_err(|source| refused("make", &self.path, source))
    }

    /// Removes it and those within it. One that is gone already is removed; one with processes is not.
    pub fn remove(&self) -> Result<(), CgroupError> {
        let mut outcome = Ok(());
        // The kernel keeps a cgroup for a moment after its last process is no longer seen.
        poll_until(now() + REMOVE_PATIENCE, LOOK_PAUSE, || {
            outcome = self.remove_tree();
            outcome.is_ok()
        });
        outcome
    }

    fn remove_tree(&self) -> Result<(), CgroupError> {
        self.tree().iter().rev().try_for_each(|path| match fs::remove_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refused("remove", path, error)),
            Err(_) | Ok(()) => Ok(()),
        })
    }

    /// Whether a process lives in it or within it. One that does not exist has none.
    pub fn is_populated(&self) -> Result<bool, CgroupError> {
        match fs::read_to_string(self.path.join("cgroup.events")) {
            Ok(text) => Ok(text.lines().any(|line| line == "populated 1")),
            Err(error) if is_gone(&error) => self.processes().map(|pids| !pids.is_empty()),
            Err(error) => Err(refused("look into", &self.path, error)),
        }
    }

    /// The processes in it and within it. Version 2 gives the pid 0 for those of other PID namespaces; these are left
    /// out.
    pub fn processes(&self) -> Result<Vec<Pid>, CgroupError> {
        let mut pids = Vec::new();
        for path in self.tree() {
            match fs::read_to_string(path.join("cgroup.procs")) {
                Ok(text) => pids.extend(text.lines().filter_map(parse_pid)),
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(refused("look into", &path, error)),
            }
        }
        Ok(pids)
    }

    /// Sends `signal` to each process once.
    pub fn signal(&self, signal: Signal) -> Result<(), CgroupError> {
        for pid in self.processes()? {
            // One that ended since it was listed needs no signal.
            let _ = kill_process(pid, signal);
        }
        Ok(())
    }

    /// Sends SIGKILL to every process, once, also to those that are being forked where the kernel helps with that.
    pub fn kill(&self) -> Result<(), CgroupError> {
        // Opened without O_CREAT, which hierarchies of version 1 answer with something other than "not found".
        let file = fs::OpenOptions::new().write(true).open(self.path.join("cgroup.kill"));
        match file.and_then(|mut file| file.write_all(b"1")) {
            Ok(()) => Ok(()),
            Err(error) if is_gone(&error) => self.signal(Signal::KILL),
            Err(error) => Err(refused("kill", &self.path, error)),
        }
    }

    /// Kills every process, again and again, until none is left or `deadline` is past.
    pub fn end(&self, deadline: Tick) -> Result<(), CgroupError> {
        let mut outcome = Ok(());
        let mut emptied = || {
            outcome = self.kill();
            matches!(self.is_populated(), Ok(false))
        };
        if poll_until(deadline, LOOK_PAUSE, &mut emptied) {
            return Ok(());
        }
        outcome.and_then(|()| Err(self.still_running()))
    }

    /// Waits until no process is left; false if there still is one at `deadline`.
    pub fn wait_empty(&self, deadline: Tick) -> bool {
        poll_until(deadline, LOOK_PAUSE, || matches!(self.is_populated(), Ok(false)))
    }

    fn still_running(&self) -> CgroupError {
        let pids = self.processes().unwrap_or_default();
        let pids = pids.into_iter().take(8).map(|pid| pid.as_raw_nonzero().get()).collect();
        CgroupError::StillRunning { path: self.path.clone(), pids }
    }

    /// It and all within it, outer ones first.
    fn tree(&self) -> Vec<PathBuf> {
        let mut all = vec![self.path.clone()];
        let mut level = vec![self.path.clone()];
        for _ in 0..DEPTH_MAX {
            level = level.iter().flat_map(|path| directories(path)).collect();
            all.extend(level.iter().cloned());
        }
        all
    }
}

/// The mount to keep processes in: version 2 wherever it is, else the best of version 1.
fn hierarchy(mounts: &[Mount]) -> Option<&Mount> {
    let v1 = |name: &str| {
        let named =
            |mount: &&Mount| mount.format == "cgroup" && mount.options.split(',').any(|one| one == name);
        mounts.iter().find(named)
    };
    mounts
        .iter()
        .find(|mount| mount.format == "cgroup2")
        .or_else(|| V1_PREFERENCE.iter().find_map(|name| v1(name)))
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let is_directory = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.filter(is_directory).map(|entry| entry.path()).collect()
}

/// Whether a file is missing because its cgroup was removed, before or after it was opened.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error())
}

fn refused(what: &'static str, path: &Path, source: io::Error) -> CgroupError {
    CgroupError::Refused { what, path: path.to_owned(), source }
}

impl fmt::Display for CgroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CgroupError::NoHierarchy => f.write_str(
                "no cgroup hierarchy is mounted: mount -t cgroup2 none /sys/fs/cgroup, or start the host with systemd",
            ),
            CgroupError::Refused { what, path, source } => {
                write!(f, "cannot {what} the cgroup {}: {source}", path.display())
            }
            CgroupError::StillRunning { path, pids } => {
                write!(f, "processes in {} outlive SIGKILL: {pids:?}", path.display())
            }
        }
    }
}

impl std::error::Error for CgroupError {}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_host::Device;

    fn mount(format: &str, point: &str, options: &str) -> Mount {
        Mount {
            device: Device { major: 0, minor: 1 },
            root: "/".into(),
            point: point.into(),
            format: format.into(),
            source: "cgroup".into(),
            options: options.into(),
        }
    }

    #[test]
    fn version_2_is_taken_wherever_it_is_mounted() {
        let hybrid = [mount("cgroup", "/c/pids", "rw,pids"), mount("cgroup2", "/c/unified", "rw")];
        assert_eq!(hierarchy(&hybrid).unwrap().point, Path::new("/c/unified"));
    }

    #[test]
    fn without_it_one_of_version_1_will_do() {
        let old = [
            mount("cgroup", "/c/cpu", "rw,cpu"),
            mount("cgroup", "/c/systemd", "rw,name=systemd"),
            mount("cgroup", "/c/freezer", "rw,freezer"),
        ];
        assert_eq!(hierarchy(&old).unwrap().point, Path::new("/c/freezer"));
        assert_eq!(hierarchy(&old[..1]), None);
    }
}
