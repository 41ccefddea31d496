//! One small file: a magic, its kind, its length, the digest of its content, the content.
//!
//! Written beside the old one, synchronised, renamed over it, and the directory synchronised: a power cut at any byte leaves
//! the old content or the new.

use minicbor::{Decode, Encode};
use phalanx_types::Digest;
use rustix::fs::{Mode, OFlags};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const MAGIC: [u8; 8] = *b"PHXFILE1";
const HEAD_BYTES: usize = 8 + 8 + 8 + 32;
/// No file of ours comes near it; a larger one is not ours.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Who the node is.
    Identity,
    /// How often its daemon was started.
    Starts,
    /// View counters and leases ever used.
    Limits,
    /// The chain of configurations.
    Ledger,
    /// The cluster's key.
    Key,
    /// What another node needs to join.
    Invitation,
}

/// What is wrong with a file.
#[derive(Debug)]
pub enum Trouble {
    /// It could not be read or written.
    Io(io::Error),
    /// It does not begin as one of ours.
    NotOurs,
    /// It is one of ours, but of another kind.
    OtherKind,
    /// It is shorter or longer than it says.
    WrongLength,
    /// Its content is not what was written.
    WrongDigest,
    /// Its content is whole, but this program cannot read it.
    Unreadable,
}

/// What is wrong, and with which file.
#[derive(Debug)]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub trouble: Trouble,
}

impl Kind {
    fn tag(self) -> [u8; 8] {
        *match self {
            Kind::Identity => b"identity",
            Kind::Starts => b"starts  ",
            Kind::Limits => b"limits  ",
            Kind::Ledger => b"ledger  ",
            Kind::Key => b"key     ",
            Kind::Invitation => b"invite  ",
        }
    }
}

/// Replaces a file by one with this content; only its owner may read it.
pub fn write(path: &Path, kind: Kind, content: &[u8]) -> Result<(), FileError> {
    replace(path, &encode(kind, content)).map_err(|error| FileError::io(path, error))
}

/// The content of a file.
pub fn read(path: &Path, kind: Kind) -> Result<Vec<u8>, FileError> {
    let bytes = read_bounded(path).map_err(|error| FileError::io(path, error))?;
    decode(kind, &bytes).map_err(|trouble| FileError { path: path.to_owned(), trouble })
}

/// Replaces a file by one with this value.
pub fn write_value<T: Encode<()>>(path: &Path, kind: Kind, value: &T) -> Result<(), FileError> {
    write(path, kind, &minicbor::to_vec(value).expect("writing to memory does not fail"))
}

/// The value in a file.
pub fn read_value<T: for<'b> Decode<'b, ()>>(path: &Path, kind: Kind) -> Result<T, FileError> {
    let unreadable = |_| FileError { path: path.to_owned(), trouble: Trouble::Unreadable };
    minicbor::decode(&read(path, kind)?).map_err(unreadable)
}

fn encode(kind: Kind, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    [&MAGIC, &kind.tag(), &length, &Digest::of(content).0[..], content].concat()
}

/// The content in the bytes of a file.
pub fn decode(kind: Kind, bytes: &[u8]) -> Result<Vec<u8>, Trouble> {
    if bytes.len() < HEAD_BYTES || bytes[..8] != MAGIC {
        return Err(Trouble::NotOurs);
    }
    let (head, content) = bytes.split_at(HEAD_BYTES);
    match () {
        () if head[8..16] != kind.tag() => Err(Trouble::OtherKind),
        () if head[16..24] != (content.len() as u64).to_le_bytes() => Err(Trouble::WrongLength),
        () if head[24..] != Digest::of(content).0 => Err(Trouble::WrongDigest),
        () => Ok(content.to_vec()),
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let options = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).to_owned();
    let mut file = options.open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_directory(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
    Ok(rustix::fs::fsync(directory)?)
}

impl FileError {
    pub(crate) fn io(path: &Path, error: io::Error) -> FileError {
        FileError { path: path.to_owned(), trouble: Trouble::Io(error) }
    }

    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(&self.trouble, Trouble::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.trouble)
    }
}

impl std::error::Error for FileError {}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Io(error) => write!(f, "{error}"),
            Trouble::NotOurs => f.write_str("it does not begin as a file of Phalanx does"),
            Trouble::OtherKind => f.write_str("it is a file of Phalanx, but another one has this name"),
            Trouble::WrongLength => f.write_str("it is not as long as it says"),
            Trouble::WrongDigest => f.write_str("its content is not what was written"),
            Trouble::Unreadable => f.write_str("it is whole, but a newer program wrote it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let whole = encode(Kind::Limits, b"content");
        assert_eq!(decode(Kind::Limits, &whole).unwrap(), b"content");
        assert!(matches!(decode(Kind::Ledger, &whole), Err(Trouble::OtherKind)));
        for bit in 0..whole.len() * 8 {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(Kind::Limits, &changed).is_err(), "bit {bit}");
        }
        (0..whole.len()).for_each(|length| assert!(decode(Kind::Limits, &whole[..length]).is_err()));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(Kind::Identity, &bytes);
        }
    }
}
