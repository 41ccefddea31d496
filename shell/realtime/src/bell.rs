//! A bell that wakes a thread which waits for several things: something to wait for, and silent until it is rung.
//!
//! Who rings one that rings already makes no system call, so that a hundred things which are left at once wake once.

use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// A bell; readable for whoever waits for it as long as it rings.
#[derive(Debug)]
pub struct Bell {
    event: OwnedFd,
    rings: AtomicBool,
}

impl Bell {
    /// A silent bell.
    pub fn new() -> io::Result<Bell> {
        let event = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Bell { event, rings: AtomicBool::new(false) })
    }

    /// Rings, after something was left in a queue.
    pub fn ring(&self) {
        if !self.rings.swap(true, Ordering::SeqCst) {
            let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
        }
    }

    /// Silences it, before the queue is emptied: so what is left afterwards rings again, and none is missed.
    pub fn hush(&self) {
        let _ = rustix::io::read(&self.event, &mut [0; 8]);
        self.rings.store(false, Ordering::SeqCst);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    fn rings(bell: &Bell) -> bool {
        let mut waits = [PollFd::new(bell, PollFlags::IN)];
        poll(&mut waits, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
    }

    #[test]
    fn it_rings_until_it_is_hushed_and_can_ring_again() {
        let bell = Bell::new().unwrap();
        assert!(!rings(&bell));
        bell.ring();
        bell.ring();
        assert!(rings(&bell));
        bell.hush();
        assert!(!rings(&bell));
        bell.ring();
        assert!(rings(&bell));
    }
}
