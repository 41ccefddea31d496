//! Why a daemon did not start, or ended before it was told to.

use crate::twin::Twin;
use phalanx_api::SocketError;
use phalanx_journal::StateError;
use phalanx_node::Unborn;
use phalanx_udp::BindError;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Another start may go better.
const AGAIN: u8 = 1;
/// A person has to mend something first.
const WANTS_PERSON: u8 = 3;

/// Why the daemon is not running.
#[derive(Debug)]
pub enum StartError {
    /// Its state directory cannot be used.
    State(StateError),
    /// The boot id cannot be read.
    BootId(PathBuf, String),
    /// What is in the state directory makes no node.
    Unborn(PathBuf, Unborn),
    /// None of its addresses is on this host.
    Addresses(String, BindError),
    /// Its socket for operators cannot be opened.
    Socket(SocketError),
    /// Its cgroups cannot be made.
    Cgroup(String),
    /// The kernel refused something that it never refuses.
    System(io::Error),
    /// Another host has this node's identity, or one of its addresses.
    Twin(String, PathBuf, Twin),
    /// It ran, and had to end.
    Halted(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::State(StateError::File(error)) => write!(
                f,
                "[PHX-D001] {error}; restore the file, or remove the state directory and join the cluster anew"
            ),
            StartError::State(error @ (StateError::Empty(_) | StateError::Taken(_))) => {
                write!(f, "[PHX-D002] {error}")
            }
            StartError::State(error @ StateError::Locked(_)) => {
                write!(f, "[PHX-D003] {error}; give each daemon a state directory of its own")
            }
            StartError::BootId(path, why) => write!(f, "[PHX-D004] boot id {}: {why}", path.display()),
            StartError::Unborn(path, why) => {
                write!(f, "[PHX-D005] {}: {}", path.join("ledger").display(), unborn(why))
            }
            StartError::Addresses(name, error) => write!(
                f,
                "[PHX-D006] {error}: is this the host of node {name}, and does no other daemon run here?"
            ),
            StartError::Socket(error) => write!(f, "[PHX-D007] {error}"),
            StartError::Cgroup(error) => write!(f, "[PHX-D008] {error}; name one with --cgroup-root"),
            StartError::System(error) => write!(f, "[PHX-D009] {error}"),
            StartError::Twin(name, path, Twin { address, mac }) => write!(
                f,
                "[PHX-D011] {address} of node {name} is in use by another host ({mac}): if this host is a copy of it, remove {} and join the cluster under a name of its own; else stop that one",
                path.display()
            ),
            StartError::Halted(why) => write!(f, "[PHX-D010] halted: {why}"),
        }
    }
}

impl StartError {
    /// What the program ends with: a service manager starts it again after [`AGAIN`], and not after [`WANTS_PERSON`].
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(if self.wants_person() { WANTS_PERSON } else { AGAIN })
    }

    /// Whether a person has to mend something before another start makes sense.
    fn wants_person(&self) -> bool {
        match self {
            StartError::State(StateError::Locked(_)) => false,
            StartError::State(StateError::File(_) | StateError::Empty(_) | StateError::Taken(_))
            | StartError::BootId(..)
            | StartError::Unborn(..)
            | StartError::Twin(..) => true,
            // An address, a cgroup hierarchy or a deadman may come a little later.
            StartError::Addresses(..)
            | StartError::Socket(_)
            | StartError::Cgroup(_)
            | StartError::System(_)
            | StartError::Halted(_) => false,
        }
    }
}

fn unborn(why: &Unborn) -> String {
    match why {
        Unborn::Ledger(damage) => damage.to_string(),
        Unborn::Config(faults) => format!("the active configuration cannot be read:\n{faults}"),
        Unborn::NotConfigured(node) => format!("the active configuration has no {node}"),
    }
}

impl std::error::Error for StartError {}

impl From<StateError> for StartError {
    fn from(error: StateError) -> StartError {
        StartError::State(error)
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> StartError {
        StartError::System(error)
    }
}
