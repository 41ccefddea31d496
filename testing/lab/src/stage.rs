//! The stage: namespaces of the program's own, entered by running itself once more inside them.

use crate::host;
use crate::tool::{Outcome, Trouble, While, this_program};
use phalanx_realtime::Signals;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

/// Set inside the stage; holds the work directory.
const INSIDE: &str = "PHALANX_STAGE";
/// Where control groups of version 2 may be mounted.
const CGROUP_ROOTS: &[&str] = &["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];

/// The work directory, if this process is on the stage.
pub fn inside() -> Option<PathBuf> {
    std::env::var_os(INSIDE).map(PathBuf::from)
}

/// Runs this program with its own arguments on a stage with a fresh work directory, and puts everything away
/// afterwards.
pub fn enter() -> Outcome<ExitStatus> {
    let work = std::env::temp_dir().join(format!("phalanx-lab-{}", std::process::id()));
    fs::create_dir_all(&work).during("making the work directory")?;
    let signals = Signals::begin().during("listening to signals")?;
    let program = this_program()?;
    let child = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, &work)
        .spawn();
    let status = child.and_then(|child| attend(child, signals));
    clear(&work);
    status.during("unshare")
}

/// Waits for the stage's end. A signal ends it at once: the first process of a namespace hears none of its own.
fn attend(mut unshare: Child, mut signals: Signals) -> std::io::Result<ExitStatus> {
    let pid = Pid::from_child(&unshare);
    let ended = pidfd_open(pid, PidfdFlags::empty())?;
    poll(&mut [PollFd::new(&ended, PollFlags::IN), PollFd::new(&signals, PollFlags::IN)], None)?;
    if signals.take().is_some() {
        host::child_of(unshare.id()).map_or_else(|| host::kill(unshare.id()), host::kill);
    }
    unshare.wait()
}

/// Puts away what namespaces do not hold: control groups and the work directory. Loop devices go by themselves.
pub fn clear(work: &Path) {
    let _ = cgroup(work).map(|folder| remove_groups(&folder));
    let _ = fs::remove_dir_all(work);
}

/// The laboratory's own control group.
pub fn cgroup(work: &Path) -> Outcome<PathBuf> {
    let is_unified = |root: &&&str| Path::new(root).join("cgroup.controllers").exists();
    let root = CGROUP_ROOTS.iter().find(is_unified).ok_or_else(|| {
        Trouble(
            "no control groups of version 2 are mounted: mount -t cgroup2 none /sys/fs/cgroup/unified".into(),
        )
    })?;
    let name = work.file_name().ok_or_else(|| Trouble("a work directory has a name".into()))?;
    Ok(Path::new(root).join(name))
}

fn remove_groups(folder: &Path) {
    let children = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    children.filter(|path| path.is_dir()).for_each(|path| remove_groups(&path));
    let _ = fs::remove_dir(folder);
}
