//! How a client presents itself, and where its node is.

use phalanx_groups::domain::{LocalName, Unfit};
use phalanx_session::{Executable, Hello, RUN_DIR, Responsiveness, SOCKET};
use std::path::PathBuf;

/// How a client presents itself, and where its node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What the client is called in logs.
    pub name: LocalName,
    /// The run directory of the node's daemon.
    pub run_dir: PathBuf,
    /// What the node runs as this client's user when a provider of it is expelled with that wish.
    pub deactivate: Option<Executable>,
    /// Whether and how the node checks that the client answers. It answers while it waits for events.
    pub responsiveness: Option<Responsiveness>,
}

impl Settings {
    /// A client that is called `name`, on a node with the usual run directory, unchecked and without a deactivate command.
    pub fn new(name: &str) -> Result<Settings, Unfit> {
        let name = LocalName::new(name)?;
        Ok(Settings { name, run_dir: RUN_DIR.into(), deactivate: None, responsiveness: None })
    }

    /// What the client says first.
    pub fn hello(&self) -> Hello {
        let Settings { name, deactivate, responsiveness, .. } = self.clone();
        Hello { name, deactivate, responsiveness }
    }

    /// The node's socket.
    pub fn socket(&self) -> PathBuf {
        self.run_dir.join(SOCKET)
    }
}
