//! Whether something in this kernel has a block device for itself: a mount in any mount namespace, also one that was
//! detached and lives on, or another driver.
//!
//! The only way to look is to take the device for a moment, and two who look at once find each other. So those in this
//! process take turns, and what others have is looked at again: a look ends by itself, a claim stays.

use phalanx_host::clock::duration;
use phalanx_types::Span;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::ioctl::{NoArg, Opcode, ioctl, opcode};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;

/// BLKFLSBUF: write what is dirty, forget what is cached.
const FLUSH_BUFFERS: Opcode = opcode::none(0x12, 97);
/// Pauses before looking again at a device that somebody has: another process may just be looking.
const PAUSES: [Span; 3] = [Span::from_millis(1), Span::from_millis(4), Span::from_millis(16)];

/// Whose turn it is, for each device: one that hangs keeps nobody from looking at others. There are as many as devices
/// in the configurations of this daemon's life.
static TURNS: Mutex<BTreeMap<PathBuf, Arc<Mutex<()>>>> = Mutex::new(BTreeMap::new());

/// Whether somebody has `device` for himself. One that cannot be opened is nobody's.
pub(crate) fn is_claimed(device: &Path) -> bool {
    let turn = turn(device);
    let _held = lock(&turn);
    matches!(exclusively(device), Err(Errno::BUSY))
}

/// Makes sure that nobody has `device`, and that nothing older than the disk itself is read from it next: another node
/// may have written there since it was last used here.
pub(crate) fn freshen(device: &Path) -> io::Result<()> {
    let turn = turn(device);
    let _held = lock(&turn);
    let device = exclusively(device)?;
    // SAFETY: the request takes no argument and touches no memory of ours.
    let flush = unsafe { NoArg::<FLUSH_BUFFERS>::new() };
    // SAFETY: the request is the one that Linux defines for block devices; another file answers ENOTTY.
    unsafe { ioctl(&device, flush) }?;
    Ok(())
}

fn turn(device: &Path) -> Arc<Mutex<()>> {
    Arc::clone(lock(&TURNS).entry(device.to_owned()).or_default())
}

fn exclusively(device: &Path) -> Result<OwnedFd, Errno> {
    for pause in PAUSES {
        match open_exclusively(device) {
            Err(Errno::BUSY) => sleep(duration(pause)),
            outcome => return outcome,
        }
    }
    open_exclusively(device)
}

fn open_exclusively(device: &Path) -> Result<OwnedFd, Errno> {
    open(device, OFlags::RDONLY | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
