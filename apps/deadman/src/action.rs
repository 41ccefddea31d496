//! How the host is taken down. Checked when this process starts, and once more right before it is done.

use crate::namespace::{Initial, Nested};
use rustix::system::{RebootCommand, reboot};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{fs, io};

/// What takes the host down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Restart it at once.
    Reset,
    /// Halt it at once.
    Halt,
    /// Crash its kernel.
    Panic,
    /// Run a program that does it.
    Exec(PathBuf),
    /// End the PID namespace of a laboratory, and nothing else.
    LabReset,
}

impl Action {
    /// The action called `name`; `program` goes with `exec`.
    pub fn parse(name: &str, program: &str) -> Result<Action, String> {
        match name {
            "reset" => Ok(Action::Reset),
            "halt" => Ok(Action::Halt),
            "panic" => Ok(Action::Panic),
            "lab-reset" => Ok(Action::LabReset),
            "exec" if program.starts_with('/') => Ok(Action::Exec(program.into())),
            "exec" => Err(format!("exec takes the absolute path of a program, not {program:?}")),
            _ => Err(format!("there is no action {name:?}; try --help")),
        }
    }

    /// Whether it may be done where this process runs; why not otherwise.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Action::Reset | Action::Halt => Ok(()),
            Action::LabReset => Nested::prove().map(drop).ok_or_else(|| {
                "lab-reset is for laboratories: it refuses to act in the host's own PID namespace".into()
            }),
            Action::Panic => Initial::prove().map(drop).ok_or_else(|| {
                "panic would crash the kernel of the whole host: it refuses to act in a PID namespace of a laboratory"
                    .into()
            }),
            Action::Exec(program) if program.is_file() => Ok(()),
            Action::Exec(program) => Err(format!("there is no program {}", program.display())),
        }
    }

    /// Does it. Restarting, halting and crashing do not come back when they work.
    pub fn act(&self) -> io::Result<()> {
        self.check().map_err(io::Error::other)?;
        match self {
            Action::Reset => Ok(reboot(RebootCommand::Restart)?),
            Action::Halt => Ok(reboot(RebootCommand::Halt)?),
            Action::Panic => fs::write("/proc/sysrq-trigger", "c"),
            Action::Exec(program) => Command::new(program).stdin(Stdio::null()).spawn().map(drop),
            Action::LabReset => match Nested::prove() {
                Some(nested) => end_namespace(&nested),
                None => Err(io::Error::other("this is the host's own PID namespace")),
            },
        }
    }
}

/// Ends the PID namespace that this process is in. In the host's own the same call would restart the host: hence the
/// proof.
fn end_namespace(_: &Nested) -> io::Result<()> {
    Ok(reboot(RebootCommand::Restart)?)
}
