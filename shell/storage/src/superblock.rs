//! The superblock of ext4: whether the file system needs more than its journal replayed.

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, pread};
use std::os::fd::OwnedFd;
use std::path::Path;

/// Reads that go past the cache begin and end at multiples of this on every disk.
const BLOCK_BYTES: usize = 4_096;
const SUPERBLOCK: usize = 1_024;
const MAGIC: (usize, u16) = (SUPERBLOCK + 0x38, 0xef53);
const STATE: usize = SUPERBLOCK + 0x3a;
const FEATURE_COMPAT: usize = SUPERBLOCK + 0x5c;
const STATE_VALID: u16 = 1;
const STATE_ERROR: u16 = 2;
const COMPAT_JOURNAL: u16 = 4;

/// What the superblock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// It can be mounted; the kernel replays its journal if need be.
    Mountable,
    /// It has to be checked first; why.
    NeedsCheck(&'static str),
}

/// Memory where a read past the cache may put a block.
#[repr(align(4096))]
struct Block([u8; BLOCK_BYTES]);

/// Reads the superblock on `device` from the disk itself, not from what this host remembers of it.
pub(crate) fn ext4_health(device: &Path) -> Result<Health, Errno> {
    let mut block = Box::new(Block([0; BLOCK_BYTES]));
    let file = open_direct(device)?;
    pread(&file, &mut block.0, 0)?;
    Ok(judge(&block.0))
}

fn open_direct(device: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    match open(device, flags | OFlags::DIRECT, Mode::empty()) {
        Err(Errno::INVAL) => open(device, flags, Mode::empty()),
        outcome => outcome,
    }
}

fn judge(block: &[u8; BLOCK_BYTES]) -> Health {
    let word = |at: usize| u16::from_le_bytes([block[at], block[at + 1]]);
    let (state, journal) = (word(STATE), word(FEATURE_COMPAT) & COMPAT_JOURNAL != 0);
    match () {
        // Mounting says that better than we could.
        () if word(MAGIC.0) != MAGIC.1 => Health::Mountable,
        () if state & STATE_ERROR != 0 => Health::NeedsCheck("the kernel found errors in it"),
        () if state & STATE_VALID == 0 && !journal => {
            Health::NeedsCheck("it has no journal and was not unmounted cleanly")
        }
        () if state & STATE_VALID == 0 => Health::NeedsCheck("it is marked for a check"),
        () => Health::Mountable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(magic: u16, state: u16, compat: u16, expected: bool) {
        let mut block = [0; BLOCK_BYTES];
        for (at, word) in [(MAGIC.0, magic), (STATE, state), (FEATURE_COMPAT, compat)] {
            block[at..at + 2].copy_from_slice(&word.to_le_bytes());
        }
        let needs_check = matches!(judge(&block), Health::NeedsCheck(_));
        assert_eq!(needs_check, expected, "magic {magic:x}, state {state}, features {compat}");
    }

    #[test]
    fn only_errors_and_a_missing_journal_need_a_check() {
        check(0xef53, STATE_VALID, COMPAT_JOURNAL, false);
        check(0xef53, STATE_VALID | STATE_ERROR, COMPAT_JOURNAL, true);
        check(0xef53, 0, 0, true);
        check(0xef53, 0, COMPAT_JOURNAL, true);
        check(0x1234, 0, 0, false);
    }
}
