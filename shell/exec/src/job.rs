//! Jobs: an argument list, the cgroup it runs in, and on whose behalf.

use crate::cgroup::{Cgroup, CgroupError};
use crate::child;
use crate::ending::Ending;
use crate::permit::{Clearance, Stale};
use crate::process::Process;
use phalanx_types::{OwnershipEpoch, Span, Tick, ViewId};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal};
use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::{fmt, io};

/// Where bare file names are looked up.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Between SIGTERM and SIGKILL for a command that did not end in time.
const TERM_GRACE: Span = Span::from_millis(100);
/// How long processes may take to die of SIGKILL; those in an uninterruptible sleep take longer and are reported.
const KILL_GRACE: Span = Span::from_millis(100);

/// On whose behalf a command runs; becomes its environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster: `PHALANX_CLUSTER`.
    pub cluster: String,
    /// This node: `PHALANX_NODE`.
    pub node: String,
    /// The resource group: `PHALANX_GROUP`.
    pub group: String,
    /// The resource: `PHALANX_RESOURCE`.
    pub resource: String,
    /// The acquisition: `PHALANX_EPOCH`.
    pub epoch: OwnershipEpoch,
    /// The view: `PHALANX_VIEW`.
    pub view: ViewId,
}

/// Something to run.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The program and its arguments; never empty.
    pub command: &'a [String],
    /// Where it and all its descendants live.
    pub cgroup: &'a Cgroup,
    /// On whose behalf.
    pub identity: &'a Identity,
    /// What allows it, if it acquires something.
    pub clearance: Option<&'a Clearance>,
    /// As whom it runs, if not as this process.
    pub user: Option<User>,
}

/// A user, without the other groups that it may be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub uid: u32,
    /// Its group's.
    pub gid: u32,
}

/// Why nothing was started.
#[derive(Debug)]
pub enum SpawnError {
    /// The permit no longer held.
    Stale,
    /// Its cgroup could not be made.
    Cgroup(CgroupError),
    /// The program could not be run.
    Program {
        /// Which.
        program: String,
        /// What the kernel said.
        source: io::Error,
    },
}

/// A command that was run to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// How it ended; `None` if its time was up.
    pub ending: Option<Ending>,
    /// The newest of what it printed.
    pub output: String,
}

impl Job<'_> {
    /// Starts it. Its output comes back through a pipe.
    pub fn spawn(&self) -> Result<Process, SpawnError> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| self.unrunnable(error.into()))?;
        // Only our end: many programs do not expect an output that does not block.
        rustix::io::ioctl_fionbio(&read, true).map_err(|error| self.unrunnable(error.into()))?;
        self.spawn_onto(read, write)
    }

    /// Starts it with `write` as its output; `read` is the other end, which does not block.
    pub fn spawn_onto(&self, read: OwnedFd, write: OwnedFd) -> Result<Process, SpawnError> {
        let mut command = self.prepare(write)?;
        let child = command.spawn().map_err(|error| self.failed(error))?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a child has a pid");
        Process::child(pid, read).map_err(|error| self.unrunnable(error))
    }

    /// Runs it until it ends by itself or `deadline` is past; then it gets SIGTERM, and a moment later its cgroup is
    /// killed. Nothing that it started is left.
    pub fn run(&self, deadline: Tick) -> Result<Finished, SpawnError> {
        let mut process = self.spawn()?;
        let ending = process.wait(deadline);
        if ending.is_none() {
            // What cannot be signalled is killed next.
            let _ = self.cgroup.signal(Signal::TERM);
            process.wait(deadline + TERM_GRACE);
        }
        let cleared = self.cgroup.end(phalanx_host::now() + KILL_GRACE);
        process.wait(phalanx_host::now());
        // A cgroup that is still in use stays until the next who uses its name.
        let _ = self.cgroup.remove();
        let remark = cleared.err().map(|error| format!(" ({error})")).unwrap_or_default();
        Ok(Finished { ending, output: process.output() + &remark })
    }

    fn prepare(&self, output: OwnedFd) -> Result<Command, SpawnError> {
        let (program, arguments) = self.command.split_first().expect("a command names its program");
        let again = output.try_clone().map_err(|error| self.unrunnable(error))?;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(self.identity.environment()).current_dir("/");
        command.stdin(Stdio::null()).stdout(output).stderr(again);
        if let Some(User { uid, gid }) = self.user {
            // As root the standard library drops the other groups with that.
            command.uid(uid).gid(gid);
        }
        self.cgroup.create().map_err(SpawnError::Cgroup)?;
        let procs = OpenOptions::new().write(true).open(self.cgroup.path().join("cgroup.procs"));
        let procs = procs.map_err(|error| self.unrunnable(error))?;
        self.clearance.map_or(Ok(()), Clearance::check)?;
        child::prepare(&mut command, procs, self.clearance.map_or(Tick::NEVER, Clearance::until));
        Ok(command)
    }

    fn failed(&self, error: io::Error) -> SpawnError {
        match error.raw_os_error() == Some(child::STALE.raw_os_error()) {
            true => SpawnError::Stale,
            false => self.unrunnable(error),
        }
    }

    fn unrunnable(&self, source: io::Error) -> SpawnError {
        SpawnError::Program { program: self.command.first().cloned().unwrap_or_default(), source }
    }
}

impl Identity {
    fn environment(&self) -> [(&'static str, String); 7] {
        [
            ("PATH", PATH.into()),
            ("PHALANX_CLUSTER", self.cluster.clone()),
            ("PHALANX_NODE", self.node.clone()),
            ("PHALANX_GROUP", self.group.clone()),
            ("PHALANX_RESOURCE", self.resource.clone()),
            ("PHALANX_EPOCH", self.epoch.to_string()),
            ("PHALANX_VIEW", self.view.to_string()),
        ]
    }
}

impl Finished {
    /// Whether it exited with code 0 in time.
    pub fn is_success(&self) -> bool {
        self.ending.is_some_and(Ending::is_success)
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ending {
            Some(ending) => write!(f, "{ending}")?,
            None => f.write_str("did not end in time")?,
        }
        match self.output.lines().last() {
            Some(line) => write!(f, "; it last said: {line}"),
            None => Ok(()),
        }
    }
}

impl From<Stale> for SpawnError {
    fn from(Stale: Stale) -> SpawnError {
        SpawnError::Stale
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpawnError::Stale => Stale.fmt(f),
            SpawnError::Cgroup(error) => error.fmt(f),
            SpawnError::Program { program, source } => write!(f, "cannot run {program}: {source}"),
        }
    }
}

impl std::error::Error for SpawnError {}
