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
/// Between two looks at the page, at least.
const LOOK_PAUSE_MIN: Span = Span::from_millis(10);
/// A deadman that has not looked for so many pauses between two looks hangs.
const PAUSES_UNTIL_SILENT: u64 = 2;
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
    looked: AtomicU64,
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

    /// The deadman: the lease end written last, and the end of it that is kept for letting go. If there is one, it can be
    /// seen that the deadman has looked; it looks again after [`Slate::pause`].
    pub fn read(&self, now: Tick) -> Option<(Tick, Span)> {
        let until = self.words().until.load(Ordering::Acquire);
        (until != 0).then(|| {
            self.words().looked.store(now.0, Ordering::Release);
            (Tick(until), Span(self.words().stop_budget.load(Ordering::Acquire)))
        })
    }

    /// The deadman: it keeps time by this lease end from now on.
    pub fn accept(&self, until: Tick) {
        self.words().accepted.store(until.0, Ordering::Release);
    }

    /// How long the deadman may wait between two looks, given what is kept of a lease for letting go: one that is renewed
    /// has all of that left, and more.
    pub fn pause(stop_budget: Span) -> Span {
        stop_budget.max(LOOK_PAUSE_MIN)
    }

    /// The daemon: since when the deadman has not looked, if it should have; also while there is no lease to accept.
    pub fn silence(&self, now: Tick) -> Option<Span> {
        let words = self.words();
        let looked = Tick(words.looked.load(Ordering::Acquire));
        let pause = Slate::pause(Span(words.stop_budget.load(Ordering::Acquire)));
        let is_late = looked > Tick::ZERO && now > looked + pause * PAUSES_UNTIL_SILENT;
        is_late.then(|| now.since(looked))
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
        assert_eq!((deadman.read(Tick(1)), daemon.accepted()), (None, Tick::ZERO));
        daemon.write(Tick(900), Span(120));
        assert_eq!((deadman.read(Tick(2)), daemon.accepted()), (Some((Tick(900), Span(120))), Tick::ZERO));
        deadman.accept(Tick(900));
        drop(deadman);
        assert_eq!(daemon.accepted(), Tick(900), "it outlives either side");
    }

    #[test]
    fn a_deadman_that_does_not_look_is_seen() {
        let (deadman, file) = Slate::make().unwrap();
        let daemon = Slate::open(&file).unwrap();
        let (ms, start) = (Span::from_millis, Tick(1_000_000_000));
        deadman.read(start.before(ms(900)));
        assert_eq!(daemon.silence(start), None, "it finds nothing, and need not look again");
        daemon.write(start + ms(500), ms(100));
        assert_eq!(daemon.silence(start + ms(900)), None, "the first end goes by the lifeline");
        deadman.read(start);
        assert_eq!(daemon.silence(start + ms(200)), None, "it may look any moment");
        assert_eq!(daemon.silence(start + ms(201)), Some(ms(201)));
        deadman.read(start + ms(300));
        assert_eq!(daemon.silence(start + ms(301)), None, "it goes on");
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
