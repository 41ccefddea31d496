//! Whether something in this kernel has a block device for itself: a mount in any mount namespace, also one that was
//! detached and lives on, or another driver.

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::ioctl::{NoArg, Opcode, ioctl, opcode};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

/// BLKFLSBUF: write what is dirty, forget what is cached.
const FLUSH_BUFFERS: Opcode = opcode::none(0x12, 97);

/// Whether somebody has `device` for himself. One that cannot be opened is nobody's.
pub(crate) fn is_claimed(device: &Path) -> bool {
    matches!(exclusively(device), Err(Errno::BUSY))
}

/// Makes sure that nobody has `device`, and that nothing older than the disk itself is read from it next: another node
/// may have written there since it was last used here.
pub(crate) fn freshen(device: &Path) -> io::Result<()> {
    let device = exclusively(device)?;
    // SAFETY: the request takes no argument and touches no memory of ours.
    let flush = unsafe { NoArg::<FLUSH_BUFFERS>::new() };
    // SAFETY: the request is the one that Linux defines for block devices; another file answers ENOTTY.
    unsafe { ioctl(&device, flush) }?;
    Ok(())
}

fn exclusively(device: &Path) -> Result<OwnedFd, Errno> {
    open(device, OFlags::RDONLY | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())
}
