//! The memory of a process with a real-time thread: one allocator for all its threads, and pages that stay.
//!
//! A message is a few small pieces of memory that one thread takes and another gives back. This allocator takes no lock for
//! that, so no thread waits there for one that was preempted.

use rustix::mm::{MlockAllFlags, mlockall};
use std::io;

/// The allocator of such a process, for `#[global_allocator]`.
pub use mimalloc::MiMalloc as Allocator;

/// `mi_option_purge_delay` (mimalloc.h): milliseconds until free pages are given back to the kernel.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
/// Never.
const NOT_PURGED: libc::c_long = -1;

/// Keeps in memory every page that this process has touched or will touch. Those that are free it keeps for what comes next:
/// to be given one anew by the kernel is a pause.
pub fn lock_memory() -> io::Result<()> {
    // SAFETY: the call takes plain numbers; only this one sets that option, and reading it meanwhile gives the old value or the new.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, NOT_PURGED) };
    Ok(mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)?)
}
