//! The stage: namespaces of the program's own, entered by running itself once more inside them.

use crate::host;
use crate::site::NAMES;
use crate::tool::{Outcome, Trouble, While, this_program};
use phalanx_realtime::Signals;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, WaitOptions, getpid, pidfd_open, set_child_subreaper, wait};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// Set inside the stage; holds the work directory.
const INSIDE: &str = "PHALANX_STAGE";
/// Set by whoever wants to read the hosts' logs afterwards.
const KEEP_LOGS: &str = "KEEP_LOGS";
/// Where control groups of version 2 may be mounted.
const CGROUP_ROOTS: &[&str] = &["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];

/// The work directory, if this process is on the stage.
pub fn inside() -> Option<PathBuf> {
    std::env::var_os(INSIDE).map(PathBuf::from)
}

/// How the stage ended.
pub enum End {
    /// By itself; with this exit code.
    Itself(u8),
    /// By a signal, such as Ctrl-C.
    Signal,
}

/// Runs this program with its own arguments on a stage with a fresh work directory, and puts everything away
/// afterwards.
pub fn enter() -> Outcome<End> {
    let signals = Signals::begin().during("listening to signals")?;
    set_child_subreaper(Some(getpid())).during("taking on orphans")?;
    let work = std::env::temp_dir().join(format!("phalanx-lab-{}", std::process::id()));
    fs::create_dir_all(&work).during("making the work directory")?;
    let program = this_program()?;
    let child = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, &work)
        .spawn();
    let end = child.and_then(|child| attend(child, signals));
    if std::env::var_os(KEEP_LOGS).is_some() {
        keep_logs(&work);
    }
    clear(&work);
    end.during("unshare")
}

/// Waits for the stage's end. A signal ends it at once.
fn attend(mut unshare: Child, mut signals: Signals) -> std::io::Result<End> {
    let ended = pidfd_open(Pid::from_child(&unshare), PidfdFlags::empty())?;
    poll(&mut [PollFd::new(&ended, PollFlags::IN), PollFd::new(&signals, PollFlags::IN)], None)?;
    if signals.take().is_some() {
        strike();
        return Ok(End::Signal);
    }
    let code = unshare.wait()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(End::Itself(code.unwrap_or(1)))
}

/// Ends the stage: first unshare, which would complain of a child that was killed, then the first process of the stage,
/// an orphan by then. Once that one is gone, so is everything that ran in its namespaces.
fn strike() {
    while let Some(child) = host::child_of(std::process::id()) {
        host::kill(child);
        let _ = wait(WaitOptions::empty());
    }
}

/// Moves what the hosts kept, their logs above all, to where it stays.
fn keep_logs(work: &Path) {
    let logs = work.with_extension("logs");
    let _ = fs::create_dir_all(&logs);
    let mut hosts = NAMES.iter().filter(|name| work.join(name).exists());
    match hosts.try_for_each(|name| fs::rename(work.join(name), logs.join(name))) {
        Ok(()) => eprintln!("\nlogs and state of the hosts: {}", logs.display()),
        Err(error) => eprintln!("\nthe logs could not be kept in {}: {error}", logs.display()),
    }
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
