//! A page of memory that the daemon and its deadman share: the one writes the lease end that it has earned, the other the
//! one that it has accepted. Neither wakes the other for it.
//!
//! Why this is as good as asking and being answered:
//! - **Accepted** means what it means in an answer. The deadman has read the end, checked it, and keeps time by it;
//!   only then does it write it down here, and the daemon uses no end that does not stand here as accepted. A deadman
//!   that is dead, stopped or starved writes nothing, and the lease runs out as if it had refused.
//! - The deadman looks here before each of its decisions, so an end that was earned in time counts, also if the daemon
//!   has died since.
//! - The deadman makes the page, a new one for each hello, and looks at none but the last: an earlier life of the
//!   daemon writes where nobody looks.
//! - Its size is sealed, so touching it never faults, whatever the other side does.

use phalanx_types::{Span, Tick};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of the page.
const BYTES: usize = 4_096;
/// What the page must never do.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// The page, as one of the two sees it.
#[derive(Debug)]
pub struct Slate {
    words: NonNull<Words>,
}

/// What stands on it. All zero at first.
#[repr(C)]
#[derive(Debug)]
struct Words {
    until: AtomicU64,
    stop_budget: AtomicU64,
    accepted: AtomicU64,
}

// SAFETY: the words are atomics in memory that stays mapped as long as the slate lives; nothing else is in it.
unsafe impl Send for Slate {}
// SAFETY: as above; every access is atomic.
unsafe impl Sync for Slate {}

impl Slate {
    /// A clean slate, and what the other side opens it by.
    pub fn make() -> io::Result<(Slate, OwnedFd)> {
        let file = memfd_create("phalanx-slate", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&file, BYTES as u64)?;
        fcntl_add_seals(&file, SEALS)?;
        Ok((Slate::map(&file)?, file))
    }

    /// The slate that the other side made.
    pub fn open(file: impl AsFd) -> io::Result<Slate> {
        let sealed = fcntl_get_seals(&file)?.contains(SEALS);
        match sealed && fstat(&file)?.st_size == BYTES as i64 {
            true => Slate::map(file),
            false => Err(io::Error::other("no slate: its size may change")),
        }
    }

    fn map(file: impl AsFd) -> io::Result<Slate> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses where, so no other mapping is touched.
        let page = unsafe { mmap(null_mut(), BYTES, protection, MapFlags::SHARED, file, 0) }?;
        let words = NonNull::new(page.cast()).ok_or_else(|| io::Error::other("mapped at zero"))?;
        Ok(Slate { words })
    }

    fn words(&self) -> &Words {
        // SAFETY: the page is mapped, aligned and longer than the words until this is dropped, and zero bytes are words.
        unsafe { self.words.as_ref() }
    }

    /// The daemon: this lease end was earned.
    pub fn write(&self, until: Tick, stop_budget: Span) {
        self.words().stop_budget.store(stop_budget.0, Ordering::Release);
        self.words().until.store(until.0, Ordering::Release);
    }

    /// The deadman: the lease end written last, and the end of it that is kept for letting go.
    pub fn read(&self) -> Option<(Tick, Span)> {
        let until = self.words().until.load(Ordering::Acquire);
        (until != 0).then(|| (Tick(until), Span(self.words().stop_budget.load(Ordering::Acquire))))
    }

    /// The deadman: it keeps time by this lease end from now on.
    pub fn accept(&self, until: Tick) {
        self.words().accepted.store(until.0, Ordering::Release);
    }

    /// The daemon: the lease end accepted last; [`Tick::ZERO`] if none was.
    pub fn accepted(&self) -> Tick {
        Tick(self.words().accepted.load(Ordering::Acquire))
    }
}

impl Drop for Slate {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nobody can reach the words any more.
        let _ = unsafe { munmap(self.words.as_ptr().cast(), BYTES) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_writes_the_other_reads() {
        let (deadman, file) = Slate::make().unwrap();
        let daemon = Slate::open(&file).unwrap();
        assert_eq!((deadman.read(), daemon.accepted()), (None, Tick::ZERO));
        daemon.write(Tick(900), Span(120));
        assert_eq!((deadman.read(), daemon.accepted()), (Some((Tick(900), Span(120))), Tick::ZERO));
        deadman.accept(Tick(900));
        drop(deadman);
        assert_eq!(daemon.accepted(), Tick(900), "it outlives either side");
    }

    #[test]
    fn a_page_that_may_shrink_is_no_slate() {
        let file = memfd_create("loose", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&file, BYTES as u64).unwrap();
        assert!(Slate::open(&file).is_err());
        let (_, file) = Slate::make().unwrap();
        assert!(ftruncate(&file, 0).is_err(), "sealed");
    }
}
