//! The state directory of a node: one daemon at a time, and nothing in it that is not whole.

use crate::file::{self, FileError, Kind, sync_directory};
use crate::identity::{ClusterSecret, Identity};
use crate::limits::Limits;
use phalanx_types::Incarnation;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use std::fmt;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const IDENTITY: &str = "identity";
const STARTS: &str = "starts";
const LIMITS: &str = "limits";
const LEDGER: &str = "ledger";
const KEY: &str = "key";

/// A state directory. One that was opened is held: nobody else has it until this is dropped.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: Option<OwnedFd>,
}

/// Why a state directory cannot be used. Nothing was changed.
#[derive(Debug)]
pub enum StateError {
    /// There is no node in it.
    Empty(PathBuf),
    /// There is a node in it already.
    Taken(PathBuf),
    /// Another process has it.
    Locked(PathBuf),
    /// A file in it is damaged, or cannot be read or written.
    File(FileError),
}

impl StateDir {
    /// Makes the directory of a new node, whose lives are counted on from `starts`.
    pub fn create(
        path: &Path,
        identity: &Identity,
        secret: &ClusterSecret,
        ledger: &[u8],
        starts: u64,
    ) -> Result<StateDir, StateError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| FileError::io(path, error))?;
        let dir = StateDir::lock(path)?;
        if dir.file(IDENTITY).exists() {
            return Err(StateError::Taken(path.to_owned()));
        }
        file::write_value(&dir.file(KEY), Kind::Key, secret)?;
        file::write(&dir.file(LEDGER), Kind::Ledger, ledger)?;
        file::write_value(&dir.file(STARTS), Kind::Starts, &starts)?;
        dir.write_limits(&Limits::default())?;
        // Last: a directory with an identity has all the others.
        file::write_value(&dir.file(IDENTITY), Kind::Identity, identity)?;
        Ok(dir)
    }

    /// Takes the directory of a node.
    pub fn open(path: &Path) -> Result<StateDir, StateError> {
        if !path.join(IDENTITY).exists() {
            return Err(StateError::Empty(path.to_owned()));
        }
        StateDir::lock(path)
    }

    /// Looks into the directory of a node that may be running; nothing may be written.
    pub fn look(path: &Path) -> Result<StateDir, StateError> {
        match path.join(IDENTITY).exists() {
            true => Ok(StateDir { path: path.to_owned(), _lock: None }),
            false => Err(StateError::Empty(path.to_owned())),
        }
    }

    fn lock(path: &Path) -> Result<StateDir, StateError> {
        let open =
            rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let directory = open.map_err(|error| FileError::io(path, error.into()))?;
        flock(&directory, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| StateError::Locked(path.to_owned()))?;
        Ok(StateDir { path: path.to_owned(), _lock: Some(directory) })
    }

    /// Who the node is.
    pub fn identity(&self) -> Result<Identity, StateError> {
        Ok(file::read_value(&self.file(IDENTITY), Kind::Identity)?)
    }

    /// The cluster's key; from `elsewhere` if it is kept apart.
    pub fn secret(&self, elsewhere: Option<&Path>) -> Result<ClusterSecret, StateError> {
        let path = elsewhere.map_or_else(|| self.file(KEY), Path::to_owned);
        Ok(file::read_value(&path, Kind::Key)?)
    }

    /// Begins another life: its number is durable when this returns. `floor` is [`life_floor`]: a directory that was put back
    /// from a copy counts on from where no life of the node has been.
    ///
    /// [`life_floor`]: crate::stamp::life_floor
    pub fn begin_life(&self, identity: &Identity, floor: u64) -> Result<Incarnation, StateError> {
        let earlier: u64 = file::read_value(&self.file(STARTS), Kind::Starts)?;
        let start = floor.max(earlier + 1);
        file::write_value(&self.file(STARTS), Kind::Starts, &start)?;
        Ok(Incarnation { node: identity.node, start })
    }

    /// What earlier lives may have used up.
    pub fn limits(&self) -> Result<Limits, StateError> {
        Ok(file::read_value(&self.file(LIMITS), Kind::Limits)?)
    }

    /// The image of the ledger.
    pub fn ledger(&self) -> Result<Vec<u8>, StateError> {
        Ok(file::read(&self.file(LEDGER), Kind::Ledger)?)
    }

    /// Makes limits durable.
    pub fn write_limits(&self, limits: &Limits) -> Result<(), StateError> {
        Ok(file::write_value(&self.file(LIMITS), Kind::Limits, limits)?)
    }

    /// Makes the ledger durable.
    pub fn write_ledger(&self, image: &[u8]) -> Result<(), StateError> {
        Ok(file::write(&self.file(LEDGER), Kind::Ledger, image)?)
    }

    /// Where the directory is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the names in the directory durable.
    pub fn sync(&self) -> Result<(), StateError> {
        sync_directory(&self.path).map_err(|error| FileError::io(&self.path, error).into())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl From<FileError> for StateError {
    fn from(error: FileError) -> StateError {
        StateError::File(error)
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateError::Empty(path) => write!(
                f,
                "no node lives in {}; make one with `phalanx cluster create` or `phalanx cluster join`",
                path.display()
            ),
            StateError::Taken(path) => {
                write!(f, "a node lives in {} already; it is left as it is", path.display())
            }
            StateError::Locked(path) => {
                write!(f, "another daemon has the state directory {}", path.display())
            }
            StateError::File(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for StateError {}
