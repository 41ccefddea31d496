//! Why a daemon did not start, or ended before it was told to.

use phalanx_api::SocketError;
use phalanx_journal::StateError;
use phalanx_node::Unborn;
use phalanx_udp::BindError;
use std::fmt;
use std::io;
use std::path::PathBuf;

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
            StartError::Halted(why) => write!(f, "[PHX-D010] halted: {why}"),
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
