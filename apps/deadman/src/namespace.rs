//! Whose PID namespace this process is in: the host's own, or one that a laboratory made.

use std::os::unix::fs::MetadataExt;
use std::{fs, io};

/// The inode by which every kernel names its initial PID namespace (PROC_PID_INIT_INO).
const INITIAL: u64 = 0xefff_fffc;

/// Proof that this process runs in a PID namespace other than the host's. Only [`Nested::prove`] makes one.
#[derive(Debug, PartialEq, Eq)]
pub struct Nested(());

/// Proof that this process runs in the host's own PID namespace. Only [`Initial::prove`] makes one.
#[derive(Debug, PartialEq, Eq)]
pub struct Initial(());

impl Nested {
    /// Looks, and looks again at each call; `None` also where it cannot be told.
    pub fn prove() -> Option<Nested> {
        own().ok().filter(|inode| *inode != INITIAL).map(|_| Nested(()))
    }
}

impl Initial {
    /// Looks, and looks again at each call; `None` also where it cannot be told.
    pub fn prove() -> Option<Initial> {
        own().ok().filter(|inode| *inode == INITIAL).map(|_| Initial(()))
    }
}

fn own() -> io::Result<u64> {
    fs::metadata("/proc/self/ns/pid").map(|metadata| metadata.ino())
}
