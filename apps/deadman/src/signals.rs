//! SIGTERM and SIGINT, read from a file descriptor.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

const SIGNALS: [libc::c_int; 2] = [libc::SIGTERM, libc::SIGINT];
/// Bytes of one signal as the kernel tells it.
const RECORD_BYTES: usize = size_of::<libc::signalfd_siginfo>();

/// The signals that ask this process to exit.
#[derive(Debug)]
pub struct Signals {
    descriptor: OwnedFd,
}

impl Signals {
    /// From now on they come in here, and do nothing else.
    pub fn catch() -> io::Result<Signals> {
        let set = set();
        // SAFETY: the set is initialized and outlives the call; no old set is asked for.
        succeeded(unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) })?;
        // SAFETY: the set is initialized and outlives the call; -1 asks for a new descriptor.
        let raw = unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        succeeded(raw)?;
        // SAFETY: the kernel has just given us this descriptor, and nobody else knows it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(raw) };
        Ok(Signals { descriptor })
    }

    /// Whether one has come.
    pub fn came(&self) -> bool {
        rustix::io::read(&self.descriptor, &mut [0; RECORD_BYTES]).is_ok()
    }
}

fn set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the pointer is to a sigset_t, which this call initializes.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: the call above has initialized it.
    let mut set = unsafe { set.assume_init() };
    for signal in SIGNALS {
        // SAFETY: the set is initialized, and the number is that of a signal.
        unsafe { libc::sigaddset(&mut set, signal) };
    }
    set
}

fn succeeded(outcome: libc::c_int) -> io::Result<()> {
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
